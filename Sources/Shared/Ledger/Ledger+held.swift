public import Payouts
import Postgres

/// The exits of `held`: a person's decisions, each one guarded change (DESIGN.md §2).
extension Ledger {
  /// See `OperatorLedger.heldPayouts`.
  public func heldPayouts(atMost count: Int) async throws -> [PayoutRecord] {
    try await read(
      "SELECT \(PayoutRecord.columns) FROM payouts p WHERE p.status = 'held' ORDER BY p.status_since, p.id LIMIT $1",
      [.int8(Int64(count))]
    ).rows.map(PayoutRecord.init)
  }

  /// See `OperatorLedger.decide`.
  public func decide(
    _ payout: PayoutID, _ decision: HeldDecision, seen: String? = nil, reason: String,
    requiredConfirmations: Int64
  ) async throws -> HeldOutcome {
    try await transaction { connection in
      switch try await HeldPayout.lock(payout, on: connection) {
      case .failure(let refusal): return .refused(refusal)
      case .success(let held):
        let outcome = try await held.carryOut(
          decision, seen: seen, reason: reason, requiredConfirmations: requiredConfirmations, on: connection)
        if case .done = outcome { try await held.answerLostEnd(on: connection) }
        return outcome
      }
    }
  }
}

extension HeldRefusal: Error {}

/// A held payout whose row is locked, with what counts of its attempts.
private struct HeldPayout {
  /// The attempt of its reference that is live or has paid: there is at most one, and late ones.
  struct Attempt {
    let txid: TxID
    let status: TransactionStatus
    let hasPaid: Bool
    /// Whether it was signed to pay this very payout: a reference may have come again with other terms.
    let isOfSameTerms: Bool
    /// Whether it was signed under this very id, and so before the payout was put back.
    let isOfSameID: Bool
    /// How deep its block lies; nil where it is in none.
    let confirmations: Int64?
    /// Whether Monitor has read its block as solid.
    let isInSolidBlock: Bool
  }

  let id: PayoutID
  let heldFrom: PayoutStatus
  /// For what.
  let reason: String
  /// How it ended in a lost part of the history, where nobody has said yet what holds.
  let lostEnd: PayoutStatus?
  let attempt: Attempt?

  /// Locks transactions first, then the payout: the order in which everybody locks. Read after the locks are held.
  static func lock(
    _ id: PayoutID, on connection: PostgresConnection
  ) async throws -> Result<HeldPayout, HeldRefusal> {
    _ = try await connection.execute(
      """
      SELECT FROM transactions WHERE txid IN (
        SELECT a.txid FROM payouts p JOIN attempts a ON a.reference = p.reference WHERE p.id = $1)
      ORDER BY txid FOR UPDATE
      """, [.uuid(id.bytes)])
    let locked = try await connection.execute(
      "SELECT status, held_from, hold_reason, reference FROM payouts WHERE id = $1 FOR UPDATE", [.uuid(id.bytes)])
    guard let row = locked.rows.first else { return .failure(.unknownPayout) }
    let status: PayoutStatus = try row.named("status")
    guard status == .held else { return .failure(.notHeld(status)) }
    let attempts = try await connection.execute(
      """
      SELECT a.txid, t.status, a.outcome IS NOT NULL AS has_paid,
        (p.token, p.recipient, p.amount) = (a.token, a.recipient, a.amount) AS is_of_same_terms,
        a.payout_id = p.id AS is_of_same_id,
        (SELECT number FROM chain_cursors WHERE view = 'head') - t.block_number + 1 AS confirmations,
        coalesce((SELECT number FROM chain_cursors WHERE view = 'solid') >= t.block_number, false) AS is_solid
      FROM payouts p JOIN attempts a ON a.reference = p.reference AND (a.outcome IS NULL OR a.outcome = 'paid')
        JOIN transactions t USING (txid)
      WHERE p.id = $1 ORDER BY a.late
      """, [.uuid(id.bytes)])
    let attempt = try attempts.rows.first.map { row in
      Attempt(
        txid: try TxID(row.bytes("txid")), status: try row.named("status"), hasPaid: try row.bool("has_paid"),
        isOfSameTerms: try row.bool("is_of_same_terms"), isOfSameID: try row.bool("is_of_same_id"),
        confirmations: try row.int8OrNil("confirmations"), isInSolidBlock: try row.bool("is_solid"))
    }
    let lostEnds = try await connection.execute(
      """
      SELECT status FROM lost_ends WHERE reference = $1 AND answered_at IS NULL ORDER BY ended_at DESC LIMIT 1
      """, [.bytes(row.bytes("reference"))])
    return .success(
      HeldPayout(
        id: id, heldFrom: try row.named("held_from"), reason: try row.text("hold_reason"),
        lostEnd: try lostEnds.rows.first?.named("status"),
        attempt: attempt))
  }

