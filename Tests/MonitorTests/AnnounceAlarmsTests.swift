import Foundation
import Ledger
import Logging
import Monitor
import Payouts
import Synchronization
import TestSupport
import Testing
import Worker

/// "An alarm is a critical log line, a row in `alarms`, and a call to `ALARM_WEBHOOK_URL` where set" (DESIGN.md §4).
@Suite struct AnnounceAlarmsTests {
  /// Keeps what it is told, or is away.
  private final class Receiver: AlarmReceiver {
    struct Away: Error {}

    let calls = Mutex<[[UInt8]]>([])
    let isAway = Mutex(false)

    func tell(_ json: [UInt8]) async throws {
      if isAway.withLock({ $0 }) { throw Away() }
      calls.withLock { $0.append(json) }
    }
  }

  /// Keeps the messages of critical lines.
  private final class Lines: Sendable {
    let critical = Mutex<[String]>([])
  }

  private struct Keeping: LogHandler {
    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      guard event.level == .critical else { return }
      lines.critical.withLock { $0.append("\(event.metadata?[LogKey.alarmKind] ?? "")") }
    }
  }

  @Test func `a standing alarm is logged and called for once, whoever raised it`() async throws {
    try await PayingScene.run { scene in
      let receiver = Receiver()
      let lines = Lines()
      let logger = Logger(label: "alarms") { _ in Keeping(lines: lines) }
      let monitors = try ["monitor-1", "monitor-2"].map { try scene.monitor($0, alarms: receiver, logger: logger) }
      for _ in 0..<3 { try await scene.ledger.raiseAlarm(kind: "signer_limit", subject: "signer", message: "a \"b\"") }
      for monitor in monitors + monitors { try await scene.run(monitor.announceAlarms) }
      try await scene.wait(milliseconds: 3_600_000)
      for monitor in monitors { try await scene.run(monitor.announceAlarms) }
      let calls = receiver.calls.withLock { $0 }
      #expect(calls.count == 1 && lines.critical.withLock { $0 } == ["signer_limit"])
      let json = try #require(try JSONSerialization.jsonObject(with: Data(calls[0])) as? [String: Any])
      #expect(Set(json.keys) == ["kind", "subject", "message", "raised_at", "count"])
      #expect(json["kind"] as? String == "signer_limit" && json["subject"] as? String == "signer")
      #expect(json["message"] as? String == "a \"b\"" && json["count"] as? Int == 3)
      #expect(json["raised_at"] as? String == PayingScene.noon.description)
    }
  }

  @Test func `a receiver that is away is called again until it takes the alarm`() async throws {
    // Also a Monitor that dies between the call and its record calls again: at least once.
    try await PayingScene.run { scene in
      let receiver = Receiver()
      receiver.isAway.withLock { $0 = true }
      let monitor = try scene.monitor(alarms: receiver)
      for subject in ["a", "b", "c"] { try await scene.ledger.raiseAlarm(kind: "k", subject: subject, message: "m") }
      try await scene.run(monitor.announceAlarms)
      receiver.isAway.withLock { $0 = false }
      try await scene.run(monitor.announceAlarms)
      #expect(receiver.calls.withLock { $0.count } == 0)
      // The first wait is over, the second is not begun.
      try await scene.wait(milliseconds: 30_000)
      try await scene.run(monitor.announceAlarms)
      #expect(receiver.calls.withLock { $0.count } == 3)
      #expect(try await scene.count("SELECT count(*) FROM alarms WHERE told_at IS NOT NULL") == 3)
    }
  }

  @Test func `without a receiver an alarm is logged once`() async throws {
    try await PayingScene.run { scene in
      let lines = Lines()
      let monitor = try scene.monitor(logger: Logger(label: "alarms") { _ in Keeping(lines: lines) })
      try await scene.ledger.raiseAlarm(kind: "k", subject: "s", message: "m")
      for _ in 0..<3 {
        try await scene.run(monitor.announceAlarms)
        try await scene.wait(milliseconds: 3_600_000)
      }
      #expect(lines.critical.withLock { $0 } == ["k"])
    }
  }
}
