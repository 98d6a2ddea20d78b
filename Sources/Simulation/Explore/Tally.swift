/// What many schedules came to.
struct Tally: Sendable {
  /// A schedule in which something was found wrong.
  struct Failure: Sendable {
    let schedule: Schedule
    let outcome: SimulatedWorld.Outcome
    /// Its place among all, whichever was finished first.
    let unit: Int
  }

  private(set) var schedules = 0
  private(set) var inputsAndOutputs = 0
  private(set) var jobs = 0
  private(set) var virtualMilliseconds: Int64 = 0
  private(set) var injected: [String: Int] = [:]
  private(set) var accidents: [String: Int] = [:]
  private(set) var ends: [String: Int] = [:]
  private(set) var seen: [String: Int] = [:]
  /// The first ones, in the order of their units.
  private(set) var failures: [Failure] = []
  private(set) var failureCount = 0
  /// The last good world's, where one was kept.
  private(set) var story: [String] = []
  /// How many first crashes of pairs were run.
  private(set) var firsts = 0
  /// How many pairs begin with the first crashes that were run, whether or not their seconds were.
  private(set) var pairs = 0

  /// Of failures so many are kept.
  static let failuresKept = 20

  mutating func add(_ schedule: Schedule, _ outcome: SimulatedWorld.Outcome, unit: Int = 0, pairs: Int = 0) {
    schedules += 1
    self.pairs += pairs
    if pairs > 0 { firsts += 1 }
    inputsAndOutputs += outcome.inputsAndOutputs
    jobs += outcome.jobs
    virtualMilliseconds += outcome.milliseconds
    for fault in outcome.injected { injected["\(fault.channel.rawValue) \(fault.happening.rawValue)", default: 0] += 1 }
    for happened in outcome.accidents { accidents["\(happened.accident.kind)", default: 0] += 1 }
    seen.merge(outcome.seen, uniquingKeysWith: +)
    for (status, count) in outcome.ends { ends[status.rawValue, default: 0] += count }
    guard !outcome.violations.isEmpty else {
      if !outcome.story.isEmpty { story = outcome.story }
      return
    }
    failureCount += 1
    let place = failures.firstIndex { $0.unit > unit } ?? failures.endIndex
    failures.insert(Failure(schedule: schedule, outcome: outcome, unit: unit), at: place)
    if failures.count > Tally.failuresKept { failures.removeLast() }
  }
}
