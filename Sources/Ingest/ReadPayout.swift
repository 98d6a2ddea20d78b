import Ledger
import Payouts

/// Everything that answers about one payout are told from, read for a caller who may see it.
struct PayoutView: Sendable {
  /// The payout.
  let record: PayoutRecord
  /// Its changes of state, oldest first.
  let history: [PayoutEvent]
  /// Its attempts, oldest first.
  let attempts: [AttemptRecord]
  /// What may keep payouts from being paid, and how far the chain was read.
  let conditions: PayingConditions

  /// The attempt whose transaction callers are told: the one that paid, else the live one; of a payout that has ended,
  /// else the last. One that waits for its next attempt has no transaction that could still pay it.
  var attempt: AttemptRecord? {
    attempts.last { $0.outcome == .paid } ?? attempts.last { $0.outcome == nil }
      ?? (record.status.isFinal ? attempts.last : nil)
  }
}

/// Reads a payout for a caller. A stranger's payout and one that does not exist look alike.
struct ReadPayout: Sendable {
  let ledger: any IngestLedger

  /// The payout with all that belongs to it.
  ///
  /// The record is read first and the rest after it, so that a state is never older than what explains it.
  /// - Parameter id: the id's text in the path; a text that is no id names no payout.
  func view(_ id: String, for caller: Caller) async throws(Problem) -> PayoutView {
    let record = try await record(id, for: caller)
    do {
      return PayoutView(
        record: record, history: try await ledger.history(of: record.id),
        attempts: try await ledger.attempts(of: record.id), conditions: try await ledger.conditions())
    } catch {
      throw Self.problem(error)
    }
  }

  /// The payout itself, as it stands.
  /// - Parameter id: the id's text in the path; a text that is no id names no payout.
  func record(_ id: String, for caller: Caller) async throws(Problem) -> PayoutRecord {
    let payoutID: PayoutID
    do {
      payoutID = try PayoutID(id)
    } catch {
      throw .unknownPayout
    }
    let record: PayoutRecord?
    do {
      record = try await ledger.payout(payoutID)
    } catch {
      throw Self.problem(error)
    }
    guard let record, caller.mayRead(owner: record.terms.owner, beneficiary: record.particulars.beneficiaryUserID)
    else { throw .unknownPayout }
    return record
  }

  /// What callers are told when a question to the ledger fails.
  static func problem(_ error: any Error) -> Problem {
    if let problem = error as? Problem { return problem }
    guard let error = error as? LedgerError else { return .ledgerUnavailable.because(error) }
    switch error.code {
    // A question that was not answered changed nothing, whatever became of it.
    case .unavailable, .outcomeUnknown: return .ledgerUnavailable.because(error)
    case .refused, .illegalChange, .historyNotTrusted, .misconfigured, .livesTooLong, .corrupt:
      return .mistake.because(error)
    }
  }
}
