import Ledger
import Payouts

/// What operators ask for.
extension LedgerTables {
  /// `Ledger.decide`.
  mutating func decide(
    _ id: PayoutID, _ decision: HeldDecision, seen: String?, reason: String, requiredConfirmations: Int64
  ) throws -> HeldOutcome {
    guard let row = payouts[id] else { return .refused(.unknownPayout) }
    guard row.status == .held, let heldFrom = row.heldFrom else { return .refused(.notHeld(row.status)) }
    let attempt = attemptInUse(of: row.terms.reference)
    let outcome = try carryOut(
      decision, seen, row, heldFrom, attempt, reason: reason, requiredConfirmations: requiredConfirmations)
    if case .done = outcome { answerEnd(of: row.terms.reference) }
    return outcome
  }

  private mutating func carryOut(
    _ decision: HeldDecision, _ seen: String?, _ row: Payout, _ heldFrom: PayoutStatus, _ attempt: Attempt?,
    reason: String, requiredConfirmations: Int64
  ) throws -> HeldOutcome {
    let note = decision.note(reason)
    switch decision {
    case .release, .releaseAlthoughEnded:
      if decision == .release, let end = openEnd(of: row.terms.reference) { return .refused(.endedBeforeRestore(end)) }
      let held = row.holdReason ?? ""
      guard HoldReason.isNamed(reason: held, by: seen) else { return .refused(.heldFor(held)) }
      return try release(row, heldFrom, attempt, note, requiredConfirmations: requiredConfirmations)
    case .reject: return try end(row, attempt, as: .rejected, note: note)
    case .settle: return try end(row, attempt, as: .settledExternally, note: note)
    case .adopt(let txid):
      return try adopt(row, attempt, txid, reason, requiredConfirmations: requiredConfirmations)
    }
  }

  private mutating func end(
    _ row: Payout, _ attempt: Attempt?, as end: PayoutStatus, note: String
  ) throws -> HeldOutcome {
    if let attempt {
      let isOthers = !attempt.isLive && !pays(attempt, row)
      let isOdd = attempt.isLive && transactions[attempt.txid]?.status == .anomalous && end == .settledExternally
      guard isOthers || isOdd else { return .refused(refusal(attempt)) }
    }
    if let order = adoptions.first(where: { $0.state == .open && $0.reference == row.terms.reference }) {
      return .refused(.attemptIsLive(order.order.txid, .signed))
    }
    guard isHistoryTrusted else { return .refused(.historyNotTrusted) }
    return try leave(row.terms.id, to: end, note)
  }

  private func pays(_ attempt: Attempt, _ row: Payout) -> Bool {
    (row.terms.token, row.terms.recipient, row.terms.amount) == (attempt.token, attempt.recipient, attempt.amount)
  }

  private mutating func adopt(
    _ row: Payout, _ attempt: Attempt?, _ txid: TxID, _ reason: String, requiredConfirmations: Int64
  ) throws -> HeldOutcome {
    guard let attempt, attempt.txid == txid, pays(attempt, row), let transaction = transactions[txid],
      transaction.status == .anomalous
    else { return .refused(.notItsAnomaly(txid)) }
    guard let block = transaction.block, let solid = cursors[.solid], solid.number >= block.number else {
      return .refused(.notSolid(txid))
    }
    let confirmations = cursors[.head].map { $0.number - block.number + 1 } ?? 0
    guard confirmations >= requiredConfirmations else {
      return .refused(.confirmationsAreMissing(txid, confirmations: confirmations))
    }
    transactions[txid]?.status = .solid
    for reference in references(of: txid) { end(reference, txid, as: .paid, blame: nil) }
    return try leave(row.terms.id, to: .confirmed, reason)
  }

  private func refusal(_ attempt: Attempt) -> HeldRefusal {
    attempt.isLive
      ? .attemptIsLive(attempt.txid, transactions[attempt.txid]?.status ?? .signed) : .attemptHasPaid(attempt.txid)
  }

  private mutating func release(
    _ row: Payout, _ heldFrom: PayoutStatus, _ attempt: Attempt?, _ reason: String, requiredConfirmations: Int64
  ) throws -> HeldOutcome {
    let id = row.terms.id
    let wasSigned = [PayoutStatus.signed, .broadcast, .confirming].contains(heldFrom)
    guard let attempt else {
      guard wasSigned else { return try leave(id, to: heldFrom, reason) }
      if row.settlementBatch == nil {
        let batch = try BatchID(bytes: id.bytes)
        batches[batch] = batches[batch] ?? Batch(priority: row.particulars.priority)
        payouts[id]?.settlementBatch = batch
      }
      return try leave(id, to: .scheduled, reason)
    }
    guard wasSigned || !attempt.isLive && attempt.payout == id, pays(attempt, row),
      let transaction = transactions[attempt.txid]
    else {
      return .refused(refusal(attempt))
    }
    if !attempt.isLive {
      if heldFrom == .confirming { return try leave(id, to: .confirming, reason) }
      let head = cursors[.head]?.number
      let confirmations = head.flatMap { head in transaction.block.map { head - $0.number + 1 } } ?? 0
      guard confirmations >= requiredConfirmations else {
        return .refused(.confirmationsAreMissing(attempt.txid, confirmations: confirmations))
      }
      return try leave(id, to: .confirmed, reason)
    }
    guard transaction.status != .anomalous else { return .refused(refusal(attempt)) }
    if heldFrom == .signed, !isHistoryTrusted { return .refused(.historyNotTrusted) }
    let released = try leave(id, to: heldFrom, reason)
    return try follow(transaction, id, from: heldFrom).map { .done($0) } ?? released
  }

  private mutating func follow(
    _ transaction: Transaction, _ id: PayoutID, from heldFrom: PayoutStatus
  ) throws -> PayoutStatus? {
    let now: PayoutStatus? =
      switch transaction.status {
      case .sent: .broadcast
      case .included: .confirming
      case .signed, .solid, .failedOnChain, .dead, .anomalous: nil
      }
    guard let now, heldFrom.successors.contains(now) else { return nil }
    try move(id, to: now, note: "its transaction went on while it was held")
    return now
  }

  private mutating func leave(_ id: PayoutID, to status: PayoutStatus, _ note: String) throws -> HeldOutcome {
    try move(id, to: status, note: note) { row in
      row.heldFrom = nil
      row.holdReason = nil
    }
    return .done(status)
  }

  /// `Ledger.closeBreaker`.
  mutating func closeBreaker() {
    closeExplainedFindings()
    let acknowledges = findings.contains { $0.isOpen && $0.isJudged }
    for index in findings.indices where findings[index].isOpen && findings[index].isJudged {
      findings[index].isAcknowledged = true
    }
    guard breaker.state != .closed || acknowledges else { return }
    for index in alarms.indices where alarms[index].kind == "operator" && alarms[index].subject == "breaker" {
      alarms[index].isAcknowledged = true
    }
    guard breaker.state != .closed else { return }
    (breaker.state, breaker.cause, breaker.exit, breaker.since, breaker.failuresInRow) = (.closed, nil, nil, now, 0)
  }

  /// `Ledger.openBreaker(reason:)`.
  mutating func openBreaker(reason: String) { openBreaker("operator", "breaker", reason) }
}
