import Ledger
import Payouts

/// When a payout will probably be confirmed, if nothing keeps it: for clients to plan by, never a promise.
///
/// TRON makes a block every 3 s (reference §3.1). From acceptance to the block that holds it a payout usually takes five
/// slots (batch, signature, broadcast, the slot under way, the block), and from there the confirmations. A payout that
/// waits for its window begins with the window's end.
enum EstimateConfirmation {
  /// A slot of the chain, in milliseconds.
  static let slotMilliseconds: Int64 = 3_000
  /// Slots from acceptance to the block, usually.
  static let slotsToBlock: Int64 = 5
  /// Slots from the broadcast to the block, usually.
  static let slotsFromBroadcast: Int64 = 2

  /// For a payout that was just accepted. Told from its acceptance alone, so that the first answer stays the same.
  static func time(ofAccepted record: PayoutRecord, requiredConfirmations: Int64) -> Timestamp {
    time(
      acceptedAt: record.terms.createdAt, windowEnd: windowEnd(ofAccepted: record),
      requiredConfirmations: requiredConfirmations)
  }

  /// For a payout that is accepted at a time, in a window that ends then.
  static func time(acceptedAt: Timestamp, windowEnd: Timestamp, requiredConfirmations: Int64) -> Timestamp {
    after(slotsToBlock + requiredConfirmations, max(acceptedAt, windowEnd))
  }

  /// When its window ends, as its client is told first. An immediate payout's window is its acceptance, for which Ingest has
  /// a time of its own.
  static func windowEnd(ofAccepted record: PayoutRecord) -> Timestamp {
    record.terms.batchType == .immediate ? record.terms.createdAt : record.windowEnd
  }

  /// For a payout as it stands; nil where it has ended or waits for a person or a check.
  static func time(of view: PayoutView, requiredConfirmations: Int64) -> Timestamp? {
    let now = view.conditions.now
    switch view.record.status {
    case .queued, .scheduled:
      return after(slotsToBlock + requiredConfirmations, max(now, view.record.windowEnd, view.record.notBefore ?? now))
    case .signed, .broadcast:
      return after(slotsFromBroadcast + requiredConfirmations, now)
    case .confirming:
      // The block itself is the first confirmation.
      return after(requiredConfirmations - 1, view.attempt?.block?.time ?? now)
    case .kycPending, .compliancePending, .held: return nil
    case .confirmed, .failed, .rejected, .expired, .cancelled, .settledExternally: return nil
    }
  }

  private static func after(_ slots: Int64, _ time: Timestamp) -> Timestamp {
    time.advanced(byMilliseconds: slots * slotMilliseconds)
  }
}
