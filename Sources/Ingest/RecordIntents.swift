import Ledger
import Logging
import Streams
import Worker

/// Writes acceptances to the log of intents, after their commit and before their answers (DESIGN.md §3 "Continuity").
///
/// Accepting goes on while Redis is away: health says `degraded`, what was accepted meanwhile is kept in memory, and the
/// step writes it once Redis is back.
struct RecordIntents: Sendable {
  /// The part of the health report.
  static let component = "intents"

  /// The writer; a service that writes what it still keeps when the process stops.
  let recorder: IntentRecorder
  private let health: HealthRegistry

  init(log: any IntentLog, health: HealthRegistry, metrics: IngestMetrics, logger: Logger) {
    recorder = IntentRecorder(log, logger: logger) { outcome, count in metrics.intents(outcome, count) }
    self.health = health
  }

  /// Writes acceptances; returns when they are written, or kept because the log is away.
  func accepted(_ acceptances: [AcceptedPayout]) async {
    guard !acceptances.isEmpty else { return }
    await recorder.record(acceptances.map { Intent.accepted($0).fields })
    report()
  }

  /// Tries again what was kept, for a run loop or a simulator.
  var step: Step {
    Step("record_intents") {
      let hasMore = await recorder.retry()
      report()
      return hasMore ? .worked : .idle(milliseconds: IntentLogBounds.retryMilliseconds)
    }
  }

  private func report() {
    if recorder.isWell {
      health.report(Self.component, .ok)
    } else {
      health.report(
        Self.component, .degraded,
        detail: "the log of intents cannot be written; payouts are stored, and written to it when Redis is back")
    }
  }
}
