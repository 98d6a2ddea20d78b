public import CoreMetrics
import Synchronization

/// All instruments of one program, and their values in Prometheus' text format.
///
/// The same name and labels give the same instrument, so that it does not matter who asks for it first. A name that
/// is asked for as two kinds, and series beyond `maximumSeriesPerName`, get an instrument that counts nowhere, and
/// `payouts_metrics_refused_total` tells how many did: a mistake in metrics must not stop a payout.
public final class PrometheusRegistry: MetricsFactory {
  /// The most combinations of labels under one name.
  public static let maximumSeriesPerName = 1_000
  /// Upper bounds in seconds for durations: half a millisecond to a minute.
  public static let durationBuckets: [Double] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
  ]
  /// Upper bounds for counts of things, such as the size of a batch.
  public static let countBuckets: [Double] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000]

  /// What is written about a name besides its values.
  private struct Description {
    let help: String
    let buckets: [Double]?
  }

  private struct State {
    var families: [String: PrometheusFamily] = [:]
    var descriptions: [String: Description] = [:]
    var refused: Int64 = 0
  }

  private let state = Mutex(State())

  /// A registry without instruments.
  public init() {}

  /// Says what a name means, before its first instrument is made.
  /// - Parameters:
  ///   - help: which question an operator answers with it.
  ///   - buckets: ascending upper bounds of a histogram; nil for the usual ones.
  public func describe(_ name: String, help: String, buckets: [Double]? = nil) {
    precondition(buckets.map { !$0.isEmpty && zip($0, $0.dropFirst()).allSatisfy(<) } ?? true, "bounds must ascend")
    state.withLock { $0.descriptions[PrometheusText.metricName(name)] = Description(help: help, buckets: buckets) }
  }

  /// The body of /metrics: text format 0.0.4, families and series in alphabetical order.
  public func text() -> String {
    let (families, descriptions, refused) = state.withLock { ($0.families, $0.descriptions, $0.refused) }
    var lines: [String] = []
    for (name, family) in families.sorted(by: { $0.key < $1.key }) {
      if let help = descriptions[name]?.help { lines.append("# HELP \(name) \(PrometheusText.escapedHelp(help))") }
      lines.append("# TYPE \(name) \(family.kind.rawValue)")
      for (labels, cell) in family.cells.sorted(by: { $0.key < $1.key }) {
        cell.append(to: &lines, name: name, labels: labels)
      }
    }
    lines.append("# HELP payouts_metrics_refused_total Instruments that were refused and count nowhere.")
    lines.append("# TYPE payouts_metrics_refused_total counter")
    lines.append("payouts_metrics_refused_total \(refused)")
    return lines.joined(separator: "\n") + "\n"
  }

  /// A counter of whole numbers.
  public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    cell(label, dimensions, .counter) { _ in CounterCell() }
  }

  /// A counter of fractions; whole and fractional increments of one name add up.
  public func makeFloatingPointCounter(
    label: String, dimensions: [(String, String)]
  ) -> any FloatingPointCounterHandler {
    cell(label, dimensions, .counter) { _ in CounterCell() }
  }

  /// A value that goes up and down.
  public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    cell(label, dimensions, .gauge) { _ in GaugeCell() }
  }

  /// A histogram where `aggregate` holds, else the last value.
  public func makeRecorder(
    label: String, dimensions: [(String, String)], aggregate: Bool
  ) -> any RecorderHandler {
    guard aggregate else { return cell(label, dimensions, .gauge) { _ in GaugeCell() } }
    return cell(label, dimensions, .histogram) { HistogramCell(buckets: $0 ?? PrometheusRegistry.countBuckets) }
  }

  /// A histogram of durations in seconds.
  public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    cell(label, dimensions, .histogram) { HistogramCell(buckets: $0 ?? PrometheusRegistry.durationBuckets) }
  }

  /// Keeps the instrument: a series that once was shown stays, as Prometheus expects of counters.
  public func destroyCounter(_ handler: any CounterHandler) {}
  /// Keeps the instrument.
  public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
  /// Keeps the instrument.
  public func destroyMeter(_ handler: any MeterHandler) {}
  /// Keeps the instrument.
  public func destroyRecorder(_ handler: any RecorderHandler) {}
  /// Keeps the instrument.
  public func destroyTimer(_ handler: any TimerHandler) {}

  private func cell<Cell: PrometheusCell>(
    _ label: String, _ dimensions: [(String, String)], _ kind: PrometheusFamily.Kind, make: ([Double]?) -> Cell
  ) -> Cell {
    let name = PrometheusText.metricName(label)
    let labels = PrometheusText.labels(dimensions)
    return state.withLock { state in
      var family = state.families[name] ?? PrometheusFamily(kind: kind)
      if let known = family.cells[labels] as? Cell { return known }
      let new = make(state.descriptions[name]?.buckets)
      guard family.kind == kind, family.cells.count < PrometheusRegistry.maximumSeriesPerName else {
        state.refused += 1
        return new
      }
      family.cells[labels] = new
      state.families[name] = family
      return new
    }
  }
}
