import Ledger
import Payouts
import Testing

/// What comes to light after something else was decided: the first law where a person, a restore or a journal was late.
@Suite struct HindsightTests {
  // DESIGN.md §3 "Continuity": "where a rollback was seen and the stream is gone, unsigned payouts are held". One of several
  // Signers may put an attempt back only afterwards; that it is signed does not say that it had not ended.
  @Test func `a payout held for its unproven history keeps that mark when a later vouching puts its attempt back`()
    async throws
  {
    try await withLedger { test async throws in
      try await test.signed(1)
      let entry = try await test.broadcast()[0]
      try await test.forget(entry.txid)
      try await test.force(
        """
        UPDATE payouts SET status = 'scheduled';
        DELETE FROM continuity; UPDATE vouchings SET transactions_oid = 1, server_start = now()
        """)
      while try await test.ledger.holdUnproven(atMost: 10) {}
      let life = try await test.ledger.vouchingState(signer: TestLedger.signer).life
      let word = TestLedger.vouching(life)
      let gone = Vouching(
        signer: word.signer, runID: word.runID, names: word.names, journalID: word.journalID, life: life,
        intentLog: .gone(lastID: nil))
      #expect(try await test.ledger.vouch(gone, journal: []) == .vouched(putBack: [], missing: []))
      #expect(try await test.status(Sample.payoutID(1)) == .held)
      #expect(try await test.vouch([entry]) == .vouched(putBack: [entry.txid], missing: []))
      #expect(try await test.status(Sample.payoutID(1)) == .signed)
      try await test.ledger.settle([entry.txid: .dead], retryDelayMilliseconds: 0)
      let record = try #require(try await test.ledger.payout(Sample.payoutID(1)))
      #expect(record.status == .held && record.holdReason == HoldReason.historyUnproven.rawValue)
    }
  }

