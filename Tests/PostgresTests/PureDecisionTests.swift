import Testing

@testable import Postgres

/// What an answer to COMMIT means.
@Suite struct CommitVerdictTests {
  private enum Outcome { case committed, rolledBack, unknown }

  private func judge(
    tag: String? = nil, error: String? = nil, warning: ServerReport? = nil
  ) -> (Outcome, PostgresError?) {
    let failure = error.map { ServerReport(severity: "ERROR", sqlState: $0, message: "refused") }
    switch CommitVerdict.judge(
      tag: tag, failure: failure, warnings: warning.map { [$0] } ?? [], statement: "COMMIT")
    {
    case .committed: return (.committed, nil)
    case .rolledBack(let error): return (.rolledBack, error)
    case .unknown(let error): return (.unknown, error)
    }
  }

  private let replicationWarning = ServerReport(
    severity: "WARNING", sqlState: "01000", message: "canceling wait", sourceFunction: "SyncRepWaitForLSN")

  // Proves that only a clean COMMIT counts as done.
  @Test func `COMMIT without a warning is committed`() {
    #expect(judge(tag: "COMMIT").0 == .committed)
    #expect(judge(tag: "PREPARE TRANSACTION").0 == .committed)
    #expect(judge(tag: "SELECT 1").0 == .unknown)
    #expect(judge(tag: nil).0 == .unknown)
  }

  // Proves that errors of checks that run before the commit record prove a rollback, and keep their code.
  @Test(arguments: ["40001", "40P01", "23505", "23503", "P0001", "22003", "25P02", "42501"])
  func `errors before the commit record prove a rollback`(_ state: String) {
    let (outcome, error) = judge(error: state)
    #expect(outcome == .rolledBack)
    #expect(error?.code == .transactionRolledBack)
    #expect(error?.sqlState == state)
    #expect(error?.isRetriable == (state == "40001" || state == "40P01"))
  }

  // Proves that errors which may also strike after it prove nothing.
  @Test(arguments: ["40003", "08006", "53100", "57014", "57P01", "58030", "XX000", "F0000"])
  func `errors that may strike later leave it unknown`(_ state: String) {
    let (outcome, error) = judge(error: state)
    #expect(outcome == .unknown)
    #expect(error?.code == .commitUnknown)
    #expect(error?.isRetriable == false)
  }

  // Proves the remaining rows of the table in the doc comment.
  @Test func `ROLLBACK as the answer is a rollback, a warning is unknown`() {
    #expect(judge(tag: "ROLLBACK").0 == .rolledBack)
    #expect(judge(tag: "COMMIT", warning: replicationWarning).0 == .unknown)
    let other = ServerReport(severity: "WARNING", sqlState: "01000", message: "something")
    #expect(judge(tag: "COMMIT", warning: other).0 == .unknown)
    #expect(judge(error: "23505", warning: replicationWarning).0 == .unknown)
  }
}

/// Which codes may be tried again.
@Suite struct PostgresErrorTests {
  // Proves the table of `isRetriable` for every code.
  @Test func `only errors that prove that nothing was committed are retriable`() {
    let retriable: Set<PostgresError.Code> = [
      .connectionFailed, .connectionLost, .acquireTimeout, .tooManyWaiters, .timeout,
    ]
    for code in PostgresError.Code.allCases {
      #expect(PostgresError(code: code, message: "").isRetriable == retriable.contains(code), "\(code)")
    }
    for state in ["40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "53300", "25P03", "26000"] {
      #expect(PostgresError(code: .server, message: "", sqlState: state).isRetriable)
      #expect(!PostgresError(code: .commitUnknown, message: "", sqlState: state).isRetriable)
    }
    for state in ["23505", "42601", "0A000", "40003", "22003"] {
      #expect(!PostgresError(code: .server, message: "", sqlState: state).isRetriable)
    }
  }

