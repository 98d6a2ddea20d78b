public import Payouts
import Postgres

/// Questions that change nothing.
extension Ledger: IngestLedger {
  /// What was accepted under each reference.
  ///
  /// It is answered with 201, so the rows are locked, which is a write: a row whose own COMMIT was not clean (a standby
  /// that was not waited for) is told only after a later one that was (DESIGN.md §3 point 1).
  public func accepted(under references: [Reference]) async throws -> [AcceptedRequest?] {
    let result = try await transaction { connection in
      try await connection.execute(
        PostgresStatement(
          """
          SELECT r.request_fingerprint, \(PayoutRecord.columns)
          FROM payout_references r JOIN payouts p ON p.id = r.payout_id WHERE r.reference = ANY ($1::bytea[])
          ORDER BY r.reference FOR SHARE OF r
          """), [.bytesArray(references.map(\.bytes))])
    }
    var found: [Reference: AcceptedRequest] = [:]
    for row in result.rows {
      let record = try PayoutRecord(row)
      found[record.terms.reference] = AcceptedRequest(
        record: record, fingerprint: try row.bytesOrNil("request_fingerprint"))
    }
    return references.map { found[$0] }
  }

  /// A payout by its id.
  public func payout(_ id: PayoutID) async throws -> PayoutRecord? {
    let result = try await read(
      "SELECT \(PayoutRecord.columns) FROM payouts p WHERE p.id = $1", [.uuid(id.bytes)])
    return try result.rows.first.map(PayoutRecord.init)
  }

  /// The changes of a payout's state, oldest first.
  public func history(of id: PayoutID) async throws -> [PayoutEvent] {
    let result = try await read(
      """
      SELECT at, from_status, to_status, actor, note FROM payout_events WHERE payout_id = $1 ORDER BY id
      """, [.uuid(id.bytes)])
    return try result.rows.map { row in
      PayoutEvent(
        at: try row.time("at"), from: try row.textOrNil("from_status").map { try PostgresRow.name($0, "from_status") },
        to: try row.named("to_status"), actor: try row.text("actor"), note: try row.textOrNil("note"))
    }
  }

  /// The attempts of a payout, oldest first.
  public func attempts(of id: PayoutID) async throws -> [AttemptRecord] { try await attempts(of: [id])[id] ?? [] }

  /// The attempts of payouts, each one's oldest first: those of its reference, also where a restore lost the row that they
  /// were made for and the client submitted it again; not those that pay somebody else.
  public func attempts(of ids: [PayoutID]) async throws -> [PayoutID: [AttemptRecord]] {
    let result = try await read(
      """
      SELECT o.id, a.number, a.txid, a.outcome, t.status, t.signed_at, t.expiration_ms, t.block_number, t.block_id,
        t.block_time_ms, t.result, t.fee_sun, t.energy_used, t.bandwidth_used, t.last_answer, a.blame
      FROM (
        SELECT a.payout_id AS id, a.reference, a.txid FROM attempts a WHERE a.payout_id = ANY ($1)
        UNION
        SELECT p.id, a.reference, a.txid FROM payouts p
        JOIN attempts a ON (a.reference, a.token, a.recipient, a.amount) = (p.reference, p.token, p.recipient, p.amount)
        WHERE p.id = ANY ($1)
      ) o JOIN attempts a USING (reference, txid) JOIN transactions t USING (txid)
      ORDER BY a.number, t.signed_at
      """, [.uuidArray(ids.map(\.bytes))])
    return try Dictionary(
      grouping: result.rows.map { (id: try PayoutID(bytes: $0.uuid("id")), attempt: try AttemptRecord($0)) }, by: \.id
    ).mapValues { $0.map(\.attempt) }
  }

