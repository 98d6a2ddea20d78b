/// What went wrong between this program and PostgreSQL.
///
/// Callers branch on ``code`` (and ``sqlState`` or ``constraint`` for `server` and `transactionRolledBack`),
/// never on text. Three outcomes are told apart: every code but one proves that nothing was committed by
/// the call or transaction that threw it; ``Code/commitUnknown`` says that it may or may not have been.
public struct PostgresError: Error, Sendable {
  /// The closed list of things that can happen.
  public enum Code: String, Sendable, Hashable, CaseIterable {
    /// The configuration is wrong (malformed URL, a limit out of range). Trying again cannot help.
    case configuration
    /// A parameter or a command cannot be sent as it is; nothing was sent. Trying again cannot help.
    case invalidParameter
    /// No connection could be opened in the time given; nothing was sent.
    case connectionFailed
    /// The connection broke before a COMMIT was sent: nothing was committed.
    case connectionLost
    /// A COMMIT, or a statement outside a transaction, was sent and its answer did not come, or came with a
    /// warning. It may have been committed. Resolve it by reading, not by repeating.
    case commitUnknown
    /// The server ended the transaction without committing it: an error at COMMIT, or ROLLBACK as its answer.
    case transactionRolledBack
    /// The deadline passed before a COMMIT was sent: nothing was committed. The connection was closed.
    case timeout
    /// The calling task was cancelled before a COMMIT was sent: nothing was committed.
    case cancelled
    /// No connection became free in the time given; nothing was sent.
    case acquireTimeout
    /// Too many callers wait for a connection already; nothing was sent.
    case tooManyWaiters
    /// The pool was closed; nothing was sent.
    case poolClosed
    /// The server refused the statement; see ``PostgresError/sqlState``. Nothing of it was kept (unless it
    /// commits by itself half-way, as a script or procedure that holds COMMIT does).
    case server
    /// A value could not be read as the type asked for: the statement itself was carried out.
    case decoding
    /// The server or libpq answered in an order that the protocol does not allow. The connection was closed.
    case protocolViolation
  }

  /// What happened.
  public var code: Code
  /// For ``Code/commitUnknown``: what kept the answer from us (`connectionLost`, `timeout`, `cancelled`,
  /// `server` for a doubtful error or a warning, `protocolViolation`).
  public var cause: Code?
  /// The server's five-character code (PostgreSQL manual, appendix A), where the server spoke.
  public var sqlState: String?
  /// The violated constraint, where there is one.
  public var constraint: String?
  /// What happened, in words.
  public var message: String
  /// The server's detail. It may quote values of the row: show it to operators, not to clients.
  public var detail: String?
  /// The SQL text, never the parameters' values; long text is cut.
  public var statement: String?
  /// For a failed pipeline: the index of the command that failed.
  public var commandIndex: Int?

  /// True where a prepared statement no longer fits its tables: it is prepared anew at its next use.
  var isOutdatedPlan = false

  /// Makes an error; long statement text is cut to ``statementCharactersMax``.
  public init(
    code: Code, message: String, cause: Code? = nil, sqlState: String? = nil, constraint: String? = nil,
    detail: String? = nil, statement: String? = nil, commandIndex: Int? = nil
  ) {
    self.code = code
    self.cause = cause
    self.sqlState = sqlState
    self.constraint = constraint
    self.message = message
    self.detail = detail
    self.statement = statement.map(Self.cut)
    self.commandIndex = commandIndex
  }

  /// The longest statement text an error carries.
  public static let statementCharactersMax = 500

  private static func cut(_ sql: String) -> String {
    sql.count <= statementCharactersMax ? sql : sql.prefix(statementCharactersMax) + " …"
  }

  /// True where the same transaction can safely, and with hope, be run again from its beginning.
  ///
  /// | code | |
  /// | --- | --- |
  /// | `connectionFailed`, `connectionLost`, `acquireTimeout`, `tooManyWaiters`, `timeout` | yes: nothing was committed |
  /// | `server`, `transactionRolledBack` | by SQLSTATE: serialization failure, deadlock, lock not available, cancelled or ended by an operator, out of connections, statement no longer prepared or its plan outdated |
  /// | `commitUnknown` | **never**: running it again could do it twice |
  /// | the rest | no: it would fail in the same way |
  public var isRetriable: Bool {
    switch code {
    case .connectionFailed, .connectionLost, .acquireTimeout, .tooManyWaiters, .timeout:
      true
    case .server, .transactionRolledBack:
      isOutdatedPlan || SQLState.isTransient(sqlState)
    case .configuration, .invalidParameter, .commitUnknown, .cancelled, .poolClosed, .decoding, .protocolViolation:
      false
    }
  }
}

extension PostgresError: CustomStringConvertible {
  /// One line for logs: code, SQLSTATE, message, constraint, command and statement; not the detail.
  public var description: String {
    var text = "PostgreSQL \(code.rawValue)"
    if let cause { text += " (\(cause.rawValue))" }
    if let sqlState { text += " [\(sqlState)]" }
    text += ": \(message)"
    if let constraint { text += "; constraint \(constraint)" }
    if let commandIndex { text += "; command \(commandIndex) of the pipeline" }
    if let statement { text += "; statement: \(statement)" }
    return text
  }
}

/// Meanings of SQLSTATE codes (PostgreSQL 15 manual, appendix A).
enum SQLState {
  /// Codes after which the same transaction may succeed.
  private static let transient: Set<String> = [
    "40001",  // serialization_failure
    "40P01",  // deadlock_detected
    "55P03",  // lock_not_available
    "57014",  // query_canceled
    "57P01", "57P02", "57P03",  // admin_shutdown, crash_shutdown, cannot_connect_now
    "53300",  // too_many_connections
    "25P03",  // idle_in_transaction_session_timeout
    invalidStatementName,
  ]

  /// invalid_sql_statement_name: the statement is no longer prepared on this connection (DEALLOCATE, DISCARD).
  static let invalidStatementName = "26000"

  /// True where running the transaction again has hope.
  static func isTransient(_ state: String?) -> Bool {
    state.map(transient.contains) ?? false
  }

  /// True where an ERROR with this code, given as the answer to a COMMIT, does not prove a rollback.
  ///
  /// Connection exceptions (08), resources (53), operator intervention (57), system errors (58), corrupt
  /// files (F0), internal errors (XX) and 40003, statement_completion_unknown, may also strike after the
  /// commit record was written. All others are raised by checks that run before it.
  static func leavesCommitOpen(_ state: String?) -> Bool {
    guard let state else { return true }
    if state == "40003" { return true }
    return ["08", "53", "57", "58", "F0", "XX"].contains(String(state.prefix(2)))
  }
}
