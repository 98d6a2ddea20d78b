import Ledger
import Payouts

/// What Signer asks for: signing and broadcasting.
extension LedgerTables {
  /// `Ledger.sign`, with the next second where a txid exists.
  mutating func sign(
    _ order: SigningOrder, decide: (SigningBatch) throws -> [SigningDecision]
  ) throws -> SigningOutcome {
    for secondsLater in 0...Int64(5) {
      let before = self
      do {
        return try sign(order, secondsLater: secondsLater, decide: decide)
      } catch let error as LedgerError where error.constraint == "transactions_pkey" {
        self = before
      }
    }
    throw LedgerError(.refused, "the txid exists", constraint: "transactions_pkey")
  }

  private mutating func sign(
    _ order: SigningOrder, secondsLater: Int64, decide: (SigningBatch) throws -> [SigningDecision]
  ) throws -> SigningOutcome {
    let locked = candidates(order)
    let (isTrial, capacity) = room(order)
    if let block = gate(order, isTrial: isTrial, capacity: capacity) { return .blocked(block) }
    let decisions =
      locked.isEmpty ? [] : try decide(describe(locked, capacity: capacity, secondsLater: secondsLater))
    var signed: [SignedPayout] = []
    var seen: Set<TxID> = []
    var opensBreaker = false
    for decision in decisions {
      switch decision {
      case .hold(_, _, _, let opens): opensBreaker = opensBreaker || opens
      case .postpone: continue
      case .sign(let payout): if seen.insert(payout.txid).inserted { signed.append(payout) }
      }
    }
    signed = opensBreaker ? [] : Array(signed.prefix(capacity))
    for payout in signed { try store(payout, order) }
    if isTrial, let trial = signed.first {
      breaker.state = .halfOpen
      breaker.trial = trial.txid
    }
    let (held, postponed) = try carryOut(decisions)
    return .done(signed: signed.count, held: held, waiting: locked.count - signed.count - held - postponed)
  }

  /// Whether what is signed now is the breaker's trial, and how many may be signed.
  func room(_ order: SigningOrder) -> (isTrial: Bool, capacity: Int) {
    let inFlight = transactions.values.filter {
      ($0.status == .signed || $0.status == .sent) && $0.entry.wallet == order.wallet
        && $0.entry.expiration > order.head.time
    }.count
    let isTrial =
      breaker.state == .open && breaker.exit == .trial && breaker.trialAt.map { $0 <= now } ?? false
    return (isTrial, min(max(0, order.maximumInFlight - inFlight), order.maximumSigned, isTrial ? 1 : .max))
  }

  /// The payouts that signing locks.
  func candidates(_ order: SigningOrder) -> [Payout] {
    guard batches[order.batch] != nil else { return [] }
    return Array(
      payouts(in: [.scheduled]).filter { row in
        row.settlementBatch == order.batch && isDue(row)
      }.prefix(order.maximumPayouts))
  }

  /// Whether a scheduled payout may be signed now, but for what forbids all signing.
  private func isDue(_ row: Payout) -> Bool {
    row.notBefore.map { $0 <= now } ?? true && row.terms.expiresAt.map { $0 > now } ?? true
      && !(attempts[row.terms.reference] ?? []).contains(where: \.isUnblamed)
  }

  func gate(_ order: SigningOrder, isTrial: Bool, capacity: Int) -> SigningBlock? {
    if !isContinuous { return .notContinuous }
    if findings.contains(where: \.isOpen) { return .openFinding }
    if pauseReason != nil { return .paused }
    if breaker.state == .halfOpen { return .breakerTrial }
    if breaker.state != .closed, !isTrial { return .breakerOpen }
    let isFresh = cursors[.head].map { $0.number >= order.head.number - order.fenceLagBlocks } ?? false
    if !isFresh { return .fenceBehind }
    return capacity == 0 ? .inFlightLimit : nil
  }

  private func describe(_ rows: [Payout], capacity: Int, secondsLater: Int64) -> SigningBatch {
    let candidates = rows.map { row in
      let all = attempts[row.terms.reference] ?? []
      let unclaimed = findings.filter {
        !$0.isExplained && $0.what.recipient == row.terms.recipient
          && $0.what.amountText == String(row.terms.amount.microUSDT)
      }
      return SigningCandidate(
        payout: row.record, attemptNumber: (all.map(\.number).max() ?? 0) + 1, earlierTransactions: all.map(\.txid),
        isReferenceInUse: all.contains { $0.isLive || $0.outcome == .paid },
        unclaimedReferenceBits: unclaimed.map(\.what.referenceBits), lostEnd: openEnd(of: row.terms.reference))
    }
    func signed(_ span: LimitSpan) -> Amount {
      used[Window(scope: .signed, span: span, startsAt: LedgerTables.windowStart(span, now))] ?? .zero
    }
    return SigningBatch(
      candidates: candidates, capacity: capacity, signedThisHour: signed(.hour), signedThisDay: signed(.day),
      now: now, secondsLater: secondsLater)
  }

  private mutating func store(_ signed: SignedPayout, _ order: SigningOrder) throws {
    try storeTransaction(signed, order)
    try move(signed.payout, to: .signed, note: "txid \(signed.txid)") { $0.notBefore = nil }
  }

