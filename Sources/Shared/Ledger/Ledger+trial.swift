import Payouts
import Postgres

/// The breaker that failures open and trials close (DESIGN.md §4). All of it stands in the database and goes by its clock,
/// so that it survives restarts and all replicas agree. What needs an operator is never touched here.
///
/// ```
/// closed ─ failures ─▶ open (closes_by trial) ─ trial_at has come, one is signed ─▶ half_open ─ it paid ─▶ closed
///                       ▲                                                            │
///                       └──────────── it ended unpaid, a longer pause ◀──────────────┘
/// ```
extension Ledger {
  /// So many failures that are no payout's own open the breaker: in a row, or within the span.
  static let failuresThatOpen: Int64 = 10
  /// The span, in seconds.
  static let failureSpanSeconds: Int64 = 300
  /// The pause before the first trial, in seconds. It doubles with each trial that fails.
  static let trialPauseSeconds: Int64 = 60
  /// The longest pause, in seconds.
  static let trialPauseSecondsMaximum: Int64 = 1_800

  /// The breaker's cause, and the kind of its alarm, where failures opened it.
  static let repeatedFailures = "repeated_failures"

  /// This is the one transaction that the breaker lets through. The breaker's row is locked by the signing transaction.
  static func beginTrial(_ txid: TxID, on connection: PostgresConnection) async throws {
    let begun = try await connection.execute(
      "UPDATE breaker SET state = 'half_open', trial_txid = $1 WHERE state = 'open' AND closes_by = 'trial'",
      [.bytes(txid.bytes)])
    guard begun.affectedRows == 1 else {
      throw LedgerError(.corrupt, "the breaker changed while its row was locked; nothing was committed")
    }
  }

  /// Ends a trial by its verdict, and counts failures. Of the locks its row is taken after those of payouts.
  static func tellBreaker(
    of news: [TxID: TransactionVerdict], on connection: PostgresConnection
  ) async throws {
    guard !news.isEmpty else { return }
    _ = try await connection.pipeline([
      (
        """
        UPDATE breaker b SET since = ledger_now(), state = 'closed', cause = NULL, closes_by = NULL, failures_in_row = 0
        FROM transactions t
        WHERE b.state = 'half_open' AND t.txid = b.trial_txid AND t.txid = ANY ($1::bytea[]) AND t.status = 'solid'
        """, [.bytesArray(news.keys.map(\.bytes))]
      ),
      (
        """
        UPDATE breaker b SET state = 'open', failed_trials = b.failed_trials + 1, trial_at = ledger_now()
          + interval '1 second' * least($2 << least(b.failed_trials + 1, 30), $3)
        FROM transactions t
        WHERE b.state = 'half_open' AND t.txid = b.trial_txid AND t.txid = ANY ($1::bytea[])
          AND t.status IN ('failed_on_chain', 'dead')
        """,
        [.bytesArray(news.keys.map(\.bytes)), .int8(trialPauseSeconds), .int8(trialPauseSecondsMaximum)]
      ),
    ])
    let hasPaid = news.values.contains { if case .paid = $0 { true } else { false } }
    if hasPaid {
      _ = try await connection.execute("UPDATE breaker SET failures_in_row = 0 WHERE failures_in_row > 0", [])
    }
    try await tellBreaker(of: news.compactMapValues(\.blame), on: connection)
  }

  /// A trial that failed by its payout's own fault says nothing of what opened the breaker: another is tried at once.
  static func forgetTrial(_ txid: TxID, on connection: PostgresConnection) async throws {
    _ = try await connection.execute(
      """
      UPDATE breaker SET trial_at = ledger_now(), failed_trials = failed_trials - 1, trial_txid = NULL
      WHERE state = 'open' AND closes_by = 'trial' AND trial_txid = $1
      """, [.bytes(txid.bytes)])
  }

  /// Counts failures that are no payout's own, raises an alarm of each kind, and opens the breaker where they are many.
  ///
  /// What a Signer put back is history, whenever its end is found out again: after a restore old failures would come back
  /// together, within seconds, and open the breaker over what was over long ago. Its payouts are freed, blamed and counted
  /// as ever; if what made them fail still lasts, what is signed next tells of it.
  static func tellBreaker(of blames: [TxID: FailureBlame], on connection: PostgresConnection) async throws {
    var failures = blames.filter { !$0.value.isPayoutsOwn }
    guard !failures.isEmpty else { return }
    let history = try await connection.execute(
      "SELECT txid FROM put_backs WHERE txid = ANY ($1::bytea[])", [.bytesArray(failures.keys.map(\.bytes))])
    for row in history.rows { failures[try TxID(row.bytes("txid"))] = nil }
    guard !failures.isEmpty else { return }
    // The breaker first: it puts those who raise these alarms one after the other.
    _ = try await connection.execute(
      "UPDATE breaker SET failures_in_row = failures_in_row + $1", [.int4(Int32(clamping: failures.count))])
    for blame in FailureBlame.allCases {
      guard let example = failures.filter({ $0.value == blame }).keys.min() else { continue }
      _ = try await connection.execute(
        "SELECT raise_alarm($1, 'payments', $2)",
        [.text("failure_\(blame.rawValue)"), .text("transaction \(example) paid nothing: \(blame.advice)")])
    }
    // Failures that were known before it was last closed are over.
    let opened = try await connection.execute(
      """
      UPDATE breaker b SET state = 'open', cause = $1, closes_by = 'trial', since = ledger_now(), failed_trials = 0,
        trial_at = ledger_now() + $4 * interval '1 second', trial_txid = NULL, openings = openings + 1
      WHERE b.state = 'closed' AND (b.failures_in_row >= $2 OR $2 <= (
        SELECT count(*) FROM attempts a
        WHERE blame <> 'payout' AND ended_at > greatest(b.since, ledger_now() - $3 * interval '1 second')
          AND NOT EXISTS (SELECT FROM put_backs p WHERE p.txid = a.txid)))
      """,
      [.text(repeatedFailures), .int8(failuresThatOpen), .int8(failureSpanSeconds), .int8(trialPauseSeconds)])
    guard opened.affectedRows == 1 else { return }
    _ = try await connection.execute(
      "SELECT raise_alarm($1, 'breaker', $2)",
      [
        .text(repeatedFailures),
        .text(
          "\(failuresThatOpen) transactions in a row, or within \(failureSpanSeconds) s, paid nothing through no fault of "
            + "their payouts: nothing is signed but one trial at a time, which closes the breaker when it pays"),
      ])
  }
}
