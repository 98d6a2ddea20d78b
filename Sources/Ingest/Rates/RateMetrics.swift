import CoreMetrics
import Worker

/// What Ingest counts about rate limits.
struct RateMetrics: Sendable {
  /// Who has decided.
  enum Judge: String, CaseIterable { case redis, process }

  private let decisions: [Judge: Counter]
  private let refusals: [RateClass: Counter]

  /// Makes all instruments once.
  init(_ instruments: Instruments) {
    decisions = Dictionary(
      uniqueKeysWithValues: Judge.allCases.map { judge in
        (
          judge,
          instruments.counter(
            "rate_decisions_total", help: "How many requests were counted by Redis, and how many by this process?",
            labels: [("by", judge.rawValue)])
        )
      })
    refusals = Dictionary(
      uniqueKeysWithValues: RateClass.allCases.map { rateClass in
        (
          rateClass,
          instruments.counter(
            "rate_limited_total", help: "How many requests were over their caller's rate limit?",
            labels: [("class", rateClass.rawValue)])
        )
      })
  }

  func decided(by judge: Judge) { decisions[judge]?.increment() }
  func refused(_ rateClass: RateClass) { refusals[rateClass]?.increment() }
}
