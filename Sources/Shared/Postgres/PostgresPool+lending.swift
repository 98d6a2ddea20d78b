import Synchronization

extension PostgresPool {
  /// Takes a slot, waiting for one where all are in use.
  func lease(until deadline: ContinuousClock.Instant) async throws -> Lease {
    if let configurationProblem { throw configurationProblem }
    if Task.isCancelled { throw Self.cancelledError }
    let acquisition = state.withLock { state in
      let acquisition = state.machine.acquire()
      if case .queued(let id) = acquisition { state.waiters[id] = .registered }
      return acquisition
    }
    switch acquisition {
    case .leased(let lease): return lease
    case .refused(let code):
      throw PostgresError(
        code: code,
        message: code == .poolClosed
          ? "the pool was closed" : "\(PostgresConfiguration.waitersMax) callers wait for a connection already")
    case .queued(let id): return try await wait(id, until: deadline)
    }
  }

  private func wait(_ id: WaiterID, until deadline: ContinuousClock.Instant) async throws -> Lease {
    // A child task that lives as long as the wait; it is cancelled and awaited when this function is left.
    async let _ = refuse(id, at: deadline)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let settled: Result<Lease, PostgresError>? = state.withLock { state in
          if case .settled(let result) = state.waiters[id] {
            state.waiters[id] = nil
            return result
          }
          state.waiters[id] = .suspended(continuation)
          return nil
        }
        if let settled { continuation.resume(with: settled) }
      }
    } onCancel: {
      refuse(id, with: Self.cancelledError)
    }
  }

  private func refuse(_ id: WaiterID, at deadline: ContinuousClock.Instant) async {
    do {
      try await Task.sleep(until: deadline, clock: .continuous)
    } catch {
      return  // The wait is over.
    }
    refuse(
      id,
      with: PostgresError(
        code: .acquireTimeout,
        message: "no connection became free within \(configuration.acquireTimeoutMilliseconds) ms; "
          + "all \(eventLoops.count) are in use"))
  }

  private func refuse(_ id: WaiterID, with error: PostgresError) {
    let continuation = state.withLock { state in
      state.machine.giveUp(id) ? state.settle(id, .failure(error)) : nil
    }
    continuation?.resume(throwing: error)
  }

  static let cancelledError = PostgresError(
    code: .cancelled, message: "cancelled while waiting for a connection")

  /// Returns a slot, with its connection where that is fit for the next caller.
  func release(_ slot: Int, keeping connection: PostgresConnection?) async {
    var connection = connection
    if let open = connection {
      // A body that left its transaction open must not leave it to the next caller.
      if open.condition == .insideTransaction { await open.rollback() }
      if open.condition == .closed { connection = nil }
    }
    // While closing, connections are closed before their slot counts as returned: the threads end after that.
    if let open = connection, !giveBack(slot, keeping: open) {
      await open.close()
      connection = nil
    }
    if connection == nil { _ = giveBack(slot, keeping: nil) }
  }

  /// Gives the slot to the next waiter or back to the pool; false, with nothing done, where a connection came
  /// with it and has to be closed first.
  private func giveBack(_ slot: Int, keeping connection: PostgresConnection?) -> Bool {
    enum Outcome {
      case mustClose
      case returned(CheckedContinuation<Lease, any Error>?, Lease?, [CheckedContinuation<Void, Never>])
    }
    let outcome = state.withLock { state -> Outcome in
      if connection != nil, state.machine.isClosing { return .mustClose }
      state.connections[slot] = connection
      let next = state.machine.release(slot, isLive: connection != nil, now: .now)
      let continuation = next.flatMap { state.settle($0.waiter, .success($0.lease)) }
      guard state.machine.isDrained else { return .returned(continuation, next?.lease, []) }
      defer { state.closers.removeAll() }
      return .returned(continuation, next?.lease, state.closers)
    }
    guard case .returned(let continuation, let lease, let closers) = outcome else { return false }
    if let continuation, let lease { continuation.resume(returning: lease) }
    for closer in closers { closer.resume() }
    return true
  }
}
