extension PostgresConnection {
  /// Carries out one statement; see ``PostgresSession``.
  @discardableResult
  public func execute(
    _ statement: PostgresStatement, _ parameters: [PostgresParameter]
  ) async throws -> PostgresResult {
    try await interruptible {
      guard let result = try run([(statement, parameters)], isPipeline: false).first else {
        throw PostgresError(code: .protocolViolation, message: "no answer", statement: statement.sql)
      }
      return result
    }
  }

  /// Carries out many commands in one round trip; see ``PostgresSession``.
  ///
  /// Commands that begin or end transactions are refused: they would break the unit.
  @discardableResult
  public func pipeline(
    _ commands: [(PostgresStatement, [PostgresParameter])]
  ) async throws -> [PostgresResult] {
    guard commands.count <= PostgresConfiguration.pipelineCommandsMax else {
      throw PostgresError(
        code: .invalidParameter,
        message: "\(commands.count) commands; a pipeline takes at most \(PostgresConfiguration.pipelineCommandsMax)")
    }
    for (index, command) in commands.enumerated() where command.0.controlsTransaction {
      throw PostgresError(
        code: .invalidParameter, message: "a pipeline is one unit; it cannot hold transaction commands",
        statement: command.0.sql, commandIndex: index)
    }
    guard !commands.isEmpty else { return [] }
    return try await interruptible { try run(commands, isPipeline: true) }
  }

  /// Carries out a text of many statements; see ``PostgresSession``.
  public func executeScript(_ sql: String) async throws {
    try await executeScript(sql, within: callLimit())
  }

  /// The same with a time of its own, in milliseconds, for what rewrites a large table.
  public func executeScript(_ sql: String, patienceMilliseconds: Int) async throws {
    try await executeScript(sql, within: WaitLimit(milliseconds: patienceMilliseconds, isCancellable: true))
  }

  private func executeScript(_ sql: String, within limit: WaitLimit) async throws {
    try Self.checkText(sql)
    try await interruptible {
      try checkNotCancelled(sql)
      try checkAlive(sql)
      defer { noteCondition() }
      let outcome: ScriptOutcome
      do throws(Interruption) {
        outcome = try libpq.runScript(sql, limit)
      } catch {
        throw giveUp(error, exposure: .mayBeCommitted, statement: sql)
      }
      if let warning = outcome.warnings.first(where: \.leavesReplicationOpen) {
        throw PostgresError(code: .commitUnknown, report: warning, statement: sql, cause: .server)
      }
      if let failure = outcome.failure {
        throw PostgresError(code: .server, report: failure, statement: sql)
      }
    }
  }

  /// Carries out commands as one unit: first prepares what is not prepared yet, then sends all of them.
  private func run(
    _ commands: [(PostgresStatement, [PostgresParameter])], isPipeline: Bool
  ) throws(PostgresError) -> [PostgresResult] {
    let first = commands.first?.0.sql
    try checkNotCancelled(first)
    // Encoding comes first: a value that cannot be sent must leave nothing half sent.
    var encoded: [EncodedParameters] = []
    encoded.reserveCapacity(commands.count)
    for (index, command) in commands.enumerated() {
      encoded.append(
        try atCommand(isPipeline ? index : nil) { () throws(PostgresError) in
          try Self.checkText(command.0.sql)
          return try EncodedParameters(command.1, statement: command.0.sql)
        })
    }
    try checkAlive(first)
    defer { noteCondition() }
    let limit = callLimit()
    let names = try prepare(commands, isPipeline: isPipeline, limit)
    let requests = commands.indices.map {
      PipelineRequest.execute(name: names[$0], sql: commands[$0].0.sql, parameters: encoded[$0])
    }
    let commitsItself = libpq.isOutsideTransaction && !commands.allSatisfy(\.0.readsOnly)
    let mayCommit = commitsItself || commands.contains(where: \.0.mayCommit)
    let outcome: PipelineOutcome
    do throws(Interruption) {
      outcome = try libpq.exchange(requests, limit)
    } catch {
      throw giveUp(error, exposure: mayCommit ? .mayBeCommitted : .insideTransaction, statement: first)
    }
    return try judge(outcome, commands, isPipeline: isPipeline, mayCommit: mayCommit)
  }

  /// Turns the answers into results, or into the error that they mean.
  private func judge(
    _ outcome: PipelineOutcome, _ commands: [(PostgresStatement, [PostgresParameter])], isPipeline: Bool,
    mayCommit: Bool
  ) throws(PostgresError) -> [PostgresResult] {
    var results = outcome.replies.compactMap { reply -> PostgresResult? in
      if case .result(let result) = reply { result } else { nil }
    }
    if let (request, report) = outcome.failure {
      let statement = commands[request ?? commands.count - 1].0
      forget(statement, after: report)
      // Only the end of the unit commits: a failure before it proves that nothing was, one at it may not.
      let isAtCommit = mayCommit && (request == nil || statement.mayCommit)
      guard isAtCommit else {
        throw PostgresError(
          code: .server, report: report, statement: statement.sql, commandIndex: isPipeline ? request : nil)
      }
      throw commitError(tag: nil, failure: report, warnings: outcome.warnings, statement: statement)
        ?? PostgresError(code: .server, report: report, statement: statement.sql)
    }
    guard results.count == commands.count else {
      throw giveUp(
        .protocolViolation("\(results.count) answers to \(commands.count) commands"),
        exposure: mayCommit ? .mayBeCommitted : .insideTransaction, statement: commands.first?.0.sql)
    }
    if mayCommit, let last = commands.last?.0 {
      // A statement's own warnings are its business; those of a COMMIT, and those about replication, are not.
      let warnings = last.mayCommit ? outcome.warnings : outcome.warnings.filter(\.leavesReplicationOpen)
      let tag = results.last?.commandTag
      if last.mayCommit || !warnings.isEmpty,
        let error = commitError(tag: tag, failure: nil, warnings: warnings, statement: last)
      {
        throw error
      }
    }
    results[results.count - 1].warnings = outcome.warnings.map(\.message)
    return results
  }

  private func commitError(
    tag: String?, failure: ServerReport?, warnings: [ServerReport], statement: PostgresStatement
  ) -> PostgresError? {
    switch CommitVerdict.judge(tag: tag, failure: failure, warnings: warnings, statement: statement.sql) {
    case .committed: nil
    case .rolledBack(let error), .unknown(let error): error
    }
  }

  // MARK: - Before sending

  /// Refuses SQL text that C would cut short.
  static func checkText(_ sql: String) throws(PostgresError) {
    guard sql.utf8.contains(0) else { return }
    throw PostgresError(code: .invalidParameter, message: "the SQL text holds a zero byte", statement: sql)
  }

  /// Throws `connectionLost` where the server has ended the connection: then nothing was sent.
  func checkAlive(_ statement: String?) throws(PostgresError) {
    do throws(Interruption) {
      try libpq.checkAlive()
    } catch {
      throw giveUp(error, exposure: .nothingSent, statement: statement)
    }
  }

  /// Adds a command's index to the errors of `body`.
  private func atCommand<Value>(
    _ index: Int?, _ body: () throws(PostgresError) -> Value
  ) throws(PostgresError) -> Value {
    do {
      return try body()
    } catch {
      var error = error
      error.commandIndex = index
      throw error
    }
  }
}
