import Dispatch
import Glibc
import Synchronization

/// Runs campaigns on several threads. A world belongs to one of them and shares nothing with the others, so each schedule
/// tells the same story whatever runs beside it.
final class Runner: Sendable {
  private struct State {
    var tally = Tally()
    var next = 0
    var toldAt = ContinuousClock.now
    var error: (any Error)?
  }

  private let jobs: Int
  private let began = ContinuousClock.now
  private let state = Mutex(State())
  /// So often it is told how far it has come.
  private static let tellsEvery = Duration.seconds(60)

  /// - Parameter jobs: how many schedules run at once; no more than there are processors.
  init(jobs: Int) { self.jobs = max(1, jobs) }

  /// What came of everything so far.
  var tally: Tally { state.withLock { $0.tally } }

  /// Runs all units of a campaign. Blocks.
  /// - Parameter isRecording: whether good worlds keep their stories too.
  /// - Throws: the first error of a world that could not be run: `ScheduleError`, or what the fixed keys cannot have.
  func run(_ campaign: Campaign, isRecording: Bool = false) throws {
    state.withLock { $0.next = 0 }
    DispatchQueue.concurrentPerform(iterations: min(jobs, max(1, campaign.units))) { _ in
      while let unit = nextUnit(of: campaign) {
        do {
          try campaign.run(unit, isRecording: isRecording) { add(unit, $0, $1, $2) }
        } catch {
          state.withLock { $0.error = $0.error ?? error }
        }
      }
    }
    if let error = state.withLock({ $0.error }) { throw error }
  }

  private func nextUnit(of campaign: Campaign) -> Int? {
    state.withLock { state in
      guard state.error == nil, state.next < campaign.units else { return nil }
      defer { state.next += 1 }
      return state.next
    }
  }

  private func add(_ unit: Int, _ schedule: Schedule, _ outcome: SimulatedWorld.Outcome, _ pairs: Int) {
    if let violation = outcome.violations.first {
      tell("a violation: seed \(schedule.seed), listed \(schedule.plan.listed): \(violation)")
    }
    let progress = state.withLock { state -> String? in
      state.tally.add(schedule, outcome, unit: unit, pairs: pairs)
      let now = ContinuousClock.now
      guard now - state.toldAt >= Self.tellsEvery else { return nil }
      state.toldAt = now
      let (done, seconds) = (state.tally.schedules, max(1, (now - began).components.seconds))
      return "\(done) schedules, \(state.tally.failureCount) violations, \(done * 10 / Int(seconds)) in ten seconds"
    }
    if let progress { tell(progress) }
  }

  /// One line on standard error.
  private func tell(_ line: String) {
    var line = line + "\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}
