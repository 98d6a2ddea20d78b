import Ledger
import Worker

/// Looks how many webhooks are due and for how long, for the metrics.
struct MeasureWebhooks: Sendable {
  /// How long to wait between two looks, in milliseconds: each one counts all that is due.
  static let pauseMilliseconds: Int64 = 10_000

  let ledger: any WebhookLedger
  let metrics: WebhookMetrics?

  /// Looks once.
  func step() async throws -> StepOutcome {
    metrics?.show(try await ledger.webhookDepth())
    return .idle(milliseconds: Self.pauseMilliseconds)
  }
}
