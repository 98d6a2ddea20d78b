public import Payouts
import Postgres

extension Ledger: SignerLedger {
  /// The advisory lock under which Signers vouch, one after the other.
  private static let vouchingLock: Int64 = 0x7470_766f_7563_6800
  /// How many txids are compared in one statement.
  private static let comparedAtOnce = 10_000

  static func lockVouching(on connection: PostgresConnection) async throws {
    _ = try await connection.execute("SELECT pg_advisory_xact_lock($1)", [.int8(Ledger.vouchingLock)])
  }

  /// See `SignerLedger.vouchingState`.
  public func vouchingState(signer: String) async throws -> VouchingState {
    let quarantines = try await openQuarantines()
    let row = try await read(
      """
      SELECT s.*, continuous() AS continuous, j.wallet, j.journal_id, v.run_id,
        coalesce((v.system_identifier, v.timeline, v.server_start, v.transactions_oid, v.transactions_file_node)
          <> (s.system_identifier, s.timeline, s.server_start, s.transactions_oid, s.transactions_file_node),
          j.declared_at < s.server_start OR (EXISTS (SELECT FROM continuity) AND NOT continuous()), false)
          AS has_server_changed,
        (SELECT coalesce(array_agg(signer ORDER BY signer), '{}') FROM journals) AS declared_names,
        EXISTS (SELECT FROM quarantines q
          WHERE q.signer = $1 AND q.outcome = 'waited' AND is_of_present_life(q)) AS has_waited
      FROM server_life() s
        LEFT JOIN journals j ON j.signer = $1
        LEFT JOIN LATERAL (SELECT * FROM vouchings WHERE signer = $1 ORDER BY id DESC LIMIT 1) v ON true
      """, [.text(signer)]
    ).single()
    let journalID = try row.bytesOrNil("journal_id")
    let runID = try row.bytesOrNil("run_id")
    let hasServerChanged = try row.bool("has_server_changed")
    return VouchingState(
      life: try ServerLife(row), isContinuous: try row.bool("continuous"),
      hasVouched: runID != nil && !hasServerChanged,
      declaredNames: try row.textArray("declared_names"),
      declared: try journalID.map {
        DeclaredJournal(wallet: try Address(bytes: row.bytes("wallet")), journalID: $0)
      },
      lastRunID: runID, hasServerChanged: hasServerChanged, quarantines: quarantines,
      hasWaited: try row.bool("has_waited"))
  }

  /// The server has another life than the one that was vouched for: nothing is committed.
  private struct LifeChanged: Error {}

  /// See `SignerLedger.vouch`.
  public func vouch(_ vouching: Vouching, journal: [JournalEntry]) async throws -> VouchingOutcome {
    do {
      return try await vouchOnce(vouching, journal: journal)
    } catch is LifeChanged {
      return .anotherLife
    }
  }

  private func vouchOnce(_ vouching: Vouching, journal: [JournalEntry]) async throws -> VouchingOutcome {
    try await transaction { connection in
      try await Ledger.lockVouching(on: connection)
      let life = try await connection.execute("SELECT * FROM server_life()", []).single()
      guard try ServerLife(life) == vouching.life else { return .anotherLife }
      try await Ledger.endQuarantines(by: vouching, on: connection)
      let known = try await connection.execute(
        "SELECT journal_id FROM journals WHERE signer = $1", [.text(vouching.signer)])
      guard try known.rows.first?.bytes("journal_id") == vouching.journalID else { return .anotherJournal }
      if try await Ledger.mustWait(vouching.signer, on: connection) { return .waitsForQuarantine }

      let missing = try await Ledger.missing(of: journal, on: connection)
      let result = try await Ledger.putBack(
        missing, from: JournalName(signer: vouching.signer, journalID: vouching.journalID), on: connection)
      guard result.contradicted.isEmpty else { return .contradicted(result.contradicted) }
      guard result.deferred.isEmpty else {
        return .waitsForVerdicts(putBack: result.putBack, deferred: result.deferred)
      }
      if case .gone(let lastID) = vouching.intentLog {
        // What it put back has locked rows and windows, for which others may wait who hold a payout: with these it must not
        // wait for the payouts. So that is committed first, and nothing is missing when it vouches anew.
        guard result.putBack.isEmpty else { return .waitsForVerdicts(putBack: result.putBack, deferred: []) }
        try await Ledger.holdUnproven(upTo: lastID, on: connection)
      }
      try await Ledger.closeExplainedFindings(on: connection)
      try await Ledger.store(vouching, putBack: missing.count, on: connection)
      let unvouched = try await Ledger.namesThatHaveNotVouched(vouching, on: connection)
      if unvouched.isEmpty { try await Ledger.declareContinuous(vouching, on: connection) }
      // A dump may have been loaded while this waited: then the life that was just written is one that nobody has compared.
      let last = try await connection.execute("SELECT * FROM server_life()", []).single()
      guard try ServerLife(last) == vouching.life else { throw LifeChanged() }
      return .vouched(putBack: result.putBack, missing: unvouched)
    }
  }