  /// A transaction with its attempt.
  mutating func storeTransaction(_ signed: SignedPayout, _ order: SigningOrder) throws {
    try insert(
      SignedColumns(
        txid: signed.txid, wallet: order.wallet, signer: order.signer, signedBytes: signed.signedBytes,
        referenceBlockNumber: signed.referenceBlockNumber, headTime: signed.headTime, expiration: signed.expiration,
        feeLimit: signed.feeLimit, signedAt: now))
    try insert(
      Attempt(
        reference: signed.reference, payout: signed.payout, number: signed.attemptNumber, txid: signed.txid,
        token: signed.transfer.token, recipient: signed.transfer.to, amount: signed.transfer.amount), signedAt: now)
  }

  /// - Returns: how many were held and postponed.
  private mutating func carryOut(_ decisions: [SigningDecision]) throws -> (held: Int, postponed: Int) {
    var (held, postponed) = (0, 0)
    var firstNote: String?
    for decision in decisions {
      switch decision {
      case .sign: continue
      case .hold(let id, let reason, let note, let opensBreaker):
        held += 1
        try hold(id, reason, note)
        if opensBreaker {
          openBreaker(reason.rawValue, "payout \(id)", note)
        } else {
          raiseAlarm(reason.rawValue, "payout \(id)", note)
        }
      case .postpone(let id, let milliseconds, let note):
        postponed += 1
        firstNote = firstNote ?? note
        payouts[id]?.notBefore = now.advanced(byMilliseconds: milliseconds)
        payouts[id]?.note = note
        payouts[id]?.notBeforeReason = .signerLimit
      }
    }
    if let firstNote { raiseAlarm("signer_limit", "signer", firstNote) }
    return (held, postponed)
  }

  /// `Ledger.holdScheduled`.
  mutating func holdScheduled(batch: BatchID, note: String) throws -> [PayoutID] {
    let ids = payouts(in: [.scheduled]).filter { $0.settlementBatch == batch }.map(\.terms.id)
    for id in ids { try hold(id, .deadLetter, note) }
    if !ids.isEmpty { raiseAlarm("dead_letter", "batch \(batch)", note) }
    return ids
  }

  /// `Ledger.batchesToSign`.
  func batchesToSign(waitingFor milliseconds: Int64, after last: BatchID?, atMost count: Int) -> [BatchID] {
    let waiting = payouts(in: [.scheduled]).filter { row in
      isDue(row) && (row.notBefore != nil || row.statusSince.milliseconds + milliseconds <= now.milliseconds)
    }
    let ids = Set(waiting.compactMap(\.settlementBatch)).filter { id in last.map { id > $0 } ?? true }
    return ids.sorted().prefix(count).sorted {
      (rank(of: $0), $0) < (rank(of: $1), $1)
    }
  }

  private func rank(of batch: BatchID) -> Int {
    batches[batch].flatMap { DueTurn.highestFirst.firstIndex(of: $0.priority) } ?? .max
  }

  /// `Ledger.takeForBroadcast`.
  mutating func takeForBroadcast(
    wallet: Address, headTime: Timestamp, leaseMilliseconds: Int64, atMost count: Int
  ) -> BroadcastLot {
    let due = transactions.values.filter {
      ($0.status == .signed || $0.status == .sent) && $0.nextBroadcastAt <= now && $0.entry.wallet == wallet
        && $0.entry.expiration > headTime && !beside.transactions.contains($0.entry.txid)
    }.sorted {
      ($0.nextBroadcastAt, $0.entry.signedAt, $0.entry.txid) < ($1.nextBroadcastAt, $1.entry.signedAt, $1.entry.txid)
    }.prefix(count)
    for transaction in due {
      transactions[transaction.entry.txid]?.nextBroadcastAt = now.advanced(byMilliseconds: leaseMilliseconds)
    }
    return BroadcastLot(
      life: life, isContinuous: isContinuous, transactions: due.map { journalEntry(of: $0.entry) },
      dueSince: Dictionary(uniqueKeysWithValues: due.map { ($0.entry.txid, $0.nextBroadcastAt) }))
  }

  private func journalEntry(of columns: SignedColumns) -> JournalEntry {
    let payouts = references(of: columns.txid).compactMap { reference in
      attempts[reference]?.first { $0.txid == columns.txid }
    }.map { attempt in
      JournalPayout(
        payout: attempt.payout, reference: attempt.reference, attemptNumber: attempt.number, token: attempt.token,
        recipient: attempt.recipient, amount: attempt.amount)
    }
    return JournalEntry(
      txid: columns.txid, wallet: columns.wallet, signer: columns.signer, signedBytes: columns.signedBytes,
      referenceBlockNumber: columns.referenceBlockNumber, headTime: columns.headTime, expiration: columns.expiration,
      feeLimit: columns.feeLimit, signedAt: columns.signedAt, payouts: payouts,
      purpose: payouts.contains { isTreasury($0.payout) } ? .treasury : .payouts)
  }

  /// `Ledger.record` of what nodes answered.
  mutating func record(_ answers: [BroadcastRecord]) throws {
    for answer in answers {
      guard var row = transactions[answer.txid], row.status == .signed || row.status == .sent else { continue }
      row.lastAnswer = answer.answer ?? row.lastAnswer
      if answer.isTaken {
        row.status = .sent
      } else if let due = answer.dueSince {
        row.nextBroadcastAt = due
      } else {
        row.nextBroadcastAt = now.advanced(byMilliseconds: answer.retryMilliseconds)
      }
      transactions[answer.txid] = row
    }
    for answer in answers.filter(\.isTaken) {
      for reference in references(of: answer.txid) {
        guard attempts[reference]?.contains(where: { $0.txid == answer.txid && $0.isLive }) == true,
          let row = payout(of: reference), row.status == .signed
        else { continue }
        try move(row.terms.id, to: .broadcast, note: "txid \(answer.txid)")
      }
    }
  }
}
