import CoreMetrics
import Ledger
import Worker

/// What is counted about the delivery of audit records.
struct AuditSinkMetrics: Sendable {
  private let behind: Meter
  private let oldestAge: Meter
  private let delivered: Counter
  private let failedCalls: Counter

  /// Makes all instruments once.
  init(_ instruments: Instruments) {
    behind = instruments.gauge(
      "audit_sink_behind_records", help: "How many audit records was AUDIT_SINK_URL not given yet?")
    oldestAge = instruments.gauge(
      "audit_sink_oldest_age_seconds", help: "How old is the oldest of them?")
    delivered = instruments.counter("audit_sink_records_total", help: "How many audit records did AUDIT_SINK_URL take?")
    failedCalls = instruments.counter(
      "audit_sink_calls_failed_total", help: "How often did AUDIT_SINK_URL not take audit records?")
  }

  func show(_ depth: AuditSinkDepth) {
    behind.set(depth.waitingCount)
    oldestAge.set(depth.oldestAgeMilliseconds / 1_000)
  }

  func count(delivered count: Int) { delivered.increment(by: count) }
  func countFailedCall() { failedCalls.increment() }
}
