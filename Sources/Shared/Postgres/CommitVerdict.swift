/// What the answer to a COMMIT says about the transaction: done, not done, or unknown.
///
/// | answer | verdict |
/// | --- | --- |
/// | tag COMMIT (or that of PREPARE), no warning | committed |
/// | tag ROLLBACK (the transaction had failed before) | rolled back |
/// | ERROR of a check that runs before the commit record (40001, 23xxx, a trigger's own, …) | rolled back |
/// | ERROR that may also strike later (``SQLState/leavesCommitOpen(_:)``) | unknown |
/// | tag COMMIT with a WARNING, such as a cancelled wait for the synchronous standby | unknown |
/// | FATAL, no answer, anything else | unknown (judged by the connection, which is then lost) |
enum CommitVerdict {
  case committed
  case rolledBack(PostgresError)
  case unknown(PostgresError)

  /// Judges an answer that came whole.
  static func judge(
    tag: String?, failure: ServerReport?, warnings: [ServerReport], statement: String
  ) -> CommitVerdict {
    if let failure {
      if SQLState.leavesCommitOpen(failure.sqlState) || warnings.contains(where: \.leavesReplicationOpen) {
        return .unknown(
          PostgresError(
            code: .commitUnknown, report: failure, statement: statement, cause: .server))
      }
      return .rolledBack(PostgresError(code: .transactionRolledBack, report: failure, statement: statement))
    }
    if tag == "ROLLBACK" {
      return .rolledBack(
        PostgresError(
          code: .transactionRolledBack,
          message: "COMMIT was answered with ROLLBACK: a statement of the transaction had failed before",
          statement: statement))
    }
    if let warning = warnings.first {
      return .unknown(
        PostgresError(code: .commitUnknown, report: warning, statement: statement, cause: .server))
    }
    guard let tag, Self.tags.contains(tag) else {
      return .unknown(
        PostgresError(
          code: .commitUnknown, message: "COMMIT was answered with \(tag ?? "nothing")", cause: .protocolViolation,
          statement: statement))
    }
    return .committed
  }

  /// The tags of statements that ``PostgresStatement/mayCommit`` lets through here.
  private static let tags: Set<String> = ["COMMIT", "PREPARE TRANSACTION", "PREPARE"]
}

extension PostgresError {
  /// An error from what the server reported.
  init(
    code: Code, report: ServerReport, statement: String?, commandIndex: Int? = nil, cause: Code? = nil
  ) {
    self.init(
      code: code, message: report.message, cause: cause, sqlState: report.sqlState, constraint: report.constraint,
      detail: report.detail, statement: statement, commandIndex: commandIndex)
    isOutdatedPlan = report.isOutdatedPlan
  }
}
