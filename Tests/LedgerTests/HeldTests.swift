import Ledger
import Payouts
import Testing

/// The exits of `held`: what a person may decide, and what the ledger refuses (DESIGN.md §2).
@Suite struct HeldTests {
  /// Holds a payout where it stands, as any stage can.
  private func hold(_ payout: Int, _ test: TestLedger, reason: String = "signer_limit") async throws {
    try await test.run(
      """
      UPDATE payouts SET status = 'held', held_from = status, hold_reason = '\(reason)', note = 'why'
      WHERE id = \(Sample.sql(Sample.payoutID(payout)))
      """)
  }

  private func decide(
    _ payout: Int, _ decision: HeldDecision, _ test: TestLedger, required: Int64 = 19
  ) async throws -> HeldOutcome {
    try await test.ledger.decide(
      Sample.payoutID(payout), decision, reason: "looked at it", requiredConfirmations: required)
  }

  private func lastEvent(_ payout: Int, _ test: TestLedger) async throws -> PayoutEvent? {
    try await test.ledger.history(of: Sample.payoutID(payout)).last
  }

  @Test func `held payouts are listed, the oldest first and no more than asked for`() async throws {
    try await withLedger { test async throws in
      try await test.accept((1...3).map { try Sample.payout($0) })
      #expect(try await test.ledger.heldPayouts(atMost: 10).isEmpty)
      for payout in [2, 3, 1] { try await hold(payout, test) }
      let held = try await test.ledger.heldPayouts(atMost: 2)
      #expect(held.map(\.id) == [Sample.payoutID(2), Sample.payoutID(3)])
      #expect(held.map(\.holdReason) == ["signer_limit", "signer_limit"])
      #expect(held.map(\.heldFrom) == [.queued, .queued] && held.map(\.note) == ["why", "why"])
    }
  }

