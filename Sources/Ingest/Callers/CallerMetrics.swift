import CoreMetrics
import Worker

/// What Ingest counts about whoever calls.
struct CallerMetrics: Sendable {
  private let brokenSeals: Counter
  private let refusedLookUps: Counter

  /// Makes all instruments once.
  init(_ instruments: Instruments) {
    brokenSeals = instruments.counter(
      "api_key_broken_seals_total",
      help: "How many calls came with an API key that Ingest's present key has not sealed?")
    refusedLookUps = instruments.counter(
      "api_key_lookups_refused_total", help: "How many API keys were not looked up, since too many came at once?")
  }

  func foundBrokenSeal() { brokenSeals.increment() }
  func refusedLookUp() { refusedLookUps.increment() }
}
