package import Ledger
package import Payouts
package import Streams

/// Puts back what a restore took and the log of intents still tells (DESIGN.md §3 "Continuity").
///
/// It reads the log from the database's checkpoint on, first for acceptances, then for ends, and asks the ledger which of
/// them are lost. An acceptance goes back only with an unbroken seal: whoever can write to Redis must not mint payouts. An
/// end, which nobody seals, becomes a question to a person. Run twice, or by two at once, it changes nothing more.
package struct ReplayIntents: Sendable {
  /// What a replay found and did.
  package struct Report: Sendable, Encodable {
    /// Entries that were read.
    package var entries = 0
    /// Acceptances and ends that the database had lost.
    package var lost = 0
    /// Acceptances that stand again.
    package var putBack = 0
    /// Acceptances against which another request of the same reference stands; that one is held.
    package var conflicts = 0
    /// Ends about which a person is asked; their payouts are held.
    package var ends = 0
    /// Acceptances whose seal is broken, and entries that nobody of ours wrote: not put back.
    package var forged = 0
    /// Acceptances sealed by a key that `INTENT_SEAL_PUBLIC_KEY` does not name: not put back.
    package var unknownKeys = 0
    /// Acceptances that the database itself refuses: not put back.
    package var refused = 0
    /// Whether nothing was changed, because only a look was asked for.
    let isDryRun: Bool
  }

  /// The most entries in one transaction.
  static let pageEntries = 500

  let ledger: any ReplayLedger
  let log: any IntentLog
  let seals: SealVerifier
  let isDryRun: Bool

  /// - Parameters:
  ///   - seals: Ingest's public keys.
  ///   - isDryRun: whether it only looks.
  package init(ledger: any ReplayLedger, log: any IntentLog, seals: SealVerifier, isDryRun: Bool) {
    self.ledger = ledger
    self.log = log
    self.seals = seals
    self.isDryRun = isDryRun
  }

  /// The whole log from the checkpoint to its present end.
  ///
  /// - Throws: `LedgerError`, `StreamError`; `Refusal` where a newer program wrote an entry. What was put back before
  ///   stands, and another call goes on.
  package func run() async throws -> Report {
    var report = Report(isDryRun: isDryRun)
    guard let extent = try await log.intentExtent() else { return report }
    let mark = try await ledger.intentCheckpoint().lastID.flatMap { StreamEntryID($0) }
    let start = mark.flatMap { $0 <= extent.last ? $0 : nil } ?? .zero
    // An end may stand before its acceptance, whose writer was slower: so all acceptances come first.
    try await pages(after: start, upTo: extent.last) { try await putBackAcceptances($0, &report) }
    try await pages(after: start, upTo: extent.last) { try await putBackEnds($0, &report) }
    return report
  }

  private func pages(
    after start: StreamEntryID, upTo end: StreamEntryID, _ body: ([IntentLogEntry]) async throws -> Void
  ) async throws {
    var position = start
    while position < end {
      let page = try await log.intents(after: position, atMost: Self.pageEntries)
      guard let last = page.last?.id else { return }
      try await body(page)
      position = last
    }
  }

  private func putBackAcceptances(_ page: [IntentLogEntry], _ report: inout Report) async throws {
    report.entries += page.count
    var intents: [Intent] = []
    for entry in page {
      do throws(IntentError) {
        let intent = try Intent(fields: entry.fields)
        if case .accepted = intent { intents.append(intent) }
      } catch {
        switch error {
        case .unknownVersion(let version):
          throw Refusal(
            text: "entry \(entry.id) of the stream intents has version \(version): use a newer payoutctl, or delete it "
              + "where no program of yours wrote it")
        case .malformed: report.forged += 1
        }
      }
    }
    var sealed: [AcceptedPayout] = []
    for accepted in try await lost(of: intents) {
      if !seals.knows(accepted.payout.seal.keyID) {
        report.unknownKeys += 1
      } else if !seals.isIntact(accepted.payout.seal, on: accepted.payout.terms) {
        report.forged += 1
      } else {
        sealed.append(accepted)
      }
    }
    report.lost += sealed.count
    guard !isDryRun else { return }
    try await putBack(sealed, &report)
    // Where two requests of one reference were lost, the second one is a conflict only now.
    let conflicting = try await lost(of: sealed.map { .accepted($0) })
    if conflicting.count < sealed.count { try await putBack(conflicting, &report) }
  }

  private func lost(of intents: [Intent]) async throws -> [AcceptedPayout] {
    try await ledger.lost(intents).compactMap { if case .accepted(let accepted) = $0 { accepted } else { nil } }
  }

  /// All together; where the database refuses, one of them is to blame, and each goes alone, so that the others do not stay
  /// away with it.
  private func putBack(_ acceptances: [AcceptedPayout], _ report: inout Report) async throws {
    do {
      report.add(try await ledger.putBack(acceptances: acceptances))
    } catch let error as LedgerError where error.code.blamesTheRows {
      guard acceptances.count > 1 else {
        report.refused += 1
        return
      }
      for accepted in acceptances { try await putBack([accepted], &report) }
    }
  }

  private func putBackEnds(_ page: [IntentLogEntry], _ report: inout Report) async throws {
    let ends = page.compactMap { entry -> Intent? in
      // What cannot be read was counted among the acceptances.
      guard let intent = try? Intent(fields: entry.fields), case .ended = intent else { return nil }
      return intent
    }
    let lost = try await ledger.lost(ends).compactMap { intent -> PayoutEnd? in
      if case .ended(let end) = intent { end } else { nil }
    }
    report.lost += lost.count
    if !isDryRun, !lost.isEmpty { report.add(try await ledger.putBack(ends: lost)) }
  }
}

extension ReplayIntents.Report {
  fileprivate mutating func add(_ replay: IntentReplay) {
    putBack += replay.putBack
    conflicts += replay.conflicts
    ends += replay.ends
  }

  /// What kept entries from being put back, for a person; nil where nothing did.
  var complaint: String? {
    var parts: [String] = []
    if forged > 0 { parts.append("\(forged) entries were written by nobody of ours: find out who can write to Redis") }
    if unknownKeys > 0 {
      parts.append(
        "\(unknownKeys) were sealed by a key that INTENT_SEAL_PUBLIC_KEY does not name: add it and replay again")
    }
    if refused > 0 { parts.append("the database refused \(refused)") }
    return parts.isEmpty ? nil : "not all was put back: " + parts.joined(separator: "; ")
  }
}
