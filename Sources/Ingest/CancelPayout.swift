import Ledger
import Logging
import Payouts
import Worker

/// Withdraws a payout before it is signed, for its owner or an admin.
///
/// Running it twice ends one payout once and answers the same; each process writes the end to the log of intents, since an
/// earlier one may have died before it did.
struct CancelPayout: Sendable {
  /// When the history may be vouched for, usually, in seconds.
  static let trustSeconds = 10

  let ledger: any IngestLedger
  let intents: RecordIntents
  let metrics: IngestMetrics
  let logger: Logger

  /// - Parameter id: the id's text in the path; a text that is no id names no payout.
  /// - Returns: the payout, which has ended `cancelled`.
  func cancel(_ id: String, for caller: Caller) async throws(Problem) -> PayoutRecord {
    let found = try await ReadPayout(ledger: ledger).record(id, for: caller)
    guard caller.mayCancel(owner: found.terms.owner) else { throw Self.notItsOwner }
    let outcome: CancelOutcome
    do {
      outcome = try await ledger.cancel(found.id, note: "cancelled by \(caller.id)")
    } catch {
      throw Self.problem(error)
    }
    let record = try Self.record(outcome)
    logger.info("Payout cancelled", metadata: [LogKey.payoutID: "\(record.id)", LogKey.callerID: "\(caller.id)"])
    if let end = PayoutEnd(record), await !intents.ended(end) { throw Self.notInTheLog }
    metrics.cancelled()
    return record
  }

  private static func record(_ outcome: CancelOutcome) throws(Problem) -> PayoutRecord {
    switch outcome {
    case .cancelled(let record): return record
    case .tooLate(let status):
      throw Problem(
        .cannotCancel,
        "It is \(status.rawValue): only what waits for its signature can be cancelled. Nothing was changed.")
    case .mayBePaid:
      throw Problem(
        .cannotCancel, "A transaction may have paid it, and an operator has to find out. Nothing was changed.")
    case .historyNotTrusted: throw historyNotTrusted
    case .unknownPayout: throw .unknownPayout
    }
  }

  /// A restore could take the end from the database, and nobody would ask for it again.
  private static let notInTheLog = Problem(
    .outcomeUnknown,
    "It is cancelled, but that is kept in one place only as yet. Ask again until you are told 200 before you pay it "
      + "another way.", retryAfterSeconds: 2)
  static let historyNotTrusted = Problem(
    .historyNotTrusted, "Nothing can end unpaid just now; it usually can after a short while. Nothing was changed.",
    retryAfterSeconds: trustSeconds)
  private static let notItsOwner = Problem(.forbidden, "Only its owner and admins may cancel a payout.")

  private static func problem(_ error: any Error) -> Problem {
    guard let error = error as? LedgerError else { return ReadPayout.problem(error) }
    switch error.code {
    case .outcomeUnknown:
      return Problem(
        .outcomeUnknown, "The database did not say whether the payout was cancelled. Ask again: that finds out.",
        retryAfterSeconds: 2
      ).because(error)
    // The fence found something between the look and the change.
    case .historyNotTrusted: return historyNotTrusted.because(error)
    case .illegalChange, .unavailable, .refused, .misconfigured, .livesTooLong, .corrupt:
      return ReadPayout.problem(error)
    }
  }
}
