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
  /// The last place that was seen, and whether others behind it may be in the chain by now without having been printed.
  private let seen = Mutex<(last: Int64, hasGap: Bool)>((0, false))

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
    let (last, hasGap) = seen.withLock { $0 }
    let linked: [LinkedAudit]
    do {
      linked =
        hasGap
        ? try await ledger.audits(after: last, limit: Self.atOnce) : try await ledger.linkAudits(atMost: Self.atOnce)
    } catch let error as LedgerError where error.code == .outcomeUnknown {
      // Before the first one nobody knows where to go on, and the file begins with what comes.
      seen.withLock { $0.hasGap = $0.last > 0 }
      throw error
    }
    seen.withLock { seen in
      seen.last = max(seen.last, linked.last?.link.sequence ?? 0)
      seen.hasGap = hasGap && linked.count == Self.atOnce
    }
    if !hasGap { metrics.linked(linked.count) }
    if let log {
      metrics.linesLost(log.write(linked.map(AuditLog.line)))
      report(log.failure)
    }
    return hasGap || linked.count == Self.atOnce ? .worked : .idle(milliseconds: Self.pauseMilliseconds)
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
