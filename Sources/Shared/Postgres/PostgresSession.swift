/// Something that carries out statements: one connection, or a pool that borrows one for each call.
///
/// Everything thrown is a ``PostgresError``. Outside a transaction each call is a transaction of its own:
/// if its answer is lost, the error is `commitUnknown`. Inside one, nothing is committed before COMMIT.
public protocol PostgresSession: Sendable {
  /// Carries out one statement.
  ///
  /// - Parameter parameters: the values of `$1`, `$2`, …, in order.
  /// - Returns: its rows, all of them: bound large reads by LIMIT.
  @discardableResult
  func execute(_ statement: PostgresStatement, _ parameters: [PostgresParameter]) async throws -> PostgresResult

  /// Carries out a text of many statements by the simple protocol, for migrations; results are dropped.
  ///
  /// Without BEGIN in the text, and outside a transaction, all of it is one transaction. As the text may
  /// hold COMMIT, a lost answer is always `commitUnknown`.
  func executeScript(_ sql: String) async throws

  /// Sends many commands in one round trip, as one unit: all are done, or none.
  ///
  /// - Returns: one result for each command, in order.
  /// - Throws: the first error, with `commandIndex` naming the command. Inside a transaction, that
  ///   transaction can then only be rolled back; the connection itself stays usable.
  @discardableResult
  func pipeline(_ commands: [(PostgresStatement, [PostgresParameter])]) async throws -> [PostgresResult]
}

extension PostgresSession {
  /// Carries out one statement without parameters.
  @discardableResult
  public func execute(_ statement: PostgresStatement) async throws -> PostgresResult {
    try await execute(statement, [])
  }
}

/// How much a transaction sees of others that run beside it (PostgreSQL manual, chapter 13.2).
public enum PostgresIsolation: String, Sendable, CaseIterable {
  /// Each statement sees what was committed before it began.
  case readCommitted = "READ COMMITTED"
  /// All statements see what was committed before the first one; a conflict is 40001.
  case repeatableRead = "REPEATABLE READ"
  /// As if transactions ran one after another; a conflict is 40001.
  case serializable = "SERIALIZABLE"
}
