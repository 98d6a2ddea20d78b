import CoreMetrics
import Testing

@testable import Worker

/// A small strict reader of Prometheus' text format 0.0.4, written against its public description.
struct PrometheusReader {
  struct Sample: Equatable {
    let name: String
    let labels: [String: String]
    let value: Double
  }

  struct Malformed: Error { let line: String }

  private(set) var help: [String: String] = [:]
  private(set) var types: [String: String] = [:]
  private(set) var samples: [Sample] = []

  init(_ text: String) throws {
    guard text.hasSuffix("\n") else { throw Malformed(line: "the last line must end in a line feed") }
    for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
      if line.hasPrefix("# ") {
        let words = line.split(separator: " ", maxSplits: 3).map(String.init)
        guard words.count == 4, help[words[2]] == nil || words[1] != "HELP",
          types[words[2]] == nil || words[1] != "TYPE"
        else { throw Malformed(line: String(line)) }
        if words[1] == "HELP" { help[words[2]] = words[3] } else { types[words[2]] = words[3] }
      } else {
        samples.append(try PrometheusReader.sample(String(line)))
      }
    }
    for sample in samples where type(of: sample.name) == nil { throw Malformed(line: "no TYPE for \(sample.name)") }
  }

  func type(of name: String) -> String? {
    types[name]
      ?? ["_bucket", "_sum", "_count"].lazy.compactMap { suffix in
        name.hasSuffix(suffix) ? types[String(name.dropLast(suffix.count))] : nil
      }.first
  }

  func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
    samples.first { $0.name == name && $0.labels == labels }?.value
  }

  private static func sample(_ line: String) throws -> Sample {
    var rest = line[...]
    let name = rest.prefix { $0 == "_" || $0 == ":" || $0.isASCII && ($0.isLetter || $0.isNumber) }
    guard let first = name.first, !first.isNumber else { throw Malformed(line: line) }
    rest = rest.dropFirst(name.count)
    var labels: [String: String] = [:]
    if rest.first == "{" {
      rest = rest.dropFirst()
      while rest.first != "}" {
        let label = rest.prefix { $0 == "_" || $0.isASCII && ($0.isLetter || $0.isNumber) }
        rest = rest.dropFirst(label.count)
        guard !label.isEmpty, !label.first!.isNumber, rest.hasPrefix("=\"") else { throw Malformed(line: line) }
        rest = rest.dropFirst(2)
        var value = ""
        while let character = rest.popFirst(), character != "\"" {
          guard character == "\\" else {
            value.append(character)
            continue
          }
          switch rest.popFirst() {
          case "n": value.append("\n")
          case "\\": value.append("\\")
          case "\"": value.append("\"")
          default: throw Malformed(line: line)
          }
        }
        guard labels.updateValue(value, forKey: String(label)) == nil else { throw Malformed(line: line) }
        if rest.first == "," { rest = rest.dropFirst() } else if rest.first != "}" { throw Malformed(line: line) }
      }
      rest = rest.dropFirst()
    }
    guard rest.first == " " else { throw Malformed(line: line) }
    let shown = rest.dropFirst()
    let value: Double? =
      shown == "+Inf" ? .infinity : shown == "-Inf" ? -.infinity : shown == "NaN" ? .nan : Double(shown)
    guard let value else { throw Malformed(line: line) }
    return Sample(name: String(name), labels: labels, value: value)
  }
}

struct PrometheusTests {
  private let registry = PrometheusRegistry()
  private var instruments: Instruments { Instruments(worker: "signer", registry: registry) }

  /// Proves that counters, gauges and their labels appear under the promised names with type and help.
  @Test func `counters and gauges are shown with help, type and labels`() throws {
    let sent = instruments.counter(
      "transactions_total", help: "How many were sent?\nBy \\outcome.", labels: [("outcome", "ok"), ("node", "a")])
    sent.increment(by: 41)
    instruments.counter("transactions_total", help: "x", labels: [("node", "a"), ("outcome", "ok")]).increment()
    instruments.gauge("queue_depth", help: "How many wait?").set(7)
    let fractions = FloatingPointCounter(label: "payouts_signer_fees_trx_total", factory: registry)
    fractions.increment(by: 1.5)
    fractions.increment(by: 0.25)
    let read = try PrometheusReader(registry.text())
    #expect(read.value("payouts_signer_transactions_total", ["outcome": "ok", "node": "a"]) == 42)
    #expect(read.types["payouts_signer_transactions_total"] == "counter")
    #expect(read.value("payouts_signer_queue_depth") == 7)
    #expect(read.types["payouts_signer_queue_depth"] == "gauge")
    #expect(read.help["payouts_signer_queue_depth"] == "How many wait?")
    #expect(read.value("payouts_signer_fees_trx_total") == 1.75)
    #expect(read.value("payouts_metrics_refused_total") == 0)
  }

  /// Proves that help and label values come back through the escapes as they were, and that names are made legal.
  @Test func `awkward texts are escaped and names made legal`() throws {
    let awkward = "a\\b\"c\nd,e}f=ü"
    registry.describe("9 odd-näme:x", help: "one\ntwo\\three")
    Counter(label: "9 odd-näme:x", dimensions: [("a b", awkward), ("1", "2")], factory: registry).increment()
    let read = try PrometheusReader(registry.text())
    let name = try #require(read.samples.first { $0.value == 1 }?.name)
    #expect(name == "__odd_n__me:x")
    #expect(read.value(name, ["a_b": awkward, "_": "2"]) == 1)
    #expect(read.help[name] == "one\\ntwo\\\\three")
  }

