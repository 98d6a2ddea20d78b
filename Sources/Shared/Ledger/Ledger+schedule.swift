public import Payouts
import Postgres

/// Where payouts are named by their ids, their state is asked for as text: so the server cannot choose the index of those
/// that are queued, which looks small to it when a million was queued after it last counted.
extension Ledger: SchedulerLedger {
  /// What Scheduler reads of a payout before it puts it into a batch. OFFSET 0 keeps the server from reading all attempts
  /// ever made instead of looking for each reference.
  private static let columns = """
    id, router, batch_type, priority, amount, window_end,
    EXISTS (SELECT FROM attempts a
            WHERE a.reference = p.reference AND (a.outcome IS NULL OR a.outcome = 'paid') OFFSET 0) AS in_use
    """

  /// See `SchedulerLedger.schedule`.
  public func schedule(
    _ payouts: [PayoutID], maximumPerBatch: Int, newBatchID: @escaping @Sendable () -> BatchID
  ) async throws -> [SettlementBatch] {
    guard !payouts.isEmpty else { return [] }
    return try await transaction { connection in
      let waiting = try await connection.execute(
        PostgresStatement(
          """
          SELECT \(Ledger.columns) FROM payouts p
          WHERE id = ANY ($1::uuid[]) AND status::text = 'queued' AND window_end <= ledger_now()
          ORDER BY id FOR UPDATE OF p SKIP LOCKED
          """), [.uuidArray(payouts.map(\.bytes))])
      return try await Ledger.putIntoBatches(
        waiting.rows, maximumPerBatch: maximumPerBatch, newBatchID: newBatchID, on: connection)
    }
  }

  /// See `SchedulerLedger.scheduleDue`.
  public func scheduleDue(
    atMost count: Int, maximumPerBatch: Int, newBatchID: @escaping @Sendable () -> BatchID
  ) async throws -> [SettlementBatch] {
    try await transaction { connection in
      let due = try await Ledger.lockDue(atMost: count, on: connection)
      return try await Ledger.putIntoBatches(
        due, maximumPerBatch: maximumPerBatch, newBatchID: newBatchID, on: connection)
    }
  }

  /// See `SchedulerLedger.duePayouts`.
  public func duePayouts(atMost count: Int) async throws -> [PayoutID] {
    let due = try await transaction { connection in try await Ledger.lockDue(atMost: count, on: connection) }
    return try due.map { try PayoutID(bytes: $0.uuid("id")) }
  }

  /// Locks the payouts whose turn it is (see `DueTurn`): one walk a priority along `payouts_in_turn`, which holds them in
  /// the order in which their windows ended, so that nothing is read but what is taken.
  private static func lockDue(atMost count: Int, on connection: PostgresConnection) async throws -> [PostgresRow] {
    let heads = try await connection.execute(oldestDue, [.int8(DueTurn.patienceMilliseconds)])
    let waiting = try heads.rows.map { row -> DueTurn.Waiting in
      DueTurn.Waiting(priority: try row.named("priority"), hasWaitedLong: try row.bool("has_waited_long"))
    }
    var due: [PostgresRow] = []
    for (priority, kept) in DueTurn.order(waiting, count: count) {
      let places = count - kept - due.count
      guard places > 0 else { continue }
      due += try await connection.execute(lockDueOfPriority, [.text(priority.rawValue), .int8(Int64(places))]).rows
    }
    return due
  }

  private static let oldestDue: PostgresStatement = """
    SELECT l.priority, oldest.window_end <= ledger_now() - $1 * interval '1 millisecond' AS has_waited_long
    FROM unnest(ARRAY['urgent', 'high', 'normal', 'low']) AS l (priority)
      CROSS JOIN LATERAL (
        SELECT window_end FROM payouts p
        WHERE p.status = 'queued' AND p.priority = l.priority AND p.window_end <= ledger_now()
        ORDER BY window_end LIMIT 1) oldest
    """
  private static let lockDueOfPriority = PostgresStatement(
    """
    SELECT \(columns) FROM payouts p
    WHERE status = 'queued' AND priority = $1 AND window_end <= ledger_now()
    ORDER BY window_end, router, batch_type, id LIMIT $2 FOR UPDATE OF p SKIP LOCKED
    """)

