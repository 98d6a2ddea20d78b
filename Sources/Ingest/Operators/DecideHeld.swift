import Ledger
import Logging
import Payouts
import Worker

/// Carries out an operator's decision about a held payout (DESIGN.md §2), and lists those that wait for one.
///
/// Doing it twice ends one payout once and answers the same. As with withdrawing, an unpaid end is told only once the log of
/// intents has it: else a restore could take it, and nobody would ask for it again.
struct DecideHeld: Sendable {
  let desk: any OperatorDesk
  let intents: RecordIntents
  let requiredConfirmations: Int64
  let logger: Logger

  /// - Parameters:
  ///   - id: the id's text in the path; a text that is no id names no payout.
  ///   - seen: for what it was held when the caller looked; nil where that was not told.
  func decide(
    _ id: String, _ decision: HeldDecision, seen: String?, reason: String, for caller: Caller
  ) async throws(Problem) {
    guard let id = try? PayoutID(id) else { throw .unknownPayout }
    let outcome: HeldOutcome
    do {
      outcome = try await desk.acting(as: caller.actor).decide(
        id, decision, seen: seen, reason: reason, requiredConfirmations: requiredConfirmations)
    } catch {
      throw OperatorProblem.ofChange(error)
    }
    switch outcome {
    case .done(let status):
      logger.notice(
        "An operator decided about a held payout",
        metadata: [
          LogKey.payoutID: "\(id)", LogKey.payoutStatusTo: "\(status.rawValue)",
          LogKey.operatorReason: "\(decision.note(reason))", LogKey.callerID: "\(caller.id)",
        ])
      try await tell(status, of: id)
    // Asked again because the log was away, or the process died before it wrote. Another reason or proof is another decision.
    case .refused(.notHeld(let status)) where status == decision.end:
      try await tell(status, of: id, asSaid: decision.note(reason))
    case .refused(let refusal): throw problem(refusal, of: id)
    }
  }

  /// Payouts that wait for a person, the one that has waited longest first.
  func held(atMost count: Int) async throws(Problem) -> [PayoutView] {
    do {
      let records = try await desk.heldPayouts(atMost: count)
      let attempts = try await desk.attempts(of: records.map(\.id))
      let conditions = try await desk.conditions()
      return records.map {
        PayoutView(record: $0, history: [], attempts: attempts[$0.id] ?? [], conditions: conditions)
      }
    } catch {
      throw ReadPayout.problem(error)
    }
  }

  private func tell(_ status: PayoutStatus, of id: PayoutID, asSaid note: String? = nil) async throws(Problem) {
    guard status.isUnpaidFinal else { return }
    let record: PayoutRecord?
    do {
      record = try await desk.payout(id)
    } catch {
      throw Self.notInTheLog.because(error)
    }
    // The end is a fact, whoever asks: nobody else may ask again, and the log must have it.
    guard let end = record.flatMap(PayoutEnd.init), await intents.ended(end) else { throw Self.notInTheLog }
    if let note, let record, record.note != note {
      throw Self.cannot("It is \(status.rawValue) already, and these words were said then: \(record.note ?? "none").")
    }
  }

  private static let notInTheLog = Problem(
    .outcomeUnknown,
    "It has ended, but that is kept in one place only as yet. Ask again until you are told 200.", retryAfterSeconds: 2)

  private func problem(_ refusal: HeldRefusal, of id: PayoutID) -> Problem {
    switch refusal {
    case .unknownPayout: .unknownPayout
    case .historyNotTrusted: CancelPayout.historyNotTrusted
    case .notHeld(let status): Self.cannot("It is \(status.rawValue), not held.")
    case .attemptIsLive(let txid, .anomalous):
      Self.cannot(
        "Transaction \(txid) is anomalous, which proves neither payment nor failure. See on the solid chain what it did: "
          + "'payoutctl adopt' takes it for the payment, settle ends the payout.")
    case .attemptIsLive(let txid, let status):
      Self.cannot("Transaction \(txid) is \(status.rawValue) and may still pay it: wait until it has ended.")
    case .attemptHasPaid(let txid): Self.cannot("Transaction \(txid) has paid its reference.")
    case .notItsAnomaly(let txid): Self.cannot("Transaction \(txid) is no anomalous attempt that pays exactly it.")
    case .notSolid(let txid): Self.cannot("The block of transaction \(txid) is not solid yet.", retryAfterSeconds: 60)
    case .confirmationsAreMissing(let txid, let confirmations):
      Self.cannot(
        "Transaction \(txid) has paid it and has \(confirmations) of \(requiredConfirmations) confirmations.",
        retryAfterSeconds: 60)
    case .heldFor(let reason):
      Self.cannot(
        "It is held for \(reason): look at it again, and where it shall go on all the same, send \(reason) as hold_reason."
      )
    case .endedBeforeRestore(let status):
      Self.cannot(
        "It was \(status.rawValue) before a restore took that end, says the log of intents: reject or settle it, or send "
          + "although_it_ended where that end does not hold.")
    }
  }

  private static func cannot(_ why: String, retryAfterSeconds: Int? = nil) -> Problem {
    Problem(.cannotDecide, why + " Nothing was changed.", retryAfterSeconds: retryAfterSeconds)
  }
}

extension HeldDecision {
  /// How the payout ends by it; nil where it goes on.
  fileprivate var end: PayoutStatus? {
    switch self {
    case .reject: .rejected
    case .settle: .settledExternally
    case .release, .releaseAlthoughEnded, .adopt: nil
    }
  }
}