  /// Whether a quarantine of its own name says that its word is not enough: there is one that waits, and it, or one whose
  /// place it took, is no mere belief that the journal was lost or its Signer away.
  private static func mustWait(_ signer: String, on connection: PostgresConnection) async throws -> Bool {
    let open = try await connection.execute(
      """
      SELECT FROM quarantines open JOIN quarantines doubt ON doubt.signer = open.signer AND doubt.id <= open.id
        AND doubt.cause IN ('both_started', 'wallet_past')
      WHERE open.signer = $1 AND open.ended_at IS NULL AND NOT quarantine_is_over(open)
        AND NOT EXISTS (SELECT FROM quarantines settled WHERE settled.signer = open.signer
          AND settled.id BETWEEN doubt.id AND open.id AND settled.outcome IN ('waited', 'vouched'))
      """, [.text(signer)])
    return !open.rows.isEmpty
  }

  static func missing(
    of journal: [JournalEntry], on connection: PostgresConnection
  ) async throws -> [JournalEntry] {
    var missing: [JournalEntry] = []
    for start in stride(from: 0, to: journal.count, by: comparedAtOnce) {
      let part = journal[start..<min(start + comparedAtOnce, journal.count)]
      let unknown = try await connection.execute(
        """
        SELECT n.txid FROM unnest($1::bytea[]) AS n (txid)
        WHERE NOT EXISTS (SELECT FROM transactions t WHERE t.txid = n.txid)
          OR NOT EXISTS (SELECT FROM attempts a WHERE a.txid = n.txid)
        """, [.bytesArray(part.map(\.txid.bytes))])
      let txids = Set(try unknown.rows.map { try TxID($0.bytes("txid")) })
      missing += part.filter { txids.contains($0.txid) }
    }
    return missing
  }

  private static func store(
    _ vouching: Vouching, putBack: Int, on connection: PostgresConnection
  ) async throws {
    _ = try await connection.execute(
      """
      INSERT INTO vouchings (signer, run_id, signer_names, journal_id, put_back, system_identifier, timeline,
        server_start, transactions_oid, transactions_file_node)
      SELECT $1, $2, $3::text[], $4, $5, s.* FROM server_life() s
      """,
      [
        .text(vouching.signer), .bytes(vouching.runID), .textArray(vouching.names), .bytes(vouching.journalID),
        .int4(Int32(clamping: putBack)),
      ])
    _ = try await connection.execute(
      """
      UPDATE quarantines SET ended_at = ledger_now(), ended_by = $1, outcome = 'vouched'
      WHERE signer = $1 AND ended_at IS NULL
      """, [.text(vouching.signer)])
  }

  /// Every name in any list must vouch: the configured one, those that other Signers vouched with, and all journals
  /// ever declared (the database may forget a name, a configuration may leave one out). A quarantine that was waited out
  /// under this life stands for its name.
  private static func namesThatHaveNotVouched(
    _ vouching: Vouching, on connection: PostgresConnection
  ) async throws -> [String] {
    let result = try await connection.execute(
      """
      WITH here AS (
        SELECT v.signer, v.signer_names FROM vouchings v, server_life() s
        WHERE (v.system_identifier, v.timeline, v.server_start, v.transactions_oid, v.transactions_file_node)
          = (s.system_identifier, s.timeline, s.server_start, s.transactions_oid, s.transactions_file_node)
      )
      SELECT name FROM (
        SELECT unnest($1::text[]) AS name
        UNION SELECT unnest(signer_names) FROM here
        UNION SELECT signer FROM journals
      ) names
      WHERE name NOT IN (SELECT signer FROM here)
        AND NOT EXISTS (SELECT FROM quarantines q
                        WHERE q.signer = name AND q.outcome = 'waited' AND is_of_present_life(q))
      ORDER BY name
      """, [.textArray(vouching.names)])
    return try result.rows.map { try $0.text("name") }
  }

  private static func declareContinuous(_ vouching: Vouching, on connection: PostgresConnection) async throws {
    _ = try await connection.execute(
      """
      INSERT INTO continuity (system_identifier, timeline, server_start, transactions_oid, transactions_file_node,
        vouched_by)
      SELECT s.*, $1 FROM server_life() s
      ON CONFLICT (only_row) DO UPDATE SET system_identifier = excluded.system_identifier,
        timeline = excluded.timeline, server_start = excluded.server_start,
        transactions_oid = excluded.transactions_oid, transactions_file_node = excluded.transactions_file_node,
        vouched_by = excluded.vouched_by, vouched_at = ledger_now()
      """, [.text(vouching.signer)])
  }
}
