public import Payouts
import Postgres

/// Comparing the log of intents with the rows.
extension Ledger {
  /// Two lives of the server, row by row, as one condition.
  static let checkpointIsOfPresentLife = """
    (c.system_identifier, c.timeline, c.server_start, c.transactions_oid, c.transactions_file_node)
      = (s.system_identifier, s.timeline, s.server_start, s.transactions_oid, s.transactions_file_node)
    """

  /// See `IntentLedger.intentCheckpoint`.
  public func intentCheckpoint() async throws -> IntentCheckpoint {
    let row = try await read(
      """
      SELECT s.*, c.last_id, coalesce(\(Ledger.checkpointIsOfPresentLife), false) AS present
      FROM server_life() s LEFT JOIN intent_checkpoint c ON true
      """
    ).single()
    return IntentCheckpoint(
      lastID: try row.textOrNil("last_id"), isOfPresentLife: try row.bool("present"), life: try ServerLife(row))
  }

  /// See `SignerLedger.moveIntentCheckpoint`.
  public func moveIntentCheckpoint(to lastID: String, under life: ServerLife) async throws -> Bool {
    try await transaction { connection in
      // Not in the middle of a vouching that holds what the log cannot prove: that puts its own end there.
      try await Ledger.lockVouching(on: connection)
      let present = try await connection.execute("SELECT *, continuous() AS continuous FROM server_life()", []).single()
      guard try present.bool("continuous"), try ServerLife(present) == life else { return false }
      try await Ledger.storeIntentCheckpoint(lastID, on: connection)
      return true
    }
  }

  static func storeIntentCheckpoint(_ lastID: String, on connection: PostgresConnection) async throws {
    _ = try await connection.execute(
      """
      INSERT INTO intent_checkpoint (last_id, system_identifier, timeline, server_start, transactions_oid,
        transactions_file_node)
      SELECT $1, s.* FROM server_life() s
      ON CONFLICT (only_row) DO UPDATE SET last_id = excluded.last_id,
        system_identifier = excluded.system_identifier, timeline = excluded.timeline,
        server_start = excluded.server_start, transactions_oid = excluded.transactions_oid,
        transactions_file_node = excluded.transactions_file_node, at = ledger_now()
      """, [.text(lastID)])
  }

  /// See `IntentLedger.lost`.
  public func lost(_ intents: [Intent]) async throws -> [Intent] {
    var acceptances: [(place: Int, intent: AcceptedPayout)] = []
    var ends: [(place: Int, end: PayoutEnd)] = []
    for (place, intent) in intents.enumerated() {
      switch intent {
      case .accepted(let accepted): acceptances.append((place, accepted))
      case .ended(let end): ends.append((place, end))
      case .marker: continue
      }
    }
    var places: [Int] = []
    if !acceptances.isEmpty {
      places += try await read(Ledger.lostAcceptances, Ledger.parameters(acceptances.map(\.intent))).rows.map {
        acceptances[Int(try $0.int8("place")) - 1].place
      }
    }
    if !ends.isEmpty {
      places += try await read(
        Ledger.lostEnds,
        [
          .bytesArray(ends.map(\.end.reference.bytes)), .textArray(ends.map(\.end.status.rawValue)),
          .timestampArray(ends.map(\.end.at.microseconds)),
        ]
      ).rows.map { ends[Int(try $0.int8("place")) - 1].place }
    }
    return places.sorted().map { intents[$0] }
  }

  static func parameters(_ acceptances: [AcceptedPayout]) -> [PostgresParameter] {
    [
      .uuidArray(acceptances.map(\.payout.terms.id.bytes)),
      .bytesArray(acceptances.map(\.payout.terms.reference.bytes)),
      .bytesArray(acceptances.map(\.payout.fingerprint)),
    ]
  }

  /// What is lost of acceptances, and how. A conflict that was told stands in `conflicting_acceptances`.
  static let lostAcceptances = """
    SELECT n.place, p.id IS NOT NULL AS is_conflict
    FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) WITH ORDINALITY AS n (id, reference, fingerprint, place)
      LEFT JOIN payout_references r ON r.reference = n.reference
      LEFT JOIN payouts p ON p.reference = n.reference
    WHERE CASE
      WHEN p.id IS NULL THEN r.payout_id IS NULL OR r.payout_id = n.id
      ELSE p.id <> n.id AND r.request_fingerprint IS DISTINCT FROM n.fingerprint
        AND NOT EXISTS (SELECT FROM conflicting_acceptances c WHERE c.payout_id = n.id)
      END
    ORDER BY n.place
    """

  /// What is lost of ends. One whose payout is lost as well is remembered too: its client may send the request again.
  private static let lostEnds = """
    SELECT n.place
    FROM unnest($1::bytea[], $2::text[], $3::timestamptz[]) WITH ORDINALITY AS n (reference, status, ended_at, place)
      LEFT JOIN payout_references r ON r.reference = n.reference
      LEFT JOIN payouts p ON p.reference = n.reference
    WHERE NOT EXISTS (SELECT FROM lost_ends e WHERE e.reference = n.reference
                      AND (e.answered_at IS NULL OR e.ended_at >= n.ended_at))
      AND CASE
        WHEN p.id IS NULL THEN r.owner IS NULL AND n.status <> 'expired'
        ELSE p.status NOT IN ('confirmed', 'failed', 'rejected', 'expired', 'cancelled', 'settled_externally')
          AND (n.status <> 'expired' OR p.expires_at IS NULL OR p.expires_at > ledger_now())
        END
    ORDER BY n.place
    """
}

extension PayoutEnd {
  /// What a statement that ends payouts `p` returns.
  static let columns = "p.id, p.reference, p.status, p.note, p.status_since"

  init(_ row: PostgresRow) throws {
    self.init(
      payout: try PayoutID(bytes: row.uuid("id")), reference: try Reference(row.bytes("reference")),
      status: try row.named("status"), note: try row.textOrNil("note"), at: try row.time("status_since"))
  }
}
