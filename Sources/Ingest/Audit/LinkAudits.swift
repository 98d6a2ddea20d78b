import Ledger
import Synchronization
import Worker

/// Gives stored audit records their place in the chain, and prints each that it linked as one line of JSON.
///
/// Replicas may do so side by side: each record is linked by one of them, and printed by that one. Where nobody knows whether
/// a linking was committed, all is printed that follows what was printed last, perhaps twice. Where a process dies between the
/// two, its last lines are missing in the file; table and sink have them.
final class LinkAudits: Sendable {
  /// The part of the health report.
  static let component = "audit_log"
  /// How long to wait where none is left, in milliseconds.
  static let pauseMilliseconds: Int64 = 1_000
  /// How many are linked in one transaction.
  static let atOnce = 500

  private let ledger: any AuditLedger
  private let log: AuditLog?
  private let health: HealthRegistry
  private let metrics: AuditMetrics
  /// The place behind which lines are still to be printed, where others than the next ones may be; nil before the first look.
  private let printed = Mutex<Int64?>(nil)
  /// Whether nobody knows what the last linking has linked.
  private let isUnsure = Mutex(false)

  /// - Parameter log: where lines are printed; nil for nowhere.
  init(ledger: any AuditLedger, log: AuditLog?, health: HealthRegistry, metrics: AuditMetrics) {
    self.ledger = ledger
    self.log = log
    self.health = health
    self.metrics = metrics
  }

  /// The step, for a run loop.
  var step: Step { Step("link_audits") { try await self.link() } }

  /// Links what there is, a bounded part of it, and prints it. What could not be printed before is tried again.
  func link() async throws -> StepOutcome {
    if log != nil, printed.withLock({ $0 }) == nil {
      let newest = try await ledger.newestLinkedAudit()
      printed.withLock { $0 = newest }
    }
    let linked: [LinkedAudit]
    do {
      linked = try await ledger.linkAudits(atMost: Self.atOnce)
    } catch let error as LedgerError where error.code == .outcomeUnknown {
      isUnsure.withLock { $0 = true }
      throw error
    }
    metrics.linked(linked.count)
    try await print(linked)
    return linked.count == Self.atOnce ? .worked : .idle(milliseconds: Self.pauseMilliseconds)
  }

  /// The linking above has waited for the one whose outcome is unknown, by their lock, so that all of that can be read now.
  private func print(_ linked: [LinkedAudit]) async throws {
    guard let log else { return }
    if isUnsure.withLock({ $0 }) {
      var part: [LinkedAudit] = []
      repeat {
        let last = printed.withLock { $0 } ?? 0
        part = try await ledger.audits(after: last, limit: Self.atOnce)
        write(part, to: log)
      } while part.count == Self.atOnce
      isUnsure.withLock { $0 = false }
    } else {
      write(linked, to: log)
    }
    report(log.failure)
  }

  private func write(_ linked: [LinkedAudit], to log: AuditLog) {
    metrics.linesLost(log.write(linked.map(AuditLog.line)))
    // Not the highest: after a restore the chain goes on from an earlier place.
    if let last = linked.last { printed.withLock { $0 = last.link.sequence } }
  }

  /// Lines that cannot be printed keep nothing else from going on.
  private func report(_ failure: String?) {
    if let failure {
      health.report(Self.component, .degraded, detail: "audit lines cannot be printed: \(failure)")
    } else {
      health.report(Self.component, .ok)
    }
  }
}

extension AuditLog {
  /// A record as a line: one JSON object and a line feed.
  static func line(_ audit: LinkedAudit) -> [UInt8] {
    JSONValue.audit(audit.fields).utf8 + [UInt8(ascii: "\n")]
  }
}

extension JSONValue {
  /// An audit record, as it is printed and listed.
  static func audit(_ fields: [AuditField]) -> JSONValue {
    .object(fields.map { Member($0.name, audited($0.value)) })
  }

  private static func audited(_ value: AuditField.Value) -> JSONValue {
    switch value {
    case .text(let text): .text(text)
    case .integer(let number): .integer(number)
    case .absent: .null
    }
  }
}
