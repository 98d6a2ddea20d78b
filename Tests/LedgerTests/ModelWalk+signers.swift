import Ledger
import Payouts
import Testing

@testable import Simulation

/// Signers by their names: the template's one, and others that are declared on the way.
extension ModelWalk {
  static let journalIDs = [TestLedger.journalID] + (0x4b...0x4c).map { [UInt8](repeating: $0, count: 16) }
  private static let others = ["signer-2", "signer-3"]
  private static let otherWallet = Address(account: [UInt8](repeating: 0x12, count: 20))

  /// The template's or, once it is declared, another one.
  mutating func someSigner() -> String {
    let declared = model.journals.keys.sorted()
    return roll(3) == 0 ? declared[roll(declared.count)] : TestLedger.signer
  }

  /// The declared journal or, seldom, another one.
  mutating func someJournalID(of signer: String) -> [UInt8] {
    let declared = model.journals[signer]?.journalID ?? TestLedger.journalID
    return roll(5) == 0 ? Self.journalIDs[roll(Self.journalIDs.count)] : declared
  }

  /// The server's life or, seldom, one that is over.
  mutating func someLife() -> ServerLife {
    let life = model.life
    guard roll(10) == 0 else { return life }
    return ServerLife(
      systemIdentifier: life.systemIdentifier, timeline: life.timeline, startMicroseconds: life.startMicroseconds - 1,
      transactionsOID: life.transactionsOID, transactionsFileNode: life.transactionsFileNode)
  }

  /// A Signer's journal or, seldom, one that was taken back to an earlier length, or that tells of an attempt which the
  /// database lost beside one that is under way, or together with its payout.
  mutating func someJournal(of signer: String) -> [JournalEntry] {
    let entries = journal(of: signer)
    if roll(10) == 0, let rival = rival(among: entries) { return entries + [rival] }
    if roll(10) == 0, let unheard = unheard(like: entries.last) { return entries + [unheard] }
    return roll(8) == 0 ? Array(entries.prefix(roll(entries.count + 1))) : entries
  }

  private func rival(among entries: [JournalEntry]) -> JournalEntry? {
    let live = entries.last { entry in
      entry.payouts.contains { part in model.attemptInUse(of: part.reference).map { $0.isLive } == true }
    }
    return live.map { entry in
      JournalEntry(
        txid: Sample.txid(entry.payouts[0].reference, attempt: 99), wallet: entry.wallet, signer: entry.signer,
        signedBytes: entry.signedBytes, referenceBlockNumber: entry.referenceBlockNumber, headTime: entry.headTime,
        expiration: entry.expiration, feeLimit: entry.feeLimit, signedAt: entry.signedAt, payouts: entry.payouts)
    }
  }

  /// What a Signer signed for a payout that this ledger does not know.
  private mutating func unheard(like entry: JournalEntry?) -> JournalEntry? {
    let number = first + roll(6)
    guard let entry, let part = entry.payouts.first, model.claims[Sample.reference(number)] == nil else { return nil }
    return JournalEntry(
      txid: Sample.txid(Sample.reference(number), attempt: 98), wallet: entry.wallet, signer: entry.signer,
      signedBytes: entry.signedBytes, referenceBlockNumber: entry.referenceBlockNumber, headTime: entry.headTime,
      expiration: entry.expiration, feeLimit: entry.feeLimit, signedAt: entry.signedAt,
      payouts: [
        JournalPayout(
          payout: Sample.payoutID(number), reference: Sample.reference(number), attemptNumber: 1, token: part.token,
          recipient: part.recipient, amount: part.amount)
      ])
  }

  /// What a Signer vouches with. Seldom it misses the log of intents, or names others that must vouch.
  mutating func word(of signer: String) -> Vouching {
    let names = roll(12) == 0 ? [signer, Self.others[roll(2)]] : [signer]
    return Vouching(
      signer: signer, runID: [UInt8](repeating: UInt8(roll(3)), count: 16), names: names,
      journalID: someJournalID(of: signer), life: someLife(),
      intentLog: roll(6) == 0 ? .gone(lastID: roll(2) == 0 ? nil : "7-\(roll(3))") : .whole)
  }

  mutating func nameSigners() async throws {
    let signer = (Self.others + [TestLedger.signer])[roll(3)]
    switch roll(8) {
    case 0: try await declare(signer)
    case 1...3:
      try await compare("vouching-state of \(signer)") {
        "\(try await $0.vouchingState(signer: signer))"
      } _: {
        "\($0.vouchingState(signer: signer))"
      }
    case 4:
      try await compare("declared-journal of \(signer)") {
        "\(String(describing: try await $0.declaredJournal(of: signer)))"
      } _: {
        "\(String(describing: $0.journals[signer]))"
      }
    case 5:
      try await compare("hold-unproven") {
        "\(try await $0.holdUnproven(atMost: 3))"
      } _: {
        "\(try $0.holdUnproven(atMost: 3))"
      }
    default:
      let reason = Standstill.allCases[roll(Standstill.allCases.count)]
      try await compare("standstill \(reason) of \(signer)") {
        try await $0.record(reason, of: signer)
        return "done"
      } _: {
        $0.record(reason, of: signer)
        return "done"
      }
    }
  }

  private mutating func declare(_ signer: String) async throws {
    let head = try #require(model.cursors[.head])
    let wallet = roll(3) == 0 ? Self.otherWallet : Sample.wallet
    let (id, waits) = (Self.journalIDs[roll(Self.journalIDs.count)], roll(2) == 0)
    try await compare("declare \(signer) waits \(waits)") {
      "\(try await $0.declare(wallet: wallet, signer: signer, journalID: id, begin: head, waits: waits))"
    } _: {
      "\(try $0.declare(wallet: wallet, signer: signer, journalID: id, begin: head, waits: waits))"
    }
  }
}
