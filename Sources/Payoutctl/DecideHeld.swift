import Ledger
import Payouts
import Streams
import Worker

/// What `release`, `reject` and `settle` share: one decision about one held payout.
struct DecideHeld {
  let ledger: any OperatorLedger
  let payout: PayoutID
  let decision: HeldDecision
  /// For what it was held when the person looked; nil where that was not told.
  let seen: String?
  let reason: String
  let requiredConfirmations: Int64
  /// Where an unpaid end is written after its commit; nil where `REDIS_URL` is not set.
  let intents: IntentRecorder?

  /// Reads the settings that all three need.
  static func run(
    _ payout: PayoutID, _ decision: HeldDecision, seen: String? = nil, reason: String
  ) async throws {
    let (database, redis, required) = try Settings.read { settings in
      (
        settings.url("DATABASE_URL", .postgres), settings.optionalURL("REDIS_URL", .redis),
        settings.integer("REQUIRED_CONFIRMATIONS", default: TronConfiguration.usualConfirmations, in: 1...1_000)
      )
    }
    let decide = DecideHeld(
      ledger: Payoutctl.ledger(at: database), payout: payout, decision: decision, seen: seen, reason: reason,
      requiredConfirmations: required, intents: try redis.map { try Payoutctl.recorder(at: $0) })
    print("payout \(payout) is \(try await decide.run().rawValue) now")
  }

  /// - Returns: where the payout is now.
  /// - Throws: `Refusal` where it cannot be, `LedgerError`.
  func run() async throws -> PayoutStatus {
    let outcome = try await ledger.decide(
      payout, decision, seen: seen, reason: reason, requiredConfirmations: requiredConfirmations)
    switch outcome {
    case .done(let status):
      await recordEnd()
      return status
    case .refused(let refusal):
      // Called again because the log was away, or this process died before it wrote: written now.
      if case .notHeld(let status) = refusal, status.isUnpaidFinal { await recordEnd() }
      throw Refusal(text: text(of: refusal))
    }
  }

  /// Writes an unpaid end to the log of intents. It stands in the database; what goes wrong here is told, no more.
  private func recordEnd() async {
    var isWritten = false
    do {
      guard let record = try await ledger.payout(payout), let end = PayoutEnd(record) else { return }
      await intents?.record([Intent.ended(end).fields])
      isWritten = intents?.isWell ?? false
    } catch {
      // The row cannot be read again just now.
    }
    if !isWritten {
      Terminal.complain(
        "payoutctl: the end stands in the database, and not in the log of intents, which would tell it after a restore; set "
          + "REDIS_URL and call this again to have it written")
    }
  }

  private var participle: String {
    switch decision {
    case .release, .releaseAlthoughEnded: "released"
    case .reject: "rejected"
    case .settle: "settled"
    case .adopt: "confirmed by adoption"
    }
  }

  private func text(of refusal: HeldRefusal) -> String {
    let cannot = "payout \(payout) cannot be \(participle)"
    return switch refusal {
    case .unknownPayout: "there is no payout \(payout) in this ledger"
    case .notHeld(let status): "\(cannot): it is \(status.rawValue), not held; nothing was changed"
    case .attemptIsLive(let txid, .anomalous):
      "\(cannot): its attempt, transaction \(txid), is anomalous, which proves neither payment nor failure; Monitor "
        + "reads it again until it is clear; once you have seen on the solid chain what it did, 'payoutctl adopt' takes it "
        + "for the payment, or 'payoutctl settle' ends the payout; nothing was changed"
    case .attemptIsLive(let txid, let status):
      "\(cannot): its attempt, transaction \(txid), is live (\(status.rawValue)) and may still pay it; wait until it "
        + "has ended; nothing was changed"
    case .attemptHasPaid(let txid):
      "\(cannot): transaction \(txid) has paid its reference; look at 'payoutctl show \(payout)'; where that paid another "
        + "recipient or amount, reject or settle this payout; nothing was changed"
    case .notItsAnomaly(let txid):
      "\(cannot): transaction \(txid) is not an anomalous attempt of it that pays it; nothing was changed"
    case .notSolid(let txid):
      "\(cannot) yet: the block of transaction \(txid) is not solid; nothing was changed"
    case .confirmationsAreMissing(let txid, let confirmations):
      "\(cannot) yet: transaction \(txid) has paid it and has \(confirmations) confirmations of "
        + "\(requiredConfirmations); try again when it has them; nothing was changed"
    case .heldFor(let reason):
      "\(cannot): it is held for \(reason); look at 'payoutctl show \(payout)', and where it shall go on all the same, say "
        + "--held-for \(reason); nothing was changed"
    case .endedBeforeRestore(let status):
      "\(cannot): the log of intents says that it was \(status.rawValue) before a restore took that end; reject or settle "
        + "it, or say --although-it-ended where that end does not hold; nothing was changed"
    case .historyNotTrusted:
      "\(cannot) now: it is held, and nothing ends unpaid or goes back to signed before every Signer has vouched for the "
        + "database's history and no finding of the fence is open (see 'payoutctl breaker'); nothing was changed"
    }
  }
}