  /// Proves that a histogram's buckets are cumulative and include their bound, and that sum and count fit.
  @Test func `a histogram counts both sides of a bound`() throws {
    let sizes = instruments.histogram(
      "batch_size", help: "How large?", labels: [("type", "now")], buckets: [1, 2.5, 10])
    for value in [1, 2.5, 2.5000001, 10, 10.1, 1_000] { sizes.record(value) }
    let read = try PrometheusReader(registry.text())
    let counts = ["1", "2.5", "10", "+Inf"].map {
      read.value("payouts_signer_batch_size_bucket", ["type": "now", "le": $0])
    }
    #expect(counts == [1, 2, 4, 6])
    #expect(read.value("payouts_signer_batch_size_count", ["type": "now"]) == 6)
    #expect(abs((read.value("payouts_signer_batch_size_sum", ["type": "now"]) ?? 0) - 1_026.1000001) < 1e-6)
    #expect(read.types["payouts_signer_batch_size"] == "histogram")
  }

  /// Proves that durations are shown in seconds.
  @Test func `a timer is a histogram of seconds`() throws {
    let timer = instruments.timer("sign_seconds", help: "How long?")
    timer.recordMilliseconds(5)
    timer.recordNanoseconds(500_001)
    let read = try PrometheusReader(registry.text())
    #expect(read.value("payouts_signer_sign_seconds_bucket", ["le": "0.0005"]) == 0)
    #expect(read.value("payouts_signer_sign_seconds_bucket", ["le": "0.001"]) == 1)
    #expect(read.value("payouts_signer_sign_seconds_bucket", ["le": "0.005"]) == 2)
    #expect(read.value("payouts_signer_sign_seconds_sum") == 0.005500001)
  }

  /// Proves that nonsense given to an instrument does not reach the text.
  @Test func `increments that are none are left out`() throws {
    let counter = CounterCell()
    counter.increment(by: Int64(-5))
    counter.increment(by: -0.5)
    counter.increment(by: .nan)
    counter.increment(by: .infinity)
    counter.increment(by: Int64.max)
    counter.increment(by: Int64(1))
    var lines: [String] = []
    counter.append(to: &lines, name: "x", labels: "")
    #expect(lines == ["x 9223372036854775807"])
    #expect(
      [Double.infinity, -.infinity, .nan, 0, 1e21, 0.1].map(PrometheusText.number) == [
        "+Inf", "-Inf", "NaN", "0", "1e+21", "0.1",
      ])
  }

  /// Proves that queues are shown with depth and age, that an empty one has age 0, that streams also tell what is pending
  /// and dead, and that a queue nobody announced makes no series.
  @Test func `queues are shown with their depth and the age of the oldest`() throws {
    let gauges = QueueGauges(instruments, stages: ["scheduled"], streams: ["batches.ready"])
    gauges.show([
      QueueDepth("scheduled", count: 3, oldestAgeMilliseconds: 1_500),
      QueueDepth("batches.ready", count: 0, oldestAgeMilliseconds: nil, pending: 2, deadLetters: 1),
      QueueDepth("surprise", count: 9, oldestAgeMilliseconds: 9),
    ])
    let read = try PrometheusReader(registry.text())
    #expect(read.value("payouts_signer_queue_depth", ["queue": "scheduled"]) == 3)
    #expect(read.value("payouts_signer_queue_oldest_age_seconds", ["queue": "scheduled"]) == 1.5)
    #expect(read.value("payouts_signer_queue_depth", ["queue": "batches.ready"]) == 0)
    #expect(read.value("payouts_signer_queue_oldest_age_seconds", ["queue": "batches.ready"]) == 0)
    #expect(read.value("payouts_signer_queue_pending_entries", ["queue": "batches.ready"]) == 2)
    #expect(read.value("payouts_signer_queue_dead_letters", ["queue": "batches.ready"]) == 1)
    #expect(read.value("payouts_signer_queue_pending_entries", ["queue": "scheduled"]) == nil)
    #expect(!read.samples.contains { $0.labels["queue"] == "surprise" })
  }

  /// Proves that one name cannot be two kinds, and that the series of a name are bounded, without any trap.
  @Test func `a second kind and too many series are refused and counted`() throws {
    let gauge = Meter(label: "x", factory: registry)
    gauge.set(1)
    Counter(label: "x", factory: registry).increment(by: 99)
    for index in 0...PrometheusRegistry.maximumSeriesPerName {
      Counter(label: "y", dimensions: [("i", "\(index)")], factory: registry).increment()
    }
    let read = try PrometheusReader(registry.text())
    #expect(read.value("x") == 1)
    #expect(read.samples.filter { $0.name == "y" }.count == PrometheusRegistry.maximumSeriesPerName)
    #expect(read.value("payouts_metrics_refused_total") == 2)
  }

  /// Proves that concurrent increments are all counted.
  @Test func `many tasks count together`() async throws {
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          let counter = Counter(label: "n", factory: registry)
          for _ in 0..<1_000 { counter.increment() }
        }
      }
    }
    #expect(try PrometheusReader(registry.text()).value("n") == 8_000)
  }
}
