import Synchronization

/// Which accidents happen in a slot: the listed ones, or what chance wants. Its chance is apart from the world's own, so
/// that the same accidents can be listed instead, and some of them left out.
final class AccidentSource: Sendable {
  private let settings: WorldSettings
  private let listed: [SlotAccident]?
  private let chance: Mutex<SplitMix64>
  private let past = Mutex<[SlotAccident]>([])

  /// - Parameter listed: nil where chance decides.
  init(_ settings: WorldSettings, listed: [SlotAccident]?, seed: UInt64) {
    self.settings = settings
    self.listed = listed
    chance = Mutex(SplitMix64(seed: seed ^ 0x2545_f491_4f6c_dd1d))
  }

  /// What has happened.
  var happened: [SlotAccident] { past.withLock { $0 } }

  /// What happens in this slot.
  ///
  /// - Parameters:
  ///   - processes: those that live.
  ///   - pending: places of pending transactions among all that were sent.
  func accidents(inSlot slot: Int64, processes: [String], sent: Int, pending: [Int]) -> [Accident] {
    let accidents =
      listed.map { $0.filter { $0.slot == slot }.map(\.accident) }
      ?? chance.withLock { drawn(&$0, processes: processes, sent: sent, pending: pending) }
    past.withLock { $0 += accidents.map { SlotAccident(slot: slot, accident: $0) } }
    return accidents
  }

  private func drawn(
    _ chance: inout SplitMix64, processes: [String], sent: Int, pending: [Int]
  ) -> [Accident] {
    func below(_ bound: UInt64) -> UInt64 { UInt64.random(in: 0..<bound, using: &chance) }
    func happens(_ rate: UInt64) -> Bool { rate > 0 && below(10_000) < rate }
    var accidents: [Accident] = []
    if happens(settings.kill), let victim = processes.randomElement(using: &chance) { accidents.append(.kill(victim)) }
    if happens(settings.flush) { accidents.append(.flush) }
    if happens(settings.restart) { accidents.append(.restart) }
    accidents += drawnDisasters(&chance)
    if happens(settings.clock), let victim = processes.randomElement(using: &chance) {
      accidents.append(.clock(victim, milliseconds: below(2) == 0 ? 600_000 : -600_000))
    }
    if happens(settings.forgetting) { accidents.append(.forgetting) }
    if happens(settings.fork) {
      accidents.append(.fork(depth: 1 + Int64(below(6)), pendsAgain: below(2) == 0))
    }
    if happens(settings.deepFork) {
      accidents.append(.fork(depth: 25 + Int64(below(100)), pendsAgain: below(2) == 0))
    }
    // More than ten minutes: longer than the longest life of a transaction.
    if happens(settings.frozen) { accidents.append(.frozen(slots: 210 + Int64(below(60)))) }
    if happens(settings.halted) { accidents.append(.halted(slots: 5 + Int64(below(80)))) }
    if happens(settings.missedSlot) { accidents.append(.missedSlot) }
    for place in 0..<sent where happens(settings.failing) {
      accidents.append(.failing(sent: place, isOutOfTime: below(2) == 0))
    }
    for place in pending where happens(settings.leftOut) { accidents.append(.leftOut(sent: place)) }
    return accidents
  }

  /// What takes history away, or comes from outside.
  private func drawnDisasters(_ chance: inout SplitMix64) -> [Accident] {
    func below(_ bound: Int) -> Int { Int(UInt64.random(in: 0..<UInt64(bound), using: &chance)) }
    func happens(_ rate: UInt64) -> Bool { rate > 0 && UInt64(below(10_000)) < rate }
    var accidents: [Accident] = []
    if happens(settings.diskLost) {
      accidents.append(.diskLost(signer: below(settings.replicas)))
      // Often the machine of the database goes with it.
      if settings.losesAcceptances || settings.restore > 0, below(2) == 0 {
        accidents.append(.restore(slots: 1 + below(20), losesAcceptances: settings.losesAcceptances))
      }
    }
    if happens(settings.restore) {
      accidents.append(
        .restore(slots: 1 + below(20), losesAcceptances: settings.losesAcceptances && below(3) > 0))
    }
    if happens(settings.snapshot) { accidents.append(.snapshot(slots: 1 + below(20))) }
    if happens(settings.diskFound) { accidents.append(.diskFound(signer: below(settings.replicas))) }
    if happens(settings.away) {
      accidents.append(.away(signer: below(settings.replicas), slots: Int64(10 + below(400))))
    }
    if happens(settings.strange) {
      accidents.append(.strange(Stranger.allCases[below(Stranger.allCases.count)]))
    }
    return accidents
  }
}
