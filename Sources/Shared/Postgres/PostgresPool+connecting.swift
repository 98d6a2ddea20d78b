import Synchronization

extension PostgresPool {
  /// The connection of a leased slot: the one that stands there, if it is alive, or a new one.
  func connection(
    for lease: Lease, until deadline: ContinuousClock.Instant
  ) async throws -> PostgresConnection {
    if let idleSince = lease.idleSince, let connection = state.withLock({ $0.connections[lease.slot] }) {
      do {
        let isOld = ContinuousClock.now - idleSince > .seconds(Self.probeAfterIdleSeconds)
        try await connection.checkUsable(probes: isOld)
        return connection
      } catch {
        logger.debug("PostgreSQL connection was found dead and is replaced", error: error)
      }
    }
    state.withLock { $0.connections[lease.slot] = nil }
    return try await connect(lease.slot, until: deadline)
  }

  /// Opens a connection, trying again with growing pauses until the deadline.
  private func connect(_ slot: Int, until deadline: ContinuousClock.Instant) async throws -> PostgresConnection {
    let options = try ConnectionOptions(configuration)
    var lastError = PostgresError(
      code: .connectionFailed,
      message: "no connection within \(configuration.acquireTimeoutMilliseconds) ms, the wait for the server's "
        + "return included")
    while true {
      if let rest = state.withLock({ $0.machine.restsUntil(slot) }) {
        guard rest < deadline else { throw lastError }
        do {
          try await Task.sleep(until: rest, clock: .continuous)
        } catch {
          throw Self.cancelledError
        }
      }
      let attemptEnd = min(deadline, .now + .milliseconds(configuration.connectTimeoutMilliseconds))
      guard attemptEnd > .now else { throw lastError }
      let connection = try PostgresConnection(
        configuration: configuration, eventLoop: eventLoops[slot], canceller: canceller, logger: logger)
      do {
        try await connection.open(options, WaitLimit(until: attemptEnd, isCancellable: true))
        state.withLock { $0.machine.connectingSucceeded() }
        return connection
      } catch let error as PostgresError where error.code == .connectionFailed {
        lastError = error
        logger.debug("PostgreSQL connection failed", error: error)
        state.withLock { $0.machine.connectingFailed(slot, now: .now, using: &$0.generator) }
      }
    }
  }
}