  /// Batches of locked payouts that are due, those of a higher priority first. They are released as they are made.
  private static func putIntoBatches(
    _ due: [PostgresRow], maximumPerBatch: Int, newBatchID: () -> BatchID, on connection: PostgresConnection
  ) async throws -> [SettlementBatch] {
    let inUse = try due.filter { try $0.bool("in_use") }
    try await holdInUse(inUse.map { try PayoutID(bytes: $0.uuid("id")) }, on: connection)
    let free = try due.filter { try !$0.bool("in_use") }
    let drafts = try BatchDraft.group(free, maximumPerBatch: maximumPerBatch, newBatchID: newBatchID)
    guard !drafts.isEmpty else { return [] }
    try await store(drafts, on: connection)
    return drafts.map { SettlementBatch(id: $0.id, payouts: $0.payouts) }
  }

  /// A payout accepted anew after a disaster, whose reference a Signer put back from its journal: it may be paid already.
  private static func holdInUse(_ payouts: [PayoutID], on connection: PostgresConnection) async throws {
    guard !payouts.isEmpty else { return }
    let note = "its reference has a live or paid attempt: it may be paid already"
    _ = try await connection.execute(
      """
      UPDATE payouts SET status = 'held', held_from = status, hold_reason = $2, note = $3
      WHERE id = ANY ($1::uuid[]) AND status::text = 'queued'
      """, [.uuidArray(payouts.map(\.bytes)), .text(HoldReason.referenceInUse.rawValue), .text(note)])
    for payout in payouts {
      _ = try await connection.execute(
        "SELECT raise_alarm($1, $2, $3)",
        [.text(HoldReason.referenceInUse.rawValue), .text("payout \(payout)"), .text(note)])
    }
  }

  private static func store(_ drafts: [BatchDraft], on connection: PostgresConnection) async throws {
    let results = try await connection.pipeline([
      (
        """
        INSERT INTO settlement_batches (
          id, router, batch_type, priority, window_end, payout_count, total_amount, released_at)
        SELECT id, router, batch_type, priority, coalesce(window_end, ledger_now()), payout_count, total_amount,
          ledger_now()
        FROM unnest(
          $1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::integer[], $7::bigint[]
        ) AS d (id, router, batch_type, priority, window_end, payout_count, total_amount)
        """,
        [
          .uuidArray(drafts.map(\.id.bytes)), .textArray(drafts.map(\.kind.router)),
          .textArray(drafts.map(\.kind.batchType)), .textArray(drafts.map(\.kind.priority.rawValue)),
          .timestampArray(drafts.map(\.kind.windowEndMicroseconds)),
          .int4Array(drafts.map { Int32($0.payouts.count) }), .int8Array(drafts.map(\.total.microUSDT)),
        ]
      ),
      (
        """
        UPDATE payouts p SET status = 'scheduled', settlement_batch_id = d.batch, note = NULL
        FROM unnest($1::uuid[], $2::uuid[]) AS d (payout, batch) WHERE p.id = d.payout AND p.status::text = 'queued'
        """,
        [
          .uuidArray(drafts.flatMap { $0.payouts.map(\.bytes) }),
          .uuidArray(drafts.flatMap { draft in draft.payouts.map { _ in draft.id.bytes } }),
        ]
      ),
    ])
    let expected = drafts.reduce(0) { $0 + $1.payouts.count }
    guard results.last?.affectedRows == expected else {
      throw LedgerError(.corrupt, "scheduled other payouts than were locked")
    }
  }

  /// See `SchedulerLedger.expire`. What an unexplained transfer may have paid is held instead: operators may have
  /// acknowledged that finding, and who the payout was is known once it is adopted.
  public func expire(atMost count: Int) async throws -> [PayoutEnd] {
    let result = try await transaction { connection in
      try await connection.execute(
        PostgresStatement(
          """
          WITH due AS (
            SELECT id, \(Ledger.unclaimedTransferMayHavePaid) AS is_unclaimed FROM payouts p
            WHERE expires_at <= ledger_now() AND status IN ('kyc_pending', 'compliance_pending', 'queued', 'scheduled')
              AND history_is_trusted()
              AND NOT EXISTS (SELECT FROM attempts a
                              WHERE a.reference = p.reference AND (a.outcome IS NULL OR a.outcome = 'paid') OFFSET 0)
            ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
          )
          UPDATE payouts p SET status = (CASE WHEN is_unclaimed THEN 'held' ELSE 'expired' END)::payout_status,
            held_from = CASE WHEN is_unclaimed THEN p.status END, hold_reason = CASE WHEN is_unclaimed THEN $2 END,
            note = CASE WHEN is_unclaimed THEN 'its own expires_at passed, and a transfer that nobody claims may have paid it'
              ELSE 'its own expires_at passed' END
          FROM due WHERE p.id = due.id RETURNING \(PayoutEnd.columns)
          """), [.int8(Int64(count)), .text(HoldReason.unclaimedTransfer.rawValue)])
    }
    return try result.rows.map(PayoutEnd.init).filter { $0.status == .expired }
  }

