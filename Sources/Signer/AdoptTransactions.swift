import Keystore
import Ledger
import Logging
import Payouts
import Worker

/// Takes transactions on the chain for attempts of payouts, as operators have ordered: journals each, then puts it back as
/// if this Signer had signed it. Monitor judges it as any other.
///
/// **Journal first.** From then on this Signer signs the payout again only after it has itself proven that the adopted
/// transaction moved nothing; and a database that goes back in time once more, before the adoption, gets it back at the
/// next vouching. Without it, the proof of earlier attempts would rest on the database alone.
struct AdoptTransactions: Sendable {
  /// How many at once.
  static let atOnce = 100

  let ledger: any SignerLedger
  let journal: any Journal
  let state: SignerState
  let signerName: String
  let earlierAttempts: EarlierAttempts
  let logger: Logger

  /// Carries out what stands.
  func run() async throws {
    guard let life = state.vouchedLife else { return }
    let lot = try await ledger.adoptionsToCarryOut(wallet: journal.wallet, signer: signerName, atMost: Self.atOnce)
    // Another life: this Signer must vouch first.
    guard lot.life == life else { return }
    var intact: [JournalEntry] = []
    for entry in lot.transactions {
      // Whoever wrote that order, the journal must not learn from it what no key of ours signed.
      guard entry.isIntact(of: journal.wallet) else {
        try await ledger.refuseAdoption(
          of: entry.txid, "its bytes are not a transfer by the wallet of exactly what the payout is to be paid")
        continue
      }
      guard entry.hasTimesOfItsBytes else {
        try await ledger.refuseAdoption(of: entry.txid, "its times are not those that its bytes name")
        continue
      }
      intact.append(entry)
    }
    guard !intact.isEmpty else { return }
    try await journal.append(intact, under: life)
    earlierAttempts.journaled(intact)
    var refusal: (any Error)?
    for entry in intact {
      do {
        try await adopt(entry, under: life)
      } catch let error as LedgerError where error.code.blamesTheRows {
        // It must not keep those behind it waiting. The journal holds it, so that vouching may stop at it.
        refusal = error
        try await ledger.raiseAlarm(
          kind: "adoption_failed", subject: "transaction \(entry.txid)",
          message: "the journal holds it, and the ledger refuses it: \(error); after the next start of the server this "
            + "Signer may not vouch until the ledger takes it")
      }
    }
    if let refusal { throw refusal }
  }

  private func adopt(_ entry: JournalEntry, under life: ServerLife) async throws {
    guard try await ledger.adopt(entry, signer: signerName, journalID: journal.id, life: life) else { return }
    logger.warning(
      "Adopted a transaction by an operator's order",
      metadata: [LogKey.txID: "\(entry.txid)", LogKey.payoutID: "\(entry.payouts.first?.payout.description ?? "")"])
  }
}
