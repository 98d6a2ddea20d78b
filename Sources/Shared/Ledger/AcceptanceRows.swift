import Payouts
import Postgres

/// The rows of acceptances, as Ingest writes them and as a replay of the log of intents writes them again: one statement
/// each, so that what an acceptance holds is known in one place.
enum AcceptanceRows {
  /// Takes references for their payouts; needs `parameters(ofReferences:)`.
  static let insertReferences = """
    INSERT INTO payout_references (reference, payout_id, owner, request_fingerprint, claimed_at)
    SELECT n.*, (SELECT ledger_now()) FROM unnest($1::bytea[], $2::uuid[], $3::text[], $4::bytea[]) AS n
    """
  /// A reference that a Signer put back knows only its payout: without its request, no replay could be told.
  static let completeReferences = """
    UPDATE payout_references r SET owner = n.owner, request_fingerprint = n.fingerprint
    FROM unnest($1::bytea[], $2::uuid[], $3::text[], $4::bytea[]) AS n (reference, payout_id, owner, fingerprint)
    WHERE r.reference = n.reference AND r.payout_id = n.payout_id AND r.owner IS NULL
    """
  /// The clients' batches, before their payouts. One that stands there stays as it is: only its lost payouts come back.
  static let insertClientBatches = """
    INSERT INTO client_batches (id, owner, payout_count, total_amount)
    SELECT n.id, n.owner, n.payout_count::integer, n.total_amount
    FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[]) AS n (id, owner, payout_count, total_amount)
    ORDER BY n.id
    ON CONFLICT DO NOTHING
    """
  /// The batches of acceptances that are put back, where their references are theirs: a batch that was accepted anew
  /// meanwhile has another name. What an entry does not tell of its batch is counted from those at hand.
  static let restoreClientBatches = """
    INSERT INTO client_batches (id, owner, payout_count, total_amount)
    SELECT n.client_batch_id, min(n.owner), coalesce(max(n.payout_count), count(*))::integer,
      coalesce(max(n.total_amount), sum(n.amount))::bigint
    FROM unnest($1::bytea[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])
        AS n (reference, id, client_batch_id, owner, amount, payout_count, total_amount)
      JOIN payout_references r ON r.reference = n.reference AND r.payout_id = n.id
    WHERE n.client_batch_id IS NOT NULL
    GROUP BY n.client_batch_id ORDER BY n.client_batch_id
    ON CONFLICT DO NOTHING
    """
  /// The payouts themselves, in the state they were accepted in; needs `parameters(of:note:)`.
  static let insertPayouts = """
    INSERT INTO payouts (
      id, reference, owner, network, token, asset, recipient, amount, router, batch_type, client_batch_id, node_id,
      kyc_hash, created_at, expires_at, seal_version, seal_key_id, seal_signature, priority, reason, external_id,
      beneficiary_user_id, session_id, work_credits, custom_data, webhook_url, request_id, accepted_status, status,
      window_end, hour_window, day_window, status_since, note)
    SELECT n.id, n.reference, n.owner, n.network, n.token, n.asset, n.recipient, n.amount, n.router, n.batch_type,
      n.client_batch_id, n.node_id, n.kyc_hash, n.created_at, n.expires_at, n.seal_version, n.seal_key_id,
      n.seal_signature, n.priority, n.reason, n.external_id, n.beneficiary_user_id, n.session_id, n.work_credits,
      n.custom_data::jsonb, n.webhook_url, n.request_id, n.status::payout_status, n.status::payout_status,
      n.window_end, n.hour_window, n.day_window, (SELECT ledger_now()), $32::text
    FROM unnest(
      $1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::bytea[], $8::bigint[],
      $9::text[], $10::text[], $11::uuid[], $12::text[], $13::bytea[], $14::timestamptz[], $15::timestamptz[],
      $16::bigint[], $17::text[], $18::bytea[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[],
      $24::text[], $25::text[], $26::text[], $27::text[], $28::text[], $29::timestamptz[], $30::timestamptz[],
      $31::timestamptz[]
    ) AS n (
      id, reference, owner, network, token, asset, recipient, amount, router, batch_type, client_batch_id, node_id,
      kyc_hash, created_at, expires_at, seal_version, seal_key_id, seal_signature, priority, reason, external_id,
      beneficiary_user_id, session_id, work_credits, custom_data, webhook_url, request_id, status, window_end,
      hour_window, day_window)
    """

