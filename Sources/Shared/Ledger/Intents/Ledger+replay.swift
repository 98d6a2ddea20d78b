import Payouts
import Postgres

/// Putting back what a restore took and the log of intents still tells.
extension Ledger {
  /// See `OperatorLedger.putBack(acceptances:)`.
  public func putBack(acceptances: [AcceptedIntent]) async throws -> IntentReplay {
    guard !acceptances.isEmpty else { return IntentReplay() }
    // One reference twice in the log is one acceptance: its first word counts, the other finds it known.
    var seen: Set<Reference> = []
    let first = acceptances.filter { seen.insert($0.payout.terms.reference).inserted }
    return try await transaction { connection in
      try await Ledger.lockWindows(of: first, on: connection)
      let lost = try await connection.execute(PostgresStatement(Ledger.lostAcceptances), Ledger.parameters(first))
      var replay = IntentReplay()
      for row in lost.rows {
        let intent = first[Int(try row.int8("place")) - 1]
        if try row.bool("is_conflict") {
          try await Ledger.holdConflicting(intent, on: connection)
          replay.conflicts += 1
        } else if try await Ledger.insert(intent, on: connection) {
          replay.putBack += 1
        }
      }
      replay.known = acceptances.count - replay.putBack - replay.conflicts
      try await Ledger.note(replay, on: connection)
      return replay
    }
  }

  /// See `OperatorLedger.putBack(ends:)`.
  public func putBack(ends: [PayoutEnd]) async throws -> IntentReplay {
    try await transaction { connection in
      var replay = IntentReplay()
      for end in ends {
        let added = try await connection.execute(
          """
          INSERT INTO lost_ends (reference, payout_id, status, note, ended_at)
          VALUES ($1, $2, $3::payout_status, $4, $5) ON CONFLICT DO NOTHING
          """,
          [
            .bytes(end.reference.bytes), .uuid(end.payout.bytes), .text(end.status.rawValue),
            end.note.map { .text($0) } ?? .null, .timestamp(microsecondsSinceUnixEpoch: end.at.microseconds),
          ])
        guard added.affectedRows == 1 else { continue }
        try await Ledger.holdEnded(end, on: connection)
        replay.ends += 1
      }
      replay.known = ends.count - replay.ends
      try await Ledger.note(replay, on: connection)
      return replay
    }
  }

  /// Everybody locks windows before payouts, by span and beginning.
  private static func lockWindows(of intents: [AcceptedIntent], on connection: PostgresConnection) async throws {
    let windows = intents.flatMap { [(LimitSpan.hour, $0.windows.hour), (.day, $0.windows.day)] }
    let parameters: [PostgresParameter] = [
      .textArray(windows.map(\.0.rawValue)), .timestampArray(windows.map(\.1.microseconds)),
    ]
    _ = try await connection.pipeline([
      (
        """
        INSERT INTO limit_windows (scope, span, starts_at)
        SELECT DISTINCT 'accepted', n.span, n.starts_at FROM unnest($1::text[], $2::timestamptz[]) AS n (span, starts_at)
        ORDER BY 2, 3 ON CONFLICT DO NOTHING
        """, parameters
      ),
      (
        """
        SELECT FROM limit_windows WHERE scope = 'accepted'
          AND (span, starts_at) IN (SELECT * FROM unnest($1::text[], $2::timestamptz[]))
        ORDER BY span, starts_at FOR UPDATE
        """, parameters
      ),
    ])
  }

