import Ledger
import Payouts

/// What a world tells about itself when it is over.
extension SimulatedWorld {
  /// For people: what happened to each payout.
  func story(_ tables: LedgerTables) -> [String] {
    var lines = tables.payouts.values.sorted { $0.terms.id < $1.terms.id }.map { row in
      "payout \(row.terms.id): "
        + (tables.events[row.terms.id] ?? []).map {
          "\($0.to.rawValue)@\(($0.at.milliseconds - Self.beginning) / 1_000)s by \($0.actor)\($0.note.map { " (\($0))" } ?? "")"
        }.joined(separator: " → ")
    }
    lines += tables.quarantines.map { row in
      "quarantine of \(row.request.signer), \(row.request.cause.rawValue): "
        + (row.outcome.map { $0 == .waited ? "quarantine ended by waiting" : "ended: \($0.rawValue)" } ?? "open")
    }
    lines += tables.alarms.map { "alarm \($0.kind) ×\($0.count): \($0.message)" }
    lines += [CursorView.head, .solid].compactMap { view in
      tables.cursors[view].map { "\(view.rawValue) read up to block \($0.number), of \(chain.height(.head))" }
    }
    lines += tables.standstills.sorted { $0.key < $1.key }.map { "\($0.key) does not sign: \($0.value.reason)" }
    lines.append("the history is \(tables.isContinuous ? "" : "not ")continuous, the breaker \(tables.breaker.state)")
    return lines
  }

  /// For counting: what must come about in some worlds, or their kind shows nothing.
  func seen(_ tables: LedgerTables) -> [String: Int] {
    var seen: [String: Int] = [:]
    for alarm in tables.alarms { seen["alarm \(alarm.kind)", default: 0] += 1 }
    for row in tables.quarantines {
      seen["quarantine \(row.request.cause.rawValue) \(row.outcome?.rawValue ?? "open")", default: 0] += 1
    }
    for event in tables.events.values.joined() {
      guard let note = event.note else { continue }
      if event.to == .held { seen["held \(note.prefix { $0 != ":" })", default: 0] += 1 }
      if note.hasPrefix("put back from") {
        seen["put back from \(note.contains("journal") ? "journal" : "log")", default: 0] += 1
      }
    }
    for row in tables.adoptions { seen["adoption \(row.state)", default: 0] += 1 }
    for row in tables.findings { seen["finding \(row.isExplained ? "explained" : "acknowledged")", default: 0] += 1 }
    return seen
  }
}
