import Ledger
import Payouts

/// What the database's triggers do: refuse what is not in the tables of states, write the history, give limits back.
extension LedgerTables {
  /// Changes a payout's state as one guarded UPDATE.
  ///
  /// - Parameter change: sets whatever else the UPDATE sets; the state itself is set here.
  mutating func move(
    _ id: PayoutID, to status: PayoutStatus, note: String?, _ change: (inout Payout) -> Void = { _ in }
  ) throws {
    guard var row = payouts[id] else { return }
    let before = row
    guard before.status.successors.contains(status) else {
      throw LedgerError(.illegalChange, "payout \(id): \(before.status) cannot become \(status)")
    }
    row.status = status
    row.note = note
    change(&row)
    guard status != .held || row.heldFrom == before.status else {
      throw LedgerError(.illegalChange, "payout \(id): it cannot be held from \(String(describing: row.heldFrom))")
    }
    row.statusSince = now
    try guardChange(from: before, to: row)
    payouts[id] = row
    events[id, default: []].append(
      PayoutEvent(
        at: now, from: before.status, to: status, actor: actor,
        note: status == .held ? [row.holdReason, note].compactMap { $0 }.joined(separator: ": ") : note))
    if status.isUnpaidFinal { releaseLimits(of: row) }
    tell(id)
  }

  /// `guard_payout_changes`: attempts, and a trusted history.
  private func guardChange(from before: Payout, to after: Payout) throws {
    let all = attempts[after.terms.reference] ?? []
    let hasLive = all.contains(where: \.isLive)
    let hasPaid = all.contains { $0.outcome == .paid }
    let hasPaidThis = all.contains {
      $0.outcome == .paid
        && ($0.token, $0.recipient, $0.amount) == (after.terms.token, after.terms.recipient, after.terms.amount)
    }
    let isPutBack = all.contains { $0.isLive && beingPutBack.contains($0.txid) }
    let id = after.terms.id
    if before.status == .held, ![.rejected, .settledExternally, .confirmed].contains(after.status),
      after.status != before.heldFrom, !(after.status == .signed && isPutBack),
      !(after.status == .scheduled && [.signed, .broadcast, .confirming].contains(before.heldFrom))
    {
      throw LedgerError(.illegalChange, "payout \(id): held from another state, it cannot go to \(after.status)")
    }
    if after.status == .signed && !isPutBack || after.status.isUnpaidFinal {
      let waits: Set<PayoutStatus> = [.kycPending, .compliancePending, .queued]
      guard isHistoryTrusted, !(waits.contains(before.status) && after.status == .signed) else {
        throw LedgerError(.historyNotTrusted, "payout \(id): it cannot be \(after.status) now")
      }
    }
    if before.status == .scheduled, after.status == .signed, !isPutBack, openEnd(of: after.terms.reference) != nil {
      throw LedgerError(.illegalChange, "payout \(id): it ended in a lost part of the history")
    }
    let lacks =
      switch after.status {
      case .signed, .broadcast: !hasLive
      case .confirming: !(hasLive || hasPaid)
      case .confirmed: !hasPaidThis
      case .rejected where before.status == .held, .settledExternally:
        hasPaidThis
          || all.contains { attempt in
            attempt.isLive
              && !(after.status == .settledExternally && transactions[attempt.txid]?.status == .anomalous)
          }
      case .scheduled, .failed, .rejected, .expired, .cancelled: hasLive || hasPaid
      case .kycPending, .compliancePending, .queued, .held: false
      }
    if lacks { throw LedgerError(.illegalChange, "payout \(id): \(after.status) does not fit its attempts") }
  }

  private mutating func releaseLimits(of row: Payout) {
    for router in [nil, row.terms.router] {
      give(row.terms.amount, back: Window(scope: .accepted(router), span: .hour, startsAt: row.hourWindow))
      give(row.terms.amount, back: Window(scope: .accepted(router), span: .day, startsAt: row.dayWindow))
    }
  }

  private mutating func give(_ amount: Amount, back window: Window) {
    guard let taken = used[window] else { return }
    used[window] = try? Amount(microUSDT: taken.microUSDT - amount.microUSDT)
  }

