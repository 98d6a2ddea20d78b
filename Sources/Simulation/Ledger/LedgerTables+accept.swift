import Ledger
import Payouts

/// What Ingest asks for.
extension LedgerTables {
  /// `Ledger.accept`: all that can be, each for itself and whole.
  mutating func accept(_ new: [AcceptanceRequest], limits: AcceptanceLimits) throws -> [RequestOutcome] {
    let outcomes = try new.map { try accept($0, limits: limits) }
    let stored = outcomes.flatMap { if case .accepted(let records) = $0 { records.map(\.id) } else { [PayoutID]() } }
    for id in stored.sorted() where !webhooks.contains(where: { $0.payout == id }) { tell(id) }
    return outcomes
  }

  /// Single payouts.
  mutating func accept(_ new: [NewPayout], limits: AcceptanceLimits) throws -> [AcceptanceOutcome] {
    try accept(new.map { AcceptanceRequest($0) }, limits: limits).map { try AcceptanceOutcome(ofOne: $0) }
  }

  private mutating func accept(_ request: AcceptanceRequest, limits: AcceptanceLimits) throws -> RequestOutcome {
    let rows = request.payouts.map { new in claims[new.terms.reference].flatMap { payouts[$0.payout] } }
    for (new, row) in zip(request.payouts, rows) {
      guard let claim = claims[new.terms.reference], claim.fingerprint != new.fingerprint else { continue }
      // A bare name, which a Signer put back, tells of no request.
      if row != nil || claim.fingerprint != nil { return .differentRequest }
    }
    let standing = rows.compactMap { $0?.record }
    if standing.count == rows.count {
      return standing.map(\.id) == request.payouts.map(\.terms.id) ? .accepted(standing) : .replayed(standing)
    }
    let names = KnownNames(
      clientBatch: standing.first?.terms.clientBatch,
      payouts: request.payouts.map { claims[$0.terms.reference]?.payout })
    let isNamedSo = zip(request.payouts, names.payouts).allSatisfy { new, known in
      (known ?? new.terms.id) == new.terms.id
        && (standing.isEmpty || new.terms.clientBatch == names.clientBatch)
    }
    guard isNamedSo else { return .knownUnder(names) }
    let missing = zip(request.payouts, rows).filter { $0.1 == nil }.map(\.0)
    let isKnown = names.payouts.contains { $0 != nil }
    let counted = isKnown ? AcceptanceLimits(hourly: nil, daily: nil) : limits
    if let full = try reserve(missing.map(\.terms), counted) { return .limitExceeded(full) }
    if let id = request.payouts[0].terms.clientBatch, clientBatches[id] == nil {
      clientBatches[id] = ClientBatch(owner: request.payouts[0].terms.owner, size: try request.size)
    }
    for new in missing { _ = store(new) }
    return .accepted(request.payouts.compactMap { payout(of: $0.terms.reference)?.record })
  }

  /// Takes amounts from all windows that count them, or from none and tells which one is full.
  private mutating func reserve(_ new: [PayoutTerms], _ limits: AcceptanceLimits) throws -> LimitUse? {
    var taken: [Window: Amount] = [:]
    let routers: [RouterType?] = [nil, .kyc, .v0]
    for router in routers {
      let counted = new.filter { router == nil || $0.router == router }
      guard !counted.isEmpty else { continue }
      let amount = try counted.reduce(Amount.zero) { try $0.adding($1.amount) }
      for span in [LimitSpan.day, .hour] {
        let window = Window(scope: .accepted(router), span: span, startsAt: LedgerTables.windowStart(span, now))
        let before = used[window] ?? .zero
        if let limit = limits[span, of: router], amount.microUSDT > limit.microUSDT - before.microUSDT {
          return LimitUse(router: router, span: span, startsAt: window.startsAt, limit: limit, used: before)
        }
        taken[window] = try before.adding(amount)
      }
    }
    used.merge(taken) { $1 }
    return nil
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
