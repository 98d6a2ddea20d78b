import Ledger
import Logging
import Payouts
import Streams
import Worker

/// Compares the log of intents, from the checkpoint on, with the database: before a vouching, and all the time while the
/// history is vouched for, since an entry may come late (DESIGN.md §3 "Continuity").
///
/// An entry is written after its commit. So what the database does not know of what the log tells was taken from it.
struct CompareIntents: Sendable {
  /// What a comparison found.
  struct Finding: Sendable {
    /// The database's checkpoint, and the life of the server under which all was read.
    let checkpoint: IntentCheckpoint
    /// Whether the log reaches back to the checkpoint.
    let isWhole: Bool
    /// The last entry up to which nothing is lost; nil where there was none.
    var comparedTo: StreamEntryID?
    /// How many intents are lost in the first page that lacks any; the entries behind it were not looked at.
    var lostCount = 0
    /// Whether there was no time to come to the end.
    var hasMore = false
  }

  /// The most entries that are compared in one statement.
  static let pageEntries = IntentLogBounds.maximumEntries

  let ledger: any SignerLedger
  let log: any IntentLog
  let seals: SealVerifier
  let signer: String
  let logger: Logger

  /// Compares up to the log's present end, or up to so many pages of it.
  ///
  /// - Throws: `StreamError` where the log cannot be read, `UnreadableIntent` where a newer program wrote an entry.
  func run(pagesMax: Int = .max) async throws -> Finding {
    let checkpoint = try await ledger.intentCheckpoint()
    let mark = checkpoint.lastID.flatMap { StreamEntryID($0) }
    let extent = try await log.intentExtent()
    let stands = if let mark { try await log.holdsIntent(mark) } else { false }
    let isWhole = checkpoint.isOfPresentLife || stands
    var finding = Finding(checkpoint: checkpoint, isWhole: isWhole)
    guard let extent else { return finding }
    // A mark that does not stand is one of a log that was lost: what is there now is compared from its beginning.
    var position = stands ? mark ?? .zero : .zero
    var pages = 0
    while position < extent.last {
      guard pages < pagesMax else {
        finding.hasMore = true
        break
      }
      let page = try await log.intents(after: position, atMost: Self.pageEntries)
      guard let last = page.last?.id else { break }
      finding.lostCount = try await lostCount(page)
      guard finding.lostCount == 0 else { break }
      finding.comparedTo = last
      position = last
      pages += 1
    }
    return finding
  }

  /// How many intents of a page are lost. What nobody of ours wrote is told and passed over: it must not stop us.
  private func lostCount(_ page: [IntentLogEntry]) async throws -> Int {
    var intents: [Intent] = []
    var forged = 0
    for entry in page {
      do throws(IntentError) {
        intents.append(try Intent(fields: entry.fields))
      } catch {
        switch error {
        case .unknownVersion(let version): throw UnreadableIntent(entry: entry.id, version: version)
        case .malformed: forged += 1
        }
      }
    }
    let lost = try await ledger.lost(intents)
    let believed = lost.filter { intent in
      switch intent {
      // A seal of a key that is not known any more may be good: then an operator must name the key.
      case .accepted(let accepted):
        !seals.knows(accepted.payout.seal.keyID) || seals.isIntact(accepted.payout.seal, on: accepted.payout.terms)
      case .ended, .marker: true
      }
    }
    forged += lost.count - believed.count
    if forged > 0 { try await callAboutForged(forged) }
    return believed.count
  }

  /// Calls operators because the database lost what the log still tells.
  func callAboutLost(_ count: Int) async throws {
    try await alarm(
      "lost_acceptances",
      "the database lacks \(count) or more acceptances or ends that the log of intents tells of: run 'payoutctl intents "
        + "replay', which puts them back")
  }

  private func callAboutForged(_ count: Int) async throws {
    try await alarm(
      "forged_intents",
      "\(count) entries of the stream intents were written by nobody of ours: find out who can write to Redis")
  }

  /// Calls operators about the log.
  func alarm(_ kind: String, _ message: String) async throws {
    logger.critical(
      "The log of intents needs a person", metadata: [LogKey.alarmKind: "\(kind)", "detail": "\(message)"])
    try await ledger.raiseAlarm(kind: kind, subject: "signer \(signer)", message: message)
  }
}

/// An entry of the log that a newer program wrote: passing over it could lose an acceptance.
struct UnreadableIntent: Error, CustomStringConvertible {
  let entry: StreamEntryID
  let version: String

  var description: String {
    "entry \(entry) of the stream intents has version \(version), this program knows another one: upgrade it, or delete the "
      + "entry where no program of yours wrote it"
  }
}
