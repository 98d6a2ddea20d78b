/// What many schedules came to.
struct Tally: Sendable {
  /// A schedule in which something was found wrong.
  struct Failure: Sendable {
    let schedule: Schedule
    let outcome: SimulatedWorld.Outcome
  }

  private(set) var schedules = 0
  private(set) var inputsAndOutputs = 0
  private(set) var jobs = 0
  private(set) var virtualMilliseconds: Int64 = 0
  private(set) var injected: [String: Int] = [:]
  private(set) var accidents: [String: Int] = [:]
  private(set) var ends: [String: Int] = [:]
  private(set) var seen: [String: Int] = [:]
  private(set) var failures: [Failure] = []
  private(set) var failureCount = 0

  /// Of failures so many are kept.
  static let failuresKept = 20

  mutating func add(_ schedule: Schedule, _ outcome: SimulatedWorld.Outcome) {
    schedules += 1
    inputsAndOutputs += outcome.inputsAndOutputs
    jobs += outcome.jobs
    virtualMilliseconds += outcome.milliseconds
    for fault in outcome.injected { injected["\(fault.channel.rawValue) \(fault.happening.rawValue)", default: 0] += 1 }
    for happened in outcome.accidents { accidents[happened.accident.kind, default: 0] += 1 }
    seen.merge(outcome.seen, uniquingKeysWith: +)
    for (status, count) in outcome.ends { ends[status.rawValue, default: 0] += count }
    guard !outcome.violations.isEmpty else { return }
    failureCount += 1
    if failures.count < Tally.failuresKept { failures.append(Failure(schedule: schedule, outcome: outcome)) }
  }
}