  /// The decision itself.
  func carryOut(
    _ decision: HeldDecision, seen: String?, reason: String, requiredConfirmations: Int64,
    on connection: PostgresConnection
  ) async throws -> HeldOutcome {
    let note = decision.note(reason)
    switch decision {
    case .release, .releaseAlthoughEnded:
      if decision == .release, let lostEnd { return .refused(.endedBeforeRestore(lostEnd)) }
      guard HoldReason.isNamed(reason: self.reason, by: seen) else { return .refused(.heldFor(self.reason)) }
      return try await release(note, requiredConfirmations: requiredConfirmations, on: connection)
    case .reject: return try await end(as: .rejected, note: note, on: connection)
    case .settle: return try await end(as: .settledExternally, note: note, on: connection)
    case .adopt(let txid):
      return try await adopt(txid, reason, requiredConfirmations: requiredConfirmations, on: connection)
    }
  }

  /// A decision that was carried out is also the answer to the question what became of it.
  func answerLostEnd(on connection: PostgresConnection) async throws {
    guard lostEnd != nil else { return }
    _ = try await connection.execute(
      """
      UPDATE lost_ends SET answered_at = ledger_now()
      WHERE reference = (SELECT reference FROM payouts WHERE id = $1) AND answered_at IS NULL
      """, [.uuid(id.bytes)])
  }

  /// Ends it unpaid; the limits it took go back by the database's own rule.
  ///
  /// What paid another request under its reference does not keep it: it was never paid, and never will be. Nor does an
  /// anomalous attempt keep a person from settling it: that stays live, and nothing of the reference is signed any more.
  func end(as end: PayoutStatus, note: String, on connection: PostgresConnection) async throws -> HeldOutcome {
    if let attempt, !(attempt.hasPaid && !attempt.isOfSameTerms),
      !(attempt.status == .anomalous && !attempt.hasPaid && end == .settledExternally)
    {
      return .refused(
        attempt.hasPaid ? .attemptHasPaid(attempt.txid) : .attemptIsLive(attempt.txid, attempt.status))
    }
    // What was ordered to be taken for its payment is as good as an attempt that is live: a Signer puts it back any moment.
    let ordered = try await connection.execute(
      """
      SELECT d.txid FROM adoptions d JOIN payouts p USING (reference)
      WHERE p.id = $1 AND d.done_at IS NULL AND d.refused_at IS NULL
      """, [.uuid(id.bytes)])
    if let row = ordered.rows.first { return .refused(.attemptIsLive(try TxID(row.bytes("txid")), .signed)) }
    guard try await isHistoryTrusted(on: connection) else { return .refused(.historyNotTrusted) }
    return try await leave(to: end, note, on: connection)
  }

  /// Takes its anomalous attempt for its payment, by a person's word; only what is in a solid block, and deep enough.
  func adopt(
    _ txid: TxID, _ reason: String, requiredConfirmations: Int64, on connection: PostgresConnection
  ) async throws -> HeldOutcome {
    guard let attempt, attempt.txid == txid, attempt.isOfSameTerms, attempt.status == .anomalous else {
      return .refused(.notItsAnomaly(txid))
    }
    guard attempt.isInSolidBlock else { return .refused(.notSolid(txid)) }
    let confirmations = attempt.confirmations ?? 0
    guard confirmations >= requiredConfirmations else {
      return .refused(.confirmationsAreMissing(txid, confirmations: confirmations))
    }
    _ = try await connection.pipeline([
      ("UPDATE transactions SET status = 'solid' WHERE txid = $1 AND status = 'anomalous'", [.bytes(txid.bytes)]),
      ("UPDATE attempts SET outcome = 'paid' WHERE txid = $1 AND outcome IS NULL", [.bytes(txid.bytes)]),
    ])
    return try await leave(to: .confirmed, "adopted txid \(txid): \(reason)", on: connection)
  }

