import Ledger
import Payouts

/// What Scheduler asks for.
extension LedgerTables {
  /// What the payouts of a batch have in common.
  private struct Kind: Hashable {
    let router: RouterType
    let type: BatchType
    let priority: Priority
    let windowEnd: Timestamp?
  }

  /// The payouts whose turn it is, as `DueTurn` says.
  func due(atMost count: Int) -> [Payout] {
    let byPriority = dueByPriority()
    var taken: [Payout] = []
    for (priority, kept) in DueTurn.order(beside.waiting ?? waitingForTurn(), count: count) {
      let places = count - kept - taken.count
      guard places > 0 else { continue }
      let free = (byPriority[priority] ?? []).filter { !beside.payouts.contains($0.terms.id) }
      let inTurn = free.sorted {
        ($0.windowEnd, $0.terms.router.rawValue, $0.terms.batchType.rawValue, $0.terms.id)
          < ($1.windowEnd, $1.terms.router.rawValue, $1.terms.batchType.rawValue, $1.terms.id)
      }
      taken += inTurn.prefix(places)
    }
    return taken
  }

  /// Those of some payouts that are queued and whose window has ended, as `Ledger.schedule` locks them.
  func due(of ids: [PayoutID]) -> [Payout] {
    let wanted = Set(ids).subtracting(beside.payouts)
    return payouts(in: [.queued]).filter { wanted.contains($0.terms.id) && $0.windowEnd <= now }
  }

  /// `Ledger.holdQueued`.
  mutating func holdQueued(_ payout: PayoutID, note: String) throws -> Bool {
    guard payouts[payout]?.status == .queued else { return false }
    try hold(payout, .deadLetter, note)
    raiseAlarm("dead_letter", "payout \(payout)", note)
    return true
  }

  private func dueByPriority() -> [Priority: [Payout]] {
    Dictionary(grouping: payouts(in: [.queued]).filter { $0.windowEnd <= now }, by: \.particulars.priority)
  }

  /// The priorities of which something is due.
  func waitingForTurn() -> [DueTurn.Waiting] {
    dueByPriority().map { priority, rows in
      let oldest = rows.map(\.windowEnd).min() ?? now
      return DueTurn.Waiting(
        priority: priority, hasWaitedLong: oldest.milliseconds + DueTurn.patienceMilliseconds <= now.milliseconds)
    }
  }

  /// `Ledger.scheduleDue` and `Ledger.schedule`, of payouts that are due.
  mutating func schedule(
    _ rows: [Payout], maximumPerBatch: Int, newBatchID: () -> BatchID
  ) throws -> [SettlementBatch] {
    var open: [Kind: Int] = [:]
    var drafts: [(id: BatchID, kind: Kind, payouts: [PayoutID])] = []
    for row in rows {
      if attemptInUse(of: row.terms.reference) != nil {
        let note = "its reference has a live or paid attempt: it may be paid already"
        try hold(row.terms.id, .referenceInUse, note)
        raiseAlarm(HoldReason.referenceInUse.rawValue, "payout \(row.terms.id)", note)
        continue
      }
      let kind = Kind(
        router: row.terms.router, type: row.terms.batchType, priority: row.particulars.priority,
        windowEnd: row.terms.batchType == .immediate ? nil : row.windowEnd)
      if open[kind].map({ drafts[$0].payouts.count >= maximumPerBatch }) ?? true {
        open[kind] = drafts.count
        drafts.append((newBatchID(), kind, []))
      }
      if let index = open[kind] { drafts[index].payouts.append(row.terms.id) }
    }
    for draft in drafts {
      batches[draft.id] = Batch(priority: draft.kind.priority)
      for payout in draft.payouts {
        try move(payout, to: .scheduled, note: nil) { $0.settlementBatch = draft.id }
      }
    }
    return DueTurn.highestFirst.flatMap { priority in drafts.filter { $0.kind.priority == priority } }.map {
      SettlementBatch(id: $0.id, payouts: $0.payouts)
    }
  }

  /// `Ledger.expire`.
  mutating func expire(atMost count: Int) throws -> [PayoutEnd] {
    guard isHistoryTrusted else { return [] }
    let due = payouts(in: [.kycPending, .compliancePending, .queued, .scheduled]).filter { row in
      row.terms.expiresAt.map { $0 <= now } ?? false && attemptInUse(of: row.terms.reference) == nil
        && !beside.payouts.contains(row.terms.id)
    }.prefix(count).map(\.terms.id)
    for id in due {
      if isUnclaimed(id) {
        try hold(id, .unclaimedTransfer, "a transfer that nobody claims may have paid it")
      } else {
        try move(id, to: .expired, note: "its own expires_at passed")
      }
    }
    return due.compactMap { end(of: $0) }.filter { $0.status == .expired }
  }

  /// `Ledger.cancel`.
  mutating func cancel(_ id: PayoutID, note: String) throws -> CancelOutcome {
    guard let row = payouts[id] else { return .unknownPayout }
    if row.status == .cancelled { return .cancelled(row.record) }
    guard [.kycPending, .compliancePending, .queued, .scheduled].contains(row.status) else {
      return .tooLate(row.status)
    }
    guard isHistoryTrusted else { return .historyNotTrusted }
    guard attemptInUse(of: row.terms.reference) == nil, !isUnclaimed(id) else { return .mayBePaid }
    try move(id, to: .cancelled, note: note)
    return payouts[id].map { .cancelled($0.record) } ?? .unknownPayout
  }

  /// Whether an unexplained transfer may have paid it.
  func isUnclaimed(_ id: PayoutID) -> Bool {
    guard let terms = payouts[id]?.terms else { return false }
    return findings.contains { finding in
      !finding.isExplained && finding.what.recipient == terms.recipient
        && finding.what.amountText == "\(terms.amount.microUSDT)"
        && finding.what.referenceBits.map { $0 == terms.reference.topTenBits } ?? true
    }
  }

  /// A payout's end as the log of intents keeps it.
  func end(of id: PayoutID) -> PayoutEnd? {
    payouts[id].map {
      PayoutEnd(
        payout: id, reference: $0.terms.reference, status: $0.status, note: $0.note, at: $0.statusSince)
    }
  }

  /// Holds a payout where it stands.
  mutating func hold(_ id: PayoutID, _ reason: HoldReason, _ note: String) throws {
    let from = payouts[id]?.status
    try move(id, to: .held, note: note) { row in
      row.heldFrom = from
      row.holdReason = reason.rawValue
    }
  }
}
