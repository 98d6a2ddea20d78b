import CoreMetrics
import Worker

/// What Ingest counts about audit records.
struct AuditMetrics: Sendable {
  private let storedRecords: Counter
  private let lostRecords: Counter
  private let waitingRecords: Meter
  private let linkedRecords: Counter
  private let lostLines: Counter

  /// Makes all instruments once.
  init(_ instruments: Instruments) {
    storedRecords = instruments.counter("audit_stored_total", help: "How many audit records were stored?")
    lostRecords = instruments.counter(
      "audit_lost_total", help: "How many audit records stand in the log alone, since they could not be stored?")
    waitingRecords = instruments.gauge("audit_queue_records", help: "How many audit records wait to be stored?")
    linkedRecords = instruments.counter(
      "audit_linked_total", help: "How many audit records got their place in the chain by this replica?")
    lostLines = instruments.counter(
      "audit_lines_lost_total", help: "How many lines could not be printed to AUDIT_LOG_PATH?")
  }

  func stored(_ count: Int) { storedRecords.increment(by: count) }
  func lost(_ count: Int) { lostRecords.increment(by: count) }
  func waiting(_ count: Int) { waitingRecords.set(count) }
  func linked(_ count: Int) { if count > 0 { linkedRecords.increment(by: count) } }
  func linesLost(_ count: Int) { if count > 0 { lostLines.increment(by: count) } }
}
