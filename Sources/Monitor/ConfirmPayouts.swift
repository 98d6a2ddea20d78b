import Ledger
import Logging
import Payouts
import Worker

/// Confirms payouts that are paid on the solid chain and have their confirmations, counted from block heights.
struct ConfirmPayouts: Sendable {
  /// How long to wait where none is due, in milliseconds.
  static let pauseMilliseconds: Int64 = 250
  /// How many at once.
  static let atOnce = 500

  let ledger: any MonitorLedger
  let requiredConfirmations: Int64
  let metrics: MonitorMetrics?
  let logger: Logger

  /// Confirms what is due.
  func step() async throws -> StepOutcome {
    guard let head = try await ledger.cursor(.head) else { return .idle(milliseconds: Self.pauseMilliseconds) }
    let confirmed = try await ledger.confirm(
      headNumber: head.number, requiredConfirmations: requiredConfirmations, atMost: Self.atOnce)
    metrics?.count(confirmed: confirmed.count)
    for payout in confirmed { logger.info("Confirmed a payout", metadata: [LogKey.payoutID: "\(payout)"]) }
    return confirmed.isEmpty ? .idle(milliseconds: Self.pauseMilliseconds) : .worked
  }
}