  // Found by the model, two at once: an attempt that ended while the vouching held the unsigned ones was signed then, and was
  // none of the signed ones a moment later. Its payout would have been signed again, as if nothing were unproven.
  @Test func `a payout whose attempt ends while what is unproven is being held is held as well`() async throws {
    try await withLedger(connectionLimit: 5) { test async throws in
      try await test.signed(1)
      let entry = try await test.broadcast()[0]
      try await test.accept([try Sample.payout(2)])
      try await test.force("DELETE FROM continuity; UPDATE vouchings SET transactions_oid = 1, server_start = now()")
      let life = try await test.ledger.vouchingState(signer: TestLedger.signer).life
      let word = TestLedger.vouching(life)
      let gone = Vouching(
        signer: word.signer, runID: word.runID, names: word.names, journalID: word.journalID, life: life,
        intentLog: .gone(lastID: nil))
      func waiting() async throws -> String? {
        try await test.value(
          "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
      }
      let (isLocked, isSettled, isEnough) = (Taken<Bool>(), Taken<Bool>(), Taken<Bool>())
      let vouched = Taken<VouchingOutcome>()
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          // The vouching comes as far as this row.
          try await test.pool.withTransaction(.readCommitted) { connection in
            _ = try await connection.execute("SELECT FROM payouts WHERE status = 'queued' FOR UPDATE", [])
            isLocked.put(true)
            try await eventually("both have come as far as they can") { isEnough.value == true }
          }
        }
        try await eventually("the row is locked") { isLocked.value == true }
        group.addTask { vouched.put(try await test.ledger.vouch(gone, journal: [entry])) }
        try await eventually("the vouching waits") { try await waiting() == "1" }
        group.addTask {
          try await test.ledger.settle([entry.txid: .dead], retryDelayMilliseconds: 0)
          isSettled.put(true)
        }
        try await eventually("the end waits for it, or is stored") {
          try await waiting() == "2" || isSettled.value == true
        }
        isEnough.put(true)
        try await group.waitForAll()
      }
      #expect(vouched.value == .vouched(putBack: [], missing: []))
      for number in 1...2 {
        let record = try #require(try await test.ledger.payout(Sample.payoutID(number)))
        #expect(record.status == .held && record.holdReason == HoldReason.historyUnproven.rawValue, "\(number)")
      }
    }
  }

  // What is chosen inside IN is chosen anew for each row where PostgreSQL joins by a nested loop, as it does for a table that it
  // believes to be tiny: the limit would be one for each of them.
  @Test func `however PostgreSQL plans it, no more payouts are held at a time than are asked for`() async throws {
    try await withLedger { test async throws in
      try await test.accept([try Sample.payout(1)])
      try await test.run("VACUUM ANALYZE payouts")
      try await test.accept(try (2...9).map { try Sample.payout($0) })
      try await test.force("DELETE FROM continuity; UPDATE vouchings SET transactions_oid = 1, server_start = now()")
      #expect(try await test.ledger.holdUnproven(atMost: 2))
      #expect(try await test.value("SELECT count(*) FROM payouts WHERE status = 'held'") == "2")
    }
  }

  // §3 point 5: an anomalous transaction stays live, "or adopted or settled by an operator". Where it pays after all, the owner
  // was paid twice, and somebody must know.
  @Test func `an attempt that pays after its payout was settled another way opens the breaker`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await test.head(101, [test.txid(1)])
      try await test.solid(101, [test.txid(1): .anomalous(test.place(101), finding: "another log")])
      _ = try await test.ledger.closeBreaker(reason: "looked at")
      #expect(
        try await test.ledger.decide(
          Sample.payoutID(1), .settle(proof: "bank transfer 7"), reason: "r", requiredConfirmations: 19)
          == .done(.settledExternally))
      try await test.ledger.settle([test.txid(1): .paid(test.place(101), Sample.cost)], retryDelayMilliseconds: 0)
      #expect(try await test.rows("SELECT cause, closes_by FROM breaker") == ["paid_after_end|operator"])
      #expect(try await test.status(Sample.payoutID(1)) == .settledExternally)
    }
  }

  // Found by a review: it was held for its anomaly when its attempt ended, and that word would have let it go.
  @Test func `an unproven payout whose anomalous attempt fails after all is held as unproven`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await test.force("UPDATE payouts SET is_unproven = true")
      try await test.head(101, [test.txid(1)])
      try await test.solid(101, [test.txid(1): .anomalous(test.place(101), finding: "another log")])
      #expect(try await test.status(Sample.payoutID(1)) == .held)
      try await test.ledger.settle(
        [test.txid(1): .failedOnChain(test.place(101), Sample.cost, result: "REVERT")], retryDelayMilliseconds: 0)
      try await test.blame(.expired)
      let release = try await test.ledger.decide(
        Sample.payoutID(1), .release, seen: "anomalous_transaction", reason: "r", requiredConfirmations: 19)
      #expect(release == .refused(.heldFor("history_unproven")))
    }
  }

  // The same of one whose own failures are used up.
  @Test func `a payout that an acknowledged finding may have paid is held where it would fail`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await test.ledger.settle(
        [test.txid(1): .failedOnChain(test.place(101), Sample.cost, result: "REVERT")], retryDelayMilliseconds: 0)
      try await test.findTransfer(to: 1)
      #expect(try await test.ledger.judgeFindings() == 1)
      _ = try await test.ledger.closeBreaker(reason: "acknowledged")
      #expect(try await test.blame(.payout, maximumOwnFailures: 1).isEmpty)
      let record = try #require(try await test.ledger.payout(Sample.payoutID(1)))
      #expect(record.status == .held && record.holdReason == HoldReason.unclaimedTransfer.rawValue)
      // Its failure is judged once a person has let it go: while the finding stands, it is held again.
      func release() async throws -> HeldOutcome {
        try await test.ledger.decide(Sample.payoutID(1), .release, reason: "r", requiredConfirmations: 19)
      }
      #expect(try await release() == .done(.scheduled))
      #expect(try await test.blame(.payout, maximumOwnFailures: 1).isEmpty)
      #expect(try await test.status(Sample.payoutID(1)) == .held)
      try await test.force("UPDATE unclaimed_transfers SET explained_at = ledger_now()")
      #expect(try await release() == .done(.scheduled))
      #expect(try await test.blame(.payout, maximumOwnFailures: 1) == [Sample.payoutID(1)])
      #expect(try await test.status(Sample.payoutID(1)) == .failed)
    }
  }

  // §3 "The fence": "a payout that equals an unclaimed one in these is `held`, never signed"; it must not end unpaid either.
  @Test func `a payout that an acknowledged finding may have paid is held where it would expire`() async throws {
    try await withLedger { test async throws in
      let end = test.now.advanced(byMilliseconds: 60_000)
      try await test.accept(try (1...2).map { try Sample.payout($0, expiresAt: end) })
      try await test.findTransfer(to: 1)
      #expect(try await test.ledger.judgeFindings() == 1)
      _ = try await test.ledger.closeBreaker(reason: "acknowledged")
      try await test.force("UPDATE payouts SET expires_at = ledger_now() - interval '1 second'")
      #expect(try await test.ledger.expire(atMost: 10).map(\.payout) == [Sample.payoutID(2)])
      let record = try #require(try await test.ledger.payout(Sample.payoutID(1)))
      #expect(record.status == .held && record.holdReason == HoldReason.unclaimedTransfer.rawValue)
      #expect(record.heldFrom == .queued)
    }
  }
}
