import Payouts
import Postgres

/// The breaker, the pause and the alarms in an operator's hand. Who did what and why stands in `alarms`, as a row that is
/// acknowledged from its beginning.
extension Ledger {
  /// The cause of a breaker that a person opened.
  static let operatorCause = "operator"

  /// What a person did: the application's name is the person's.
  static let recordAct: PostgresStatement = """
    INSERT INTO alarms (kind, subject, message, acknowledged_at)
    VALUES ('operator', $1, current_setting('application_name') || ': ' || $2::text, ledger_now())
    """

  /// See `OperatorLedger.breaker`.
  public func breaker() async throws -> BreakerReport {
    let row = try await read(
      """
      SELECT state, cause, closes_by, since, failed_trials, openings,
        CASE WHEN state = 'open' AND closes_by = 'trial' THEN trial_at END AS trial_at,
        CASE WHEN state = 'half_open' THEN trial_txid END AS trial_txid
      FROM breaker
      """
    ).single()
    let findings = try await read(
      """
      SELECT \(FindingRecord.columns) FROM unclaimed_transfers
      WHERE explained_at IS NULL AND acknowledged_at IS NULL ORDER BY id LIMIT $1
      """, [.int8(Int64(BreakerReport.findingsMaximum))])
    return BreakerReport(
      state: try row.text("state"), cause: try row.textOrNil("cause"), closesBy: try row.textOrNil("closes_by"),
      since: try row.time("since"), trialAt: try row.timeOrNil("trial_at"),
      trial: try row.bytesOrNil("trial_txid").map { try TxID($0) }, failedTrials: Int(try row.int4("failed_trials")),
      openings: try row.int8("openings"), findings: try findings.rows.map(FindingRecord.init))
  }

  /// See `OperatorLedger.openBreaker`.
  public func openBreaker(reason: String) async throws -> String? {
    try await transaction { connection in
      let before = try await connection.execute("SELECT cause, closes_by FROM breaker FOR UPDATE", []).single()
      _ = try await connection.execute(
        "SELECT open_breaker($1, 'breaker', current_setting('application_name') || ': ' || $2::text)",
        [.text(Ledger.operatorCause), .text(reason)])
      _ = try await connection.execute(Ledger.recordAct, [.text("breaker"), .text("opened: \(reason)")])
      return try before.textOrNil("closes_by") == "operator" ? try before.textOrNil("cause") : nil
    }
  }

  /// See `OperatorLedger.closeBreaker`.
  public func closeBreaker(reason: String) async throws -> ClosedBreaker? {
    guard case .closed(let closed) = try await closeBreaker(reason: reason, seen: nil) else { return nil }
    return closed
  }

  /// The same for whoever has looked before: nothing is changed where anything else than that is there now. A request that
  /// is repeated without looking, because its answer was lost, must not acknowledge what came since.
  ///
  /// - Parameter seen: nil for whoever closes whatever is there.
  public func closeBreaker(reason: String, seen: SeenBreaker?) async throws -> BreakerClosing {
    try await transaction { connection in
      // Monitor judges a finding and opens the breaker in one transaction; where the breaker is open already, that
      // changes nothing of it. So no judging may be half done while this one looks and closes.
      _ = try await connection.execute("LOCK TABLE unclaimed_transfers IN SHARE ROW EXCLUSIVE MODE", [])
      let before = try await connection.execute("SELECT state, cause, openings FROM breaker FOR UPDATE", []).single()
      try await Ledger.closeExplainedFindings(on: connection)
      let cause = try before.text("state") == "closed" ? nil : before.textOrNil("cause")
      if let seen {
        let openings = try before.int8("openings")
        if let cause, cause != seen.cause || openings != seen.openings {
          return .openedSince(cause: cause, openings: openings)
        }
        let open = try await connection.execute(
          """
          SELECT DISTINCT txid FROM unclaimed_transfers
          WHERE judged_at IS NOT NULL AND explained_at IS NULL AND acknowledged_at IS NULL ORDER BY txid LIMIT $1
          """, [.int8(Int64(seen.findings.count + BreakerReport.findingsMaximum))])
        let unseen = try open.rows.map { try TxID($0.bytes("txid")) }.filter { !seen.findings.contains($0) }
        guard unseen.isEmpty else { return .unseen(unseen) }
      }
      let findings = try await connection.execute(
        PostgresStatement(
          """
          WITH acknowledged AS (
            UPDATE unclaimed_transfers SET acknowledged_at = ledger_now()
            WHERE judged_at IS NOT NULL AND explained_at IS NULL AND acknowledged_at IS NULL
            RETURNING *
          )
          SELECT \(FindingRecord.columns) FROM acknowledged ORDER BY id
          """), [])
      let wasOpen = try before.text("state") != "closed"
      guard wasOpen || !findings.rows.isEmpty else { return .nothingToClose }
      let closed = ClosedBreaker(
        cause: cause, acknowledged: try findings.rows.map(FindingRecord.init))
      var act = "closed: \(reason)"
      if let cause = closed.cause { act += "; it was open by \(cause)" }
      if !closed.acknowledged.isEmpty {
        act += "; acknowledged " + closed.acknowledged.map { "\($0.kind) \($0.txid)" }.joined(separator: ", ")
      }
      _ = try await connection.pipeline([
        (
          """
          UPDATE breaker SET state = 'closed', cause = NULL, closes_by = NULL, since = ledger_now(),
            failures_in_row = 0
          WHERE state <> 'closed'
          """, []
        ),
        // The alarm of a person's own opening says nothing more.
        (
          """
          UPDATE alarms SET acknowledged_at = ledger_now()
          WHERE kind = $1 AND subject = 'breaker' AND acknowledged_at IS NULL
          """, [.text(Ledger.operatorCause)]
        ),
        (Ledger.recordAct, [.text("breaker"), .text(act)]),
      ])
      return .closed(closed)
    }
  }

