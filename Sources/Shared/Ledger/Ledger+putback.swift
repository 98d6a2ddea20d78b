import Payouts
import Postgres

extension Ledger {
  /// What came of putting a journal's entries back.
  struct PutBackResult: Sendable {
    var putBack: [TxID] = []
    var deferred: [TxID] = []
    var contradicted: [TxID] = []
  }

  /// Stores again what a restore took: transaction, attempts, references, and the payouts' state where their rows are
  /// still there (DESIGN.md §3 "Continuity").
  ///
  /// A later attempt in the journal says that the earlier one ended unpaid. Where that end was lost too, the earlier
  /// attempt is live again here, and the later one waits for its verdict: no reference ever has two live attempts.
  ///
  /// Where another attempt has paid, what the journal holds may still be sent and pay again: that is a contradiction, until
  /// its time is over. Then it goes in beside the other as a late one, for the verdict of the chain.
  static func putBack(
    _ entries: [JournalEntry], from journal: JournalName, on connection: PostgresConnection
  ) async throws -> PutBackResult {
    var result = PutBackResult()
    let inOrder = entries.sorted {
      ($0.payouts.map(\.attemptNumber).max() ?? 0, $0.signedAt, $0.txid)
        < ($1.payouts.map(\.attemptNumber).max() ?? 0, $1.signedAt, $1.txid)
    }
    for entry in inOrder {
      let others = try await connection.execute(
        """
        SELECT a.outcome IS NOT NULL AS paid, coalesce($3 <= c.block_time_ms, false) AS is_over
        FROM attempts a LEFT JOIN chain_cursors c ON c.view = 'solid'
        WHERE a.reference = ANY ($1::bytea[]) AND a.txid <> $2 AND (a.outcome IS NULL OR a.outcome = 'paid')
        """,
        [
          .bytesArray(entry.payouts.map(\.reference.bytes)), .bytes(entry.txid.bytes),
          .int8(entry.expiration.milliseconds),
        ])
      let paid = try others.rows.filter { try $0.bool("paid") }
      if paid.count < others.rows.count {
        result.deferred.append(entry.txid)
      } else if try paid.contains(where: { try !$0.bool("is_over") }) {
        try await reportContradiction(entry, by: journal, on: connection)
        result.contradicted.append(entry.txid)
      } else {
        _ = try await connection.pipeline(putBackCommands(entry, from: journal, isLate: !paid.isEmpty))
        result.putBack.append(entry.txid)
      }
    }
    return result
  }

  private static func reportContradiction(
    _ entry: JournalEntry, by journal: JournalName, on connection: PostgresConnection
  ) async throws {
    _ = try await connection.execute(
      "SELECT open_breaker('contradicted_journal', $1, $2)",
      [
        .text("transaction \(entry.txid)"),
        .text(
          "the journal of \(journal.signer) holds transaction \(entry.txid) for a reference that another transaction "
            + "has paid: read both on the chain before anything else is signed"),
      ])
  }

  private static func putBackCommands(
    _ entry: JournalEntry, from journal: JournalName, isLate: Bool
  ) -> [(PostgresStatement, [PostgresParameter])] {
    let references = PostgresParameter.bytesArray(entry.payouts.map(\.reference.bytes))
    let payouts = PostgresParameter.uuidArray(entry.payouts.map(\.payout.bytes))
    let txid = PostgresParameter.bytes(entry.txid.bytes)
    return [
      (
        "INSERT INTO put_backs (txid, signer, journal_id) VALUES ($1, $2, $3)",
        [txid, .text(journal.signer), .bytes(journal.journalID)]
      ),
      (
        insertTransaction,
        [
          txid, .bytes(entry.wallet.bytes), .text(entry.signer), .bytes(entry.signedBytes),
          .int8(entry.referenceBlockNumber), .int8(entry.headTime.milliseconds), .int8(entry.expiration.milliseconds),
          .int8(entry.feeLimit.count), .timestamp(microsecondsSinceUnixEpoch: entry.signedAt.microseconds),
        ]
      ),
      (insertReferences, [references, payouts]),
      (
        insertAttempts,
        [
          references, txid, payouts, .int4Array(entry.payouts.map { Int32(clamping: $0.attemptNumber) }),
          .bytesArray(entry.payouts.map(\.token.bytes)), .bytesArray(entry.payouts.map(\.recipient.bytes)),
          .int8Array(entry.payouts.map(\.amount.microUSDT)), .bool(isLate),
        ]
      ),
      (endAttemptsAsTheirTransaction, [txid]),
      (setSigned, [references, .text(journal.signer)]),
      (holdOthers, [references]),
    ]
  }

