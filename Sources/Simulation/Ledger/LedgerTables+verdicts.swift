import Ledger
import Payouts

/// What Monitor asks for: verdicts, and what follows from them.
extension LedgerTables {
  /// `Ledger.settle`.
  mutating func settle(_ verdicts: [TxID: TransactionVerdict], retryDelayMilliseconds: Int64) throws {
    let inOrder = verdicts.sorted { $0.key < $1.key }
    var news: [(txid: TxID, verdict: TransactionVerdict)] = []
    for (txid, verdict) in inOrder where endTransaction(txid, verdict) { news.append((txid, verdict)) }
    for (txid, verdict) in news { try endAttempts(of: txid, verdict, retryDelayMilliseconds: retryDelayMilliseconds) }
    if !news.isEmpty { tellBreaker(of: news) }
    for (txid, verdict) in inOrder {
      if case .anomalous(let place, let finding) = verdict { try store(anomaly: finding, of: txid, in: place) }
    }
  }

  /// - Returns: whether it ended here.
  private mutating func endTransaction(_ txid: TxID, _ verdict: TransactionVerdict) -> Bool {
    guard var row = transactions[txid], [.signed, .sent, .included, .anomalous].contains(row.status) else {
      return false
    }
    switch verdict {
    case .paid(let place, let cost): (row.status, row.block, row.cost, row.result) = (.solid, place, cost, "SUCCESS")
    case .failedOnChain(let place, let cost, let result):
      (row.status, row.block, row.cost, row.result) = (.failedOnChain, place, cost, result)
    case .dead:
      // What a block held is not dead: first a fork undoes that block.
      guard row.status != .included, row.status != .anomalous else { return false }
      (row.status, row.block, row.cost, row.result) = (.dead, nil, nil, nil)
    case .anomalous: return false
    }
    transactions[txid] = row
    return true
  }

  private mutating func endAttempts(
    of txid: TxID, _ verdict: TransactionVerdict, retryDelayMilliseconds: Int64
  ) throws {
    for reference in references(of: txid) {
      guard let attempt = attempts[reference]?.first(where: { $0.txid == txid && $0.isLive }) else { continue }
      if case .paid(let place, _) = verdict {
        end(reference, txid, as: .paid, blame: nil)
        if let row = payout(of: reference), row.status == .signed || row.status == .broadcast {
          try move(row.terms.id, to: .confirming, note: "in solid block \(place.number)")
        }
        continue
      }
      end(reference, txid, as: verdict == .dead ? .dead : .failedOnChain, blame: verdict.ownBlame)
      guard let row = payout(of: reference), attemptInUse(of: reference) == nil else { continue }
      if row.status == .held, row.isUnproven {
        payouts[row.terms.id]?.isUnproven = false
        payouts[row.terms.id]?.holdReason = HoldReason.historyUnproven.rawValue
        payouts[row.terms.id]?.note = "txid \(txid) ended unpaid; it may have ended before"
        continue
      }
      guard [.signed, .broadcast, .confirming].contains(row.status) else { continue }
      if row.isUnproven {
        payouts[row.terms.id]?.isUnproven = false
        try hold(row.terms.id, .historyUnproven, "txid \(txid) ended unpaid; it may have ended before")
        continue
      }
      try free(row, after: attempt, retryDelayMilliseconds: retryDelayMilliseconds)
    }
  }

  private mutating func free(_ row: Payout, after attempt: Attempt, retryDelayMilliseconds: Int64) throws {
    let batch = try row.settlementBatch ?? BatchID(bytes: row.terms.id.bytes)
    if batches[batch] == nil { batches[batch] = Batch(priority: row.particulars.priority) }
    let delay = min(
      retryDelayMilliseconds << Int64(min(attempt.number - 1, 30)), max(retryDelayMilliseconds, 3_600_000))
    let moment = now
    try move(row.terms.id, to: .scheduled, note: "txid \(attempt.txid) paid nothing") { row in
      row.settlementBatch = batch
      row.notBefore = moment.advanced(byMilliseconds: delay)
      row.notBeforeReason = .retry
    }
  }

  private mutating func store(anomaly finding: String, of txid: TxID, in place: BlockPlace) throws {
    guard var row = transactions[txid], [.signed, .sent, .included].contains(row.status) else { return }
    (row.status, row.block, row.result) = (.anomalous, place, finding)
    transactions[txid] = row
    for reference in references(of: txid) {
      guard let payout = payout(of: reference), [.signed, .broadcast, .confirming].contains(payout.status) else {
        continue
      }
      try hold(payout.terms.id, .anomalousTransaction, finding)
    }
    openBreaker(HoldReason.anomalousTransaction.rawValue, "transaction \(txid)", finding)
  }

  // MARK: Whose failure it was

