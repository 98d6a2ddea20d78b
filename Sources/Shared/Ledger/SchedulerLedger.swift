public import Payouts

/// What Scheduler asks of the ledger.
public protocol SchedulerLedger: Sendable {
  /// Puts those of the payouts that are `queued` into settlement batches and releases them.
  ///
  /// Payouts of one router, batch type and priority go together, at most `maximumPerBatch` in a batch. Payouts that
  /// another replica holds, or that are queued no more, are passed over.
  /// - Returns: the batches made, committed.
  func schedule(
    _ payouts: [PayoutID], maximumPerBatch: Int, newBatchID: @escaping @Sendable () -> BatchID
  ) async throws -> [SettlementBatch]
  /// Ends payouts whose `expires_at` passed before they were signed. Does nothing while the history is not trusted.
  ///
  /// - Returns: the ends, committed.
  func expire(atMost count: Int) async throws -> [PayoutEnd]
  /// Payouts that have been `queued` for longer than `milliseconds`: their stream entry may be lost.
  func queuedPayouts(waitingFor milliseconds: Int64, atMost count: Int) async throws -> [PayoutID]
  /// Holds a payout that is `queued` and cannot be put into a batch, and raises the alarm that says so.
  ///
  /// - Returns: whether it was held; a payout in another state stays as it is, without an alarm.
  func holdQueued(_ payout: PayoutID, note: String) async throws -> Bool
  /// What may keep payouts from being paid just now.
  func conditions() async throws -> PayingConditions
}

/// A released batch.
public struct SettlementBatch: Sendable, Hashable {
  /// Its name.
  public let id: BatchID
  /// Its payouts, in id order.
  public let payouts: [PayoutID]
}
