public import Payouts
import Postgres

/// Whose failure it is that attempts end unpaid, and what follows from it (DESIGN.md §3 point 6).
extension Ledger {
  /// An attempt `a` whose failure nobody has judged: its payout is not signed again.
  static let isUnblamed = "a.outcome IN ('failed_on_chain', 'dead') AND a.blame IS NULL"

  /// See `MonitorLedger.unblamedFailures`.
  public func unblamedFailures(
    after last: UnblamedFailure? = nil, atMost count: Int
  ) async throws -> [UnblamedFailure] {
    try await read(
      """
      SELECT a.reference, a.txid, t.result, t.wallet, a.token, a.recipient, a.amount, a.ended_at
      FROM attempts a JOIN transactions t USING (txid)
      WHERE \(Ledger.isUnblamed)
        AND ($2::bytea IS NULL OR (a.ended_at, a.txid, a.reference) > (
          SELECT l.ended_at, l.txid, l.reference FROM attempts l WHERE (l.txid, l.reference) = ($2, $3::bytea)))
        AND NOT EXISTS (SELECT FROM payouts p WHERE p.reference = a.reference AND p.status = 'held')
      ORDER BY a.ended_at, a.txid, a.reference LIMIT $1
      """,
      [
        .int8(Int64(count)),
        last.map { .bytes($0.txid.bytes) } ?? .null, last.map { .bytes($0.reference.bytes) } ?? .null,
      ]
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
  ///
  /// A held payout cannot fail, and what is judged is not judged again: after its release it would be signed once more than
  /// it may. So its own failure stays open until then, and nobody signs a payout with an open one. The payout is locked
  /// first, so that nobody holds it between the look and the end; who holds its lock waits for no attempt that has ended.
  public func blame(
    _ blame: FailureBlame, for failure: UnblamedFailure, maximumOwnFailures: Int64
  ) async throws -> PayoutEnd? {
    try await transaction { connection in
      let payout = try await connection.execute(
        "SELECT status FROM payouts WHERE reference = $1 FOR UPDATE", [.bytes(failure.reference.bytes)])
      let status: PayoutStatus? = try payout.rows.first?.named("status")
      if blame.isPayoutsOwn, status == .held { return nil }
      if blame.isPayoutsOwn, try await Ledger.holdUnclaimed(failure, maximumOwnFailures, on: connection) {
        return nil
      }
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
        PostgresStatement(
          """
          UPDATE payouts p SET status = 'failed', not_before = NULL,
            note = 'the token refused it ' || own.count || ' times, the last time as txid ' || encode($2, 'hex')
          FROM (SELECT count(*) AS count FROM attempts WHERE reference = $1 AND blame = 'payout') own
          WHERE p.reference = $1 AND p.status = 'scheduled' AND own.count >= $3
          RETURNING \(PayoutEnd.columns)
          """),
        [.bytes(failure.reference.bytes), .bytes(failure.txid.bytes), .int8(maximumOwnFailures)])
      try await Ledger.forgetTrial(failure.txid, on: connection)
      return try failed.rows.first.map(PayoutEnd.init)
    }
  }
}

extension Ledger {
  /// Holds a payout that one more failure of its own would end, where a transfer that nobody claims may have paid it: as one
  /// whose time is over is held. Its failure stays unjudged until a person has let it go.
  private static func holdUnclaimed(
    _ failure: UnblamedFailure, _ maximumOwnFailures: Int64, on connection: PostgresConnection
  ) async throws -> Bool {
    let held = try await connection.execute(
      PostgresStatement(
        """
        UPDATE payouts p SET status = 'held', held_from = p.status, hold_reason = $3,
          note = 'its own failures are used up, and a transfer that nobody claims may have paid it'
        WHERE p.reference = $1 AND p.status = 'scheduled' AND \(Ledger.unclaimedTransferMayHavePaid)
          AND EXISTS (SELECT FROM attempts a WHERE a.reference = $1 AND a.txid = $4 AND \(Ledger.isUnblamed))
          AND $2 <= 1 + (SELECT count(*) FROM attempts WHERE reference = $1 AND blame = 'payout')
        """),
      [
        .bytes(failure.reference.bytes), .int8(maximumOwnFailures), .text(HoldReason.unclaimedTransfer.rawValue),
        .bytes(failure.txid.bytes),
      ])
    return held.affectedRows > 0
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
