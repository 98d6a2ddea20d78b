extension PostgresConnection {
  /// The names under which the commands' statements are prepared; prepares what is missing.
  ///
  /// The server is asked which types it takes for the parameters it inferred, so that no value is bound to a
  /// type that would read its bytes as something else.
  func prepare(
    _ commands: [(PostgresStatement, [PostgresParameter])], isPipeline: Bool, _ limit: WaitLimit
  ) throws(PostgresError) -> [String] {
    prepared.beginCall()
    var tried: Set<StatementSignature> = []
    while true {
      var names: [String] = []
      names.reserveCapacity(commands.count)
      var missing: [String: Int] = [:]
      for (index, (statement, parameters)) in commands.enumerated() {
        if let name = prepared.find(statement.sql, parameters) {
          names.append(name)
        } else if missing[statement.sql] == nil {
          missing[statement.sql] = index
        }
      }
      if missing.isEmpty { return names }
      let indices = missing.values.sorted()
      for index in indices {
        let (statement, parameters) = commands[index]
        let signature = StatementSignature(sql: statement.sql, types: parameters.map(\.declaredType))
        guard tried.insert(signature).inserted else {
          throw PostgresError(
            code: .invalidParameter,
            message: "the values do not fit what the server takes: \(prepared.mismatch(statement.sql, parameters))",
            statement: statement.sql, commandIndex: isPipeline ? index : nil)
        }
      }
      try prepareOnce(indices, of: commands, isPipeline: isPipeline, limit)
    }
  }

  /// Prepares the statements of the commands at these places, in one round trip.
  private func prepareOnce(
    _ indices: [Int], of commands: [(PostgresStatement, [PostgresParameter])], isPipeline: Bool, _ limit: WaitLimit
  ) throws(PostgresError) {
    guard let surplus = prepared.makeRoom(for: indices.count) else {
      throw PostgresError(
        code: .invalidParameter,
        message: "more than \(PostgresConfiguration.preparedStatementsMax) different statements in one pipeline")
    }
    var requests = surplus.map { PipelineRequest.command(sql: "DEALLOCATE \($0)") }
    let names = indices.map { prepared.newName(for: commands[$0].0.sql) }
    for (name, index) in zip(names, indices) {
      let (statement, parameters) = commands[index]
      requests.append(.prepare(name: name, sql: statement.sql, types: parameters.map(\.declaredType)))
      requests.append(.describe(name: name, sql: statement.sql))
    }
    let outcome: PipelineOutcome
    do throws(Interruption) {
      outcome = try libpq.exchange(requests, limit)
    } catch {
      throw giveUp(error, exposure: .insideTransaction, statement: commands[indices[0]].0.sql)
    }
    for (place, reply) in outcome.replies.enumerated() {
      if place < surplus.count {
        prepared.deallocated(surplus[place])
      } else if case .parameterTypes(let types) = reply {
        let number = (place - surplus.count) / 2
        prepared.add(commands[indices[number]].0.sql, name: names[number], types: types)
      }
    }
    guard let (request, report) = outcome.failure else { return }
    guard let request, request >= surplus.count else {
      prepared.removeAll()
      throw PostgresError(code: .server, report: report, statement: nil)
    }
    let index = indices[(request - surplus.count) / 2]
    throw PostgresError(
      code: .server, report: report, statement: commands[index].0.sql, commandIndex: isPipeline ? index : nil)
  }

  /// Drops what the server no longer knows, or knows only in an outdated form.
  func forget(_ statement: PostgresStatement, after report: ServerReport) {
    if report.sqlState == SQLState.invalidStatementName {
      prepared.removeAll()
    } else if report.isOutdatedPlan {
      prepared.removeVariants(of: statement.sql)
    }
  }
}

/// What one prepared statement is made for: a text, and the types its values declare.
private struct StatementSignature: Hashable {
  let sql: String
  let types: [TypeOID]
}
