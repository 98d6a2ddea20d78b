public import Payouts
import Postgres

/// Whose failure it is that attempts end unpaid, and what follows from it (DESIGN.md §3 point 6).
extension Ledger {
  /// An attempt `a` whose failure nobody has judged: its payout is not signed again.
  static let isUnblamed = "a.outcome IN ('failed_on_chain', 'dead') AND a.blame IS NULL"

  /// See `MonitorLedger.unblamedFailures`.
  public func unblamedFailures(atMost count: Int) async throws -> [UnblamedFailure] {
    try await read(
      """
      SELECT a.reference, a.txid, t.result, t.wallet, a.token, a.recipient, a.amount, a.ended_at
      FROM attempts a JOIN transactions t USING (txid) WHERE \(Ledger.isUnblamed)
      ORDER BY a.ended_at, a.txid LIMIT $1
      """, [.int8(Int64(count))]
    ).rows.map { row in
      UnblamedFailure(
        reference: try Reference(row.bytes("reference")), txid: try TxID(row.bytes("txid")),
        result: try row.textOrNil("result"),
        transfer: ExpectedTransfer(
          token: try Address(bytes: row.bytes("token")), from: try Address(bytes: row.bytes("wallet")),
          to: try Address(bytes: row.bytes("recipient")), amount: try Amount(microUSDT: row.int8("amount"))),
        endedAt: try row.time("ended_at"))
    }
  }

  /// See `MonitorLedger.blame`. The judgement and the end that follows from it are one transaction: between them the payout
  /// could be signed once more than it may.
  public func blame(
    _ blame: FailureBlame, for failure: UnblamedFailure, maximumOwnFailures: Int64
  ) async throws -> PayoutID? {
    try await transaction { connection in
      let stored = try await connection.execute(
        PostgresStatement(
          """
          UPDATE attempts a SET blame = $3 WHERE a.reference = $1 AND a.txid = $2 AND \(Ledger.isUnblamed)
          RETURNING ended_at > ledger_now() - $4 * interval '1 second' AS is_recent
          """),
        [
          .bytes(failure.reference.bytes), .bytes(failure.txid.bytes), .text(blame.rawValue),
          .int8(Ledger.failureSpanSeconds),
        ])
      guard let row = stored.rows.first else { return nil }
      guard blame.isPayoutsOwn else {
        // What ended long ago (before this was asked at all, or in a history that was put back) says nothing of today.
        if try row.bool("is_recent") { try await Ledger.tellBreaker(of: [failure.txid: blame], on: connection) }
        return nil
      }
      let failed = try await connection.execute(
        """
        UPDATE payouts p SET status = 'failed', not_before = NULL,
          note = 'the token refused it ' || own.count || ' times, the last time as txid ' || encode($2, 'hex')
        FROM (SELECT count(*) AS count FROM attempts WHERE reference = $1 AND blame = 'payout') own
        WHERE p.reference = $1 AND p.status = 'scheduled' AND own.count >= $3
        RETURNING p.id
        """, [.bytes(failure.reference.bytes), .bytes(failure.txid.bytes), .int8(maximumOwnFailures)])
      try await Ledger.forgetTrial(failure.txid, on: connection)
      return try failed.rows.first.map { try PayoutID(bytes: $0.uuid("id")) }
    }
  }
}

extension TransactionVerdict {
  /// Whose failure it is, where that can be told from the verdict alone; nil also where it paid.
  var blame: FailureBlame? {
    switch self {
    case .failedOnChain(_, _, let result): FailureBlame(result: result)
    case .dead: FailureBlame(result: nil)
    case .paid, .anomalous: nil
    }
  }
}
