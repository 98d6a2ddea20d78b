import Ledger
import Logging
import Payouts
import Worker

/// Asks for the quarantine that stands in for this Signer's own word, and begins waits: whichever Signer of the wallet
/// comes first begins them all (DESIGN.md §3 "Continuity"). They end inside a vouching.
struct WaitOutQuarantine: Sendable {
  let ledger: any SignerLedger
  let outlook: ChainOutlook
  let clock: any WallClock
  let signer: String
  let clockBoundMilliseconds: Int64
  /// `TRANSACTION_EXPIRATION_SECONDS`: what one snapshot may have taken back was signed with that.
  let expirationMilliseconds: Int64
  let metrics: SignerMetrics?
  let logger: Logger

  /// Asks for the wait where database and journal may have been taken back together.
  ///
  /// - Parameter entries: what the journal holds. Before this process a longer `TRANSACTION_EXPIRATION_SECONDS` may have
  ///   been in force: the lives of what was signed by it tell, here and in the database, which the ledger asks. (One that
  ///   was in force in the lost part alone shows nowhere.)
  func askSinceBothStarted(left entries: [JournalEntry]) async throws {
    let lives = entries.map {
      $0.expiration.milliseconds(since: $0.headTime) + QuarantineRequest.lifeRoundingMilliseconds
    }
    try await ask(
      .bothStarted, expirationMilliseconds: max(expirationMilliseconds, lives.max() ?? 0),
      reason: "Signer and PostgreSQL have both started since the last vouching")
  }

  /// Asks for a quarantine under this Signer's own name; one that stands already will do.
  ///
  /// - Parameter expirationMilliseconds: nil for `MAX_EXPIRATION_SECONDS`.
  /// - Throws: `VouchingRefusal` where there can be none.
  func ask(
    _ cause: QuarantineCause, journalID: [UInt8]? = nil, expirationMilliseconds: Int64? = nil, reason: String
  ) async throws {
    let request = QuarantineRequest(
      signer: signer, cause: cause, journalID: journalID, expirationMilliseconds: expirationMilliseconds,
      reason: reason)
    switch try await ledger.requestQuarantine(request) {
    case .requested:
      logger.critical(
        "A vouching cannot be had: a quarantine stands in for it",
        metadata: [LogKey.signerName: "\(signer)", "cause": "\(cause.rawValue)"])
    case .standing, .notNeeded: break
    case .unknownSigner:
      throw VouchingRefusal("this Signer is not declared: run 'payoutctl signer init' once")
    case .retiredJournal:
      throw VouchingRefusal(
        "this journal is retired or another Signer's: start with the one that took its place, and let 'payoutctl signer "
          + "bring-journal' put back what this one holds")
    }
  }

  /// Begins what has not begun under the present life of the server.
  ///
  /// - Returns: whether anything was begun, so that the state is to be read again.
  func begin(_ found: VouchingState) async throws -> Bool {
    metrics?.show(
      quarantines: found.quarantines.count,
      until: found.quarantines.compactMap { $0.isOfPresentLife ? $0.until : nil }.max(), now: clock.now())
    guard found.quarantines.contains(where: { !$0.isOfPresentLife }) else { return false }
    // By the quorum's head (DESIGN.md §3 "Continuity"): a clock and one node that are behind alike would let it end early.
    let head = try await outlook.agreedHead()
    let difference = abs(head.time.milliseconds(since: clock.now()))
    guard difference <= clockBoundMilliseconds else {
      throw ClocksDiffer(milliseconds: difference, boundMilliseconds: clockBoundMilliseconds)
    }
    switch try await ledger.beginQuarantines(head: head, under: found.life) {
    case .begun(let untils):
      for (name, until) in untils.sorted(by: { $0.key < $1.key }) {
        logger.critical(
          "A quarantine began", metadata: [LogKey.signerName: "\(name)", "until_solid_block_of": "\(until)"])
      }
    case .clocksDiffer(let milliseconds):
      throw VouchingRefusal(
        "the head block's time and the database's clock differ by \(milliseconds) ms, more than CLOCK_BOUND_SECONDS: no "
          + "quarantine can begin; set the database server's clock")
    case .anotherLife: break
    }
    return true
  }
}
