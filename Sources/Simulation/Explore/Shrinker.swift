/// What kind of thing was found wrong: its words without names and numbers.
struct ViolationKind: Hashable, Sendable {
  private let words: String

  init(_ violation: String) {
    words = violation.split(separator: " ").filter { !$0.contains(where: \.isNumber) }.joined(separator: " ")
  }

  /// Of several the worst: somebody was paid twice, or after an unpaid end.
  static func worst(of violations: [String]) -> ViolationKind? {
    (violations.first(where: isPayment) ?? violations.first).map { ViolationKind($0) }
  }

  /// Whether somebody was paid who should not have been.
  static func isPayment(_ violation: String) -> Bool {
    violation.contains(" was paid") && !violation.contains("nobody was paid")
  }
}

/// Makes a failing schedule short: leaves out whatever is not needed for it to fail (Zeller and Hildebrandt, 2002: delta
/// debugging).
struct Shrinker {
  /// Whether a run still shows what is looked for.
  let fails: (SimulatedWorld.Outcome) -> Bool
  /// How many more worlds may be run.
  private(set) var runsLeft: Int

  /// - Parameter runs: how many worlds may be run.
  init(runs: Int = 500, fails: @escaping (SimulatedWorld.Outcome) -> Bool) {
    self.fails = fails
    runsLeft = runs
  }

  /// Looks for what fails as these violations say, not in another way.
  init(runs: Int = 500, like violations: [String]) {
    let kind = ViolationKind.worst(of: violations)
    self.init(runs: runs) { outcome in outcome.violations.contains { ViolationKind($0) == kind } }
  }

  /// One thing that goes wrong.
  private enum Mishap: Hashable {
    case fault(Fault)
    case accident(SlotAccident)
  }

  /// A schedule that fails too and of which nothing can be left out alone, as far as the runs reach.
  mutating func shrink(_ schedule: Schedule) throws -> Schedule {
    guard var shortest = try failing(schedule.listing(try schedule.run())) else { return schedule }
    var before: Schedule?
    while before != shortest, runsLeft > 0 {
      before = shortest
      try shrinkWorld(&shortest)
      try shrinkMishaps(&shortest)
    }
    return shortest
  }

  /// The schedule with only what really happened in it, where it fails; nil where it does not.
  private mutating func failing(_ schedule: Schedule) throws -> Schedule? {
    runsLeft -= 1
    let outcome = try schedule.run()
    return fails(outcome) ? schedule.listing(outcome) : nil
  }

  /// A smaller world: fewer payouts and processes, nothing special about them.
  private mutating func shrinkWorld(_ schedule: inout Schedule) throws {
    let simpler: [(inout WorldSettings) -> Void] = [
      { $0.replicas = 1 }, { $0.nodes = 1 }, { $0.refusedRecipients = 0 }, { $0.hasTwins = false },
      { $0.lostAnswer = 0 }, { $0.hasFalseBranches = false },
      { $0.payouts = 1 }, { $0.payouts = max(1, $0.payouts / 2) }, { $0.payouts = max(1, $0.payouts - 1) },
    ]
    for simplify in simpler where runsLeft > 0 {
      var candidate = schedule
      simplify(&candidate.settings)
      if candidate != schedule, let shorter = try failing(candidate) { schedule = shorter }
    }
  }

  /// Leaves out ever smaller parts of what goes wrong, until none of them can be left out alone.
  private mutating func shrinkMishaps(_ schedule: inout Schedule) throws {
    var mishaps = Self.mishaps(of: schedule)
    var size = max(1, mishaps.count / 2)
    while !mishaps.isEmpty, runsLeft > 0 {
      var hasShrunk = false
      var start = 0
      while start < mishaps.count, runsLeft > 0 {
        var fewer = mishaps
        fewer.removeSubrange(start..<min(start + size, mishaps.count))
        let candidate = Self.schedule(schedule, with: fewer)
        if let shorter = try failing(candidate) {
          let happened = Set(Self.mishaps(of: shorter))
          mishaps = fewer.filter(happened.contains)
          schedule = Self.schedule(schedule, with: mishaps)
          hasShrunk = true
        } else {
          start += size
        }
      }
      if size > 1 { size /= 2 } else if !hasShrunk { return }
    }
  }

  private static func mishaps(of schedule: Schedule) -> [Mishap] {
    schedule.plan.listed.map(Mishap.fault) + (schedule.accidents ?? []).map(Mishap.accident)
  }

  private static func schedule(_ schedule: Schedule, with mishaps: [Mishap]) -> Schedule {
    var schedule = schedule
    schedule.plan.listed = mishaps.compactMap { if case .fault(let fault) = $0 { fault } else { nil } }
    schedule.accidents = mishaps.compactMap { if case .accident(let accident) = $0 { accident } else { nil } }
    return schedule
  }
}