  /// Lets it go on. Signer holds it again by itself where its own rules forbid it.
  func release(
    _ reason: String, requiredConfirmations: Int64, on connection: PostgresConnection
  ) async throws -> HeldOutcome {
    let wasSigned = [PayoutStatus.signed, .broadcast, .confirming].contains(heldFrom)
    guard let attempt else {
      return wasSigned
        ? try await scheduleAgain(reason, on: connection) : try await leave(to: heldFrom, reason, on: connection)
    }
    if attempt.hasPaid {
      // One that was put back from the log of intents after its transaction was never seen as signed here.
      guard wasSigned || attempt.isOfSameID, attempt.isOfSameTerms else {
        return .refused(.attemptHasPaid(attempt.txid))
      }
      if heldFrom == .confirming { return try await leave(to: .confirming, reason, on: connection) }
      // It was paid while it was held, and the table knows no other way on than to the end.
      let confirmations = attempt.confirmations ?? 0
      guard confirmations >= requiredConfirmations else {
        return .refused(.confirmationsAreMissing(attempt.txid, confirmations: confirmations))
      }
      return try await leave(to: .confirmed, reason, on: connection)
    }
    // What is anomalous proves nothing yet: it is read again until it is clear, and only then there is a way on.
    guard wasSigned, attempt.isOfSameTerms, attempt.status != .anomalous else {
      return .refused(.attemptIsLive(attempt.txid, attempt.status))
    }
    if heldFrom == .signed, try await !isHistoryTrusted(on: connection) { return .refused(.historyNotTrusted) }
    let released = try await leave(to: heldFrom, reason, on: connection)
    return try await followTransaction(attempt, on: connection).map { .done($0) } ?? released
  }

  /// The database refuses every unpaid end without it, and `signed` too, whoever asks.
  private func isHistoryTrusted(on connection: PostgresConnection) async throws -> Bool {
    try await connection.execute("SELECT history_is_trusted() AS is_trusted", []).single().bool("is_trusted")
  }

  private func leave(
    to status: PayoutStatus, _ note: String, on connection: PostgresConnection
  ) async throws -> HeldOutcome {
    let changed = try await connection.execute(
      """
      UPDATE payouts SET status = $2::payout_status, held_from = NULL, hold_reason = NULL, note = $3
      WHERE id = $1 AND status = 'held' AND held_from = $4::payout_status
      """, [.uuid(id.bytes), .text(status.rawValue), .text(note), .text(heldFrom.rawValue)])
    guard changed.affectedRows == 1 else {
      throw LedgerError(.corrupt, "payout \(id) changed while its row was locked; nothing was committed")
    }
    return .done(status)
  }

  /// Its attempt has ended unpaid while it was held: it is signed again, without a delay, since a person has looked, once
  /// Monitor has told whose failure that was; where it was its last own one, Monitor ends it as `failed` instead. A
  /// payout that was put back before it was ever in a batch gets one of its own, as when it is freed.
  private func scheduleAgain(_ reason: String, on connection: PostgresConnection) async throws -> HeldOutcome {
    _ = try await connection.execute(
      """
      INSERT INTO settlement_batches (
        id, router, batch_type, priority, window_end, payout_count, total_amount, released_at)
      SELECT id, router, batch_type, priority, ledger_now(), 1, amount, ledger_now()
      FROM payouts WHERE id = $1 AND settlement_batch_id IS NULL
      ON CONFLICT DO NOTHING
      """, [.uuid(id.bytes)])
    _ = try await connection.execute(
      """
      UPDATE payouts SET settlement_batch_id = id WHERE id = $1 AND status = 'held' AND settlement_batch_id IS NULL
      """, [.uuid(id.bytes)])
    return try await leave(to: .scheduled, reason, on: connection)
  }

  /// Takes it to where its transaction went while it was held: nobody else will, since the news was told once.
  ///
  /// - Returns: where it is now; nil where it is there already.
  private func followTransaction(
    _ attempt: Attempt, on connection: PostgresConnection
  ) async throws -> PayoutStatus? {
    let now: PayoutStatus? =
      switch attempt.status {
      case .sent: .broadcast
      case .included: .confirming
      case .signed, .solid, .failedOnChain, .dead, .anomalous: nil
      }
    guard let now, heldFrom.successors.contains(now) else { return nil }
    _ = try await connection.execute(
      """
      UPDATE payouts SET status = $2::payout_status, note = 'its transaction went on while it was held'
      WHERE id = $1 AND status = $3::payout_status
      """, [.uuid(id.bytes), .text(now.rawValue), .text(heldFrom.rawValue)])
    return now
  }
}
