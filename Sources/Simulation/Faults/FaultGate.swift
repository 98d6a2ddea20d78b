import Synchronization

/// The gate through which every input and output of a simulated process goes: it takes a little time, and may go wrong.
final class FaultGate: Sendable {
  /// The errors of a channel, made by whoever knows its types.
  struct Errors: Sendable {
    /// Nothing was done.
    let notDone: @Sendable (_ site: String) -> any Error
    /// Nobody knows whether it was done.
    let unknown: @Sendable (_ site: String) -> any Error
  }

  /// After so long a caller gives up on what hangs, in milliseconds.
  static let timeOutMilliseconds: Int64 = 10_000

  private struct Site: Hashable {
    let process: String
    let name: String
  }

  /// An input or output that a process came to.
  struct Visit: Sendable {
    let place: FaultPlace
    let channel: Channel
  }

  private struct State {
    var count = 0
    var counts: [Site: Int] = [:]
    var visited: [Visit] = []
    var injected: [Fault] = []
    var chance: SplitMix64
    /// Apart from the other, so that lies can be left out and everything else goes wrong as before.
    var lying: SplitMix64

    /// Which one of its kind a process has come to.
    mutating func place(of process: SimulatedProcess, _ site: String) -> FaultPlace {
      let ordinal = counts[Site(process: process.name, name: site), default: 0] + 1
      counts[Site(process: process.name, name: site)] = ordinal
      return FaultPlace(process: process.name, site: site, ordinal: ordinal)
    }
  }

  private let host: SimulationHost
  private let seed: UInt64
  /// Carries what takes effect late: nobody kills it.
  private let courier: SimulatedProcess
  private let plan: FaultPlan
  private let listed: [FaultPlace: Happening]
  private let state: Mutex<State>
  private let isRecording: Bool

  /// - Parameters:
  ///   - seed: for what goes wrong by chance; apart from the world's own, so that the same faults can be listed instead.
  ///   - isRecording: whether each input and output is kept, for systematic exploration.
  init(_ plan: FaultPlan, seed: UInt64, host: SimulationHost, isRecording: Bool = false) {
    self.plan = plan
    listed = Dictionary(plan.listed.map { ($0.place, $0.happening) }) { first, _ in first }
    self.host = host
    self.seed = seed
    courier = SimulatedProcess("courier", in: host)
    self.isRecording = isRecording
    state = Mutex(
      State(
        chance: SplitMix64(seed: seed ^ 0x5bd1_e995_fa17_9a7e), lying: SplitMix64(seed: seed ^ 0x9e6c_63d0_876a_9a69)))
  }

  /// How many inputs and outputs there were.
  var count: Int { state.withLock { $0.count } }
  /// What went wrong.
  var injected: [Fault] { state.withLock { $0.injected } }
  /// Each of them, in order, where recorded.
  var visited: [Visit] { state.withLock { $0.visited } }

  /// Lets an input or output happen, or what goes wrong instead.
  ///
  /// A process that died never returns from here: nothing of it runs any more.
  func pass<Value: Sendable>(
    _ site: String, _ channel: Channel, of process: SimulatedProcess, _ errors: Errors, _ passage: Passage<Value>
  ) async throws -> Value {
    try await host.sleep(until: host.now + Int64(host.draw(below: 4)))
    let fault = next(site, channel, process)
    switch fault?.happening {
    // A lie is told within the effect: see ``lie(_:to:among:)``.
    case nil, .leavesOut, .turnsRound, .forges, .putsIn, .branches:
      return try await passage.effect()
    case .saysKnown?, .saysTaken?, .saysBusy?:
      guard let happening = fault?.happening, let told = passage.told?(happening) else {
        return try await passage.effect()
      }
      return told
    case .failsBefore:
      passage.undone()
      throw errors.notDone(site)
    case .answerIsLost:
      _ = try await passage.effect()
      throw errors.unknown(site)
    case .questionIsLost:
      passage.undone()
      throw errors.unknown(site)
    case .hangs:
      try await host.sleep(until: host.now + Self.timeOutMilliseconds)
      let value = try await passage.effect()
      guard passage.hasTimeOut else { return value }
      throw errors.unknown(site)
    case .landsLate:
      try await sendOff(passage, fault)
      throw errors.unknown(site)
    case .crashesBefore:
      passage.undone()
      await process.die()
      throw errors.unknown(site)
    case .crashesWithin:
      passage.partly?(fault?.chance(seed) ?? 0)
      await process.die()
      throw errors.unknown(site)
    case .crashesAfter:
      _ = try await passage.effect()
      await process.die()
      throw errors.unknown(site)
    case .crashesAndLandsLate:
      try await sendOff(passage, fault)
      await process.die()
      throw errors.unknown(site)
    case .isDoubled:
      _ = try await passage.effect()
      return try await passage.effect()
    }
  }

  /// Lets it take effect later.
  private func sendOff<Value: Sendable>(_ passage: Passage<Value>, _ fault: Fault?) async throws {
    guard let fault else { return }
    let moment = host.now + fault.lateness(seed)
    let arrive: @Sendable () async -> Void
    if let departs = passage.departs {
      arrive = try await departs(moment)
    } else {
      arrive = { _ = try? await passage.effect() }
    }
    courier.start { [host] in
      guard (try? await host.sleep(until: moment)) != nil else { return }
      await arrive()
    }
  }

  private func next(_ site: String, _ channel: Channel, _ process: SimulatedProcess) -> Fault? {
    let now = host.now
    return state.withLock { state in
      state.count += 1
      let place = state.place(of: process, site)
      if isRecording { state.visited.append(Visit(place: place, channel: channel)) }
      var happening = listed[place]
      if happening == nil, plan.perTenThousand > 0, now < plan.quietAfter,
        UInt64.random(in: 0..<10_000, using: &state.chance) < plan.perTenThousand * channel.weight
      {
        happening = channel.happenings.randomElement(using: &state.chance)
      }
      guard let happening, channel.happenings.contains(happening) else { return nil }
      let fault = Fault(place: place, channel: channel, happening: happening)
      state.injected.append(fault)
      return fault
    }
  }

  /// What a lying node makes of the block that it is asked for; nil for the truth.
  ///
  /// - Parameters:
  ///   - site: What it is asked.
  ///   - process: Who asks.
  ///   - lies: Those that would not be the truth here.
  func lie(_ site: String, to process: SimulatedProcess, among lies: [Happening]) -> Happening? {
    state.withLock { state in
      let place = state.place(of: process, site)
      var lie = listed[place]
      if lie == nil, plan.liesPerTenThousand > 0,
        UInt64.random(in: 0..<10_000, using: &state.lying) < plan.liesPerTenThousand
      {
        lie = lies.randomElement(using: &state.lying)
      }
      guard let lie, lies.contains(lie) else { return nil }
      state.injected.append(Fault(place: place, channel: .lie, happening: lie))
      return lie
    }
  }
}
