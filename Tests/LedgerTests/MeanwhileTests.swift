import Payouts
import Postgres
import Testing

@testable import Ledger

/// What two do at the same moment: found by an audit of what may move between two statements of one transaction.
@Suite struct MeanwhileTests {
  /// Holds what `statement` locks while `body` runs, and gives it back.
  private func holding(
    _ statement: PostgresStatement, _ test: TestLedger,
    then: @escaping @Sendable (PostgresConnection) async throws -> Void,
    _ body: @escaping @Sendable () async throws -> Void
  ) async throws {
    let (isLocked, isEnough) = (Taken<Bool>(), Taken<Bool>())
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await test.pool.withTransaction(.readCommitted) { connection in
          _ = try await connection.execute(statement, [])
          isLocked.put(true)
          try await eventually("the others have come as far as they can") { isEnough.value == true }
          try await then(connection)
        }
      }
      try await eventually("it is locked") { isLocked.value == true }
      group.addTask {
        defer { isEnough.put(true) }
        try await body()
      }
      try await group.waitForAll()
    }
  }

  @Test func `whoever pauses payments is answered when no signing is under way any more`() async throws {
    try await withLedger(connectionLimit: 6) { test async throws in
      try await test.schedule(1)
      let (signed, paused) = (Taken<SigningOutcome>(), Taken<Bool>())
      // The signing has passed its gate when it comes to this.
      try await holding("LOCK TABLE transactions IN SHARE MODE", test) { _ in
      } _: {
        Task { signed.put(try await test.sign()) }
        try await eventually("the signing waits") { try await test.waitingForLocks() == 1 }
        Task { paused.put(try await test.ledger.pause(reason: "a leak")) }
        try await eventually("the pause waits, or is answered") {
          try await test.waitingForLocks() == 2 || paused.value != nil
        }
        #expect(paused.value == nil)
      }
      try await eventually("both have ended") { signed.value != nil && paused.value != nil }
      #expect(signed.value == .done(signed: 1, held: 0, waiting: 0) && paused.value == true)
    }
  }

  // At the end of a day two Signers hold the windows of two days, and wait for each other at the breaker alone.
  @Test func `what the treasury may sign is read when no other Signer is signing`() async throws {
    let order = try sweep()
    try await withLedger(connectionLimit: 6) { test async throws in
      try await test.ledger.order(order)
      let outcome = Taken<SigningOutcome>()
      try await holding("SELECT FROM breaker FOR NO KEY UPDATE", test) { connection in
        _ = try await connection.execute(
          "UPDATE treasury_orders SET refused_at = ledger_now(), refusal = 'the other one has refused it'", [])
      } _: {
        Task {
          let signing = TreasurySigning(
            wallet: Sample.wallet, signer: TestLedger.signer, head: test.place(TestLedger.startNumber),
            maximumInFlight: 1_000, fenceLagBlocks: 10)
          outcome.put(try await test.ledger.signTreasuryOrder(signing) { _ in .refuse("a second time") })
        }
        try await eventually("it waits") { try await test.waitingForLocks() == 1 }
      }
      try await eventually("it has ended") { outcome.value != nil }
      #expect(outcome.value == .done(signed: 0, held: 0, waiting: 0))
      #expect(try await test.value("SELECT refusal FROM treasury_orders") == "the other one has refused it")
    }
  }

  private func sweep() throws -> TreasuryOrder {
    TreasuryOrder(
      id: Sample.payoutID(801), token: Sample.token, recipient: Sample.recipient(500),
      amount: try Amount(microUSDT: 5_000_000), isDespiteBreaker: false, reason: "to the cold wallet")
  }

  @Test func `one treasury order given twice at once is one`() async throws {
    let order = try sweep()
    try await withLedger { test async throws in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 1...4 { group.addTask { try await test.ledger.order(order) } }
        try await group.waitForAll()
      }
      #expect(try await test.ledger.treasuryOrders(atMost: 9).map(\.order) == [order])
    }
  }

  @Test func `who has lost a server to another one gives none of its webhooks up`() async throws {
    try await withLedger { test async throws in
      try await test.acceptTold(1...1)
      let lot = try #require(try await test.claim())
      try await test.force(
        """
        UPDATE webhook_origins SET claims = claims + 1;
        UPDATE webhook_deliveries SET at = at - interval '9 days'
        """)
      #expect(try await test.ledger.release(lot, restMilliseconds: 5_000, lifetimeMilliseconds: 86_400_000) == 0)
      #expect(try await test.value("SELECT state FROM webhook_deliveries") == "pending")
    }
  }

  // A verdict ends all attempts of its transaction: one that came after it was found would be paid by another's transfer.
  @Test func `a transaction takes no attempt of another reference after its commit`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await test.accept([try Sample.payout(2)])
      let add = """
        INSERT INTO attempts (reference, payout_id, number, txid, token, recipient, amount)
        SELECT p.reference, p.id, 1, a.txid, p.token, p.recipient, p.amount
        FROM payouts p, attempts a WHERE p.id = '\(Sample.payoutID(2))'
        """
      let putBack = "INSERT INTO put_backs (txid, signer, journal_id) SELECT txid, 'signer-1', 'j' FROM attempts"
      #expect(try await test.refusal("\(putBack); \(add)") == "TP002")
      #expect(try await test.value("SELECT count(*) FROM attempts") == "1")
    }
  }

  @Test func `failures that open the breaker are an opening like any other`() async throws {
    try await withLedger { test async throws in
      let before = try await test.ledger.breaker().openings
      try await test.signed(10)
      try await test.ledger.settle(
        Dictionary(uniqueKeysWithValues: (1...10).map { (test.txid($0), .dead) }), retryDelayMilliseconds: 0)
      try await test.blame(.expired)
      let breaker = try await test.ledger.breaker()
      #expect(breaker.state == "open" && breaker.closesBy == "trial" && breaker.openings == before + 1)
    }
  }
}
