public import Payouts
import Postgres

/// The wait that stands in for a vouching that cannot be had (DESIGN.md §3 "Continuity").
extension Ledger {
  /// See `SignerLedger.requestQuarantine`.
  public func requestQuarantine(_ request: QuarantineRequest) async throws -> QuarantineAnswer {
    try await transaction { connection in
      try await Ledger.lockVouching(on: connection)
      let row = try await connection.execute(
        """
        SELECT continuous() AS continuous, j.journal_id,
          EXISTS (SELECT FROM retired_journals WHERE journal_id = $2)
            OR EXISTS (SELECT FROM journals WHERE journal_id = $2 AND signer <> $1)
            OR EXISTS (SELECT FROM quarantines WHERE journal_id = $2 AND signer <> $1 AND ended_at IS NULL) AS retired,
          j.signer IS NOT NULL OR EXISTS (SELECT FROM vouchings WHERE $1 = ANY (signer_names)) AS known,
          EXISTS (SELECT FROM quarantines WHERE signer = $1 AND ended_at IS NULL) AS waits
        FROM (VALUES (1)) one LEFT JOIN journals j ON j.signer = $1
        """, [.text(request.signer), request.journalID.map { .bytes($0) } ?? .null]
      ).single()
      if try row.bool("retired") { return .retiredJournal }
      guard try row.bool("known") else { return .unknownSigner }
      switch request.cause {
      case .signerAway:
        if try row.bool("continuous") { return .notNeeded }
        // Whatever it waits for asks no less: a Signer's word ends this one, and not every other one.
        if try row.bool("waits") { return .standing }
      case .journalLost: if try row.bytesOrNil("journal_id") == request.journalID { return .notNeeded }
      case .bothStarted, .walletPast: break
      }
      return try await Ledger.store(request, on: connection) ? .requested : .standing
    }
  }

  /// What takes the place of another wait is no shorter, and asks no less of the Signer's word (`mustWait`).
  ///
  /// - Returns: false where the same stands already.
  static func store(_ request: QuarantineRequest, on connection: PostgresConnection) async throws -> Bool {
    let parameters: [PostgresParameter] = [
      .text(request.signer), .text(request.cause.rawValue), request.journalID.map { .bytes($0) } ?? .null,
    ]
    let standing = try await connection.execute(
      """
      SELECT FROM quarantines WHERE signer = $1 AND cause = $2 AND journal_id IS NOT DISTINCT FROM $3
        AND ended_at IS NULL
      """, parameters)
    guard standing.rows.isEmpty else { return false }
    let replaced = try await connection.execute(
      """
      UPDATE quarantines SET ended_at = ledger_now(), ended_by = current_setting('application_name'),
        outcome = 'replaced' WHERE signer = $1 AND ended_at IS NULL
      RETURNING expiration_ms
      """, [.text(request.signer)])
    _ = try await connection.execute(
      """
      INSERT INTO quarantines (signer, cause, journal_id, expiration_ms, reason)
      SELECT $1, $2, $3, greatest(coalesce($4, max_expiration_ms), CASE WHEN $2 = 'both_started' THEN
        (SELECT max(expiration_ms - head_time_ms) + $6 FROM transactions) END, $7),
        $5 FROM ledger_settings
      """,
      parameters + [
        request.expirationMilliseconds.map { .int8($0) } ?? .null, .text(request.reason),
        .int8(QuarantineRequest.lifeRoundingMilliseconds),
        try replaced.rows.first.map { .int8(try $0.int8("expiration_ms")) } ?? .null,
      ])
    return true
  }

  /// See `SignerLedger.beginQuarantines`.
  public func beginQuarantines(head: BlockPlace, under life: ServerLife) async throws -> QuarantineBeginning {
    try await transaction { connection in
      try await Ledger.lockVouching(on: connection)
      let present = try await connection.execute(
        """
        SELECT s.*, abs(unix_ms(ledger_now()) - $1) AS difference_ms, l.clock_bound_ms
        FROM server_life() s, ledger_settings l
        """, [.int8(head.time.milliseconds)]
      ).single()
      guard try ServerLife(present) == life else { return .anotherLife }
      let difference = try present.int8("difference_ms")
      guard try difference <= present.int8("clock_bound_ms") else { return .clocksDiffer(milliseconds: difference) }
      let begun = try await connection.execute(Ledger.beginning, [])
      var untils: [String: Timestamp] = [:]
      for row in begun.rows {
        let signer = try row.text("signer")
        let until = Timestamp(milliseconds: try row.int8("until_ms"))
        untils[signer] = until
        try await Ledger.raiseAlarm(
          "quarantine", "signer \(signer)",
          "the vouching of \(signer) cannot be had (\(try row.text("cause"))): \(try row.text("reason")); waiting until a "
            + "solid block of \(until) is read",
          on: connection)
      }
      return .begun(untils)
    }
  }

