import Payouts
import Testing

@testable import Ledger

/// What the solid chain says, and what becomes of payouts by it (DESIGN.md §3 point 5).
@Suite struct SolidTests {
  /// Where a payout is when its transaction's verdict comes.
  enum Stage: String, CaseIterable { case signed, broadcast, confirming, held }

  /// Brings a payout to a stage.
  private func bring(_ test: TestLedger, to stage: Stage) async throws {
    try await test.signed(1)
    if stage != .signed { try await test.broadcast() }
    if stage == .confirming || stage == .held { try await test.head(101, [test.txid(1)]) }
    if stage == .held {
      try await test.run(
        "UPDATE payouts SET status = 'held', held_from = 'confirming', hold_reason = 'operator_decision'")
    }
  }

  // Proves each verdict from each state: what becomes of transaction, attempt and payout, and what is written down.
  @Test(arguments: Stage.allCases) func `each verdict does its own from each state`(stage: Stage) async throws {
    let place = Sample.place(101, at: Timestamp(milliseconds: 1_700_000_000_000))
    let verdicts: [TransactionVerdict] = [
      .paid(place, Sample.cost), .failedOnChain(place, Sample.cost, result: "OUT_OF_ENERGY"), .dead,
      .anomalous(place, finding: "SUCCESS with another log"),
    ]
    for verdict in verdicts {
      try await withLedger { test async throws in
        try await bring(test, to: stage)
        #expect(try await test.solid(101, [test.txid(1): verdict], retryDelay: 60_000))
        let attempt = try #require(try await test.ledger.attempts(of: Sample.payoutID(1)).first)
        let payout = try #require(try await test.ledger.payout(Sample.payoutID(1)))
        switch verdict {
        case .paid:
          #expect(attempt.outcome == .paid && attempt.status == .solid && attempt.result == "SUCCESS")
          #expect(attempt.block == place && attempt.cost == Sample.cost)
          #expect(payout.status == (stage == .held ? .held : .confirming))
        case .failedOnChain:
          #expect(attempt.outcome == .failedOnChain && attempt.status == .failedOnChain)
          #expect(attempt.result == "OUT_OF_ENERGY" && attempt.block == place && attempt.cost == Sample.cost)
          expectFreed(payout, stage, note: "txid \(test.txid(1)) failed on chain: OUT_OF_ENERGY", test)
        case .dead where stage == .confirming || stage == .held:
          // A block held it: first a fork must undo that block.
          #expect(attempt.outcome == nil && attempt.status == .included)
          #expect(payout.status.rawValue == stage.rawValue)
        case .dead:
          #expect(attempt.outcome == .dead && attempt.status == .dead)
          #expect(attempt.block == nil && attempt.result == nil && attempt.cost == nil)
          expectFreed(payout, stage, note: "txid \(test.txid(1)) can never be included", test)
        case .anomalous:
          #expect(attempt.outcome == nil && attempt.status == .anomalous && attempt.block == place)
          #expect(
            payout.status == .held
              && payout.holdReason == (stage == .held ? "operator_decision" : "anomalous_transaction"))
          #expect(payout.heldFrom?.rawValue == (stage == .held ? "confirming" : stage.rawValue))
          #expect(try await test.rows("SELECT state, cause FROM breaker") == ["open|anomalous_transaction"])
        }
        // The same verdict again, as another replica brings it, changes nothing and is no error.
        try await test.ledger.settle([test.txid(1): verdict], retryDelayMilliseconds: 60_000)
        #expect(try await test.ledger.payout(Sample.payoutID(1)) == payout)
        #expect(try await test.ledger.attempts(of: Sample.payoutID(1)) == [attempt])
        let alarms = attempt.status == .included ? "0" : stateOfAlarm(verdict)
        #expect(try await test.rows("SELECT coalesce(sum(count), 0) FROM alarms") == [alarms])
      }
    }
  }

  private func stateOfAlarm(_ verdict: TransactionVerdict) -> String {
    // A failure of circumstance calls for somebody too.
    if case .paid = verdict { "0" } else { "1" }
  }

  private func expectFreed(_ payout: PayoutRecord, _ stage: Stage, note: String, _ test: TestLedger) {
    guard stage != .held else {
      #expect(payout.status == .held && payout.heldFrom == .confirming)
      return
    }
    #expect(payout.status == .scheduled && payout.settlementBatch == Sample.batchID(1) && payout.note == note)
    let delay = payout.notBefore?.milliseconds(since: test.now) ?? 0
    #expect((60_000...75_000).contains(delay))
  }

  // Proves that a verdict that comes late, after the payout was freed and signed again, frees it no second time.
  @Test func `a late verdict does not free a payout that was signed again`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      let verdicts: [TxID: TransactionVerdict] = [test.txid(1): .dead]
      try await test.ledger.settle(verdicts, retryDelayMilliseconds: 0)
      try await test.sign()
      try await test.ledger.settle(verdicts, retryDelayMilliseconds: 0)
      #expect(try await test.status(Sample.payoutID(1)) == .signed)
      #expect(try await test.ledger.attempts(of: Sample.payoutID(1)).map(\.outcome) == [.dead, nil])
    }
  }

  // Proves that what has ended stays as it ended, whatever a later verdict says.
  @Test func `an end is final`() async throws {
    try await withLedger { test async throws in
      try await test.signed(2)
      let place = test.place(101)
      try await test.ledger.settle(
        [test.txid(1): .paid(place, Sample.cost), test.txid(2): .dead], retryDelayMilliseconds: 0)
      try await test.ledger.settle(
        [
          test.txid(1): .dead, test.txid(2): .paid(place, Sample.cost),
          Sample.txid(Sample.reference(9), attempt: 1): .dead,
        ], retryDelayMilliseconds: 0)
      try await test.ledger.settle(
        [test.txid(1): .anomalous(place, finding: "x"), test.txid(2): .anomalous(place, finding: "x")],
        retryDelayMilliseconds: 0)
      #expect(try await test.rows("SELECT status FROM transactions ORDER BY txid") == ["solid", "dead"])
      #expect(try await test.rows("SELECT outcome FROM attempts ORDER BY txid") == ["paid", "dead"])
      #expect(try await test.rows("SELECT state FROM breaker") == ["closed"])
    }
  }

  // Proves that nothing is dead that a block held: neither what the head's branch includes, before a fork has undone that
  // block, nor what a solid block held without a clear end; nor can a program with SQL make it so.
  @Test func `what a block held is not dead`() async throws {
    try await withLedger { test async throws in
      try await test.signed(3)
      try await test.broadcast()
      try await test.head(101, [test.txid(1)])
      try await test.ledger.settle(
        [test.txid(2): .anomalous(test.place(101), finding: "odd")], retryDelayMilliseconds: 0)
      try await test.ledger.settle(
        [test.txid(1): .dead, test.txid(2): .dead, test.txid(3): .dead], retryDelayMilliseconds: 0)
      #expect(
        try await test.rows("SELECT status FROM transactions ORDER BY signed_at, txid").sorted()
          == ["anomalous", "dead", "included"])
      #expect(try await test.rows("SELECT count(*) FROM attempts WHERE outcome IS NULL") == ["2"])
      for number in 1...2 {
        #expect(
          try await test.refusal(
            "UPDATE transactions SET status = 'dead' WHERE txid = \(Sample.sql(test.txid(number).bytes))") == "TP001")
      }
    }
  }

  // Proves that a person who closed the breaker over an anomaly is not overruled when it is read again, and that its
  // clear end is taken once it is known; the payout stays with the person.
  @Test func `an anomaly is told once and ends when it is clear`() async throws {
    try await withLedger { test async throws in
      try await test.signed(2)
      let odd = TransactionVerdict.anomalous(test.place(101), finding: "odd")
      try await test.ledger.settle([test.txid(1): odd, test.txid(2): odd], retryDelayMilliseconds: 0)
      try await test.run(
        "UPDATE breaker SET state = 'closed', cause = NULL, closes_by = NULL; UPDATE alarms SET acknowledged_at = now()"
      )
      try await test.ledger.settle([test.txid(1): odd], retryDelayMilliseconds: 0)
      #expect(try await test.rows("SELECT state FROM breaker") == ["closed"])
      // Never signed again while it is odd.
      try await test.run("UPDATE ledger_settings SET clock_offset_ms = 1000000")
      #expect(try await test.take().isEmpty)
      #expect(
        try await test.refusal("UPDATE payouts SET status = 'scheduled', held_from = NULL, hold_reason = NULL")
          == "TP004")
      try await test.ledger.settle(
        [
          test.txid(1): .paid(test.place(101), Sample.cost),
          test.txid(2): .failedOnChain(test.place(101), Sample.cost, result: "REVERT"),
        ], retryDelayMilliseconds: 0)
      #expect(try await test.rows("SELECT outcome FROM attempts ORDER BY txid") == ["paid", "failed_on_chain"])
      #expect(try await test.rows("SELECT status FROM payouts") == ["held", "held"])
      // The exits of a person: adoption where it paid, scheduled where it did not.
      let release = "held_from = NULL, hold_reason = NULL WHERE id ="
      try await test.run("UPDATE payouts SET status = 'confirmed', \(release) \(Sample.sql(Sample.payoutID(1)))")
      try await test.run("UPDATE payouts SET status = 'scheduled', \(release) \(Sample.sql(Sample.payoutID(2)))")
      #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
      try await test.blame(.walletShort)
      #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 0))
    }
  }

  // Proves which transactions wait for a verdict: those whose whole window lies on the solid chain, on both sides of its
  // end; anomalous ones last, so that they cannot keep the others waiting.
  @Test func `transactions are judged once their window has passed`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(3)
      _ = try await test.ledger.sign(test.order()) { batch in
        batch.candidates.enumerated().map { index, candidate in
          .sign(Sample.signed(candidate, batch, lifeMilliseconds: 60_000 + Int64(index)))
        }
      }
      let expiration = try #require(try await test.ledger.attempts(of: Sample.payoutID(1)).first?.expiration)
      #expect(try await test.ledger.unjudged(atMost: 10) == [])
      try await test.solid(101, at: expiration.advanced(byMilliseconds: -1))
      #expect(try await test.ledger.unjudged(atMost: 10) == [])
      try await test.solid(102, at: expiration)
      let first = try await test.ledger.unjudged(atMost: 10)
      #expect(first.map(\.transaction.txid) == [test.txid(1)])
      #expect(first.first?.expiration == expiration && first.first?.referenceBlockNumber == 100)
      #expect(first.first?.transaction.status == .signed && first.first?.transaction.transfers.count == 1)
      try await test.solid(
        103, [test.txid(1): .anomalous(test.place(103), finding: "odd")], at: expiration.advanced(byMilliseconds: 3))
      #expect(
        try await test.ledger.unjudged(atMost: 10).map(\.transaction.txid).sorted() == (1...3).map { test.txid($0) })
      #expect(
        try await test.ledger.unjudged(atMost: 2).map(\.transaction.txid).sorted() == [test.txid(2), test.txid(3)])
      try await test.ledger.settle([test.txid(2): .dead], retryDelayMilliseconds: 0)
      #expect(
        try await test.ledger.unjudged(atMost: 10).map(\.transaction.txid).sorted() == [test.txid(1), test.txid(3)])
    }
  }

  // Proves confirmations on both sides (head − block + 1), that solid alone is not enough nor depth alone, and the bound.
  @Test func `a payout is confirmed at nineteen, and solid`() async throws {
    try await withLedger { test async throws in
      try await test.signed(3)
      try await test.broadcast()
      try await test.head(101, [test.txid(1), test.txid(2), test.txid(3)])
      func confirm(_ head: Int64, atMost count: Int = 10) async throws -> [PayoutID] {
        try await test.ledger.confirm(headNumber: head, requiredConfirmations: 19, atMost: count)
      }
      #expect(try await confirm(1_000) == [])
      let paid = TransactionVerdict.paid(test.place(101), Sample.cost)
      try await test.solid(101, [test.txid(1): paid, test.txid(2): paid])
      #expect(try await confirm(118) == [])
      #expect(try await confirm(119, atMost: 1) == [Sample.payoutID(1)])
      #expect(try await confirm(119) == [Sample.payoutID(2)])
      #expect(try await confirm(119) == [])
      #expect(try await test.status(Sample.payoutID(1)) == .confirmed)
      #expect(try await test.status(Sample.payoutID(3)) == .confirming)
      // It stays confirmed whatever else happens, also while the history is not trusted.
      try await test.solid(102, [test.txid(3): .paid(test.place(101), Sample.cost)])
      try await test.loseContinuity()
      #expect(try await confirm(119) == [Sample.payoutID(3)])
      #expect(try await test.used("accepted") == ["hour": 3_000_000, "day": 3_000_000])
    }
  }

  // Proves that payouts are freed while the history is not trusted (no final state), so that put-backs can go on.
  @Test func `a death frees a payout also before the Signers have vouched`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await test.loseContinuity()
      try await test.ledger.settle([test.txid(1): .dead], retryDelayMilliseconds: 0)
      #expect(try await test.status(Sample.payoutID(1)) == .scheduled)
    }
  }

  // Proves that a block that another replica applied brings no verdicts in by a second one.
  @Test func `verdicts of a block that does not follow are not taken`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      let applied = try await test.ledger.apply(
        solid: test.place(102), after: test.place(101), verdicts: [test.txid(1): .dead], retryDelayMilliseconds: 0)
      #expect(!applied)
      #expect(try await test.status(test.txid(1)) == "signed")
    }
  }
}
