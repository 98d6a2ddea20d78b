extension PostgresConnection {
  /// How long a ROLLBACK may take before the connection is closed instead, which rolls back as well.
  private static let rollbackTimeoutMilliseconds = 5_000

  /// Begins a transaction.
  func begin(_ isolation: PostgresIsolation) async throws {
    let sql = "BEGIN ISOLATION LEVEL \(isolation.rawValue)"
    try await interruptible {
      try checkNotCancelled(sql)
      try checkAlive(sql)
      defer { noteCondition() }
      let outcome: ScriptOutcome
      do throws(Interruption) {
        outcome = try libpq.runScript(sql, callLimit())
      } catch {
        throw giveUp(error, exposure: .nothingSent, statement: sql)
      }
      if let failure = outcome.failure { throw PostgresError(code: .server, report: failure, statement: sql) }
    }
  }

  /// Commits the transaction under way.
  ///
  /// Once COMMIT is sent, the calling task's cancellation no longer ends the wait: giving up would turn a known
  /// outcome into an unknown one. The deadline still does.
  ///
  /// - Throws: `cancelled`, `connectionLost`: COMMIT was not sent. `transactionRolledBack`: nothing was
  ///   committed. `commitUnknown`: it may or may not have been.
  func commit() throws(PostgresError) {
    let sql = "COMMIT"
    try checkNotCancelled(sql)
    try checkAlive(sql)
    defer { noteCondition() }
    let outcome: ScriptOutcome
    do throws(Interruption) {
      outcome = try libpq.runScript(sql, callLimit(isCancellable: false))
    } catch {
      throw giveUp(error, exposure: .mayBeCommitted, statement: sql)
    }
    let verdict = CommitVerdict.judge(
      tag: outcome.lastTag, failure: outcome.failure, warnings: outcome.warnings, statement: sql)
    switch verdict {
    case .committed: return
    case .rolledBack(let error), .unknown(let error): throw error
    }
  }

  /// Ends the transaction under way, if any, without committing it. It is carried out for cancelled tasks as
  /// well, within a short time of its own; where that fails the connection is closed, which has the same effect.
  func rollback() {
    guard libpq.pointer != nil, !libpq.isOutsideTransaction else { return noteCondition() }
    defer { noteCondition() }
    do throws(Interruption) {
      let limit = WaitLimit(milliseconds: Self.rollbackTimeoutMilliseconds, isCancellable: false)
      let outcome = try libpq.runScript("ROLLBACK", limit)
      if outcome.failure != nil { close() }
    } catch {
      _ = giveUp(error, exposure: .insideTransaction, statement: "ROLLBACK")
    }
  }
}
