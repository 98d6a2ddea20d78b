import Ledger
import Payouts

/// What the log of intents is compared with (DESIGN.md §3 "Continuity").
extension LedgerTables {
  /// `Ledger.intentCheckpoint`.
  func intentCheckpoint() -> IntentCheckpoint {
    IntentCheckpoint(lastID: checkpoint?.lastID, isOfPresentLife: checkpoint?.life == life, life: life)
  }

  /// `Ledger.moveIntentCheckpoint`.
  mutating func moveIntentCheckpoint(to lastID: String, under wanted: ServerLife) -> Bool {
    guard isContinuous, life == wanted else { return false }
    checkpoint = (lastID, life)
    return true
  }

  /// `Ledger.lost`.
  func lost(_ intents: [Intent]) -> [Intent] {
    intents.filter { intent in
      switch intent {
      case .accepted(let accepted): isLost(accepted.payout)
      case .ended(let end): isLost(end)
      case .marker: false
      }
    }
  }

  func isLost(_ accepted: NewPayout) -> Bool {
    let terms = accepted.terms
    let claim = claims[terms.reference]
    guard let row = payout(of: terms.reference) else { return claim.map { $0.payout == terms.id } ?? true }
    return row.terms.id != terms.id && claim?.fingerprint != accepted.fingerprint && !toldConflicts.contains(terms.id)
  }

  private func isLost(_ end: PayoutEnd) -> Bool {
    let isKnown = lostEnds.contains {
      $0.end.reference == end.reference && ($0.answeredAt == nil || $0.end.at >= end.at)
    }
    guard !isKnown else { return false }
    guard let row = payout(of: end.reference) else {
      return claims[end.reference]?.fingerprint == nil && end.status != .expired
    }
    return !row.status.isFinal && (end.status != .expired || row.terms.expiresAt.map { $0 > now } ?? true)
  }

  /// `Ledger.holdUnproven(atMost:)`.
  mutating func holdUnproven(atMost count: Int) throws -> Bool {
    guard checkpoint?.life != life, wasRollbackSeen else { return false }
    return try holdSome(atMost: count).contains(count)
  }

  /// `Ledger.holdUnproven(upTo:)`.
  mutating func holdUnproven(upTo lastID: String?) throws {
    guard checkpoint?.life != life, wasRollbackSeen else { return }
    _ = try holdSome(atMost: .max)
    checkpoint = (lastID ?? "0-0", life)
    raiseAlarm(HoldReason.historyUnproven.rawValue, "database", "unsigned payouts are held")
  }

  /// - Returns: how many rows each of the three rules has changed.
  private mutating func holdSome(atMost count: Int) throws -> [Int] {
    let waiting = payouts(in: [.kycPending, .compliancePending, .queued, .scheduled]).filter {
      attemptInUse(of: $0.terms.reference) == nil
    }.prefix(count)
    for row in waiting {
      try hold(
        row.terms.id, .historyUnproven,
        "the database went back in time and the log of intents is gone: it may have ended")
    }
    let reason = HoldReason.historyUnproven.rawValue
    let held = payouts(in: [.held]).filter { $0.holdReason != reason }.prefix(count)
    for row in held { payouts[row.terms.id]?.holdReason = reason }
    let signed = payouts(in: [.signed, .broadcast, .confirming]).filter { !$0.isUnproven }.prefix(count)
    for row in signed { payouts[row.terms.id]?.isUnproven = true }
    return [waiting.count, held.count, signed.count]
  }

  /// Anything put back since the server started, or another server or table than at an earlier life's last vouching.
  private var wasRollbackSeen: Bool {
    if putBacks.values.contains(where: { $0.microseconds >= life.startMicroseconds }) { return true }
    if replayedAt.map({ $0.microseconds >= life.startMicroseconds }) ?? false { return true }
    guard let earlier = vouchings.last(where: { $0.life != life })?.life else { return false }
    return (earlier.systemIdentifier, earlier.timeline, earlier.transactionsOID, earlier.transactionsFileNode)
      != (life.systemIdentifier, life.timeline, life.transactionsOID, life.transactionsFileNode)
  }
}
