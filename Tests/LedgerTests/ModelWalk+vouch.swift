import Ledger
import Payouts
import Testing

@testable import Simulation

/// Other lives of the server, what a restore takes, and Signers that vouch.
extension ModelWalk {
  /// A new life of the server, forgotten transactions, and a Signer that vouches.
  mutating func vouch() async throws {
    let signer = someSigner()
    if roll(2) == 0 {
      try await test.pool.executeScript("VACUUM FULL transactions")
      model.life = try await test.ledger.vouchingState(signer: TestLedger.signer).life
      trail.append("another life")
      for entry in journal(of: signer) where model.transactions[entry.txid]?.status == .signed && roll(3) == 0 {
        try await forget(entry)
      }
    }
    guard roll(4) > 0 else { return try await look() }
    let (entries, vouching) = (someJournal(of: signer), word(of: signer))
    let log = if case .gone = vouching.intentLog { Self.logGone } else { "" }
    try await compare("vouch as \(signer) with \(entries.count)\(log)") {
      Self.text(try await $0.vouch(vouching, journal: entries))
    } _: {
      Self.text(try $0.vouch(vouching, journal: entries))
    }
  }

  /// The end of the name of a vouching that holds what waits.
  static var logGone: String { ", log gone" }

  static func text(_ outcome: VouchingOutcome) -> String { "\(outcome)" }

  /// What a restore does that took a signing back: the payout is scheduled again, and nothing tells of the transaction.
  private mutating func forget(_ entry: JournalEntry) async throws {
    let ids = entry.payouts.map(\.payout)
    guard ids.allSatisfy({ model.payouts[$0]?.status == .signed && model.payouts[$0]?.settlementBatch != nil }) else {
      return
    }
    try await test.forget(entry.txid)
    try await test.force(
      "UPDATE payouts SET status = 'scheduled' WHERE id IN (\(ids.map { Sample.sql($0) }.joined(separator: ", ")))")
    model.transactions[entry.txid] = nil
    model.references[entry.txid] = nil
    for part in entry.payouts {
      model.attempts[part.reference]?.removeAll { $0.txid == entry.txid }
      model.payouts[part.payout]?.status = .scheduled
    }
    trail.append("forgotten: \(entry.txid)")
    if roll(2) == 0 { try await forgetAcceptances(of: ids) }
  }

  /// The restore took their acceptances, too.
  private mutating func forgetAcceptances(of payouts: [PayoutID]) async throws {
    for id in payouts where !model.webhooks.contains(where: { $0.payout == id }) {
      guard let reference = model.payouts[id]?.terms.reference else { continue }
      try await test.force(
        """
        DELETE FROM payout_events WHERE payout_id = \(Sample.sql(id));
        DELETE FROM payouts WHERE id = \(Sample.sql(id));
        DELETE FROM payout_references WHERE reference = \(Sample.sql(reference.bytes));
        """)
      model.payouts[id] = nil
      model.payoutIDs[reference] = nil
      model.claims[reference] = nil
      model.events[id] = nil
      trail.append("forgotten: acceptance of \(id)")
    }
  }
}
