public import Payouts

/// What Scheduler asks of the ledger.
public protocol SchedulerLedger: Sendable {
  /// Puts payouts whose turn it is into settlement batches and releases them: at most `count` of those that are `queued`
  /// and whose window has ended by the ledger's clock, the order and the bound of their waiting as told in `DueTurn`.
  ///
  /// Payouts of one router, batch type, window and priority go together, at most `maximumPerBatch` in a batch. Those that
  /// another replica holds are passed over, so that replicas share the work; what waits for a later window is not read.
  /// - Returns: the batches made, committed, those of a higher priority first.
  func scheduleDue(
    atMost count: Int, maximumPerBatch: Int, newBatchID: @escaping @Sendable () -> BatchID
  ) async throws -> [SettlementBatch]
  /// The payouts that `scheduleDue` would take now. For the case that it fails because of one of them.
  func duePayouts(atMost count: Int) async throws -> [PayoutID]
  /// As `scheduleDue`, for these payouts: those of them that are queued and due.
  func schedule(
    _ payouts: [PayoutID], maximumPerBatch: Int, newBatchID: @escaping @Sendable () -> BatchID
  ) async throws -> [SettlementBatch]
  /// Ends payouts whose `expires_at` passed before they were signed. Does nothing while the history is not trusted.
  ///
  /// - Returns: the ends, committed.
  func expire(atMost count: Int) async throws -> [PayoutEnd]
  /// Holds a payout that is `queued` and cannot be put into a batch, and raises the alarm that says so.
  ///
  /// - Returns: whether it was held; a payout in another state stays as it is, without an alarm.
  func holdQueued(_ payout: PayoutID, note: String) async throws -> Bool
  /// What may keep payouts from being paid just now.
  func conditions() async throws -> PayingConditions
  /// Makes windows that long from now on, for all replicas of all workers; payouts that were accepted keep theirs.
  ///
  /// - Returns: whether they were of another length before.
  /// - Throws: `LedgerError.refused` for other lengths than the usual ones outside of dev.
  func setWindows(_ lengths: WindowLengths) async throws -> Bool
}

/// How long the windows of batch types are.
public struct WindowLengths: Sendable, Hashable {
  /// Milliseconds.
  public let hourly: Int64
  /// Milliseconds.
  public let daily: Int64
  /// Milliseconds.
  public let weekly: Int64

  /// An hour, a day, a week: everywhere but in dev.
  public static let usual = WindowLengths(hourly: 3_600_000, daily: 86_400_000, weekly: 604_800_000)

  /// Lengths in milliseconds, at least 1,000 each.
  public init(hourly: Int64, daily: Int64, weekly: Int64) {
    self.hourly = hourly
    self.daily = daily
    self.weekly = weekly
  }
}

/// A released batch.
public struct SettlementBatch: Sendable, Hashable {
  /// Its name.
  public let id: BatchID
  /// Its payouts, in id order.
  public let payouts: [PayoutID]

  /// Of its parts; for this package's own ledgers.
  package init(
    id: BatchID, payouts: [PayoutID]
  ) {
    self.id = id
    self.payouts = payouts
  }
}
