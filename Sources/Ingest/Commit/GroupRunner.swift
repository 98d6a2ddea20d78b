import ServiceLifecycle
import Synchronization
import Worker

/// Works on submitted entries in groups, a few groups at a time: the shell around `GroupQueue`.
///
/// The lanes are child tasks of `run()`, not of whoever submits: a caller that goes away takes nothing with it. On
/// graceful shutdown nothing more is taken and what waits is worked on to the end; on cancellation the lanes stop, and
/// what was never begun is handed to `abandon`, so that no entry is forgotten.
final class GroupRunner<Entry: Sendable>: Service {
  /// Why an entry was not taken.
  enum Refusal: Error, Sendable {
    /// As many wait as may.
    case full
    /// The runner is stopping.
    case closed
  }

  private struct State {
    var queue: GroupQueue<Entry>
    /// Lanes that sleep; nil is handed to those that end.
    var sleepers: [Int: CheckedContinuation<[Entry]?, Never>] = [:]
  }

  private let laneCount: Int
  private let state: Mutex<State>
  private let work: @Sendable ([Entry]) async -> Void
  private let abandon: @Sendable ([Entry]) -> Void

  /// - Parameters:
  ///   - laneCount: how many groups are worked on at a time.
  ///   - groupMax: the most entries in a group.
  ///   - waitingMax: the most entries that wait.
  ///   - weight: for how many of both an entry counts.
  ///   - work: works on one group. It deals with its own errors.
  ///   - abandon: told which entries will never be worked on.
  init(
    laneCount: Int, groupMax: Int, waitingMax: Int, weight: @escaping @Sendable (Entry) -> Int = { _ in 1 },
    work: @escaping @Sendable ([Entry]) async -> Void,
    abandon: @escaping @Sendable ([Entry]) -> Void
  ) {
    precondition(laneCount > 0, "somebody has to work")
    self.laneCount = laneCount
    state = Mutex(State(queue: GroupQueue(groupMax: groupMax, waitingMax: waitingMax, weight: weight)))
    self.work = work
    self.abandon = abandon
  }

  /// How many entries wait, by weight.
  var waitingCount: Int { state.withLock { $0.queue.waitingCount } }

  /// Hands an entry over. Never waits.
  func submit(_ entry: Entry) throws(Refusal) {
    let (submission, sleeper) = state.withLock { state in
      let submission = state.queue.submit(entry)
      guard case .wake(let lane, _) = submission else {
        return (submission, CheckedContinuation<[Entry]?, Never>?.none)
      }
      return (submission, state.sleepers.removeValue(forKey: lane))
    }
    switch submission {
    case .waits: break
    case .wake(_, let group):
      guard let sleeper else { preconditionFailure("a sleeping lane has a continuation") }
      sleeper.resume(returning: group)
    case .refusedFull: throw .full
    case .refusedClosed: throw .closed
    }
  }

  /// Runs the lanes until graceful shutdown, and then until nothing waits.
  func run() async throws {
    let stop = StopSignal()
    try await withGracefulShutdownHandler {
      try await run(until: stop)
    } onGracefulShutdown: {
      stop.raise()
    }
  }

  /// Runs the lanes until the signal is raised, and then until nothing waits: what `run()` does without the lifecycle
  /// package.
  func run(until stop: StopSignal) async throws {
    await withDiscardingTaskGroup { lanes in
      for lane in 0..<laneCount {
        lanes.addTask { await self.turn(lane) }
      }
      await stop.wait()
      close()
    }
    let left = state.withLock { state in
      _ = state.queue.close()
      return state.queue.abandon()
    }
    if !left.isEmpty { abandon(left) }
    try Task.checkCancellation()
  }

  private func turn(_ lane: Int) async {
    while !Task.isCancelled, let group = await nextGroup(lane) { await work(group) }
  }

  private func nextGroup(_ lane: Int) async -> [Entry]? {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        state.withLock { state in
          switch state.queue.laneIsFree(lane) {
          case .work(let group): continuation.resume(returning: group)
          case .end: continuation.resume(returning: nil)
          case .sleep: state.sleepers[lane] = continuation
          }
        }
      }
    } onCancel: {
      // The lanes are cancelled together. Whichever comes first, this or the lane going to sleep: a closed queue lets no
      // lane sleep, and those asleep are woken here.
      close()
    }
  }

  private func close() {
    let sleepers = state.withLock { state in
      state.queue.close().compactMap { state.sleepers.removeValue(forKey: $0) }
    }
    for sleeper in sleepers { sleeper.resume(returning: nil) }
  }
}
