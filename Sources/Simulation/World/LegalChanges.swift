import Payouts

/// The table of states (DESIGN.md §2), written down once more and not read from `PayoutStatus`: what workers, database
/// and model all take for legal by one mistake is found here.
enum LegalChanges {
  /// In which states a payout may begin.
  static let beginnings: Set<PayoutStatus> = [.queued, .kycPending, .compliancePending]

  /// Where a payout may go of itself. What has no line is final and never left, but for `held`: see `allow`.
  private static let successors: [PayoutStatus: Set<PayoutStatus>] = [
    .kycPending: [.queued, .held, .rejected, .expired, .cancelled],
    .compliancePending: [.queued, .held, .rejected, .expired, .cancelled],
    .queued: [.scheduled, .kycPending, .held, .rejected, .expired, .cancelled],
    .scheduled: [.signed, .kycPending, .held, .rejected, .expired, .cancelled, .failed],
    .signed: [.broadcast, .confirming, .scheduled, .held],
    .broadcast: [.confirming, .scheduled, .held],
    .confirming: [.confirmed, .broadcast, .scheduled, .held],
  ]
  /// Whatever it was held from: the ends to which a person brings it.
  private static let endsOfHeld: Set<PayoutStatus> = [.rejected, .settledExternally, .confirmed]
  /// Held from these it has an attempt, and goes to `scheduled` where that has ended meanwhile.
  private static let withAttempt: Set<PayoutStatus> = [.signed, .broadcast, .confirming]
  /// From these a Signer puts it into `signed`, by what its journal knows.
  private static let putBackFrom: Set<PayoutStatus> = [.kycPending, .compliancePending, .queued, .scheduled, .held]

  /// Whether a payout may go from one state to the next.
  ///
  /// - Parameters:
  ///   - heldFrom: the state that it is held from; nil where it is not `held`.
  ///   - isPutBack: whether a Signer puts back a transaction of it.
  static func allow(_ status: PayoutStatus, to next: PayoutStatus, heldFrom: PayoutStatus?, isPutBack: Bool) -> Bool {
    if isPutBack, next == .signed, putBackFrom.contains(status) { return true }
    guard status == .held else { return successors[status]?.contains(next) ?? false }
    if endsOfHeld.contains(next) { return true }
    guard let heldFrom else { return false }
    return next == heldFrom || next == .scheduled && withAttempt.contains(heldFrom)
  }
}