  /// Of payout `p`, in SQL: whether a transfer that nothing has explained fits it.
  static let unclaimedTransferMayHavePaid = """
    EXISTS (
      SELECT FROM unclaimed_transfers u
      WHERE u.recipient = p.recipient AND u.amount = p.amount AND u.explained_at IS NULL
        AND coalesce(u.reference_bits
          = ((get_byte(p.reference, 0) << 2) | (get_byte(p.reference, 1) >> 6)), true))
    """
}

extension Ledger {
  /// See `SchedulerLedger.holdQueued`.
  public func holdQueued(_ payout: PayoutID, note: String) async throws -> Bool {
    try await transaction { connection in
      let held = try await connection.execute(
        """
        UPDATE payouts SET status = 'held', held_from = 'queued', hold_reason = $2, note = $3
        WHERE id = $1 AND status = 'queued'
        """, [.uuid(payout.bytes), .text(HoldReason.deadLetter.rawValue), .text(note)])
      guard held.affectedRows == 1 else { return false }
      _ = try await connection.execute(
        "SELECT raise_alarm('dead_letter', $1, $2)", [.text("payout \(payout)"), .text(note)])
      return true
    }
  }

  /// See `SchedulerLedger.setWindows`.
  public func setWindows(_ lengths: WindowLengths) async throws -> Bool {
    let changed = try await execute(
      """
      UPDATE ledger_settings SET hourly_window_ms = $1, daily_window_ms = $2, weekly_window_ms = $3
      WHERE (hourly_window_ms, daily_window_ms, weekly_window_ms) <> ($1, $2, $3)
      """, [.int8(lengths.hourly), .int8(lengths.daily), .int8(lengths.weekly)])
    return changed.affectedRows > 0
  }
}

/// What the payouts of a batch have in common.
private struct BatchKind: Hashable {
  let router: String
  let batchType: String
  let priority: Priority
  /// Nil for immediate payouts, each of which has a window of its own.
  let windowEndMicroseconds: Int64?

  init(_ row: PostgresRow) throws {
    router = try row.text("router")
    batchType = try row.text("batch_type")
    priority = try row.named("priority")
    windowEndMicroseconds =
      batchType == BatchType.immediate.rawValue ? nil : try row.timestampMicroseconds("window_end")
  }
}

/// A batch being put together.
private struct BatchDraft {
  let id: BatchID
  let kind: BatchKind
  var payouts: [PayoutID] = []
  var total = Amount.zero

  /// Batches in the order of their first payouts, but those of a higher priority first.
  static func group(
    _ rows: [PostgresRow], maximumPerBatch: Int, newBatchID: () -> BatchID
  ) throws -> [BatchDraft] {
    var drafts: [BatchDraft] = []
    var open: [BatchKind: Int] = [:]
    for row in rows {
      let kind = try BatchKind(row)
      let amount = try Amount(microUSDT: row.int8("amount"))
      if open[kind].map({ !drafts[$0].hasRoom(for: amount, maximumPerBatch: maximumPerBatch) }) ?? true {
        open[kind] = drafts.count
        drafts.append(BatchDraft(id: newBatchID(), kind: kind))
      }
      guard let index = open[kind] else { continue }
      drafts[index].payouts.append(try PayoutID(bytes: row.uuid("id")))
      drafts[index].total = try drafts[index].total.adding(amount)
    }
    return DueTurn.highestFirst.flatMap { priority in drafts.filter { $0.kind.priority == priority } }
  }

  /// A batch's total is an Int64 too: amounts that do not fit together go apart.
  private func hasRoom(for amount: Amount, maximumPerBatch: Int) -> Bool {
    payouts.count < maximumPerBatch && amount.microUSDT <= Int64.max - total.microUSDT
  }
}
