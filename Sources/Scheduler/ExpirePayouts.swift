import Ledger
import Logging
import Streams
import Worker

/// Ends payouts whose own `expires_at` passed before they were signed.
///
/// The ledger judges by its own clock, releases their limits, and ends nothing that has a live or paid attempt, nor
/// anything at all while its history is not vouched for: a payout that looks unsigned may have been paid in a lost part
/// of it (DESIGN.md §3 "Continuity").
struct ExpirePayouts: Sendable {
  /// The most payouts in one round.
  static let maximumPayouts = 500
  /// The wait after a round that was not full, in milliseconds.
  static let idleMilliseconds: Int64 = 1_000

  let ledger: any SchedulerLedger
  /// Told after the commit which payouts ended.
  let intents: IntentRecorder
  let metrics: SchedulerMetrics?
  let logger: Logger

  /// One round; again at once where there may be more.
  func run() async throws -> StepOutcome {
    let expired = try await ledger.expire(atMost: ExpirePayouts.maximumPayouts)
    await intents.record(expired.map { Intent.ended($0).fields })
    metrics?.expiredPayouts.increment(by: expired.count)
    for end in expired {
      logger.info("Payout expired", metadata: [LogKey.payoutID: "\(end.payout)", LogKey.payoutStatusTo: "expired"])
    }
    return expired.count == ExpirePayouts.maximumPayouts
      ? .worked : .idle(milliseconds: ExpirePayouts.idleMilliseconds)
  }
}