  // Proves the way back of each waiting state, and who and why in the history.
  @Test func `what was held before it was signed goes back to where it was held from`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(1)
      try await test.accept([
        Sample.payout(2), Sample.payout(3, status: .kycPending), Sample.payout(4, status: .compliancePending),
      ])
      let origins: [PayoutStatus] = [.scheduled, .queued, .kycPending, .compliancePending]
      for (index, origin) in origins.enumerated() {
        try await hold(index + 1, test)
        #expect(try await decide(index + 1, .release, test) == .done(origin))
        let event = try #require(try await lastEvent(index + 1, test))
        #expect(event.from == .held && event.to == origin)
        #expect(event.actor == TestLedger.actor && event.note == "looked at it")
        let record = try #require(try await test.ledger.payout(Sample.payoutID(index + 1)))
        #expect(record.heldFrom == nil && record.holdReason == nil)
      }
      #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 0))
    }
  }

  // Proves that a live attempt keeps its payout where the chain can still find it, and that no second one is signed.
  @Test func `what was held while its attempt lives goes on with that attempt, where it is by now`() async throws {
    try await withLedger { test async throws in
      try await test.signed(4)
      try await hold(1, test)
      try await test.broadcast()
      try await hold(2, test)
      try await hold(3, test)
      try await test.head(101, [test.txid(3), test.txid(4)])
      try await hold(4, test)
      #expect(try await test.ledger.undoHead(above: 100) == [])
      try await test.head(101, [test.txid(3)], branch: 1)
      // 1 was held from signed and is sent now, 2 stays, 3 came into a block, 4 lost its block to a fork.
      #expect(try await decide(1, .release, test) == .done(.broadcast))
      #expect(try await decide(2, .release, test) == .done(.broadcast))
      #expect(try await decide(3, .release, test) == .done(.confirming))
      #expect(try await decide(4, .release, test) == .done(.broadcast))
      let events = try await test.ledger.history(of: Sample.payoutID(3)).suffix(2)
      #expect(events.map(\.to) == [.broadcast, .confirming])
      #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
    }
  }

  @Test func `what was held while its attempt died is signed again`() async throws {
    try await withLedger { test async throws in
      try await test.signed(2)
      try await hold(1, test)
      try await hold(2, test)
      // Put back from a journal before it was ever in a batch.
      try await test.force(
        "UPDATE payouts SET settlement_batch_id = NULL WHERE id = \(Sample.sql(Sample.payoutID(2)))")
      try await test.solid(101, [test.txid(1): .dead, test.txid(2): .dead])
      #expect(try await test.status(Sample.payoutID(1)) == .held)
      #expect(try await decide(1, .release, test) == .done(.scheduled))
      #expect(try await decide(2, .release, test) == .done(.scheduled))
      #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 0))
      #expect(try await test.sign(test.order(Sample.payoutID(2))) == .done(signed: 1, held: 0, waiting: 0))
      #expect(try await test.ledger.attempts(of: Sample.payoutID(1)).map(\.outcome) == [.dead, nil])
    }
  }

  // Proves that money that moved is told as such, with all confirmations, and can neither be rejected nor paid again.
  @Test func `what was paid while it was held can only be confirmed`() async throws {
    try await withLedger { test async throws in
      try await test.signed(2)
      try await hold(1, test)
      try await test.head(101, [test.txid(1), test.txid(2)])
      try await hold(2, test)
      let paid = TransactionVerdict.paid(test.place(101), Sample.cost)
      try await test.solid(101, [test.txid(1): paid, test.txid(2): paid])
      for decision in [HeldDecision.reject, .settle(proof: "p")] {
        #expect(try await decide(1, decision, test) == .refused(.attemptHasPaid(test.txid(1))))
      }
      #expect(
        try await decide(1, .release, test, required: 2)
          == .refused(.confirmationsAreMissing(test.txid(1), confirmations: 1)))
      #expect(try await test.status(Sample.payoutID(1)) == .held)
      #expect(try await decide(1, .release, test, required: 1) == .done(.confirmed))
      #expect(try await decide(2, .release, test) == .done(.confirming))
      #expect(
        try await test.ledger.confirm(headNumber: 119, requiredConfirmations: 19, atMost: 10) == [Sample.payoutID(2)])
    }
  }

  @Test func `an anomalous attempt keeps its payout held until it is clear`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await test.solid(101, [test.txid(1): .anomalous(test.place(101), finding: "another log")])
      for decision in [HeldDecision.release, .reject] {
        #expect(try await decide(1, decision, test) == .refused(.attemptIsLive(test.txid(1), .anomalous)))
      }
      try await test.ledger.settle(
        [test.txid(1): .failedOnChain(test.place(101), Sample.cost, result: "REVERT")], retryDelayMilliseconds: 0)
      #expect(try await decide(1, .release, test) == .done(.scheduled))
    }
  }

  // Proves that an end releases what was reserved, once, and that nothing leaves it.
  @Test func `reject and settle end a payout without an attempt and release its limits`() async throws {
    try await withLedger { test async throws in
      try await test.accept((1...2).map { try Sample.payout($0) })
      try await hold(1, test)
      try await hold(2, test)
      #expect(try await test.used("accepted") == ["hour": 2_000_000, "day": 2_000_000])
      #expect(try await decide(1, .reject, test) == .done(.rejected))
      #expect(try await test.used("accepted") == ["hour": 1_000_000, "day": 1_000_000])
      #expect(try await decide(2, .settle(proof: "SEPA 7"), test) == .done(.settledExternally))
      #expect(try await test.used("accepted") == ["hour": 0, "day": 0])
      #expect(try await lastEvent(1, test)?.note == "looked at it")
      #expect(try await lastEvent(2, test)?.note == "looked at it (proof: SEPA 7)")
      for decision in [HeldDecision.release, .reject, .settle(proof: "p")] {
        #expect(try await decide(1, decision, test) == .refused(.notHeld(.rejected)))
      }
      #expect(try await test.used("accepted") == ["hour": 0, "day": 0])
    }
  }

  @Test func `nothing ends while an attempt is live or the history is not vouched for`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await hold(1, test)
      try await test.accept([Sample.payout(2)])
      try await hold(2, test)
      for decision in [HeldDecision.reject, .settle(proof: "p")] {
        #expect(try await decide(1, decision, test) == .refused(.attemptIsLive(test.txid(1), .signed)))
      }
      try await test.addFinding()
      #expect(try await decide(2, .reject, test) == .refused(.historyNotTrusted))
      try await test.run("UPDATE unclaimed_transfers SET acknowledged_at = now()")
      try await test.loseContinuity()
      #expect(try await decide(2, .settle(proof: "p"), test) == .refused(.historyNotTrusted))
      #expect(try await decide(1, .release, test) == .refused(.historyNotTrusted))
      // Going on is no end: Signer waits for the vouching by itself.
      #expect(try await decide(2, .release, test) == .done(.queued))
    }
  }

  // Proves that a reference that was signed with other terms is nobody's to release.
  @Test func `a payout whose reference another transaction holds is not released`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await test.force(
        """
        UPDATE payouts SET status = 'held', held_from = 'queued', hold_reason = 'reference_in_use', amount = 5
        WHERE id = \(Sample.sql(Sample.payoutID(1)))
        """)
      #expect(try await decide(1, .release, test) == .refused(.attemptIsLive(test.txid(1), .signed)))
      try await test.head(101, [test.txid(1)])
      try await test.solid(101, [test.txid(1): .paid(test.place(101), Sample.cost)])
      #expect(try await decide(1, .release, test, required: 1) == .refused(.attemptHasPaid(test.txid(1))))
    }
  }

  // "An anomalous transaction is read again until it is clear, or adopted or settled by an operator, and never signed again":
  // only with its block solid, deep enough, and by its name.
  @Test func `a person adopts an anomalous attempt once its solid block is deep enough`() async throws {
    try await withLedger { test async throws in
      try await test.signed(2)
      try await test.solid(101, [test.txid(1): .anomalous(test.place(101), finding: "another log")])
      let confirm = HeldDecision.adopt(test.txid(1))
      #expect(try await decide(1, .adopt(test.txid(2)), test) == .refused(.notItsAnomaly(test.txid(2))))
      try await test.force("UPDATE chain_cursors SET number = 100 WHERE view = 'solid'")
      #expect(try await decide(1, confirm, test, required: 1) == .refused(.notSolid(test.txid(1))))
      try await test.force("UPDATE chain_cursors SET number = 101 WHERE view = 'solid'")
      try await test.head(101, [])
      #expect(
        try await decide(1, confirm, test, required: 2)
          == .refused(.confirmationsAreMissing(test.txid(1), confirmations: 1)))
      #expect(try await test.status(Sample.payoutID(1)) == .held)
      #expect(try await decide(1, confirm, test, required: 1) == .done(.confirmed))
      #expect(try await test.status(test.txid(1)) == "solid")
      #expect(try await test.ledger.attempts(of: Sample.payoutID(1)).map(\.outcome) == [.paid])
      #expect(try await lastEvent(1, test)?.note == "adopted txid \(test.txid(1)): looked at it")
      #expect(try await decide(2, .adopt(test.txid(2)), test) == .refused(.notHeld(.signed)))
    }
  }

  @Test func `a person settles a payout whose attempt is anomalous, and nothing of its reference is signed again`()
    async throws
  {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await test.solid(101, [test.txid(1): .anomalous(test.place(101), finding: "another log")])
      #expect(try await decide(1, .reject, test) == .refused(.attemptIsLive(test.txid(1), .anomalous)))
      #expect(try await decide(1, .settle(proof: "SEPA 7"), test) == .done(.settledExternally))
      #expect(try await test.used("accepted") == ["hour": 0, "day": 0])
      // Read again until it is clear; what it then turns out to be changes no end.
      #expect(try await test.status(test.txid(1)) == "anomalous")
      try await test.ledger.settle(
        [test.txid(1): .failedOnChain(test.place(101), Sample.cost, result: "REVERT")], retryDelayMilliseconds: 0)
      #expect(try await test.status(Sample.payoutID(1)) == .settledExternally)
      _ = try await test.ledger.closeBreaker(reason: "settled")
      #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
    }
  }

  // A payout whose reference paid another recipient or amount was never paid, and never will be: a person may end it, not
  // confirm it.
  @Test(arguments: [PayoutStatus.rejected, .settledExternally])
  func `a payout whose reference has paid somebody else ends unpaid by a person's word`(end: PayoutStatus) async throws
  {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await test.force(
        """
        UPDATE payouts SET status = 'held', held_from = 'queued', hold_reason = 'reference_in_use', amount = 5
        WHERE id = \(Sample.sql(Sample.payoutID(1)));
        UPDATE limit_windows SET used = 5 WHERE scope LIKE 'accepted%'
        """)
      let decision: HeldDecision = end == .rejected ? .reject : .settle(proof: "p")
      #expect(try await decide(1, decision, test) == .refused(.attemptIsLive(test.txid(1), .signed)))
      try await test.head(101, [test.txid(1)])
      try await test.solid(101, [test.txid(1): .paid(test.place(101), Sample.cost)])
      let confirmation = "UPDATE payouts SET status = 'confirmed', held_from = NULL, hold_reason = NULL"
      #expect(try await test.refusal(confirmation) == "TP004")
      #expect(try await decide(1, decision, test) == .done(end))
      #expect(try await test.used("accepted") == ["hour": 0, "day": 0])
    }
  }

  @Test func `a payout that is unknown or not held is told as such`() async throws {
    try await withLedger { test async throws in
      try await test.accept([Sample.payout(1)])
      #expect(try await decide(1, .release, test) == .refused(.notHeld(.queued)))
      #expect(try await decide(9, .reject, test) == .refused(.unknownPayout))
    }
  }

  // Proves the compare-and-set: of many at once exactly one wins, the others are told what it did.
  @Test func `of decisions made at once only one is carried out`() async throws {
    try await withLedger(connectionLimit: 8) { test async throws in
      for round in 1...5 {
        try await test.accept([Sample.payout(round)])
        try await hold(round, test)
        let outcomes = try await withThrowingTaskGroup(of: HeldOutcome.self) { group in
          for decision in [HeldDecision.release, .reject, .settle(proof: "p"), .release, .reject, .reject] {
            group.addTask { try await decide(round, decision, test) }
          }
          return try await group.reduce(into: [HeldOutcome]()) { $0.append($1) }
        }
        let done = outcomes.filter { if case .done = $0 { true } else { false } }
        #expect(done.count == 1 && outcomes.count == 6, "\(outcomes)")
        #expect(try await test.ledger.history(of: Sample.payoutID(round)).count == 3)
      }
    }
  }
}