  /// Reference, payout and the use of its windows. Where a client's new request takes the reference at this very moment,
  /// that one stands, and this is a conflict for the next replay to find, or the same request again.
  ///
  /// - Returns: whether the payout stands again.
  private static func insert(_ intent: AcceptedIntent, on connection: PostgresConnection) async throws -> Bool {
    let terms = intent.payout.terms
    let reference = PostgresParameter.bytes(terms.reference.bytes)
    let claim: [PostgresParameter] = [
      reference, .uuid(terms.id.bytes), .text(terms.owner), .bytes(intent.payout.fingerprint),
    ]
    _ = try await connection.pipeline([
      (
        """
        INSERT INTO payout_references (reference, payout_id, owner, request_fingerprint) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING
        """, claim
      ),
      // A Signer that was first knew neither owner nor request.
      (
        """
        UPDATE payout_references SET owner = $3, request_fingerprint = $4
        WHERE reference = $1 AND payout_id = $2 AND owner IS NULL AND request_fingerprint IS NULL
        """, claim
      ),
    ])
    let added = try await connection.execute(insertPayout, parameters(intent))
    guard added.affectedRows == 1 else { return false }
    _ = try await connection.execute(
      """
      UPDATE limit_windows SET used = used + $3
      WHERE scope = 'accepted' AND (span = 'hour' AND starts_at = $1 OR span = 'day' AND starts_at = $2)
      """,
      [
        .timestamp(microsecondsSinceUnixEpoch: intent.windows.hour.microseconds),
        .timestamp(microsecondsSinceUnixEpoch: intent.windows.day.microseconds), .int8(terms.amount.microUSDT),
      ])
    try await holdSigned(intent, on: connection)
    return true
  }

  private static let insertPayout: PostgresStatement = """
    INSERT INTO payouts (
      id, reference, owner, network, token, asset, recipient, amount, router, batch_type, client_batch_id, node_id,
      kyc_hash, created_at, expires_at, seal_version, seal_key_id, seal_signature, priority, reason, external_id,
      beneficiary_user_id, session_id, work_credits, custom_data, webhook_url, request_id, accepted_status, status,
      hour_window, day_window, note)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::uuid, $12, $13::bytea, $14, $15::timestamptz, $16, $17, $18,
      $19, $20, $21, $22, $23, $24, $25::jsonb, $26, $27, $28::payout_status, $28::payout_status, $29, $30,
      'put back from the log of intents'
    FROM payout_references WHERE reference = $2 AND payout_id = $1
    ON CONFLICT DO NOTHING
    """

  private static func parameters(_ intent: AcceptedIntent) -> [PostgresParameter] {
    let (terms, seal, particulars) = (intent.payout.terms, intent.payout.seal, intent.payout.particulars)
    func text(_ value: String?) -> PostgresParameter { value.map { .text($0) } ?? .null }
    func time(_ value: Timestamp) -> PostgresParameter { .timestamp(microsecondsSinceUnixEpoch: value.microseconds) }
    return [
      .uuid(terms.id.bytes), .bytes(terms.reference.bytes), .text(terms.owner), .text(terms.network.rawValue),
      .bytes(terms.token.bytes), .text(terms.asset), .bytes(terms.recipient.bytes), .int8(terms.amount.microUSDT),
      .text(terms.router.rawValue), .text(terms.batchType.rawValue),
      terms.clientBatch.map { .uuid($0.bytes) } ?? .null, text(terms.node), terms.kycHash.map { .bytes($0) } ?? .null,
      time(terms.createdAt), terms.expiresAt.map(time) ?? .null, .int8(seal.version), .text(seal.keyID),
      .bytes(seal.signature), .text(particulars.priority.rawValue), .text(particulars.reason.rawValue),
      text(particulars.externalID), text(particulars.beneficiaryUserID), text(particulars.sessionID),
      text(particulars.workCredits), particulars.customData.map { .json($0) } ?? .null, text(particulars.webhookURL),
      .text(particulars.requestID), .text(intent.payout.status.rawValue), time(intent.windows.hour),
      time(intent.windows.day),
    ]
  }

