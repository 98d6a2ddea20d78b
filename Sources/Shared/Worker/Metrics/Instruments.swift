public import CoreMetrics

/// Makes the instruments of one worker, named `payouts_<worker>_<noun>_<unit>`, each with its help text.
///
/// `XMetrics.swift` of each worker makes all of its instruments once and keeps them. Counters end in `_total`,
/// durations in `_seconds`, sizes in `_bytes`, money in `_usdt` or `_trx`. Labels come from small closed sets, never
/// an id, an address or a URL.
public struct Instruments: Sendable {
  private let prefix: String
  private let registry: PrometheusRegistry

  /// - Parameters:
  ///   - worker: `ingest`, `scheduler`, `signer`, `monitor` …
  ///   - registry: where the values are shown.
  public init(worker: String, registry: PrometheusRegistry) {
    prefix = "payouts_\(worker)_"
    self.registry = registry
  }

  /// A number that only grows.
  /// - Parameters:
  ///   - name: noun and unit: `transactions_total`.
  ///   - help: which question an operator answers with it.
  public func counter(_ name: String, help: String, labels: [(String, String)] = []) -> Counter {
    registry.describe(prefix + name, help: help)
    return Counter(label: prefix + name, dimensions: labels, factory: registry)
  }

  /// A number that goes up and down: a depth, an age.
  public func gauge(_ name: String, help: String, labels: [(String, String)] = []) -> Meter {
    registry.describe(prefix + name, help: help)
    return Meter(label: prefix + name, dimensions: labels, factory: registry)
  }

  /// Durations; the name ends in `_seconds`.
  /// - Parameter bucketsSeconds: ascending upper bounds.
  public func timer(
    _ name: String, help: String, labels: [(String, String)] = [],
    bucketsSeconds: [Double] = PrometheusRegistry.durationBuckets
  ) -> Timer {
    registry.describe(prefix + name, help: help, buckets: bucketsSeconds)
    return Timer(label: prefix + name, dimensions: labels, factory: registry)
  }

  /// A distribution of sizes or counts.
  /// - Parameter buckets: ascending upper bounds.
  public func histogram(
    _ name: String, help: String, labels: [(String, String)] = [],
    buckets: [Double] = PrometheusRegistry.countBuckets
  ) -> Recorder {
    registry.describe(prefix + name, help: help, buckets: buckets)
    return Recorder(label: prefix + name, dimensions: labels, aggregate: true, factory: registry)
  }
}

/// Counts and times the rounds of a worker's steps.
///
/// - `payouts_<worker>_step_rounds_total{step,outcome}`: is the step going round, and how often does it fail?
/// - `payouts_<worker>_step_round_seconds{step}`: how long does a round take?
///
/// Durations come from the machine's monotonic clock, not from the injected one: they decide nothing.
struct StepInstruments: Sendable {
  /// How a round ended.
  enum Outcome: String, CaseIterable { case worked, idle, failed }

  private struct OfStep {
    let rounds: [Outcome: Counter]
    let duration: Timer
  }

  private let steps: [String: OfStep]

  /// Makes all instruments of these steps.
  init(_ instruments: Instruments, steps: [String]) {
    let made = steps.map { step in
      let rounds = Outcome.allCases.map { outcome in
        (
          outcome,
          instruments.counter(
            "step_rounds_total", help: "Rounds of the worker's steps, by how they ended.",
            labels: [("step", step), ("outcome", outcome.rawValue)])
        )
      }
      let duration = instruments.timer(
        "step_round_seconds", help: "How long a round of a step takes.", labels: [("step", step)])
      return (step, OfStep(rounds: Dictionary(uniqueKeysWithValues: rounds), duration: duration))
    }
    self.steps = Dictionary(uniqueKeysWithValues: made)
  }

  /// Records a round that began at that moment.
  func record(_ step: String, _ outcome: Outcome, since began: ContinuousClock.Instant) {
    guard let instruments = steps[step] else { return }
    instruments.rounds[outcome]?.increment()
    let (seconds, attoseconds) = (ContinuousClock.now - began).components
    instruments.duration.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }
}
