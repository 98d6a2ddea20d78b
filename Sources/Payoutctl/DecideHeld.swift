import Ledger
import Payouts
import Worker

/// What `release`, `reject` and `settle` share: one decision about one held payout.
struct DecideHeld {
  let ledger: any OperatorLedger
  let payout: PayoutID
  let decision: HeldDecision
  let reason: String
  let requiredConfirmations: Int64

  /// Reads the settings that all three need.
  static func run(_ payout: PayoutID, _ decision: HeldDecision, reason: String) async throws {
    let (database, required) = try Settings.read { settings in
      (
        settings.url("DATABASE_URL", .postgres),
        settings.integer("REQUIRED_CONFIRMATIONS", default: TronConfiguration.usualConfirmations, in: 1...1_000)
      )
    }
    let decide = DecideHeld(
      ledger: Payoutctl.ledger(at: database), payout: payout, decision: decision, reason: reason,
      requiredConfirmations: required)
    print("payout \(payout) is \(try await decide.run().rawValue) now")
  }

  /// - Returns: where the payout is now.
  /// - Throws: `Refusal` where it cannot be, `LedgerError`.
  func run() async throws -> PayoutStatus {
    let outcome = try await ledger.decide(
      payout, decision, reason: reason, requiredConfirmations: requiredConfirmations)
    switch outcome {
    case .done(let status): return status
    case .refused(let refusal): throw Refusal(text: text(of: refusal))
    }
  }

  private var participle: String {
    switch decision {
    case .release: "released"
    case .reject: "rejected"
    case .settle: "settled"
    }
  }

  private func text(of refusal: HeldRefusal) -> String {
    let cannot = "payout \(payout) cannot be \(participle)"
    return switch refusal {
    case .unknownPayout: "there is no payout \(payout) in this ledger"
    case .notHeld(let status): "\(cannot): it is \(status.rawValue), not held; nothing was changed"
    case .attemptIsLive(let txid, .anomalous):
      "\(cannot): its attempt, transaction \(txid), is anomalous, which proves neither payment nor failure; Monitor "
        + "reads it again until it is clear, try again then; nothing was changed"
    case .attemptIsLive(let txid, let status):
      "\(cannot): its attempt, transaction \(txid), is live (\(status.rawValue)) and may still pay it; wait until it "
        + "has ended; nothing was changed"
    case .attemptHasPaid(let txid):
      "\(cannot): transaction \(txid) has paid its reference; look at 'payoutctl show \(payout)'; nothing was changed"
    case .confirmationsAreMissing(let txid, let confirmations):
      "\(cannot) yet: transaction \(txid) has paid it and has \(confirmations) confirmations of "
        + "\(requiredConfirmations); try again when it has them; nothing was changed"
    case .historyNotTrusted:
      "\(cannot) now: it is held, and nothing ends unpaid or goes back to signed before every Signer has vouched for the "
        + "database's history and no finding of the fence is open (see 'payoutctl breaker'); nothing was changed"
    }
  }
}
