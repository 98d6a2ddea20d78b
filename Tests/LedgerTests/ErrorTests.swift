import Payouts
import Postgres
import Testing

@testable import Ledger

/// What PostgreSQL's answers mean to the ledger.
@Suite struct ErrorTests {
  // Proves the whole table of meanings: which answers prove that nothing happened, which leave it open.
  @Test func `answers are sorted by what a caller can do`() {
    let cases: [(PostgresError.Code, String?, LedgerError.Code)] = [
      (.commitUnknown, nil, .outcomeUnknown), (.commitUnknown, "57P01", .outcomeUnknown),
      (.server, "TP001", .illegalChange), (.server, "TP002", .illegalChange), (.server, "TP003", .historyNotTrusted),
      (.server, "TP004", .illegalChange), (.server, "TP005", .illegalChange), (.server, "TP006", .livesTooLong),
      (.transactionRolledBack, "TP003", .historyNotTrusted), (.transactionRolledBack, "23505", .refused),
      (.server, "23505", .refused), (.server, "22P02", .refused), (.server, "42P01", .misconfigured),
      (.server, "42501", .misconfigured),
      (.invalidParameter, nil, .refused), (.decoding, nil, .corrupt), (.configuration, nil, .misconfigured),
      (.connectionFailed, nil, .unavailable), (.connectionLost, nil, .unavailable), (.timeout, nil, .unavailable),
      (.cancelled, nil, .unavailable), (.acquireTimeout, nil, .unavailable), (.tooManyWaiters, nil, .unavailable),
      (.poolClosed, nil, .unavailable), (.transactionRolledBack, nil, .unavailable),
      (.protocolViolation, nil, .unavailable), (.server, "40P01", .unavailable), (.server, "53100", .unavailable),
      (.server, "57P03", .unavailable), (.server, "25006", .unavailable), (.server, "58030", .unavailable),
      (.server, "XX001", .unavailable), (.server, "55P03", .unavailable), (.server, nil, .unavailable),
    ]
    for (code, state, meaning) in cases {
      let error = LedgerError(
        PostgresError(code: code, message: "told", sqlState: state, constraint: "rule", detail: "secret"))
      #expect(error.code == meaning, "\(code) \(state ?? "")")
      #expect(error.constraint == "rule")
      #expect(error.description.contains("told") && !error.description.contains("secret"))
    }
  }

  // Proves that a transaction that loses a race is run again, and a bound ends that.
  @Test func `a lost race is run again, five times at most`() async throws {
    try await withLedger { test async throws in
      let tries = Counter()
      let value = try await test.ledger.transaction { connection in
        let number = tries.next()
        if number < 5 { _ = try await connection.execute("DO $$ BEGIN RAISE serialization_failure; END $$", []) }
        return number
      }
      #expect(value == 5)
      let error = try await ledgerError {
        try await test.ledger.transaction { connection in
          _ = tries.next()
          _ = try await connection.execute("DO $$ BEGIN RAISE deadlock_detected; END $$", [])
        }
      }
      #expect(error.code == .unavailable)
      #expect(tries.next() == 11)
    }
  }
}
