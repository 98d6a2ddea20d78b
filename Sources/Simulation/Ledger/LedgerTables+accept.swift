import Ledger
import Payouts

/// What Ingest asks for.
extension LedgerTables {
  /// `Ledger.accept`: all that can be, each for itself.
  mutating func accept(_ new: [NewPayout], limits: AcceptanceLimits) throws -> [AcceptanceOutcome] {
    let outcomes = try new.map { try accept($0, limits: limits) }
    let stored = outcomes.compactMap { if case .accepted(let record) = $0 { record.id } else { nil } }
    for id in stored.sorted() where !webhooks.contains(where: { $0.payout == id }) { tell(id) }
    return outcomes
  }

  private mutating func accept(_ payout: NewPayout, limits: AcceptanceLimits) throws -> AcceptanceOutcome {
    let terms = payout.terms
    let claim = claims[terms.reference]
    if let claim {
      if let row = payouts[claim.payout] {
        guard claim.fingerprint == payout.fingerprint else { return .differentRequest }
        return row.terms.id == terms.id ? .accepted(row.record) : .replayed(row.record)
      }
      if let fingerprint = claim.fingerprint, fingerprint != payout.fingerprint { return .differentRequest }
      guard claim.payout == terms.id else { return .knownUnder(claim.payout) }
    }
    let counting = [nil, terms.router].flatMap { router in
      LimitSpan.allCases.map { span in
        (
          router, span,
          Window(
            scope: .accepted(router), span: span, startsAt: LedgerTables.windowStart(span, now))
        )
      }
    }
    for (router, span, window) in counting {
      let taken = used[window] ?? .zero
      guard let limit = limits[span, of: router], terms.amount.microUSDT > limit.microUSDT - taken.microUSDT else {
        continue
      }
      return .limitExceeded(
        LimitUse(router: router, span: span, startsAt: window.startsAt, limit: limit, used: taken))
    }
    for (_, _, window) in counting { used[window] = try (used[window] ?? .zero).adding(terms.amount) }
    return .accepted(store(payout))
  }

  private mutating func store(_ payout: NewPayout) -> PayoutRecord {
    let terms = payout.terms
    let row = Payout(
      terms: terms, seal: payout.seal, particulars: payout.particulars, acceptedStatus: payout.status,
      windowEnd: windowEnd(of: terms.batchType), hourWindow: LedgerTables.windowStart(.hour, now),
      dayWindow: LedgerTables.windowStart(.day, now), status: payout.status, statusSince: now)
    payouts[terms.id] = row
    payoutIDs[terms.reference] = terms.id
    claims[terms.reference] = Claim(payout: terms.id, fingerprint: payout.fingerprint)
    events[terms.id] = [PayoutEvent(at: now, from: nil, to: payout.status, actor: actor, note: nil)]
    return row.record
  }

  /// `batch_window_end`: the end of the window in which a payout is accepted now.
  private func windowEnd(of type: BatchType) -> Timestamp {
    let length: Int64 =
      switch type {
      case .immediate: 0
      case .hourly: windows.hourly
      case .daily: windows.daily
      case .weekly: windows.weekly
      }
    guard length > 0 else { return now }
    // Counted from a Monday: the first of January 1970 was a Thursday.
    let into = (now.milliseconds - 4 * 86_400_000) % length
    return Timestamp(milliseconds: now.milliseconds - into + length)
  }

  /// `Ledger.accepted(under:)`.
  func accepted(under reference: Reference) -> AcceptedRequest? {
    guard let claim = claims[reference], let row = payouts[claim.payout] else { return nil }
    return AcceptedRequest(record: row.record, fingerprint: claim.fingerprint)
  }

  /// `Ledger.attempts(of:)`.
  func attemptRecords(of id: PayoutID) -> [AttemptRecord] {
    let terms = payouts[id]?.terms
    let own = attempts.values.joined().filter { attempt in
      attempt.payout == id
        || terms.map {
          (attempt.reference, attempt.token, attempt.recipient, attempt.amount)
            == ($0.reference, $0.token, $0.recipient, $0.amount)
        } ?? false
    }
    return own.sorted { $0.number < $1.number }.compactMap { attempt in
      guard let transaction = transactions[attempt.txid] else { return nil }
      return AttemptRecord(
        number: attempt.number, txid: attempt.txid, outcome: attempt.outcome, status: transaction.status,
        signedAt: transaction.entry.signedAt, expiration: transaction.entry.expiration, block: transaction.block,
        result: transaction.result, blame: attempt.blame, cost: transaction.cost, lastAnswer: transaction.lastAnswer)
    }
  }

  /// `Ledger.conditions`.
  func conditions() -> PayingConditions {
    let isOpen = breaker.state != .closed
    let standstill = standstills.filter { $0.value.seenAt > now.advanced(byMilliseconds: -15_000) }
      .min { ($0.value.since, $0.key) < ($1.value.since, $1.key) }?.value
    return PayingConditions(
      now: now, isContinuous: isContinuous, openFindings: findings.filter(\.isOpen).count, pauseReason: pauseReason,
      pausedSince: pausedSince, breakerCause: isOpen ? breaker.cause : nil, breakerSince: isOpen ? breaker.since : nil,
      breakerTrialAt: breaker.state == .open && breaker.exit == .trial ? breaker.trialAt : nil,
      isBreakerTrialOut: breaker.state == .halfOpen, standstill: standstill?.reason, standstillSince: standstill?.since,
      headNumber: cursors[.head]?.number, headMovedAt: headMovedAt, solidNumber: cursors[.solid]?.number,
      quarantine: quarantineThatKeepsAll)
  }
}
