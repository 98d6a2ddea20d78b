import Synchronization

/// A signal that is raised once and stays raised: "begin nothing new, finish what you do".
///
/// Any number of tasks may wait for it. It is our own rather than the one inside the lifecycle package, because that
/// one starts unstructured tasks when a wait is cancelled, which a deterministic simulator could not own.
public final class StopSignal: Sendable {
  private struct State {
    var isRaised = false
    var nextWaiter: UInt64 = 0
    var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    /// Waiters who were to go on before they were registered: the race's third state.
    var releasedEarly: Set<UInt64> = []
  }

  private let state = Mutex(State())

  /// A signal that is not raised yet.
  public init() {}

  /// Whether `raise()` was called.
  public var isRaised: Bool { state.withLock { $0.isRaised } }

  /// Raises the signal and wakes everybody who waits. Calling it again does nothing.
  public func raise() {
    let waiting = state.withLock { state in
      state.isRaised = true
      defer { state.waiters = [:] }
      return state.waiters.sorted { $0.key < $1.key }.map(\.value)
    }
    for continuation in waiting { continuation.resume() }
  }

  /// Returns once the signal is raised, or the waiting task cancelled. `isRaised` tells which.
  public func wait() async {
    await wait(as: newWaiter())
  }

  /// Waits that many milliseconds by `clock`, or until the signal is raised, whichever is first.
  /// - Throws: `CancellationError` where the task is cancelled.
  public func pause(milliseconds: Int64, by clock: any WallClock) async throws {
    let waiter = newWaiter()
    defer { _ = state.withLock { $0.releasedEarly.remove(waiter) } }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        defer { self.release(waiter) }
        try await clock.sleep(milliseconds: milliseconds)
      }
      await wait(as: waiter)
      if isRaised { return group.cancelAll() }
      try await group.next()
    }
    try Task.checkCancellation()
  }

  private func newWaiter() -> UInt64 {
    state.withLock { state in
      state.nextWaiter += 1
      return state.nextWaiter
    }
  }

  private func wait(as waiter: UInt64) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if state.isRaised || state.releasedEarly.remove(waiter) != nil { return true }
          state.waiters[waiter] = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      release(waiter)
    }
  }

  /// Lets one of those that wait go on.
  private func release(_ waiter: UInt64) {
    let continuation = state.withLock { state in
      let waiting = state.waiters.removeValue(forKey: waiter)
      if waiting == nil, !state.isRaised { state.releasedEarly.insert(waiter) }
      return waiting
    }
    continuation?.resume()
  }
}
