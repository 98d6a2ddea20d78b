public import Payouts
import Postgres

extension Ledger: SchedulerLedger {
  /// See `SchedulerLedger.schedule`.
  public func schedule(
    _ payouts: [PayoutID], maximumPerBatch: Int, newBatchID: @escaping @Sendable () -> BatchID
  ) async throws -> [SettlementBatch] {
    guard !payouts.isEmpty else { return [] }
    return try await transaction { connection in
      let waiting = try await connection.execute(
        """
        SELECT id, router, batch_type, priority, amount,
          EXISTS (SELECT FROM attempts a
                  WHERE a.reference = p.reference AND (a.outcome IS NULL OR a.outcome = 'paid')) AS in_use
        FROM payouts p
        WHERE id = ANY ($1::uuid[]) AND status = 'queued' AND batch_type = 'immediate'
        ORDER BY id FOR UPDATE OF p SKIP LOCKED
        """, [.uuidArray(payouts.map(\.bytes))])
      let inUse = try waiting.rows.filter { try $0.bool("in_use") }
      try await Ledger.holdInUse(inUse.map { try PayoutID(bytes: $0.uuid("id")) }, on: connection)
      let free = try waiting.rows.filter { try !$0.bool("in_use") }
      let drafts = try BatchDraft.group(free, maximumPerBatch: maximumPerBatch, newBatchID: newBatchID)
      guard !drafts.isEmpty else { return [] }
      try await Ledger.store(drafts, on: connection)
      return drafts.map { SettlementBatch(id: $0.id, payouts: $0.payouts) }
    }
  }

  /// A payout accepted anew after a disaster, whose reference a Signer put back from its journal: it may be paid already.
  private static func holdInUse(_ payouts: [PayoutID], on connection: PostgresConnection) async throws {
    guard !payouts.isEmpty else { return }
    let note = "its reference has a live or paid attempt: it may be paid already"
    _ = try await connection.execute(
      """
      UPDATE payouts SET status = 'held', held_from = status, hold_reason = $2, note = $3
      WHERE id = ANY ($1::uuid[]) AND status = 'queued'
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
        SELECT n.*, ledger_now() FROM (
          SELECT id, router, batch_type, priority, ledger_now(), payout_count, total_amount
          FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::bigint[])
            AS d (id, router, batch_type, priority, payout_count, total_amount)
        ) n
        """,
        [
          .uuidArray(drafts.map(\.id.bytes)), .textArray(drafts.map(\.router)), .textArray(drafts.map(\.batchType)),
          .textArray(drafts.map(\.priority)), .int4Array(drafts.map { Int32($0.payouts.count) }),
          .int8Array(drafts.map(\.total.microUSDT)),
        ]
      ),
      (
        """
        UPDATE payouts p SET status = 'scheduled', settlement_batch_id = d.batch, note = NULL
        FROM unnest($1::uuid[], $2::uuid[]) AS d (payout, batch) WHERE p.id = d.payout AND p.status = 'queued'
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

  /// See `SchedulerLedger.expire`.
  public func expire(atMost count: Int) async throws -> [PayoutEnd] {
    let result = try await transaction { connection in
      try await connection.execute(
        """
        WITH due AS (
          SELECT id FROM payouts p
          WHERE expires_at <= ledger_now() AND status IN ('kyc_pending', 'compliance_pending', 'queued', 'scheduled')
            AND history_is_trusted()
            AND NOT EXISTS (SELECT FROM attempts a
                            WHERE a.reference = p.reference AND (a.outcome IS NULL OR a.outcome = 'paid'))
          ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
        )
        UPDATE payouts p SET status = 'expired', note = 'its own expires_at passed'
        FROM due WHERE p.id = due.id RETURNING p.id, p.reference, p.note, p.status_since
        """, [.int8(Int64(count))])
    }
    return try result.rows.map { row in
      PayoutEnd(
        payout: try PayoutID(bytes: row.uuid("id")), reference: try Reference(row.bytes("reference")), status: .expired,
        note: try row.textOrNil("note"), at: try row.time("status_since"))
    }
  }

  /// See `SchedulerLedger.queuedPayouts`.
  public func queuedPayouts(waitingFor milliseconds: Int64, atMost count: Int) async throws -> [PayoutID] {
    let result = try await read(
      """
      SELECT id FROM payouts
      WHERE status = 'queued' AND batch_type = 'immediate'
        AND status_since <= ledger_now() - $1 * interval '1 millisecond'
      ORDER BY status_since, id LIMIT $2
      """, [.int8(milliseconds), .int8(Int64(count))])
    return try result.rows.map { try PayoutID(bytes: $0.uuid("id")) }
  }
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
}

/// A batch being put together.
private struct BatchDraft {
  let id: BatchID
  let router: String
  let batchType: String
  let priority: String
  var payouts: [PayoutID] = []
  var total = Amount.zero

  static func group(
    _ rows: [PostgresRow], maximumPerBatch: Int, newBatchID: () -> BatchID
  ) throws -> [BatchDraft] {
    var drafts: [BatchDraft] = []
    var open: [[String]: Int] = [:]
    for row in rows {
      let key = [try row.text("router"), try row.text("batch_type"), try row.text("priority")]
      let amount = try Amount(microUSDT: row.int8("amount"))
      if open[key].map({ !drafts[$0].hasRoom(for: amount, maximumPerBatch: maximumPerBatch) }) ?? true {
        open[key] = drafts.count
        drafts.append(BatchDraft(id: newBatchID(), router: key[0], batchType: key[1], priority: key[2]))
      }
      guard let index = open[key] else { continue }
      drafts[index].payouts.append(try PayoutID(bytes: row.uuid("id")))
      drafts[index].total = try drafts[index].total.adding(amount)
    }
    return drafts
  }

  /// A batch's total is an Int64 too: amounts that do not fit together go apart.
  private func hasRoom(for amount: Amount, maximumPerBatch: Int) -> Bool {
    payouts.count < maximumPerBatch && amount.microUSDT <= Int64.max - total.microUSDT
  }
}