  private static let insertTransaction: PostgresStatement = """
    INSERT INTO transactions (txid, wallet, signer, signed_bytes, reference_block_number, head_time_ms,
      expiration_ms, fee_limit_sun, signed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING
    """
  private static let insertReferences: PostgresStatement = """
    INSERT INTO payout_references (reference, payout_id)
    SELECT * FROM unnest($1::bytea[], $2::uuid[]) ON CONFLICT DO NOTHING
    """
  private static let insertAttempts: PostgresStatement = """
    INSERT INTO attempts (reference, payout_id, number, txid, token, recipient, amount, late)
    SELECT n.reference, n.payout_id, n.number, $2, n.token, n.recipient, n.amount, $8
    FROM unnest($1::bytea[], $3::uuid[], $4::integer[], $5::bytea[], $6::bytea[], $7::bigint[])
      AS n (reference, payout_id, number, token, recipient, amount)
    ON CONFLICT (reference, txid) DO NOTHING
    """
  /// Where only the attempts were lost, their transaction's end is known already. Whose failure it was stays open, so that
  /// Monitor tells it before anything is signed again; the breaker hears nothing of it (see `tellBreaker`).
  private static let endAttemptsAsTheirTransaction: PostgresStatement = """
    UPDATE attempts a SET outcome =
      (CASE t.status WHEN 'solid' THEN 'paid' ELSE t.status::text END)::attempt_outcome
    FROM transactions t
    WHERE t.txid = $1 AND a.txid = $1 AND a.outcome IS NULL AND t.status IN ('solid', 'failed_on_chain', 'dead')
    """
  /// What was held because nobody knows whether it had ended stays marked: where this attempt ends unpaid, it is held again.
  private static let setSigned = PostgresStatement(
    """
    UPDATE payouts p SET status = 'signed', not_before = NULL, held_from = NULL, hold_reason = NULL,
      is_unproven = p.is_unproven
        OR p.status = 'held' AND p.hold_reason IN
          ('\(HoldReason.historyUnproven.rawValue)', '\(HoldReason.conflictingAcceptance.rawValue)'),
      note = coalesce((SELECT 'adopted txid ' || encode(d.txid, 'hex') || ': ' || d.reason FROM adoptions d
        WHERE d.txid = a.txid AND d.refused_at IS NULL), 'put back from the journal of ' || $2)
    FROM attempts a
    WHERE p.reference = ANY ($1::bytea[]) AND a.reference = p.reference AND a.outcome IS NULL AND NOT a.late
      AND (p.token, p.recipient, p.amount) = (a.token, a.recipient, a.amount)
      AND p.status IN ('kyc_pending', 'compliance_pending', 'queued', 'scheduled', 'held')
    """)
  /// The row and its fingerprint were lost, and the key came again with another request before this put-back: what was
  /// signed is not that payout, and must not be told as it.
  private static let holdOthers = PostgresStatement(
    """
    WITH held AS (
      UPDATE payouts p SET status = 'held', held_from = p.status, hold_reason = '\(HoldReason.referenceInUse.rawValue)',
        note = 'its reference was signed with another recipient or amount, txid ' || encode(a.txid, 'hex')
      FROM attempts a
      WHERE p.reference = ANY ($1::bytea[]) AND a.reference = p.reference AND a.outcome IS NULL AND NOT a.late
        AND (p.token, p.recipient, p.amount) <> (a.token, a.recipient, a.amount)
        AND p.status IN ('kyc_pending', 'compliance_pending', 'queued', 'scheduled')
      RETURNING p.id, p.note
    )
    SELECT raise_alarm('\(HoldReason.referenceInUse.rawValue)', 'payout ' || id, note) FROM held
    """)
}
