import Ledger
import Payouts
import Testing

/// A client withdraws its payout before it is signed (DESIGN.md §2).
@Suite struct CancelTests {
  private func cancel(_ payout: Int, _ test: TestLedger) async throws -> CancelOutcome {
    try await test.ledger.cancel(Sample.payoutID(payout), note: "withdrawn")
  }

  // Proves each state that waits for a signature, what the history says, that the limits are released exactly, and that
  // asking again changes nothing.
  @Test func `what waits for its signature ends cancelled, once, and gives its limits back`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(1)
      try await test.accept([
        Sample.payout(2), Sample.payout(3, status: .kycPending), Sample.payout(4, status: .compliancePending),
      ])
      #expect(try await test.used("accepted").values.allSatisfy { $0 == 4_000_000 })
      for payout in 1...4 {
        guard case .cancelled(let record) = try await cancel(payout, test) else {
          Issue.record("payout \(payout) is not cancelled")
          continue
        }
        #expect(record.id == Sample.payoutID(payout) && record.status == .cancelled && record.note == "withdrawn")
        let again = try await cancel(payout, test)
        #expect(again == .cancelled(record))
        let events = try await test.ledger.history(of: record.id)
        #expect(events.filter { $0.to == .cancelled }.count == 1)
        #expect(events.last?.actor == TestLedger.actor && events.last?.note == "withdrawn")
      }
      #expect(try await test.used("accepted").values.allSatisfy { $0 == 0 })
      // A batch of which nothing is left is signed as nothing.
      #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
      #expect(try await test.ledger.cancel(Sample.payoutID(99), note: "n") == .unknownPayout)
    }
  }

  // Proves that whatever has a transaction, is held or has ended stays what it is.
  @Test func `what is signed, held or ended is not cancelled any more`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await test.accept([Sample.payout(2), Sample.payout(3)])
      try await test.run(
        """
        UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'x' WHERE id = \(Sample.sql(Sample.payoutID(2)));
        UPDATE payouts SET status = 'rejected' WHERE id = \(Sample.sql(Sample.payoutID(3)));
        """)
      let before = try await test.rows("SELECT count(*) AS name FROM payout_events")
      for (payout, status) in [(1, PayoutStatus.signed), (2, .held), (3, .rejected)] {
        #expect(try await cancel(payout, test) == .tooLate(status))
      }
      #expect(try await test.rows("SELECT count(*) AS name FROM payout_events") == before)
    }
  }

  // DESIGN.md §3 "Continuity": nothing ends unpaid while nobody vouches, or a finding is open.
  @Test func `while the history is not trusted nothing is cancelled`() async throws {
    try await withLedger { test async throws in
      try await test.accept([Sample.payout(1)])
      // An open finding of somebody else's payment.
      try await test.force(
        """
        INSERT INTO unclaimed_transfers (txid, kind, wallet, block_number, block_id)
        SELECT decode(repeat('08', 32), 'hex'), 'owned_transaction', address, 1, decode(repeat('01', 32), 'hex') FROM wallets
        """)
      #expect(try await cancel(1, test) == .historyNotTrusted)
      try await test.force("DELETE FROM unclaimed_transfers")
      try await test.loseContinuity()
      #expect(try await cancel(1, test) == .historyNotTrusted)
      #expect(try await test.status(Sample.payoutID(1)) == .queued)
    }
  }

  // DESIGN.md §3 "The fence": a finding that a person has acknowledged, and that nothing has explained yet, may be the
  // payment of just this payout. Its client would pay it another way, and it would be paid twice.
  @Test func `what a transfer that nobody claims may have paid is not cancelled`() async throws {
    try await withLedger { test async throws in
      try await test.accept([Sample.payout(1), Sample.payout(2)])
      try await test.force(
        """
        INSERT INTO unclaimed_transfers (txid, kind, wallet, recipient, amount, block_number, block_id, acknowledged_at)
        SELECT decode(repeat('07', 32), 'hex'), 'owned_transaction', address, p.recipient, p.amount, 1,
          decode(repeat('01', 32), 'hex'), now()
        FROM wallets, payouts p WHERE p.id = \(Sample.sql(Sample.payoutID(1)))
        """)
      #expect(try await cancel(1, test) == .mayBePaid)
      guard case .cancelled = try await cancel(2, test) else {
        Issue.record("its neighbour is not cancelled")
        return
      }
    }
  }

  // DESIGN.md §3 point 1: a payout that was put back under a reference that has an attempt already.
  @Test func `what has a live attempt under its reference is not cancelled`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await test.force("UPDATE payouts SET status = 'queued', settlement_batch_id = NULL")
      #expect(try await cancel(1, test) == .mayBePaid)
    }
  }
}
