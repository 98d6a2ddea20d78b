import CoreMetrics
import Synchronization

/// All series of one name.
struct PrometheusFamily: Sendable {
  /// Prometheus' word for what the values mean.
  enum Kind: String { case counter, gauge, histogram }

  let kind: Kind
  /// By rendered labels.
  var cells: [String: any PrometheusCell] = [:]
}

/// One series: a value, or a histogram's values.
protocol PrometheusCell: AnyObject, Sendable {
  /// Writes its lines.
  func append(to lines: inout [String], name: String, labels: String)
}

/// A number that only grows. Whole increments are kept apart from fractional ones, so that they stay exact.
final class CounterCell: PrometheusCell, CounterHandler, FloatingPointCounterHandler {
  private let value = Mutex((whole: Int64(0), fraction: 0.0))

  /// Adds a whole number; a negative one is no increment and is left out.
  func increment(by amount: Int64) {
    guard amount > 0 else { return }
    value.withLock { value in
      let (sum, overflow) = value.whole.addingReportingOverflow(amount)
      value.whole = overflow ? .max : sum
    }
  }

  /// Adds a fraction; what is not a positive number is left out.
  func increment(by amount: Double) {
    guard amount > 0, amount.isFinite else { return }
    value.withLock { $0.fraction += amount }
  }

  func reset() { value.withLock { $0 = (0, 0) } }

  func append(to lines: inout [String], name: String, labels: String) {
    let (whole, fraction) = value.withLock { $0 }
    let shown = fraction == 0 ? String(whole) : PrometheusText.number(Double(whole) + fraction)
    lines.append("\(name)\(PrometheusText.braced(labels)) \(shown)")
  }
}

/// A number that goes up and down.
final class GaugeCell: PrometheusCell, RecorderHandler, MeterHandler {
  private let value = Mutex(0.0)

  func record(_ newValue: Int64) { set(Double(newValue)) }
  func record(_ newValue: Double) { set(newValue) }
  func set(_ newValue: Int64) { set(Double(newValue)) }
  func set(_ newValue: Double) { value.withLock { $0 = newValue } }
  func increment(by amount: Double) { value.withLock { $0 += amount } }
  func decrement(by amount: Double) { value.withLock { $0 -= amount } }

  func append(to lines: inout [String], name: String, labels: String) {
    lines.append("\(name)\(PrometheusText.braced(labels)) \(PrometheusText.number(value.withLock { $0 }))")
  }
}

/// How often values fell under which bound, and their sum.
final class HistogramCell: PrometheusCell, RecorderHandler, TimerHandler {
  private struct State {
    /// One count for each bucket, not yet summed up, and one for what is above all bounds.
    var counts: [UInt64]
    var sum = 0.0
  }

  private let buckets: [Double]
  private let state: Mutex<State>

  /// - Parameter buckets: ascending upper bounds, each included.
  init(buckets: [Double]) {
    self.buckets = buckets
    state = Mutex(State(counts: [UInt64](repeating: 0, count: buckets.count + 1)))
  }

  func record(_ value: Int64) { record(Double(value)) }

  func record(_ value: Double) {
    guard !value.isNaN else { return }
    let index = buckets.firstIndex { value <= $0 } ?? buckets.count
    state.withLock { state in
      state.counts[index] += 1
      state.sum += value
    }
  }

  func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

  func append(to lines: inout [String], name: String, labels: String) {
    let state = state.withLock { $0 }
    var total: UInt64 = 0
    for (bound, count) in zip(buckets + [.infinity], state.counts) {
      total += count
      let limit = "le=\"\(PrometheusText.number(bound))\""
      lines.append("\(name)_bucket{\(labels.isEmpty ? limit : "\(labels),\(limit)")} \(total)")
    }
    lines.append("\(name)_sum\(PrometheusText.braced(labels)) \(PrometheusText.number(state.sum))")
    lines.append("\(name)_count\(PrometheusText.braced(labels)) \(total)")
  }
}