  static func parameters(ofReferences payouts: [NewPayout]) -> [PostgresParameter] {
    [
      .bytesArray(payouts.map(\.terms.reference.bytes)), .uuidArray(payouts.map(\.terms.id.bytes)),
      .textArray(payouts.map(\.terms.owner)), .bytesArray(payouts.map(\.fingerprint)),
    ]
  }

  static func parameters(ofBatches requests: [AcceptanceRequest]) throws(MalformedValue) -> [PostgresParameter] {
    var sizes: [ClientBatchSize] = []
    for request in requests { sizes.append(try request.size) }
    return [
      .uuidArray(requests.map(\.clientBatch?.bytes)), .textArray(requests.map { $0.payouts[0].terms.owner }),
      .int8Array(sizes.map { Int64($0.payoutCount) }), .int8Array(sizes.map(\.total.microUSDT)),
    ]
  }

  static func parameters(ofBatchesOf acceptances: [AcceptedPayout]) -> [PostgresParameter] {
    let terms = acceptances.map(\.payout.terms)
    return [
      .bytesArray(terms.map(\.reference.bytes)), .uuidArray(terms.map(\.id.bytes)),
      .uuidArray(terms.map(\.clientBatch?.bytes)), .textArray(terms.map(\.owner)),
      .int8Array(terms.map(\.amount.microUSDT)),
      .int8Array(acceptances.map { $0.batchSize.map { Int64($0.payoutCount) } }),
      .int8Array(acceptances.map(\.batchSize?.total.microUSDT)),
    ]
  }

  /// - Parameter note: stands in the history beside the beginning; nil for an acceptance like any other.
  static func parameters(of acceptances: [AcceptedPayout], note: String? = nil) -> [PostgresParameter] {
    terms(acceptances.map(\.payout)) + particulars(acceptances.map(\.payout)) + [
      .timestampArray(acceptances.map(\.windowEnd.microseconds)),
      .timestampArray(acceptances.map(\.limitWindows.hour.microseconds)),
      .timestampArray(acceptances.map(\.limitWindows.day.microseconds)),
      note.map { .text($0) } ?? .null,
    ]
  }

  private static func terms(_ payouts: [NewPayout]) -> [PostgresParameter] {
    let terms = payouts.map(\.terms)
    return [
      .uuidArray(terms.map(\.id.bytes)), .bytesArray(terms.map(\.reference.bytes)), .textArray(terms.map(\.owner)),
      .textArray(terms.map(\.network.rawValue)), .bytesArray(terms.map(\.token.bytes)),
      .textArray(terms.map(\.asset)), .bytesArray(terms.map(\.recipient.bytes)),
      .int8Array(terms.map(\.amount.microUSDT)), .textArray(terms.map(\.router.rawValue)),
      .textArray(terms.map(\.batchType.rawValue)), .uuidArray(terms.map(\.clientBatch?.bytes)),
      .textArray(terms.map(\.node)), .bytesArray(terms.map(\.kycHash)),
      .timestampArray(terms.map(\.createdAt.microseconds)), .timestampArray(terms.map(\.expiresAt?.microseconds)),
      .int8Array(payouts.map(\.seal.version)), .textArray(payouts.map(\.seal.keyID)),
      .bytesArray(payouts.map(\.seal.signature)),
    ]
  }

  private static func particulars(_ payouts: [NewPayout]) -> [PostgresParameter] {
    let particulars = payouts.map(\.particulars)
    return [
      .textArray(particulars.map(\.priority.rawValue)), .textArray(particulars.map(\.reason.rawValue)),
      .textArray(particulars.map(\.externalID)), .textArray(particulars.map(\.beneficiaryUserID)),
      .textArray(particulars.map(\.sessionID)), .textArray(particulars.map(\.workCredits)),
      .textArray(particulars.map(\.customData)), .textArray(particulars.map(\.webhookURL)),
      .textArray(particulars.map(\.requestID)), .textArray(payouts.map(\.status.rawValue)),
    ]
  }
}
