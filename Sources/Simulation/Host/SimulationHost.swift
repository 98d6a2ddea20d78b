import Synchronization

/// One simulated world: a queue of jobs that are ready to run, a virtual time, and one seeded generator that picks.
///
/// Jobs of all processes run one at a time on the thread that calls ``run(while:)``, in an order that only the seed
/// decides. Time moves only when no job is ready, and then straight to the next sleeper's moment. So a run replays
/// identically from its seed, and weeks of waiting take milliseconds.
final class SimulationHost: Sendable {
  /// Why ``run(while:)`` returned.
  enum Ending: Sendable, Hashable {
    /// The condition it ran for holds no longer.
    case done
    /// Nobody is ready and nobody sleeps: whoever still waits would wait for ever.
    case stuck
    /// The time it was given is over.
    case timeOver
  }

  private struct Job {
    let process: SimulatedProcess
    let job: UnownedJob
  }

  private struct State {
    var ready: [Job] = []
    var sleepers = Sleepers()
    var now: Int64
    var generator: SplitMix64
    var executed = 0
    /// What processes that died would have done: kept only to be unwound.
    var dropped: [Job] = []
    var isOver = false
  }

  private let state: Mutex<State>

  /// A world whose clock shows `start` (milliseconds) and in which `seed` decides what happens.
  init(seed: UInt64, start: Int64) {
    state = Mutex(State(now: start, generator: SplitMix64(seed: seed)))
  }

  /// The virtual time in milliseconds.
  var now: Int64 { state.withLock { $0.now } }

  /// How many jobs have run: equal for two runs of one seed, or they have diverged.
  var executedJobs: Int { state.withLock { $0.executed } }

  /// A number below `bound` by the world's generator.
  func draw(below bound: UInt64) -> UInt64 {
    state.withLock { UInt64.random(in: 0..<bound, using: &$0.generator) }
  }

  /// Runs jobs until `goesOn` says no, until nothing can happen any more, or until the clock would pass `end`.
  func run(until end: Int64, while goesOn: () -> Bool = { true }) -> Ending {
    while goesOn() {
      if let next = pick() {
        next.process.execute(next.job)
        continue
      }
      switch wakeNext(until: end) {
      case .woken: continue
      case .nobody: return .stuck
      case .late: return .timeOver
      }
    }
    return .done
  }

  func enqueue(_ job: UnownedJob, of process: SimulatedProcess) {
    state.withLock { $0.ready.append(Job(process: process, job: job)) }
  }

  // MARK: The end

  /// So many jobs may unwind a world; what then still goes on is left as it is.
  private static let unwindingJobsMax = 1_000_000

  /// Keeps a job that will never be run in this world.
  func drop(_ job: UnownedJob, of process: SimulatedProcess) {
    state.withLock { $0.dropped.append(Job(process: process, job: job)) }
  }

  /// Whether the world is over: whatever runs now only gives back what it holds.
  var isOver: Bool { state.withLock { $0.isOver } }

  /// Ends the world, once it was judged: whoever sleeps or begins to sleep is cancelled, and so everything that still
  /// runs or was dropped comes to its end and gives its memory back. Nothing reaches a database, node or stream any more,
  /// since everybody sleeps before that.
  func unwind() {
    let sleepers = state.withLock { state in
      state.isOver = true
      state.ready += state.dropped
      state.dropped = []
      return state.sleepers.removeDue(at: .max)
    }
    for continuation in sleepers { continuation.resume(throwing: CancellationError()) }
    var left = Self.unwindingJobsMax
    while left > 0, let next = pick() {
      next.process.execute(next.job)
      left -= 1
    }
  }

  private func pick() -> Job? {
    state.withLock { state in
      guard !state.ready.isEmpty else { return nil }
      state.executed += 1
      let index = Int(UInt64.random(in: 0..<UInt64(state.ready.count), using: &state.generator))
      // The order of the rest is of no meaning: the next is drawn again.
      state.ready.swapAt(index, state.ready.count - 1)
      return state.ready.removeLast()
    }
  }

  // MARK: Sleeping

  private enum Waking {
    case woken, nobody, late
  }

  /// Moves the time to the next sleeper's moment and wakes all of that moment.
  private func wakeNext(until end: Int64) -> Waking {
    let (waking, woken) = state.withLock { state -> (Waking, [CheckedContinuation<Void, any Error>]) in
      guard let moment = state.sleepers.nextMoment else { return (.nobody, []) }
      guard moment <= end else {
        state.now = max(state.now, end)
        return (.late, [])
      }
      state.now = max(state.now, moment)
      return (.woken, state.sleepers.removeDue(at: state.now))
    }
    for continuation in woken { continuation.resume() }
    return waking
  }

  /// Returns when the virtual time has reached `moment`.
  /// - Throws: `CancellationError` where the task is cancelled.
  func sleep(until moment: Int64) async throws {
    let ticket = state.withLock { $0.sleepers.nextTicket() }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        let isCancelled = state.withLock { state in
          state.isOver || !state.sleepers.add(continuation, ticket: ticket, moment: moment)
        }
        if isCancelled { continuation.resume(throwing: CancellationError()) }
      }
    } onCancel: {
      state.withLock { $0.sleepers.cancel(ticket) }?.resume(throwing: CancellationError())
    }
  }
}
