/// A payout's life whose inputs and outputs are gone through one by one. Each takes a way of its own through the workers'
/// code: what is never come to cannot fail there.
enum Life: String, Sendable, CaseIterable {
  /// Nothing happens.
  case happy
  /// Its first transaction is in no block until it has expired; the second one pays.
  case secondAttempt
  /// Its first transaction fails in its block for lack of energy; the second one pays.
  case outOfEnergy
  /// PostgreSQL starts again while its transaction is sent and in no block.
  case restarted
  /// PostgreSQL goes back to before its acceptance after its transaction was sent: the Signer's journal and the log of
  /// intents put it back.
  case restored
  /// The same, and the Signer's disk is lost with it: that is waited out.
  case quarantined
  /// Two of each worker: each Signer vouches, and either may sign or send.
  case twoSigners

  /// What happens by itself; nil for nothing.
  private var accidents: [SlotAccident]? {
    /// Its first transaction stays out of the blocks of these slots, whenever it was sent.
    func leftOut(_ slots: ClosedRange<Int64>) -> [SlotAccident] {
      slots.map { SlotAccident(slot: $0, accident: .leftOut(sent: 0)) }
    }
    let restore = SlotAccident(slot: 6, accident: .restore(slots: 6, losesAcceptances: true))
    return switch self {
    case .happy, .twoSigners: nil
    case .secondAttempt: leftOut(1...30)
    case .outOfEnergy: (1...20).map { SlotAccident(slot: $0, accident: .failing(sent: 0, isOutOfTime: false)) }
    case .restarted: leftOut(1...6) + [SlotAccident(slot: 4, accident: .restart)]
    case .restored: leftOut(1...8) + [restore]
    case .quarantined: [SlotAccident(slot: 6, accident: .diskLost(signer: 0)), restore]
    }
  }

  /// A world of it, with these faults.
  func schedule(seed: UInt64, _ listed: [Fault]) -> Schedule {
    var settings = WorldSettings.single
    settings.replicas = self == .twoSigners ? 2 : 1
    if let last = accidents?.map(\.slot).max() {
      settings.calmAfter = (last + 1) * SimulatedChain.slotMilliseconds
      settings.asksAtOnce = true
    }
    if self == .secondAttempt || self == .outOfEnergy { settings.expirationMilliseconds = 30_000 }
    // What a restore takes that no log tells of is known to its client alone.
    if self == .restored || self == .quarantined { settings.repetitions = 1 }
    return Schedule(seed: seed, settings: settings, plan: FaultPlan(listed: listed), accidents: accidents)
  }
}
