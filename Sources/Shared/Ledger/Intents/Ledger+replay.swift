import Payouts
import Postgres

/// Putting back what a restore took and the log of intents still tells.
extension Ledger {
  /// See `OperatorLedger.putBack(acceptances:)`.
  public func putBack(acceptances: [AcceptedPayout]) async throws -> IntentReplay {
    guard !acceptances.isEmpty else { return IntentReplay() }
    // One reference twice in the log is one acceptance: its first word counts, the other finds it known.
    var seen: Set<Reference> = []
    let first = acceptances.filter { seen.insert($0.payout.terms.reference).inserted }
    return try await transaction { connection in
      try await Ledger.lockWindows(of: first, on: connection)
      let lost = try await connection.execute(PostgresStatement(Ledger.lostAcceptances), Ledger.parameters(first))
      var (missing, conflicts): ([AcceptedPayout], [AcceptedPayout]) = ([], [])
      for row in lost.rows {
        let accepted = first[Int(try row.int8("place")) - 1]
        if try row.bool("is_conflict") { conflicts.append(accepted) } else { missing.append(accepted) }
      }
      var replay = IntentReplay()
      replay.putBack = try await Ledger.insert(missing, on: connection)
      for accepted in conflicts where try await Ledger.tellConflict(accepted, on: connection) {
        replay.conflicts += 1
      }
      // What was found proves that the database went back in time, whoever holds it.
      try await Ledger.note(replay.putBack + conflicts.count, replay.ends, on: connection)
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
      try await Ledger.note(0, replay.ends, on: connection)
      return replay
    }
  }

  /// In which scopes a payout of router `n.router` counts, in each span.
  private static let countedWindows = """
    CROSS JOIN LATERAL unnest(ARRAY['accepted', 'accepted_' || n.router]) scope
    CROSS JOIN unnest(ARRAY['day', 'hour']) span
    CROSS JOIN LATERAL (SELECT CASE span WHEN 'hour' THEN n.hour_window ELSE n.day_window END AS starts_at) w
    """

  /// Everybody locks windows before payouts, by scope, span and beginning.
  private static func lockWindows(of acceptances: [AcceptedPayout], on connection: PostgresConnection) async throws {
    let parameters: [PostgresParameter] = [
      .textArray(acceptances.map(\.payout.terms.router.rawValue)),
      .timestampArray(acceptances.map(\.limitWindows.hour.microseconds)),
      .timestampArray(acceptances.map(\.limitWindows.day.microseconds)),
    ]
    let counted = """
      SELECT DISTINCT scope, span, starts_at
      FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS n (router, hour_window, day_window)
      \(countedWindows)
      """
    _ = try await connection.pipeline([
      (
        PostgresStatement(
          "INSERT INTO limit_windows (scope, span, starts_at) \(counted) ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING"),
        parameters
      ),
      (
        PostgresStatement(
          """
          SELECT FROM limit_windows WHERE (scope, span, starts_at) IN (\(counted))
          ORDER BY scope, span, starts_at FOR UPDATE
          """), parameters
      ),
    ])
  }

  /// References, payouts and the use of their windows, which no limit refuses: they were accepted. Where a client's new
  /// request takes a reference at this very moment, that one stands, and this is a conflict for the next replay to find, or
  /// the same request again.
  ///
  /// - Returns: how many payouts stand again.
  private static func insert(_ acceptances: [AcceptedPayout], on connection: PostgresConnection) async throws -> Int {
    guard !acceptances.isEmpty else { return 0 }
    let references = AcceptanceRows.parameters(ofReferences: acceptances.map(\.payout))
    let results = try await connection.pipeline([
      (PostgresStatement(AcceptanceRows.insertReferences + " ON CONFLICT DO NOTHING"), references),
      (PostgresStatement(AcceptanceRows.completeReferences), references),
      (
        PostgresStatement(AcceptanceRows.restoreClientBatches),
        AcceptanceRows.parameters(ofBatchesOf: acceptances)
      ),
      (
        PostgresStatement(AcceptanceRows.insertPayouts + " ON CONFLICT DO NOTHING RETURNING id"),
        AcceptanceRows.parameters(of: acceptances, note: "put back from the log of intents")
      ),
    ])
    let added: [[UInt8]?] = try results.last?.rows.map { try $0.uuid("id") } ?? []
    _ = try await connection.execute(
      PostgresStatement(
        """
        UPDATE limit_windows w SET used = w.used + back.amount
        FROM (SELECT scope, span, starts_at, sum(n.amount)::bigint AS amount FROM payouts n \(countedWindows)
              WHERE n.id = ANY ($1::uuid[]) GROUP BY 1, 2, 3) back
        WHERE (w.scope, w.span, w.starts_at) = (back.scope, back.span, back.starts_at)
        """), [.uuidArray(added)])
    try await holdSigned(added, on: connection)
    return added.count
  }

