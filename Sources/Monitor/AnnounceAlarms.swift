import FoundationEssentials
import Ledger
import Logging
import Payouts
import Worker

/// Tells people of standing alarms: by a critical line in the log, and by a call to `ALARM_WEBHOOK_URL` where that is set
/// (DESIGN.md §4).
///
/// At least once for each, by one Monitor at a time: a crash after the call and before it is written down calls again.
struct AnnounceAlarms: Sendable {
  /// How long to wait where none is due, in milliseconds.
  static let pauseMilliseconds: Int64 = 1_000
  /// How many at once: so few that even calls that all run out of time end before the alarms are anybody else's.
  static let atOnce = 2

  let ledger: any MonitorLedger
  let receiver: (any AlarmReceiver)?
  let metrics: MonitorMetrics?
  let logger: Logger

  /// Tells what is due. A receiver that does not take one is called again later, at growing intervals.
  func step() async throws -> StepOutcome {
    let alarms = try await ledger.takeAlarms(atMost: Self.atOnce)
    for alarm in alarms {
      logger.critical(
        "An alarm stands until an operator acknowledges it",
        metadata: [
          LogKey.alarmKind: "\(alarm.kind)", "alarm.id": "\(alarm.id)", "alarm.subject": "\(alarm.subject)",
          "alarm.message": "\(alarm.message)", "alarm.count": "\(alarm.count)",
        ])
      do {
        try await receiver?.tell(try AlarmCall(alarm).json())
      } catch {
        metrics?.countUntoldAlarm()
        logger.error("An alarm was not taken", error: error, metadata: [LogKey.alarmKind: "\(alarm.kind)"])
        continue
      }
      try await ledger.recordTold(alarm.id)
    }
    return alarms.count == Self.atOnce ? .worked : .idle(milliseconds: Self.pauseMilliseconds)
  }
}

/// What `ALARM_WEBHOOK_URL` is told: one JSON object.
private struct AlarmCall: Encodable {
  let kind: String
  let subject: String
  let message: String
  /// RFC 3339.
  let raisedAt: String
  /// How often its cause has come up by now.
  let count: Int64

  init(_ alarm: AlarmRecord) {
    kind = alarm.kind
    subject = alarm.subject
    message = alarm.message
    raisedAt = alarm.raisedAt.description
    count = alarm.count
  }

  func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = .sortedKeys
    return [UInt8](try encoder.encode(self))
  }
}