  /// Ends an attempt as its transaction did.
  mutating func end(_ reference: Reference, _ txid: TxID, as outcome: AttemptOutcome, blame: FailureBlame?) {
    guard let index = attempts[reference]?.firstIndex(where: { $0.txid == txid && $0.isLive }),
      var attempt = attempts[reference]?[index], let transaction = transactions[txid]
    else { return }
    attempt.outcome = outcome
    attempt.endedAt = now
    attempt.blame = outcome == .paid ? nil : blame
    attempts[reference]?[index] = attempt
    if outcome == .paid { tellPaidTwice(attempt) }
    guard outcome != .paid, !isTreasury(attempt.payout) else { return }
    for span in LimitSpan.allCases {
      let start = LedgerTables.windowStart(span, transaction.entry.signedAt)
      give(attempt.amount, back: Window(scope: .signed, span: span, startsAt: start))
    }
  }

  /// `tell_paid_twice`.
  private mutating func tellPaidTwice(_ attempt: Attempt) {
    if attempt.isLate {
      openBreaker("paid_twice", "payout \(attempt.payout)", "another attempt had paid")
    } else if payout(of: attempt.reference)?.status.isUnpaidFinal == true {
      openBreaker("paid_after_end", "payout \(attempt.payout)", "its payout had ended unpaid")
    }
  }

  /// Stores a transaction that did not exist, as INSERT does.
  mutating func insert(_ columns: SignedColumns) throws {
    guard transactions[columns.txid] == nil else {
      throw LedgerError(.refused, "the txid exists", constraint: "transactions_pkey")
    }
    let isPutBack = beingPutBack.contains(columns.txid)
    guard columns.expiration.milliseconds(since: columns.headTime) <= Self.maximumExpirationMilliseconds,
      columns.expiration.milliseconds <= now.milliseconds + Self.clockBoundMilliseconds
        + Self.maximumExpirationMilliseconds
    else { throw LedgerError(.livesTooLong, "the transaction would live longer than allowed") }
    guard isPutBack || isHistoryTrusted || isContinuous && emergencySweep == columns.txid else {
      throw LedgerError(.historyNotTrusted, "nothing is signed while the history is not trusted")
    }
    transactions[columns.txid] = Transaction(entry: columns, nextBroadcastAt: now)
  }

  /// Stores an attempt: one live or paid attempt a reference (`attempts_one_in_use`), counted in the signed windows.
  mutating func insert(_ attempt: Attempt, signedAt: Timestamp) throws {
    guard attempt.isLate || attemptInUse(of: attempt.reference) == nil else {
      throw LedgerError(.refused, "the reference has a live or paid attempt", constraint: "attempts_one_in_use")
    }
    attempts[attempt.reference, default: []].append(attempt)
    attempts[attempt.reference]?.sort { $0.number < $1.number }
    references[attempt.txid, default: []].append(attempt.reference)
    guard !isTreasury(attempt.payout) else { return }
    for span in LimitSpan.allCases {
      let window = Window(
        scope: .signed, span: span, startsAt: LedgerTables.windowStart(span, signedAt))
      used[window] = try (used[window] ?? .zero).adding(attempt.amount)
    }
  }

  // MARK: Alarms and the breaker

  /// `raise_alarm`.
  mutating func raiseAlarm(_ kind: String, _ subject: String, _ message: String) {
    if let index = alarms.firstIndex(where: { $0.kind == kind && $0.subject == subject && !$0.isAcknowledged }) {
      alarms[index].count += 1
      alarms[index].lastAt = now
      alarms[index].message = message
    } else {
      alarms.append(
        Alarm(
          id: Int64(alarms.count + 1), kind: kind, subject: subject, message: message, raisedAt: now, lastAt: now,
          tellAt: now))
    }
  }

  /// `open_breaker`: until an operator closes it.
  mutating func openBreaker(_ cause: String, _ subject: String, _ message: String) {
    raiseAlarm(cause, subject, message)
    guard breaker.exit != .operatorOnly else { return }
    let failures = (breaker.failuresInRow, breaker.failedTrials)
    breaker = Breaker(state: .open, cause: cause, exit: .operatorOnly, since: now)
    (breaker.failuresInRow, breaker.failedTrials) = failures
  }
}