  /// `Ledger.unblamedFailures`.
  func unblamedFailures(after last: UnblamedFailure? = nil, atMost count: Int) -> [UnblamedFailure] {
    let open = attempts.values.flatMap { $0 }.filter { attempt in
      attempt.isUnblamed && payout(of: attempt.reference)?.status != .held
        && last.map {
          (attempt.endedAt ?? now, attempt.txid, attempt.reference) > ($0.endedAt, $0.txid, $0.reference)
        } ?? true
    }
    return open.sorted {
      ($0.endedAt ?? now, $0.txid, $0.reference) < ($1.endedAt ?? now, $1.txid, $1.reference)
    }.prefix(count).compactMap { attempt in
      guard let transaction = transactions[attempt.txid], let endedAt = attempt.endedAt else { return nil }
      return UnblamedFailure(
        reference: attempt.reference, txid: attempt.txid, result: transaction.result,
        transfer: ExpectedTransfer(
          token: attempt.token, from: transaction.entry.wallet, to: attempt.recipient, amount: attempt.amount),
        endedAt: endedAt)
    }
  }

  /// `Ledger.blame`.
  mutating func blame(
    _ blame: FailureBlame, for failure: UnblamedFailure, maximumOwnFailures: Int64
  ) throws -> PayoutEnd? {
    // What is judged is not judged again: a held payout's own failure waits until a person has decided.
    if blame.isPayoutsOwn, payout(of: failure.reference)?.status == .held { return nil }
    guard
      let index = attempts[failure.reference]?.firstIndex(where: { $0.txid == failure.txid && $0.isUnblamed }),
      let endedAt = attempts[failure.reference]?[index].endedAt
    else { return nil }
    let judged = (attempts[failure.reference] ?? []).filter { $0.blame == .payout }.count
    if blame.isPayoutsOwn, let row = payout(of: failure.reference), row.status == .scheduled,
      judged + 1 >= maximumOwnFailures, isUnclaimed(row.terms.id)
    {
      try hold(row.terms.id, .unclaimedTransfer, "a transfer that nobody claims may have paid it")
      return nil
    }
    attempts[failure.reference]?[index].blame = blame
    guard blame.isPayoutsOwn else {
      if endedAt.milliseconds > now.milliseconds - 300_000 { countFailures([(failure.txid, blame)]) }
      return nil
    }
    let own = (attempts[failure.reference] ?? []).filter { $0.blame == .payout }.count
    var failed: PayoutEnd?
    if let row = payout(of: failure.reference), row.status == .scheduled, own >= maximumOwnFailures {
      try move(row.terms.id, to: .failed, note: "the token refused it \(own) times") { $0.notBefore = nil }
      failed = end(of: row.terms.id)
    }
    if breaker.state == .open, breaker.exit == .trial, breaker.trial == failure.txid {
      breaker.trialAt = now
      breaker.failedTrials -= 1
      breaker.trial = nil
    }
    return failed
  }

  // MARK: The breaker's trials

  private mutating func tellBreaker(of news: [(txid: TxID, verdict: TransactionVerdict)]) {
    if breaker.state == .halfOpen, let trial = breaker.trial, news.contains(where: { $0.txid == trial }) {
      if transactions[trial]?.status == .solid {
        breaker.state = .closed
        (breaker.cause, breaker.exit, breaker.since, breaker.failuresInRow) = (nil, nil, now, 0)
      } else {
        breaker.state = .open
        breaker.failedTrials += 1
        let pause = min(Int64(60) << Int64(min(breaker.failedTrials, 30)), 1_800)
        breaker.trialAt = now.advanced(byMilliseconds: pause * 1_000)
      }
    }
    if news.contains(where: { if case .paid = $0.verdict { true } else { false } }) { breaker.failuresInRow = 0 }
    countFailures(news.compactMap { news in news.verdict.ownBlame.map { (news.txid, $0) } })
  }

  /// Failures that are no payout's own.
  private mutating func countFailures(_ blames: [(txid: TxID, blame: FailureBlame)]) {
    // What a Signer put back is history and says nothing of today.
    let failures = blames.filter { !$0.blame.isPayoutsOwn && putBacks[$0.txid] == nil }.map(\.blame)
    guard !failures.isEmpty else { return }
    breaker.failuresInRow += failures.count
    for blame in FailureBlame.allCases where failures.contains(blame) {
      raiseAlarm("failure_\(blame.rawValue)", "payments", blame.advice)
    }
    guard breaker.state == .closed else { return }
    let since = max(breaker.since, now.advanced(byMilliseconds: -300_000))
    let recent = attempts.values.flatMap { $0 }.filter { attempt in
      attempt.blame.map { !$0.isPayoutsOwn } ?? false && attempt.endedAt.map { $0 > since } ?? false
        && putBacks[attempt.txid] == nil
    }.count
    guard breaker.failuresInRow >= 10 || recent >= 10 else { return }
    breaker.state = .open
    (breaker.cause, breaker.exit, breaker.since) = ("repeated_failures", .trial, now)
    (breaker.failedTrials, breaker.trial) = (0, nil)
    breaker.trialAt = now.advanced(byMilliseconds: 60_000)
    raiseAlarm("repeated_failures", "breaker", "many transactions paid nothing through no fault of their payouts")
  }
}

extension TransactionVerdict {
  /// Whose failure it is, where that can be told from the verdict alone.
  fileprivate var ownBlame: FailureBlame? {
    switch self {
    case .failedOnChain(_, _, let result): FailureBlame(result: result)
    case .dead: FailureBlame(result: nil)
    case .paid, .anomalous: nil
    }
  }
}
