public import Payouts
import Postgres

extension Ledger {
  /// See `SignerLedger.takeForBroadcast`.
  ///
  /// This is a write whose clean COMMIT comes after the one that stored the transactions: what it returns is on disk,
  /// also where the COMMIT of the signing was never answered (DESIGN.md §3 point 1).
  public func takeForBroadcast(
    wallet: Address, headTime: Timestamp, leaseMilliseconds: Int64, atMost count: Int
  ) async throws -> BroadcastLot {
    try await transaction { connection in
      let taken = try await connection.execute(
        """
        WITH due AS (
          SELECT txid, next_broadcast_at AS due_since FROM transactions
          WHERE status IN ('signed', 'sent') AND next_broadcast_at <= ledger_now() AND wallet = $1
            AND expiration_ms > $2
          ORDER BY next_broadcast_at LIMIT $4 FOR UPDATE SKIP LOCKED
        )
        UPDATE transactions t SET next_broadcast_at = ledger_now() + $3 * interval '1 millisecond'
        FROM due WHERE t.txid = due.txid
        RETURNING t.txid, due.due_since
        """,
        [.bytes(wallet.bytes), .int8(headTime.milliseconds), .int8(leaseMilliseconds), .int8(Int64(count))])
      let state = try await connection.execute("SELECT *, continuous() AS continuous FROM server_life()", []).single()
      var dueSince: [TxID: Timestamp] = [:]
      for row in taken.rows { dueSince[try TxID(row.bytes("txid"))] = try row.time("due_since") }
      let entries = try await Ledger.journalEntries(of: Array(dueSince.keys), on: connection)
      return BroadcastLot(
        life: try ServerLife(state), isContinuous: try state.bool("continuous"),
        transactions: entries.sorted { first, second in
          guard let one = dueSince[first.txid], let other = dueSince[second.txid] else { return false }
          return (one, first.signedAt, first.txid) < (other, second.signedAt, second.txid)
        }, dueSince: dueSince)
    }
  }

  private static func journalEntries(
    of txids: [TxID], on connection: PostgresConnection
  ) async throws -> [JournalEntry] {
    guard !txids.isEmpty else { return [] }
    let result = try await connection.execute(
      """
      SELECT t.txid, t.wallet, t.signer, t.signed_bytes, t.reference_block_number, t.head_time_ms, t.expiration_ms,
        t.fee_limit_sun, t.signed_at, a.payout_id, a.reference, a.number, a.token, a.recipient, a.amount,
        EXISTS (SELECT FROM treasury_orders o WHERE o.id = a.payout_id) AS is_treasury
      FROM transactions t JOIN attempts a USING (txid) WHERE t.txid = ANY ($1::bytea[])
      ORDER BY t.signed_at, t.txid, a.reference
      """, [.bytesArray(txids.map(\.bytes))])
    var order: [TxID] = []
    var first: [TxID: PostgresRow] = [:]
    var payouts: [TxID: [JournalPayout]] = [:]
    for row in result.rows {
      let txid = try TxID(row.bytes("txid"))
      if first.updateValue(row, forKey: txid) == nil { order.append(txid) }
      payouts[txid, default: []].append(
        JournalPayout(
          payout: try PayoutID(bytes: row.uuid("payout_id")), reference: try Reference(row.bytes("reference")),
          attemptNumber: Int(try row.int4("number")), token: try Address(bytes: row.bytes("token")),
          recipient: try Address(bytes: row.bytes("recipient")), amount: try Amount(microUSDT: row.int8("amount"))))
    }
    return try order.compactMap { txid in
      guard let row = first[txid], let paid = payouts[txid] else { return nil }
      return JournalEntry(
        txid: txid, wallet: try Address(bytes: row.bytes("wallet")), signer: try row.text("signer"),
        signedBytes: try row.bytes("signed_bytes"), referenceBlockNumber: try row.int8("reference_block_number"),
        headTime: Timestamp(milliseconds: try row.int8("head_time_ms")),
        expiration: Timestamp(milliseconds: try row.int8("expiration_ms")),
        feeLimit: Sun(try row.int8("fee_limit_sun")),
        signedAt: try row.time("signed_at"), payouts: paid,
        purpose: try row.bool("is_treasury") ? .treasury : .payouts)
    }
  }

  /// Whoever changes several transactions locks them first, in one order, so that nobody waits for one another in turn.
  static let lockTransactions: PostgresStatement = """
    SELECT FROM transactions WHERE txid = ANY ($1::bytea[]) ORDER BY txid FOR UPDATE
    """

  /// See `SignerLedger.record`. No answer ends an attempt (DESIGN.md §3 point 4).
  public func record(_ answers: [BroadcastRecord]) async throws {
    guard !answers.isEmpty else { return }
    let taken = answers.filter(\.isTaken)
    let refused = answers.filter { !$0.isTaken && $0.dueSince == nil }
    let unbegun = answers.compactMap { answer in answer.dueSince.map { (txid: answer.txid, dueSince: $0) } }
    try await transaction { connection in
      _ = try await connection.pipeline([
        (Ledger.lockTransactions, [.bytesArray(answers.map(\.txid.bytes))]),
        (
          """
          UPDATE transactions t SET last_answer = n.answer, status = 'sent'
          FROM unnest($1::bytea[], $2::text[]) AS n (txid, answer)
          WHERE t.txid = n.txid AND t.status IN ('signed', 'sent')
          """,
          [.bytesArray(taken.map(\.txid.bytes)), .textArray(taken.map(\.answer))]
        ),
        (
          """
          UPDATE transactions t SET last_answer = coalesce(n.answer, t.last_answer),
            next_broadcast_at = ledger_now() + n.retry_ms * interval '1 millisecond'
          FROM unnest($1::bytea[], $2::text[], $3::bigint[]) AS n (txid, answer, retry_ms)
          WHERE t.txid = n.txid AND t.status IN ('signed', 'sent')
          """,
          [
            .bytesArray(refused.map(\.txid.bytes)), .textArray(refused.map(\.answer)),
            .int8Array(refused.map(\.retryMilliseconds)),
          ]
        ),
        (
          """
          UPDATE transactions t SET next_broadcast_at = timestamptz 'epoch' + n.due_ms * interval '1 millisecond'
          FROM unnest($1::bytea[], $2::bigint[]) AS n (txid, due_ms)
          WHERE t.txid = n.txid AND t.status IN ('signed', 'sent')
          """,
          [.bytesArray(unbegun.map(\.txid.bytes)), .int8Array(unbegun.map(\.dueSince.milliseconds))]
        ),
        (
          """
          UPDATE payouts p SET status = 'broadcast', note = 'txid ' || encode(a.txid, 'hex')
          FROM attempts a
          WHERE a.txid = ANY ($1::bytea[]) AND a.outcome IS NULL AND p.reference = a.reference AND p.status = 'signed'
          """,
          [.bytesArray(taken.map(\.txid.bytes))]
        ),
      ])
    }
  }
}

extension ServerLife {
  init(_ row: PostgresRow) throws {
    self.init(
      systemIdentifier: try row.int8("system_identifier"), timeline: try row.text("timeline"),
      startMicroseconds: try row.timestampMicroseconds("server_start"),
      transactionsOID: try row.int8("transactions_oid"),
      transactionsFileNode: try row.int8("transactions_file_node"))
  }
}
