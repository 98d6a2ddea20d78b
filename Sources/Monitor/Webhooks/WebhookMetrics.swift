import CoreMetrics
import Ledger
public import Worker

/// What is counted about webhooks.
public struct WebhookMetrics: Sendable {
  private let due: Meter
  private let oldestDueAge: Meter
  private let disabledEndpoints: Meter
  private let delivered: Counter
  private let failed: Counter
  private let gone: Counter
  private let givenUp: Counter

  /// Makes all instruments once.
  public init(_ instruments: Instruments) {
    due = instruments.gauge("webhooks_due", help: "How many webhooks wait to be sent now?")
    oldestDueAge = instruments.gauge(
      "webhooks_oldest_due_age_seconds", help: "How long has the oldest of them been due?")
    disabledEndpoints = instruments.gauge(
      "webhook_endpoints_disabled", help: "How many endpoints kept failing, were disabled and are not deleted yet?")
    func tries(_ outcome: String) -> Counter {
      instruments.counter("webhook_tries_total", help: "How did tries end?", labels: [("outcome", outcome)])
    }
    delivered = tries("delivered")
    failed = tries("failed")
    gone = tries("gone")
    givenUp = instruments.counter("webhooks_given_up_total", help: "How many webhooks were given up for good?")
  }

  func show(_ depth: WebhookDepth) {
    due.set(depth.dueCount)
    oldestDueAge.set(depth.oldestDueAgeMilliseconds / 1_000)
    disabledEndpoints.set(depth.disabledEndpoints)
  }

  func count(_ result: WebhookResult) {
    switch result {
    case .delivered: delivered.increment()
    case .gone: gone.increment()
    case .failed: failed.increment()
    }
  }

  func count(givenUp count: Int) { givenUp.increment(by: count) }
}