  /// A Signer put an attempt back before the row was there again: what is on its way must not go into a batch. `release`
  /// brings it to where its transaction has gone.
  private static func holdSigned(_ payouts: [[UInt8]?], on connection: PostgresConnection) async throws {
    _ = try await connection.execute(
      """
      WITH held AS (
        UPDATE payouts p SET status = 'held', held_from = p.status, hold_reason = $2,
          note = 'put back from the log of intents after its transaction ' || encode(a.txid, 'hex')
        FROM attempts a
        WHERE p.id = ANY ($1::uuid[]) AND a.reference = p.reference AND (a.outcome IS NULL OR a.outcome = 'paid')
        RETURNING p.id
      )
      SELECT raise_alarm($2, 'payout ' || id,
        'it was put back from the log of intents after its transaction: release it once that has ended') FROM held
      """, [.uuidArray(payouts), .text(HoldReason.referenceInUse.rawValue)])
  }

  /// The owner used one key for two requests, which only a disaster between them lets happen, and was told 201 for both. A
  /// reference pays once: a person decides which, and is asked wherever the one that stands has gone.
  ///
  /// - Returns: false where another replay has told it meanwhile.
  private static func tellConflict(
    _ intent: AcceptedPayout, on connection: PostgresConnection
  ) async throws -> Bool {
    let terms = intent.payout.terms
    let added = try await connection.execute(
      "INSERT INTO conflicting_acceptances (payout_id, reference) VALUES ($1, $2) ON CONFLICT DO NOTHING",
      [.uuid(terms.id.bytes), .bytes(terms.reference.bytes)])
    guard added.affectedRows == 1 else { return false }
    let note =
      "a restore took payout \(terms.id) of \(terms.amount) USDT to \(terms.recipient), accepted earlier under the same "
      + "idempotency key with another request: ask the owner which of the two is meant"
    if try await !hold(terms.reference, .conflictingAcceptance, note, on: connection) {
      // Where its transaction ends unpaid it is held before it is signed again.
      _ = try await connection.execute(
        "UPDATE payouts SET is_unproven = true WHERE reference = $1 AND status IN ('signed', 'broadcast', 'confirming')",
        [.bytes(terms.reference.bytes)])
    }
    let stands = try await connection.execute(
      "SELECT id, status FROM payouts WHERE reference = $1", [.bytes(terms.reference.bytes)]
    ).single()
    let (id, status): (PayoutID, PayoutStatus) = (try PayoutID(bytes: stands.uuid("id")), try stands.named("status"))
    try await raiseAlarm(
      HoldReason.conflictingAcceptance.rawValue, "payout \(id)",
      "it is \(status.rawValue), and \(note)", on: connection)
    return true
  }

  /// What is signed goes its way: its own end comes from the chain, and where that frees it, Signer holds it. So does it with
  /// a payout that is accepted anew under the reference later.
  private static func holdEnded(_ end: PayoutEnd, on connection: PostgresConnection) async throws {
    let note =
      "the log of intents says that payout \(end.payout) of its reference was \(end.status.rawValue) at \(end.at)"
      + (end.note.map { ": \($0)" } ?? "")
    guard try await hold(end.reference, .endWasLost, note, on: connection) else { return }
    try await raiseAlarm(
      HoldReason.endWasLost.rawValue, "payout \(end.payout)",
      "\(note); a restore took that end: reject it, settle it, or release it although it ended", on: connection)
  }

  /// Whatever waits unsigned under a reference is held; a held one keeps where it was held from.
  ///
  /// - Returns: whether one is held for this now.
  private static func hold(
    _ reference: Reference, _ reason: HoldReason, _ note: String, on connection: PostgresConnection
  ) async throws -> Bool {
    let parameters: [PostgresParameter] = [.bytes(reference.bytes), .text(reason.rawValue), .text(note)]
    let held = try await connection.pipeline([
      // Whoever holds it just now would be passed by otherwise: not yet held for the first of these, no longer waiting for
      // the second.
      ("SELECT FROM payouts WHERE reference = $1 FOR UPDATE", [.bytes(reference.bytes)]),
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
    return held.dropFirst().contains { $0.affectedRows > 0 }
  }

  private static func note(_ acceptances: Int, _ ends: Int, on connection: PostgresConnection) async throws {
    guard acceptances + ends > 0 else { return }
    _ = try await connection.execute(
      "INSERT INTO intent_replays (acceptances, ends) VALUES ($1, $2)",
      [.int4(Int32(clamping: acceptances)), .int4(Int32(clamping: ends))])
  }

  static func raiseAlarm(
    _ kind: String, _ subject: String, _ message: String, on connection: PostgresConnection
  ) async throws {
    _ = try await connection.execute(
      "SELECT raise_alarm($1, $2, $3)", [.text(kind), .text(subject), .text(message)])
  }
}
