import Payouts
import TestSupport
import Testing

@testable import Ledger

/// What a journal brings after a quarantine has gone on without it (DESIGN.md §3 "Continuity": "what a late journal still
/// brings goes in with its verdict by point 5").
@Suite struct LateJournalTests {
  /// A payout that was signed again after the lost history, and paid; with the entry of its lost first attempt.
  private func paidAgain(_ test: TestLedger) async throws -> JournalEntry {
    try await test.signed(1)
    let lost = try await test.broadcast()[0]
    try await test.forget(lost.txid)
    try await test.force("UPDATE payouts SET status = 'scheduled'")
    _ = try await test.ledger.sign(test.order()) { batch in
      batch.candidates.map { .sign(Sample.signed($0, batch, txid: test.txid(1, attempt: 2))) }
    }
    _ = try await test.broadcast()
    return lost
  }

  /// Both views come to a block at which the lost attempt's time is over.
  private func passExpiration(_ test: TestLedger, of entry: JournalEntry) async throws {
    let number = try #require(try await test.ledger.cursor(.solid)).number + 1
    try await test.solid(number, at: entry.expiration)
  }

  // A journal that comes back while the other attempt is live waits for that one's end; where it has paid, for the end of
  // its own time: until then what it holds could still be sent.
  @Test func `a late attempt goes in beside one that has paid once its time is over`() async throws {
    try await withLedger { test async throws in
      let lost = try await paidAgain(test)
      try await test.loseContinuity()
      #expect(try await test.vouch([lost]) == .waitsForVerdicts(putBack: [], deferred: [lost.txid]))
      let paid = test.txid(1, attempt: 2)
      try await test.head(101, [paid])
      try await test.solid(101, [paid: .paid(test.place(101), Sample.cost)])
      #expect(try await test.vouch([lost]) == .contradicted([lost.txid]))
      #expect(try await test.status(lost.txid) == nil)
      try await passExpiration(test, of: lost)
      #expect(try await test.vouch([lost]) == .vouched(putBack: [lost.txid], missing: []))
      // It is read for its verdict like any other, and never sent or signed again; the payout goes its way.
      #expect(try await test.ledger.unjudged(atMost: 10).map(\.transaction.txid) == [lost.txid])
      #expect(try await test.status(Sample.payoutID(1)) == .confirming)
      try await test.ledger.settle([lost.txid: .dead], retryDelayMilliseconds: 0)
      #expect(try await test.status(Sample.payoutID(1)) == .confirming)
      let outcomes = try await test.ledger.attempts(of: Sample.payoutID(1)).map(\.outcome)
      #expect(Set(outcomes) == [.dead, .paid])
      #expect(
        try await test.ledger.confirm(headNumber: 119, requiredConfirmations: 19, atMost: 10) == [Sample.payoutID(1)])
      #expect(try await test.vouch([lost]) == .vouched(putBack: [], missing: []))
    }
  }

  // Found by an audit: with a URL, the statement that confirms it failed, and with it all payouts that it was to confirm.
  @Test func `a payout beside whose payment a late attempt is live is confirmed, and its client told of the payment`()
    async throws
  {
    try await withLedger { test async throws in
      let lost = try await paidAgain(test)
      try await test.force("UPDATE payouts SET webhook_url = 'https://client.example/hook'")
      try await test.loseContinuity()
      let paid = test.txid(1, attempt: 2)
      try await test.head(101, [paid])
      try await test.solid(101, [paid: .paid(test.place(101), Sample.cost)])
      try await passExpiration(test, of: lost)
      #expect(try await test.vouch([lost]) == .vouched(putBack: [lost.txid], missing: []))
      #expect(
        try await test.ledger.confirm(headNumber: 119, requiredConfirmations: 19, atMost: 10) == [Sample.payoutID(1)])
      #expect(
        try await test.rows("SELECT event, encode(txid, 'hex') FROM webhook_deliveries WHERE status = 'confirmed'")
          == ["payout.confirmed|\(paid)"])
    }
  }

  // What cannot be taken back is told, and everything stops.
  @Test func `a late attempt that has paid too opens the breaker`() async throws {
    try await withLedger { test async throws in
      let lost = try await paidAgain(test)
      let paid = test.txid(1, attempt: 2)
      try await test.ledger.settle([paid: .paid(test.place(101), Sample.cost)], retryDelayMilliseconds: 0)
      try await passExpiration(test, of: lost)
      #expect(try await test.vouch([lost]) == .vouched(putBack: [lost.txid], missing: []))
      try await test.ledger.settle([lost.txid: .paid(test.place(102), Sample.cost)], retryDelayMilliseconds: 0)
      #expect(try await test.rows("SELECT cause, closes_by FROM breaker") == ["paid_twice|operator"])
      #expect(try await test.ledger.attempts(of: Sample.payoutID(1)).map(\.outcome) == [.paid, .paid])
    }
  }

  // Nobody but a put-back, and only after its time, stores a second attempt beside a paid one.
  @Test func `a late attempt is no way around one live or paid attempt a reference`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      let insert = """
        INSERT INTO attempts (reference, payout_id, number, txid, token, recipient, amount, late)
        SELECT reference, payout_id, 2, txid, token, recipient, amount, true FROM attempts
        """
      #expect(try await test.refusal(insert) == "TP002")
      #expect(try await test.refusal("UPDATE attempts SET late = true") == "TP002")
    }
  }

  // The old volume is there again: its findings are explained, what it holds gets its verdict, and again changes nothing.
  @Test func `what a retired journal holds is brought without its Signer`() async throws {
    try await withLedger { test async throws in
      try await test.signed(2)
      let journal = try await test.broadcast()
      try await test.forget(test.txid(1))
      try await test.force(
        """
        UPDATE payouts SET status = 'scheduled' WHERE id = \(Sample.sql(Sample.payoutID(1)));
        INSERT INTO unclaimed_transfers (txid, kind, wallet, block_number, block_id)
          VALUES (\(Sample.sql(test.txid(1).bytes)), 'owned_transaction', \(Sample.sql(Sample.wallet.bytes)), 1,
            \(Sample.sql(Sample.blockID(1).bytes)))
        """)
      #expect(try await test.ledger.bring(journal, of: TestLedger.journalID) == .notRetired)
      try await test.force(
        """
        INSERT INTO quarantines (signer, cause, expiration_ms, reason) VALUES ('signer-1', 'signer_away', 1, 'a test');
        INSERT INTO retired_journals (journal_id, signer, wallet, quarantine_id)
          VALUES (\(Sample.sql([UInt8](repeating: 9, count: 16))), 'signer-1', \(Sample.sql(Sample.wallet.bytes)), 1)
        """)
      let retired = [UInt8](repeating: 9, count: 16)
      #expect(
        try await test.ledger.bring(journal, of: retired)
          == .brought(putBack: [test.txid(1)], deferred: [], contradicted: []))
      #expect(try await test.status(Sample.payoutID(1)) == .signed)
      #expect(try await test.ledger.conditions().openFindings == 0)
      #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
      #expect(
        try await test.ledger.bring(journal, of: retired) == .brought(putBack: [], deferred: [], contradicted: []))
    }
  }
}
