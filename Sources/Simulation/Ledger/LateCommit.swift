import Ledger
import Payouts

/// A transaction whose statements are done and whose COMMIT takes effect later: its caller has lost the connection, and its
/// server is still writing. Until then it holds what it has changed, and nobody sees it.
///
/// Row by row, where rows have keys; of lists without keys that workers read as a whole, the whole list. What a statement
/// locks and leaves as it was is locked where two of the ledger's operations exclude each other by it (``locks(of:)``).
struct LateCommit: Sendable {
  let number: Int
  /// When it takes effect.
  let landsAt: Int64
  /// What it found.
  private let before: LedgerTables
  /// What it made of that.
  private let after: LedgerTables
  private let rows: Set<String>

  init(number: Int, landsAt: Int64, from before: LedgerTables, to after: LedgerTables, rows: Set<String>) {
    self.number = number
    self.landsAt = landsAt
    self.before = before
    self.after = after
    self.rows = rows
  }

  /// Whether a transaction that changes these rows must wait for this one.
  func holds(any rows: Set<String>) -> Bool { !self.rows.isDisjoint(with: rows) }

  /// What `SKIP LOCKED` passes by.
  func addTo(_ beside: inout LedgerTables.Beside) {
    beside.payouts.formUnion(LateCommit.changedKeys(before.payouts, after.payouts))
    beside.transactions.formUnion(LateCommit.changedKeys(before.transactions, after.transactions))
    beside.servers.formUnion(LateCommit.changedKeys(before.servers, after.servers))
  }

  /// Takes effect. Nobody else has changed the same rows meanwhile.
  func land(in tables: inout LedgerTables) {
    for part in LateCommit.parts { part.copyChanges(before, after, &tables) }
  }

  /// The rows in which two states of the tables differ.
  static func rows(_ before: LedgerTables, _ after: LedgerTables) -> Set<String> {
    parts.reduce(into: []) { rows, part in
      for key in part.changes(before, after) { rows.insert("\(part.name) \(key)") }
    }
  }

  /// What an operation locks besides the rows that it changes: Signers sign one after the other, with the breaker's row
  /// locked; they vouch, quarantine, bring journals, adopt and compare the log of intents one after the other; the breaker is closed
  /// with all findings locked; and the head goes back with both views locked. A test holds this against PostgreSQL.
  static func locks(of site: String) -> Set<String> {
    switch site {
    case "sign", "sign treasury order": ["signing", "breaker "]
    case "vouch", "request quarantine", "begin quarantines", "bring journal", "move intent checkpoint", "adopt",
      "hold unproven":
      ["vouching"]
    case "close breaker": ["breaker ", "findings "]
    case "reset head", "undo head": ["cursors head", "cursors solid"]
    default: []
    }
  }

  // MARK: The parts of the tables

  /// One of the tables, or a part of one.
  private struct Part: Sendable {
    let name: String
    let changes: @Sendable (LedgerTables, LedgerTables) -> [String]
    let copyChanges: @Sendable (_ before: LedgerTables, _ after: LedgerTables, _ target: inout LedgerTables) -> Void
  }

  /// The names of all parts: a test compares them with what the tables hold.
  static var partNames: [String] { parts.map(\.name) }

  private static let parts: [Part] =
    [
      rows("payouts", \.payouts), rows("payoutIDs", \.payoutIDs), rows("claims", \.claims),
      rows("clientBatches", \.clientBatches), rows("batches", \.batches),
      rows("transactions", \.transactions), rows("attempts", \.attempts), rows("references", \.references),
      rows("events", \.events), rows("used", \.used), rows("wallets", \.wallets), rows("journals", \.journals),
      rows("declaredAt", \.declaredAt), rows("retiredJournals", \.retiredJournals), rows("putBacks", \.putBacks),
      rows("cursors", \.cursors), rows("servers", \.servers), rows("secretRows", \.secretRows),
      rows("standstills", \.standstills), whole("pausedSince", \.pausedSince), whole("windows", \.windows),
      whole("breaker", \.breaker), whole("pauseReason", \.pauseReason), whole("findings", \.findings),
      whole("alarms", \.alarms), whole("vouchings", \.vouchings), whole("quarantines", \.quarantines),
      whole("lostEnds", \.lostEnds), whole("replayedAt", \.replayedAt), whole("headMovedAt", \.headMovedAt),
      whole("toldConflicts", \.toldConflicts),
      whole("blocks", \.blocks), whole("adoptions", \.adoptions), whole("treasury", \.treasury),
      whole("headResets", \.headResets), whole("vouchedLife", \.vouchedLife), checkpoint, webhooks,
    ]

  private static func changedKeys<Key: Hashable, Row: Equatable>(_ before: [Key: Row], _ after: [Key: Row]) -> [Key] {
    // What nobody has written to is the same storage, and compared at once.
    if before == after { return [] }
    return after.compactMap { before[$0.key] == $0.value ? nil : $0.key } + before.keys.filter { after[$0] == nil }
  }

  private static func rows<Key: Hashable & Sendable, Row: Equatable & Sendable>(
    _ name: String, _ path: any WritableKeyPath<LedgerTables, [Key: Row]> & Sendable
  ) -> Part {
    Part(name: name) { before, after in
      changedKeys(before[keyPath: path], after[keyPath: path]).map { "\($0)" }
    } copyChanges: { before, after, target in
      for key in changedKeys(before[keyPath: path], after[keyPath: path]) {
        target[keyPath: path][key] = after[keyPath: path][key]
      }
    }
  }

  private static func whole<Value: Equatable & Sendable>(
    _ name: String, _ path: any WritableKeyPath<LedgerTables, Value> & Sendable
  )
    -> Part
  {
    Part(name: name) { before, after in
      before[keyPath: path] == after[keyPath: path] ? [] : [""]
    } copyChanges: { before, after, target in
      if before[keyPath: path] != after[keyPath: path] { target[keyPath: path] = after[keyPath: path] }
    }
  }

  private static var checkpoint: Part {
    @Sendable func isSame(_ before: LedgerTables, _ after: LedgerTables) -> Bool {
      before.checkpoint?.lastID == after.checkpoint?.lastID && before.checkpoint?.life == after.checkpoint?.life
    }
    return Part(name: "checkpoint") {
      isSame($0, $1) ? [] : [""]
    } copyChanges: { before, after, target in
      if !isSame(before, after) { target.checkpoint = after.checkpoint }
    }
  }

  /// New ones come after those that others have stored meanwhile.
  private static var webhooks: Part {
    @Sendable func changed(_ before: LedgerTables, _ after: LedgerTables) -> [LedgerTables.Webhook] {
      after.webhooks.enumerated().compactMap { index, row in
        before.webhooks.indices.contains(index) && before.webhooks[index] == row ? nil : row
      }
    }
    return Part(name: "webhooks") { before, after in
      changed(before, after).map { "\($0.id)" }
    } copyChanges: { before, after, target in
      for row in changed(before, after) {
        if let index = target.webhooks.firstIndex(where: { $0.id == row.id }) {
          target.webhooks[index] = row
        } else {
          target.webhooks.append(row)
        }
      }
    }
  }
}
