import Ledger
import Payouts

/// Putting back what a restore took and the log of intents still tells, and the unpaid ends that a person is asked about.
extension LedgerTables {
  /// A lost end's row.
  struct LostEnd: Equatable, Sendable {
    let end: PayoutEnd
    var answeredAt: Timestamp?
  }

  /// How a reference ended in a lost part of the history, where nobody has said yet what holds.
  func openEnd(of reference: Reference) -> PayoutStatus? {
    lostEnds.filter { $0.end.reference == reference && $0.answeredAt == nil }.max { $0.end.at < $1.end.at }?.end.status
  }

  /// A decision that was carried out is also the answer.
  mutating func answerEnd(of reference: Reference) {
    for index in lostEnds.indices
    where lostEnds[index].end.reference == reference && lostEnds[index].answeredAt == nil {
      lostEnds[index].answeredAt = now
    }
  }

  /// `Ledger.putBack(acceptances:)`.
  mutating func putBack(acceptances: [AcceptedPayout]) throws -> IntentReplay {
    var seen: Set<Reference> = []
    let lost = acceptances.filter { accepted in
      let reference = accepted.payout.terms.reference
      return seen.insert(reference).inserted && isLost(accepted.payout)
    }
    let missing = lost.filter { payout(of: $0.payout.terms.reference) == nil }
    let conflicts = lost.filter { payout(of: $0.payout.terms.reference) != nil }
    var replay = IntentReplay()
    try storeBatches(of: missing)
    for accepted in missing where payouts[accepted.payout.terms.id] == nil {
      try storeAgain(accepted)
      replay.putBack += 1
    }
    for id in missing.map(\.payout.terms.id).sorted() where !webhooks.contains(where: { $0.payout == id }) { tell(id) }
    for accepted in missing { try holdSigned(accepted.payout.terms) }
    for accepted in conflicts { try tellConflict(accepted.payout.terms) }
    replay.conflicts = conflicts.count
    note(replay)
    return replay
  }

  /// What an entry does not tell of its batch is counted from those at hand.
  private mutating func storeBatches(of missing: [AcceptedPayout]) throws {
    let own = missing.filter { accepted in
      let terms = accepted.payout.terms
      return claims[terms.reference].map { $0.payout == terms.id } ?? (payouts[terms.id] == nil)
    }
    for accepted in own {
      guard let id = accepted.payout.terms.clientBatch, clientBatches[id] == nil else { continue }
      let entries = own.filter { $0.payout.terms.clientBatch == id }
      let counted = try AcceptanceRequest(entries.map(\.payout)).size
      let told = entries.compactMap(\.batchSize)
      clientBatches[id] = ClientBatch(
        owner: entries.map(\.payout.terms.owner).min() ?? accepted.payout.terms.owner,
        size: ClientBatchSize(
          payoutCount: told.map(\.payoutCount).max() ?? counted.payoutCount,
          total: told.map(\.total).max() ?? counted.total))
    }
  }

  private mutating func storeAgain(_ accepted: AcceptedPayout) throws {
    let terms = accepted.payout.terms
    if let claim = claims[terms.reference] {
      guard claim.payout == terms.id else { return }
      if claim.fingerprint == nil { claims[terms.reference]?.fingerprint = accepted.payout.fingerprint }
    } else {
      claims[terms.reference] = Claim(payout: terms.id, fingerprint: accepted.payout.fingerprint)
    }
    let row = Payout(
      terms: terms, seal: accepted.payout.seal, particulars: accepted.payout.particulars,
      acceptedStatus: accepted.payout.status, windowEnd: accepted.windowEnd, hourWindow: accepted.limitWindows.hour,
      dayWindow: accepted.limitWindows.day, status: accepted.payout.status, statusSince: now,
      note: "put back from the log of intents")
    payouts[terms.id] = row
    payoutIDs[terms.reference] = terms.id
    events[terms.id] = [
      PayoutEvent(at: now, from: nil, to: row.status, actor: actor, note: row.note)
    ]
    for router in [nil, terms.router] {
      for (span, start) in [(LimitSpan.hour, row.hourWindow), (.day, row.dayWindow)] {
        let window = Window(scope: .accepted(router), span: span, startsAt: start)
        used[window] = try (used[window] ?? .zero).adding(terms.amount)
      }
    }
  }

