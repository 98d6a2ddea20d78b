import Payouts
import Testing

@testable import Ledger

/// A put-back beside what others wrote meanwhile: findings of the fence, and payouts accepted anew (DESIGN.md §3).
@Suite struct PutBackMeetsOthersTests {
  // Proves that a finding that a put-back explains is closed, and one that nothing explains stays and blocks.
  @Test func `findings that the journal explains are closed`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      let journal = try await test.broadcast()
      try await test.forget(test.txid(1))
      try await test.loseContinuity()
      let finding = ChainFinding(
        kind: .ownedTransaction, txid: test.txid(1), logIndex: -1, wallet: Sample.wallet, recipient: nil,
        amountText: nil, referenceBits: 5, timestamp: test.now)
      try await test.head(101, [test.txid(1)], suspects: [finding])
      #expect(try await test.ledger.conditions().openFindings == 1)
      // Before the Signers have vouched it is not judged: it may be what the restore took.
      #expect(try await test.ledger.judgeFindings() == 0)
      #expect(try await test.vouch(journal) == .vouched(putBack: [test.txid(1)], missing: []))
      #expect(try await test.ledger.conditions().openFindings == 0)
      #expect(try await test.ledger.judgeFindings() == 0)
      try await test.addFinding()
      #expect(try await test.vouch(journal) == .vouched(putBack: [], missing: []))
      #expect(try await test.ledger.conditions().openFindings == 1)
      #expect(try await test.sign() == .blocked(.openFinding))
    }
  }

  // Proves that a block that is read while its transaction is being put back makes no finding that stays: neither of the
  // two saw the other's row.
  @Test func `a finding stored while its transaction was being put back is no stolen key`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      let journal = try await test.broadcast()
      try await test.forget(test.txid(1))
      try await test.loseContinuity()
      #expect(try await test.vouch(journal) == .vouched(putBack: [test.txid(1)], missing: []))
      // What the reader's statement stored by its older snapshot, committed after the vouching.
      try await test.run(
        """
        INSERT INTO unclaimed_transfers (txid, kind, wallet, block_number, block_id)
        SELECT txid, 'owned_transaction', wallet, 101, decode(repeat('ee', 32), 'hex') FROM transactions
        """)
      #expect(try await test.ledger.conditions().openFindings == 1)
      #expect(try await test.ledger.judgeFindings() == 0)
      #expect(try await test.ledger.conditions().openFindings == 0)
      #expect(try await test.rows("SELECT state FROM breaker") == ["closed"])
      #expect(try await test.rows("SELECT kind FROM alarms") == [])
    }
  }

  // Proves that a payout is never told as paid by what was signed for another: a restore lost the payout, its key came
  // again with another request, and only then the journal was compared.
  @Test func `what was signed for other terms under a reference holds the payout and is not its payment`() async throws
  {
    try await withLedger { test async throws in
      try await test.signed(2)
      let journal = try await test.broadcast()
      for number in 1...2 { try await test.forget(test.txid(number)) }
      try await test.force(
        """
        UPDATE payouts SET id = gen_random_uuid(), status = 'scheduled';
        UPDATE payouts SET amount = 999000000
          WHERE reference = \(Sample.sql(Sample.reference(1).bytes));
        """)
      try await test.loseContinuity()
      #expect(try await test.vouch(journal) == .vouched(putBack: journal.map(\.txid).sorted(), missing: []))
      #expect(
        try await test.rows("SELECT status, held_from, hold_reason FROM payouts ORDER BY amount DESC")
          == ["held|scheduled|reference_in_use", "signed||"])
      #expect(try await test.rows("SELECT kind FROM alarms") == ["reference_in_use"])
      let verdicts = [1, 2].map { (test.txid($0), TransactionVerdict.paid(test.place(101), Sample.cost)) }
      try await test.ledger.settle(Dictionary(uniqueKeysWithValues: verdicts), retryDelayMilliseconds: 0)
      #expect(
        try await test.rows("SELECT status FROM payouts ORDER BY amount DESC") == ["held", "confirming"])
      let held = try #require(try await test.value("SELECT id FROM payouts WHERE status = 'held'"))
      #expect(try await test.ledger.attempts(of: PayoutID(held)).isEmpty)
      // Asked by its new name, the other shows the attempt that pays it.
      let name = try #require(try await test.value("SELECT id FROM payouts WHERE status = 'confirming'"))
      #expect(try await test.ledger.attempts(of: PayoutID(name)).map(\.txid) == [test.txid(2)])
    }
  }
}
