import Payouts
import TestSupport
import Testing

@testable import Ledger

/// Questions, and what may be changed beside the usual way.
@Suite struct ReadTests {
  // Proves what is told of a reference: nothing before, the payout and its request after, nothing of a name alone.
  @Test func `what was accepted under a reference is told with its request`() async throws {
    try await withLedger { test async throws in
      #expect(try await test.ledger.accepted(under: Sample.reference(1)) == nil)
      try await test.accept([Sample.payout(1, fingerprint: 7)])
      let accepted = try #require(try await test.ledger.accepted(under: Sample.reference(1)))
      #expect(accepted.record == (try await test.ledger.payout(Sample.payoutID(1))))
      #expect(accepted.fingerprint == [UInt8](repeating: 7, count: 32))
      try await test.force("DELETE FROM payouts")
      #expect(try await test.ledger.accepted(under: Sample.reference(1)) == nil)
    }
  }

  // Proves every condition that is told to whoever waits, each before and after it comes about.
  @Test func `conditions tell what keeps payouts from being paid`() async throws {
    try await withLedger { test async throws in
      let free = try await test.ledger.conditions()
      #expect(free.isContinuous && free.openFindings == 0 && free.pauseReason == nil && free.breakerCause == nil)
      #expect(free.pausedSince == nil && free.breakerSince == nil)
      #expect(free.headNumber == 100 && free.solidNumber == 100 && free.headMovedAt != nil)
      #expect(free.now >= test.now)
      try await test.addFinding()
      try await test.run("UPDATE pause SET paused = true, reason = 'stock-taking'")
      try await test.ledger.openBreaker(cause: "altered_transaction", subject: "transaction 1", message: "look")
      try await test.loseContinuity()
      try await test.head(101)
      let stopped = try await test.ledger.conditions()
      #expect(!stopped.isContinuous && stopped.openFindings == 1 && stopped.pauseReason == "stock-taking")
      #expect(
        stopped.pausedSince != nil && stopped.breakerCause == "altered_transaction" && stopped.breakerSince != nil)
      #expect(stopped.headNumber == 101 && stopped.solidNumber == 100)
    }
  }

  // Proves that of Signers that stand still since the same moment always the same one is told of.
  @Test func `of two standstills of one moment that of the first name is told`() async throws {
    try await withLedger { test async throws in
      let clock = LedgerClock(url: test.url)
      try await clock.freeze(at: test.now)
      try await test.ledger.record(.noNodeAccepts, of: "signer-2")
      try await test.ledger.record(.inFlightLimit, of: "signer-1")
      #expect(try await test.ledger.conditions().standstill == .inFlightLimit)
      await clock.close()
    }
  }

  // Proves that the breaker keeps the first cause of a person's matter, takes it over from a trial's, and that each
  // cause raises its alarm.
  @Test func `the breaker opens until an operator closes it`() async throws {
    try await withLedger { test async throws in
      let breaker = "SELECT state, cause, closes_by FROM breaker"
      try await test.run(
        """
        UPDATE breaker SET state = 'half_open', cause = 'failures', closes_by = 'trial',
          trial_txid = decode(repeat('ee', 32), 'hex')
        """)
      try await test.ledger.openBreaker(cause: "first", subject: "a", message: "x")
      #expect(try await test.rows(breaker) == ["open|first|operator"])
      try await test.ledger.openBreaker(cause: "second", subject: "b", message: "y")
      #expect(try await test.rows(breaker) == ["open|first|operator"])
      #expect(try await test.rows("SELECT kind, subject FROM alarms ORDER BY id") == ["first|a", "second|b"])
    }
  }

  // Proves that a dead letter holds what waits in its batch, and nothing else of it.
  @Test func `a batch whose signing fails again and again is held where it waits`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(3)
      try await test.sign(test.order(maximumPayouts: 1))
      let held = try await test.ledger.holdScheduled(batch: Sample.batchID(1), note: "delivered ten times")
      #expect(Set(held) == [Sample.payoutID(2), Sample.payoutID(3)])
      #expect(try await test.status(Sample.payoutID(1)) == .signed)
      let record = try #require(try await test.ledger.payout(Sample.payoutID(2)))
      #expect(record.status == .held && record.holdReason == "dead_letter" && record.heldFrom == .scheduled)
      #expect(record.note == "delivered ten times")
      #expect(try await test.ledger.holdScheduled(batch: Sample.batchID(1), note: "again") == [])
    }
  }

  // Proves what is told of a Signer's journal.
  @Test func `a declared journal is told by its Signer's name`() async throws {
    try await withLedger { test async throws in
      #expect(
        try await test.ledger.declaredJournal(of: TestLedger.signer)
          == DeclaredJournal(wallet: Sample.wallet, journalID: TestLedger.journalID))
      #expect(try await test.ledger.declaredJournal(of: "nobody") == nil)
    }
  }
}