  private mutating func holdSigned(_ terms: PayoutTerms) throws {
    guard payouts[terms.id] != nil, let attempt = attemptInUse(of: terms.reference) else { return }
    try hold(
      terms.id, .referenceInUse, "put back from the log of intents after its transaction \(attempt.txid)")
    raiseAlarm(
      HoldReason.referenceInUse.rawValue, "payout \(terms.id)",
      "it was put back from the log of intents after its transaction: release it once that has ended")
  }

  private mutating func tellConflict(_ lost: PayoutTerms) throws {
    toldConflicts.insert(lost.id)
    let note = "a restore took payout \(lost.id), accepted earlier under the same idempotency key"
    guard let id = payout(of: lost.reference)?.terms.id else { return }
    if try !hold(lost.reference, .conflictingAcceptance, note),
      let status = payouts[id]?.status, [.signed, .broadcast, .confirming].contains(status)
    {
      payouts[id]?.isUnproven = true
    }
    raiseAlarm(HoldReason.conflictingAcceptance.rawValue, "payout \(id)", note)
  }

  private mutating func hold(_ reference: Reference, _ reason: HoldReason, _ note: String) throws -> Bool {
    guard let row = payout(of: reference) else { return false }
    if row.status == .held {
      payouts[row.terms.id]?.holdReason = reason.rawValue
      payouts[row.terms.id]?.note = note
    } else if row.status.waitsUnsigned {
      try hold(row.terms.id, reason, note)
    } else {
      return false
    }
    return true
  }

  /// `Ledger.putBack(ends:)`.
  mutating func putBack(ends: [PayoutEnd]) throws -> IntentReplay {
    var replay = IntentReplay()
    for end in ends {
      guard !lostEnds.contains(where: { ($0.end.reference, $0.end.at) == (end.reference, end.at) }) else { continue }
      lostEnds.append(LostEnd(end: end))
      replay.ends += 1
      let note = "the log of intents says that payout \(end.payout) of its reference was \(end.status) at \(end.at)"
      guard try hold(end.reference, .endWasLost, note) else { continue }
      raiseAlarm(HoldReason.endWasLost.rawValue, "payout \(end.payout)", note)
    }
    note(replay)
    return replay
  }

  private mutating func note(_ replay: IntentReplay) {
    if replay.putBack + replay.conflicts + replay.ends > 0 { replayedAt = now }
  }

  // MARK: Reconciling

  /// `Ledger.unexplainedFindings`.
  func unexplainedFindings(naming named: Set<TxID>, atMost count: Int) -> [UnexplainedFinding] {
    func rank(_ row: Finding) -> Int {
      (named.contains(row.what.txid) ? 0 : 4) + (row.isAcknowledged ? 2 : 0) + (row.isSolid ? 0 : 1)
    }
    let first = findings.indices.filter { !findings[$0].isExplained }
      .sorted { (rank(findings[$0]), $0) < (rank(findings[$1]), $1) }.prefix(count)
    return first.sorted().map { index in
      let row = findings[index]
      let adoption = adoptions.last { $0.order.txid == row.what.txid }
      let state = adoption.map { adoption -> AdoptionState in
        switch adoption.state {
        case .open: .ordered(adoption.order.payout)
        case .done: .done(adoption.order.payout)
        case .refused: .refused("it cannot be carried out")
        }
      }
      return UnexplainedFinding(
        finding: FindingRecord(
          kind: row.what.kind.rawValue, txid: row.what.txid, wallet: row.what.wallet, recipient: row.what.recipient,
          amountText: row.what.amountText, blockNumber: row.place.number, foundAt: row.foundAt, isJudged: row.isJudged,
          isAcknowledged: row.isAcknowledged, isSolid: row.isSolid), adoption: state)
    }
  }

  /// `Ledger.payouts(paying:_:)`.
  func payouts(paying recipient: Address, _ amount: Amount) -> [PayoutRecord] {
    let others: Set<PayoutStatus> = [.signed, .broadcast, .confirming, .confirmed]
    return payouts(in: Set(PayoutStatus.allCases).subtracting(others)).filter { row in
      (row.terms.recipient, row.terms.amount) == (recipient, amount) && attemptInUse(of: row.terms.reference) == nil
    }.map(\.record)
  }
}

extension PayoutStatus {
  /// Whether it waits and nothing of it is signed.
  fileprivate var waitsUnsigned: Bool {
    switch self {
    case .kycPending, .compliancePending, .queued, .scheduled: true
    case .signed, .broadcast, .confirming, .confirmed, .held, .failed, .rejected, .expired, .cancelled,
      .settledExternally:
      false
    }
  }
}