  /// What may keep payouts from being paid just now.
  public func conditions() async throws -> PayingConditions {
    let row = try await read(
      """
      SELECT continuous() AS continuous, p.paused, p.reason, p.since AS paused_since, b.state, b.cause,
        b.since AS breaker_since, CASE WHEN b.state = 'open' AND b.closes_by = 'trial' THEN b.trial_at END AS trial_at,
        (SELECT count(*) FROM unclaimed_transfers WHERE explained_at IS NULL AND acknowledged_at IS NULL) AS findings,
        ledger_now() AS now, h.number AS head, h.moved_at AS head_moved_at,
        (SELECT number FROM chain_cursors WHERE view = 'solid') AS solid, s.reason AS standstill,
        s.since AS standstill_since, q.since AS quarantine_since, q.until_ms AS quarantine_until
      FROM pause p CROSS JOIN breaker b LEFT JOIN chain_cursors h ON h.view = 'head'
        LEFT JOIN LATERAL (
          SELECT reason, since FROM signer_standstills
          WHERE seen_at > ledger_now() - $1 * interval '1 second'
          ORDER BY since, signer LIMIT 1) s ON true
        LEFT JOIN LATERAL (\(Ledger.quarantineThatKeepsAll)) q ON true
      """, [.int8(Ledger.standstillSeconds)]
    ).single()
    let isPaused = try row.bool("paused")
    let isOpen = try row.text("state") != "closed"
    return PayingConditions(
      now: try row.time("now"), isContinuous: try row.bool("continuous"), openFindings: Int(try row.int8("findings")),
      pauseReason: isPaused ? try row.textOrNil("reason") : nil,
      pausedSince: isPaused ? try row.time("paused_since") : nil,
      breakerCause: isOpen ? try row.textOrNil("cause") : nil,
      breakerSince: isOpen ? try row.time("breaker_since") : nil, breakerTrialAt: try row.timeOrNil("trial_at"),
      isBreakerTrialOut: try row.text("state") == "half_open",
      standstill: try row.textOrNil("standstill").map { try PostgresRow.name($0, "standstill") },
      standstillSince: try row.timeOrNil("standstill_since"),
      headNumber: try row.int8OrNil("head"), headMovedAt: try row.timeOrNil("head_moved_at"),
      solidNumber: try row.int8OrNil("solid"),
      quarantine: try row.timeOrNil("quarantine_since").map {
        QuarantineCondition(
          since: $0, until: try row.int8OrNil("quarantine_until").map { Timestamp(milliseconds: $0) })
      })
  }

  /// Where the history is vouched for, a quarantine keeps its own Signer from signing: all payouts, where that is true of
  /// every Signer. The end is known once each wait has begun under the present life of the server.
  private static let quarantineThatKeepsAll = """
    SELECT min(declared_at) AS since,
      CASE WHEN bool_and(is_of_present_life(quarantines)) THEN max(until_ms) END AS until_ms
    FROM quarantines WHERE ended_at IS NULL
    HAVING count(*) > 0 AND (NOT continuous() OR NOT EXISTS (
      SELECT FROM journals j
      WHERE NOT EXISTS (SELECT FROM quarantines o WHERE o.signer = j.signer AND o.ended_at IS NULL)))
    """

  /// How long a Signer's word about its standstill counts, in seconds: it repeats it about twice a second.
  static let standstillSeconds: Int64 = 15

  /// See `SignerLedger.record(_:of:)`.
  public func record(_ standstill: Standstill, of signer: String) async throws {
    _ = try await execute(
      """
      INSERT INTO signer_standstills AS s (signer, reason) VALUES ($1, $2)
      ON CONFLICT (signer) DO UPDATE SET reason = excluded.reason, seen_at = excluded.seen_at,
        since = CASE WHEN s.reason = excluded.reason AND s.seen_at > ledger_now() - $3 * interval '1 second'
                THEN s.since ELSE excluded.since END
      """, [.text(signer), .text(standstill.rawValue), .int8(Ledger.standstillSeconds)])
  }

  /// All hot wallets ever declared.
  public func wallets() async throws -> [Address] {
    try await read("SELECT address FROM wallets ORDER BY address").rows.map {
      try Address(bytes: $0.bytes("address"))
    }
  }
}

extension AttemptRecord {
  init(_ row: PostgresRow) throws {
    number = Int(try row.int4("number"))
    txid = try TxID(row.bytes("txid"))
    outcome = try row.textOrNil("outcome").map { try PostgresRow.name($0, "outcome") }
    status = try row.named("status")
    signedAt = try row.time("signed_at")
    expiration = Timestamp(milliseconds: try row.int8("expiration_ms"))
    block = try BlockPlace(row)
    result = try row.textOrNil("result")
    blame = try row.textOrNil("blame").map { try PostgresRow.name($0, "blame") }
    lastAnswer = try row.textOrNil("last_answer")
    cost = try row.int8OrNil("fee_sun").map { fee in
      TransactionCost(
        fee: Sun(fee), energyUsed: try row.int8OrNil("energy_used") ?? 0,
        bandwidthUsed: try row.int8OrNil("bandwidth_used") ?? 0)
    }
  }
}

extension BlockPlace {
  /// The place in columns block_number, block_id and block_time_ms; nil where there is none.
  init?(_ row: PostgresRow) throws {
    guard let number = try row.int8OrNil("block_number"), let id = try row.bytesOrNil("block_id"),
      let time = try row.int8OrNil("block_time_ms")
    else { return nil }
    self.init(number: number, id: try BlockID(id), time: Timestamp(milliseconds: time))
  }
}