  // Proves that long statements are cut at the maximum and not before.
  @Test func `statement text is cut at its maximum`() {
    let limit = PostgresError.statementCharactersMax
    let exact = String(repeating: "x", count: limit)
    #expect(PostgresError(code: .server, message: "", statement: exact).statement == exact)
    #expect(PostgresError(code: .server, message: "", statement: exact + "y").statement == exact + " …")
  }

  // Proves that a detail, which may quote a row's values, stays out of the line for logs.
  @Test func `the description leaves out the detail`() {
    let error = PostgresError(
      code: .server, message: "duplicate", sqlState: "23505", constraint: "t_pkey", detail: "secret value")
    #expect(error.description.contains("t_pkey") && error.description.contains("23505"))
    #expect(!error.description.contains("secret"))
  }
}

/// The little that is read from SQL text.
@Suite struct SQLTextTests {
  // Proves that white space and comments, nested ones too, hide no keyword.
  @Test(arguments: [
    ("COMMIT", "COMMIT"), ("  commit;", "COMMIT"), ("-- note\n\tEnd", "END"),
    ("/* a /* b */ c */ prepare transaction 'x'", "PREPARE"), ("", ""), ("/* never ends", ""), ("-- only", ""),
    ("(SELECT 1)", ""), ("select1", "SELECT"),
  ])
  func `the first word is found behind comments`(_ sql: String, _ word: String) {
    #expect(SQLText.firstWord(of: sql) == word)
  }

  // Proves which statements can end a transaction by committing it.
  @Test func `COMMIT, END and PREPARE may commit, others not`() {
    for sql in ["COMMIT", "END", "PREPARE TRANSACTION 'x'"] { #expect(PostgresStatement(sql).mayCommit) }
    for sql in ["ROLLBACK", "BEGIN", "SELECT 1", "COMMENT ON TABLE t IS ''"] {
      #expect(!PostgresStatement(sql).mayCommit)
    }
  }
}

/// Which statements stay prepared on a connection.
@Suite struct PreparedStatementsTests {
  private func add(_ sql: String, _ types: [TypeOID] = [], to set: inout PreparedStatements) -> String {
    let name = set.newName(for: sql)
    set.add(sql, name: name, types: types)
    return name
  }

  // Proves that a text is found for values that fit its types, and only for those.
  @Test func `a statement is found for values that fit`() {
    var set = PreparedStatements(capacity: 4)
    set.beginCall()
    let name = add("a", [.int8, .text], to: &set)
    #expect(set.find("a", [.int8(1), .text("x")]) == name)
    #expect(set.find("a", [.null, .null]) == name)
    #expect(set.find("a", [.int4(1), .text("x")]) == nil)
    #expect(set.find("a", [.int8(1)]) == nil)
    #expect(set.find("a", [.text("12345678"), .text("x")]) == nil)
    #expect(set.find("b", []) == nil)
    let second = add("a", [.int4, .text], to: &set)
    #expect(second != name)
    #expect(set.find("a", [.int4(1), .text("x")]) == second)
  }

  // Proves that the least recently used one goes, that nothing goes before the set is full, and that a call
  // which needs more than fits is told so.
  @Test func `the statement unused for longest makes room`() {
    var set = PreparedStatements(capacity: 2)
    set.beginCall()
    let first = add("a", to: &set)
    #expect(set.makeRoom(for: 1) == [])
    set.beginCall()
    _ = add("b", to: &set)
    set.beginCall()
    #expect(set.find("a", []) == first)
    set.beginCall()
    let gone = set.makeRoom(for: 1)
    #expect(gone?.count == 1)
    #expect(set.find("b", []) == nil)
    #expect(set.find("a", []) == first)
    // "a" is now used by this call: only one more fits beside it.
    #expect(set.makeRoom(for: 2) == nil)
    // Until the server has let go of it, the name is named again.
    #expect(set.makeRoom(for: 1) == gone)
    gone?.forEach { set.deallocated($0) }
    #expect(set.makeRoom(for: 1) == [])
  }
}