  /// From where Monitor stands on: it reads block after block. A database that went back in time has the cursors of its
  /// own time, so that the lost part is read again. A shorter wait than the longest that there can be was measured by what
  /// was known under one life: under another one it is not believed.
  private static let beginning: PostgresStatement = """
    UPDATE quarantines q SET system_identifier = s.system_identifier, timeline = s.timeline,
      server_start = s.server_start, transactions_oid = s.transactions_oid,
      transactions_file_node = s.transactions_file_node, began_at = ledger_now(),
      begin_block_number = coalesce((SELECT number FROM chain_cursors WHERE view = 'solid'),
        (SELECT min(begin_block_number) FROM wallets), 0),
      until_ms = unix_ms(ledger_now()) + 2 * l.clock_bound_ms + CASE
        WHEN q.declared_under IS DISTINCT FROM server_life_text() THEN greatest(q.expiration_ms, l.max_expiration_ms)
        ELSE q.expiration_ms END
    FROM server_life() s, ledger_settings l
    WHERE q.ended_at IS NULL AND NOT is_of_present_life(q)
    RETURNING q.signer, q.cause, q.reason, q.until_ms
    """

  /// See `OperatorLedger.quarantines`.
  public func quarantines(atMost count: Int) async throws -> [QuarantineRecord] {
    try await read(
      """
      SELECT \(QuarantineRecord.columns) FROM quarantines q
      ORDER BY q.ended_at IS NOT NULL, coalesce(q.ended_at, q.declared_at) DESC, q.id DESC LIMIT $1
      """, [.int8(Int64(count))]
    ).rows.map(QuarantineRecord.init)
  }

  /// See `ReconcileLedger.solidTime`.
  public func solidTime() async throws -> Timestamp? {
    try await read("SELECT block_time_ms FROM chain_cursors WHERE view = 'solid'").rows.first.map {
      Timestamp(milliseconds: try $0.int8("block_time_ms"))
    }
  }

  /// Those that have not ended, the oldest first.
  func openQuarantines() async throws -> [QuarantineRecord] {
    try await read("SELECT \(QuarantineRecord.columns) FROM quarantines q WHERE q.ended_at IS NULL ORDER BY q.id").rows
      .map(QuarantineRecord.init)
  }

  /// Ends the waits whose blocks are read, and lets new journals take the place of lost ones: in the transaction of a
  /// vouching, under its lock. A declared journal that comes to vouch while its replacement waits is not lost.
  static func endQuarantines(by vouching: Vouching, on connection: PostgresConnection) async throws {
    let ended = try await connection.execute(
      """
      UPDATE quarantines q SET ended_at = ledger_now(), ended_by = $1, outcome = 'waited'
      WHERE quarantine_is_over(q) AND NOT (q.signer = $1 AND q.journal_id IS NOT NULL AND q.journal_id <> $2
        AND EXISTS (SELECT FROM journals j WHERE j.signer = $1 AND j.journal_id = $2))
      RETURNING q.id, q.signer, q.journal_id
      """, [.text(vouching.signer), .bytes(vouching.journalID)])
    for row in ended.rows {
      guard let journalID = try row.bytesOrNil("journal_id") else { continue }
      let parameters: [PostgresParameter] = [.text(try row.text("signer")), .int8(try row.int8("id"))]
      _ = try await connection.execute(
        """
        INSERT INTO retired_journals (journal_id, signer, wallet, quarantine_id)
        SELECT journal_id, signer, wallet, $2 FROM journals WHERE signer = $1
        """, parameters)
      _ = try await connection.execute(
        "UPDATE journals SET journal_id = $2 WHERE signer = $1", [parameters[0], .bytes(journalID)])
    }
  }

  /// See `OperatorLedger.bring`.
  public func bring(_ journal: [JournalEntry], of journalID: [UInt8]) async throws -> LateJournalOutcome {
    try await transaction { connection in
      try await Ledger.lockVouching(on: connection)
      let retired = try await connection.execute(
        "SELECT signer FROM retired_journals WHERE journal_id = $1", [.bytes(journalID)])
      guard let row = retired.rows.first else { return .notRetired }
      let missing = try await Ledger.missing(of: journal, on: connection)
      let result = try await Ledger.putBack(
        missing, from: JournalName(signer: try row.text("signer"), journalID: journalID), on: connection)
      try await Ledger.closeExplainedFindings(on: connection)
      return .brought(putBack: result.putBack, deferred: result.deferred, contradicted: result.contradicted)
    }
  }
}

/// Whose journal puts something back.
struct JournalName: Sendable {
  let signer: String
  let journalID: [UInt8]
}

extension QuarantineRecord {
  static let columns = """
    q.id, q.signer, q.cause, q.journal_id, q.reason, q.declared_by, q.declared_at, q.began_at, q.until_ms, q.ended_at,
    q.outcome, is_of_present_life(q) AS present, quarantine_is_over(q) AS is_over
    """

  init(_ row: PostgresRow) throws {
    self.init(
      id: try row.int8("id"), signer: try row.text("signer"), cause: try row.named("cause"),
      journalID: try row.bytesOrNil("journal_id"), reason: try row.text("reason"),
      declaredBy: try row.text("declared_by"), declaredAt: try row.time("declared_at"),
      beganAt: try row.timeOrNil("began_at"),
      until: try row.int8OrNil("until_ms").map { Timestamp(milliseconds: $0) },
      isOfPresentLife: try row.bool("present"), isOver: try row.bool("is_over"),
      endedAt: try row.timeOrNil("ended_at"),
      outcome: try row.textOrNil("outcome").map { try PostgresRow.name($0, "outcome") })
  }
}