  /// A Signer put its attempt back before the row was there again: what is on its way must not go into a batch. `release`
  /// brings it to where its transaction has gone.
  private static func holdSigned(_ intent: AcceptedIntent, on connection: PostgresConnection) async throws {
    let held = try await connection.execute(
      """
      UPDATE payouts p SET status = 'held', held_from = p.status, hold_reason = $2,
        note = 'put back from the log of intents after its transaction ' || encode(a.txid, 'hex')
      FROM attempts a
      WHERE p.id = $1 AND a.reference = p.reference AND (a.outcome IS NULL OR a.outcome = 'paid')
      """, [.uuid(intent.payout.terms.id.bytes), .text(HoldReason.referenceInUse.rawValue)])
    guard held.affectedRows > 0 else { return }
    try await raiseAlarm(
      HoldReason.referenceInUse.rawValue, "payout \(intent.payout.terms.id)",
      "it was put back from the log of intents after its transaction: release it once that has ended", on: connection)
  }

  /// The owner used one key for two requests, which only a disaster between them lets happen, and was told 201 for both. A
  /// reference pays once: a person decides which.
  private static func holdConflicting(_ intent: AcceptedIntent, on connection: PostgresConnection) async throws {
    let terms = intent.payout.terms
    let note =
      "a restore took payout \(terms.id) of \(terms.amount) USDT to \(terms.recipient), accepted earlier under the same "
      + "idempotency key with another request: ask the owner which of the two is meant"
    let held = try await connection.execute(
      """
      UPDATE payouts SET status = 'held', held_from = status, hold_reason = $2, note = $3
      WHERE reference = $1 AND status IN ('kyc_pending', 'compliance_pending', 'queued', 'scheduled')
      RETURNING id
      """, [.bytes(terms.reference.bytes), .text(HoldReason.conflictingAcceptance.rawValue), .text(note)])
    for row in held.rows {
      try await raiseAlarm(
        HoldReason.conflictingAcceptance.rawValue, "payout \(PayoutID(bytes: row.uuid("id")))", note, on: connection)
    }
  }

  /// Whatever waits unsigned is held; a held one keeps where it was held from. What is signed goes its way: its own end
  /// comes from the chain, and where that frees it, Signer holds it. So does it with a payout that is accepted anew under the
  /// reference later.
  private static func holdEnded(_ end: PayoutEnd, on connection: PostgresConnection) async throws {
    let note =
      "the log of intents says that payout \(end.payout) of its reference was \(end.status.rawValue) at \(end.at)"
      + (end.note.map { ": \($0)" } ?? "")
    let parameters: [PostgresParameter] = [
      .bytes(end.reference.bytes), .text(HoldReason.endWasLost.rawValue), .text(note),
    ]
    let held = try await connection.pipeline([
      (
        """
        UPDATE payouts SET hold_reason = $2, note = concat_ws('; it was held before: ', $3::text, hold_reason)
        WHERE reference = $1 AND status = 'held'
        """, parameters
      ),
      (
        """
        UPDATE payouts SET status = 'held', held_from = status, hold_reason = $2, note = $3
        WHERE reference = $1 AND status IN ('kyc_pending', 'compliance_pending', 'queued', 'scheduled')
        """, parameters
      ),
    ])
    guard held.contains(where: { $0.affectedRows > 0 }) else { return }
    try await raiseAlarm(
      HoldReason.endWasLost.rawValue, "payout \(end.payout)",
      "\(note); a restore took that end: reject it, settle it, or release it although it ended", on: connection)
  }

  private static func note(_ replay: IntentReplay, on connection: PostgresConnection) async throws {
    guard replay.putBack + replay.conflicts + replay.ends > 0 else { return }
    _ = try await connection.execute(
      "INSERT INTO intent_replays (acceptances, ends) VALUES ($1, $2)",
      [.int4(Int32(clamping: replay.putBack + replay.conflicts)), .int4(Int32(clamping: replay.ends))])
  }

  static func raiseAlarm(
    _ kind: String, _ subject: String, _ message: String, on connection: PostgresConnection
  ) async throws {
    _ = try await connection.execute(
      "SELECT raise_alarm($1, $2, $3)", [.text(kind), .text(subject), .text(message)])
  }
}
