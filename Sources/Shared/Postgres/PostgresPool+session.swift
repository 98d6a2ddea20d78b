extension PostgresPool {
  /// Lends a connection to `body`, for itself alone until `body` returns.
  ///
  /// A transaction that `body` leaves open is rolled back. What else belongs to the session stays with the
  /// connection (settings, advisory locks of the session): release it, or pass `closingAfterUse`.
  ///
  /// - Parameters:
  ///   - closingAfterUse: closes the connection at the end, however `body` ended, and with it all locks and
  ///     settings of its session.
  ///   - body: runs where the caller runs. The connection must not be used after it.
  /// - Throws: what `body` throws; or, before it ran, a ``PostgresError`` that says why there is no connection.
  public func withConnection<T: Sendable>(
    closingAfterUse: Bool = false, isolation: isolated (any Actor)? = #isolation,
    _ body: (PostgresConnection) async throws -> T
  ) async throws -> T {
    let deadline = ContinuousClock.now + .milliseconds(configuration.acquireTimeoutMilliseconds)
    let lease = try await lease(until: deadline)
    let connection: PostgresConnection
    do {
      connection = try await self.connection(for: lease, until: deadline)
    } catch {
      await release(lease.slot, keeping: nil)
      throw error
    }
    let result: Result<T, any Error>
    do {
      result = .success(try await body(connection))
    } catch {
      result = .failure(error)
    }
    if closingAfterUse { await connection.close() }
    await release(lease.slot, keeping: connection)
    return try result.get()
  }

  /// Runs `body` in a transaction: BEGIN, `body`, COMMIT; or ROLLBACK where `body` throws, and then its error.
  ///
  /// | error | the transaction |
  /// | --- | --- |
  /// | thrown by `body` | was not committed |
  /// | `transactionRolledBack`, `connectionLost`, `timeout`, `cancelled` | was not committed |
  /// | `commitUnknown` | may or may not have been committed: look, do not repeat |
  ///
  /// A task that is cancelled before COMMIT is sent commits nothing; afterwards COMMIT is waited for.
  public func withTransaction<T: Sendable>(
    _ level: PostgresIsolation = .readCommitted, isolation: isolated (any Actor)? = #isolation,
    _ body: (PostgresConnection) async throws -> T
  ) async throws -> T {
    try await withConnection { connection in
      try await connection.begin(level)
      let value: T
      do {
        value = try await body(connection)
      } catch {
        await connection.rollback()
        throw error
      }
      try await connection.commit()
      return value
    }
  }

  /// Carries out one statement on a borrowed connection; see ``PostgresSession``.
  @discardableResult
  public func execute(
    _ statement: PostgresStatement, _ parameters: [PostgresParameter]
  ) async throws -> PostgresResult {
    try await withConnection { try await $0.execute(statement, parameters) }
  }

  /// Carries out a text of many statements on a borrowed connection; see ``PostgresSession``.
  public func executeScript(_ sql: String) async throws {
    try await withConnection { try await $0.executeScript(sql) }
  }

  /// Carries out many commands as one unit on a borrowed connection; see ``PostgresSession``.
  @discardableResult
  public func pipeline(
    _ commands: [(PostgresStatement, [PostgresParameter])]
  ) async throws -> [PostgresResult] {
    try await withConnection { try await $0.pipeline(commands) }
  }
}