  /// See `OperatorLedger.pause`.
  public func pause(reason: String) async throws -> Bool {
    try await transaction { connection in
      let paused = try await connection.execute(
        "UPDATE pause SET paused = true, reason = $1, since = ledger_now() WHERE NOT paused", [.text(reason)])
      guard paused.affectedRows == 1 else { return false }
      _ = try await connection.execute(Ledger.recordAct, [.text("pause"), .text("paused: \(reason)")])
      return true
    }
  }

  /// See `OperatorLedger.resume`.
  public func resume(reason: String) async throws -> Bool {
    try await transaction { connection in
      let resumed = try await connection.execute(
        "UPDATE pause SET paused = false, reason = NULL, since = ledger_now() WHERE paused", [])
      guard resumed.affectedRows == 1 else { return false }
      _ = try await connection.execute(Ledger.recordAct, [.text("pause"), .text("resumed: \(reason)")])
      return true
    }
  }

  /// See `OperatorLedger.standingAlarms`.
  public func standingAlarms(atMost count: Int) async throws -> [AlarmRecord] {
    try await read(
      "SELECT \(AlarmRecord.columns) FROM alarms WHERE acknowledged_at IS NULL ORDER BY raised_at, id LIMIT $1",
      [.int8(Int64(count))]
    ).rows.map(AlarmRecord.init)
  }

  /// See `OperatorLedger.acknowledgeAlarm`.
  public func acknowledgeAlarm(_ id: Int64, reason: String) async throws -> AlarmRecord? {
    try await transaction { connection in
      let acknowledged = try await connection.execute(
        PostgresStatement(
          """
          UPDATE alarms SET acknowledged_at = ledger_now() WHERE id = $1 AND acknowledged_at IS NULL
          RETURNING \(AlarmRecord.columns)
          """), [.int8(id)])
      guard let row = acknowledged.rows.first else { return nil }
      _ = try await connection.execute(
        Ledger.recordAct, [.text("alarm \(id)"), .text("acknowledged: \(reason)")])
      return try AlarmRecord(row)
    }
  }
}

extension FindingRecord {
  static let columns =
    "id, kind, txid, wallet, recipient, amount::text AS amount, block_number, found_at, judged_at IS NOT NULL AS is_judged, "
    + "acknowledged_at IS NOT NULL AS is_acknowledged, is_solid"

  init(_ row: PostgresRow) throws {
    kind = try row.text("kind")
    txid = try TxID(row.bytes("txid"))
    wallet = try Address(bytes: row.bytes("wallet"))
    recipient = try row.bytesOrNil("recipient").map { try Address(bytes: $0) }
    amountText = try row.textOrNil("amount")
    blockNumber = try row.int8("block_number")
    foundAt = try row.time("found_at")
    isJudged = try row.bool("is_judged")
    isAcknowledged = try row.bool("is_acknowledged")
    isSolid = try row.bool("is_solid")
  }
}

extension AlarmRecord {
  static let columns = "id, kind, subject, message, raised_at, last_at, count"

  init(_ row: PostgresRow) throws {
    id = try row.int8("id")
    kind = try row.text("kind")
    subject = try row.text("subject")
    message = try row.text("message")
    raisedAt = try row.time("raised_at")
    lastAt = try row.time("last_at")
    count = try row.int8("count")
  }
}
