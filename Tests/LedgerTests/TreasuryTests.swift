import Ledger
import Payouts
import Testing

/// Treasury orders in the ledger: signed once, in no limit, known to the fence, never while not continuous
/// (DESIGN.md §3 "The fence": operators' own transactions are journaled orders to the Signer).
@Suite struct TreasuryTests {
  private static let cold = Sample.recipient(500)

  private func sweep(_ number: Int = 1, despite: Bool = false, amount: Int64 = 5_000_000) throws -> TreasuryOrder {
    TreasuryOrder(
      id: Sample.payoutID(800 + number), token: Sample.token, recipient: Self.cold,
      amount: try Amount(microUSDT: amount), isDespiteBreaker: despite, reason: "to the cold wallet")
  }

  private func sign(_ test: TestLedger, decision: TreasuryDecision? = nil) async throws -> SigningOutcome {
    let signing = TreasurySigning(
      wallet: Sample.wallet, signer: TestLedger.signer, head: test.place(TestLedger.startNumber),
      maximumInFlight: 1_000, fenceLagBlocks: 10)
    let now = test.now
    return try await test.ledger.signTreasuryOrder(signing) { order in
      decision
        ?? .sign(
          SignedPayout(
            payout: order.id, reference: order.reference, attemptNumber: 1,
            txid: Sample.txid(order.reference, attempt: 1), signedBytes: [UInt8](repeating: 0xab, count: 250),
            referenceBlockNumber: TestLedger.startNumber, headTime: now,
            expiration: now.advanced(byMilliseconds: 60_000), feeLimit: Sun(1),
            transfer: ExpectedTransfer(
              token: order.token, from: Sample.wallet, to: order.recipient, amount: order.amount)))
    }
  }

  private func txid(_ order: TreasuryOrder) -> TxID { Sample.txid(order.reference, attempt: 1) }

  @Test func `an order is signed once, sent and followed like a payout, and counts in no limit`() async throws {
    try await withLedger { test async throws in
      let order = try sweep()
      try await test.ledger.order(order)
      try await test.ledger.order(order)
      #expect(try await sign(test) == .done(signed: 1, held: 0, waiting: 0))
      #expect(try await sign(test) == .done(signed: 0, held: 0, waiting: 0))
      let taken = try await test.broadcast()
      #expect(taken.map(\.txid) == [txid(order)] && taken.map(\.purpose) == [.treasury])
      #expect(taken[0].payouts.map(\.recipient) == [Self.cold])
      #expect(try await test.used("signed").values.allSatisfy { $0 == 0 })
      // Its block is no finding, and its verdict is Monitor's.
      try await test.head(
        101, [txid(order)],
        suspects: [
          ChainFinding(
            kind: .ownedTransaction, txid: txid(order), logIndex: -1, wallet: Sample.wallet, recipient: nil,
            amountText: nil, referenceBits: nil, timestamp: nil)
        ])
      #expect(try await test.ledger.conditions().openFindings == 0)
      #expect(try await test.ledger.known([txid(order)]).map(\.transfers.first?.to) == [Self.cold])
      try await test.solid(101, [txid(order): .paid(test.place(101), Sample.cost)])
      let records = try await test.ledger.treasuryOrders(atMost: 9)
      #expect(records.map(\.state) == [.signed(txid(order), .solid)])
      #expect(records.map(\.orderedBy) == [TestLedger.actor] && records.map(\.order) == [order])
    }
  }

  @Test func `one order is on its way at a time, and one that ended unpaid is not signed again`() async throws {
    try await withLedger { test async throws in
      let (first, second) = (try sweep(1), try sweep(2))
      try await test.ledger.order(first)
      try await test.ledger.order(second)
      #expect(try await sign(test) == .done(signed: 1, held: 0, waiting: 0))
      #expect(try await sign(test) == .done(signed: 0, held: 0, waiting: 0))
      try await test.ledger.settle([txid(first): .dead], retryDelayMilliseconds: 0)
      #expect(try await test.used("signed").values.allSatisfy { $0 == 0 })
      #expect(try await sign(test) == .done(signed: 1, held: 0, waiting: 0))
      #expect(
        try await test.ledger.treasuryOrders(atMost: 9).map(\.state)
          == [.signed(txid(second), .signed), .signed(txid(first), .dead)])
    }
  }

  // "Nothing is signed while not continuous, and while a finding is open": an operator's order waits too, unless it was given
  // despite the breaker, for the money to be brought to safety; never while the history is not vouched for.
  @Test(arguments: [false, true])
  func `what stops payouts stops an order that was not given despite it`(despite: Bool) async throws {
    try await withLedger { test async throws in
      try await test.ledger.order(try sweep(despite: despite))
      let done = SigningOutcome.done(signed: 0, held: 0, waiting: 1)
      try await test.addFinding()
      #expect(try await sign(test, decision: .wait) == (despite ? done : .blocked(.openFinding)))
      try await test.run("UPDATE unclaimed_transfers SET acknowledged_at = now()")
      _ = try await test.ledger.openBreaker(reason: "stolen key")
      #expect(try await sign(test, decision: .wait) == (despite ? done : .blocked(.breakerOpen)))
      _ = try await test.ledger.closeBreaker(reason: "r")
      _ = try await test.ledger.pause(reason: "r")
      #expect(try await sign(test, decision: .wait) == (despite ? done : .blocked(.paused)))
      _ = try await test.ledger.resume(reason: "r")
      try await test.run(
        """
        UPDATE breaker SET state = 'open', cause = 'repeated_failures', closes_by = 'trial', trial_at = ledger_now()
        """)
      #expect(try await sign(test, decision: .wait) == (despite ? done : .blocked(.breakerOpen)))
      try await test.loseContinuity()
      #expect(try await sign(test) == .blocked(.notContinuous))
    }
  }

  @Test func `in an emergency no other order is waited for, neither one that waits nor one on its way`() async throws {
    try await withLedger { test async throws in
      let orders = try (1...3).map { try sweep($0, despite: $0 > 1) }
      try await test.ledger.order(orders[0])
      _ = try await test.ledger.openBreaker(reason: "stolen key")
      #expect(try await sign(test) == .blocked(.breakerOpen))
      for order in orders[1...] {
        try await test.ledger.order(order)
        #expect(try await sign(test) == .done(signed: 1, held: 0, waiting: 0))
      }
      #expect(
        try await test.ledger.treasuryOrders(atMost: 9).map(\.state)
          == [.signed(txid(orders[2]), .signed), .signed(txid(orders[1]), .signed), .ordered])
    }
  }

  @Test func `an order despite the breaker is stored while a finding is open, and nothing else is`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(1)
      let order = try sweep(despite: true)
      try await test.ledger.order(order)
      try await test.addFinding()
      #expect(try await sign(test) == .done(signed: 1, held: 0, waiting: 0))
      #expect(try await test.sign() == .blocked(.openFinding))
      // Neither by pretending to be the order, later.
      let other = Sample.sql(Sample.txid(Sample.reference(3), attempt: 1).bytes)
      let columns =
        "wallet, signer, signed_bytes, reference_block_number, head_time_ms, expiration_ms, fee_limit_sun, signed_at"
      let copy = "INSERT INTO transactions (txid, \(columns)) SELECT \(other), \(columns) FROM transactions"
      #expect(try await test.refusal(copy) == "TP003")
      #expect(
        try await test.refusal("UPDATE treasury_orders SET txid = \(other), signed_in = pg_current_xact_id(); \(copy)")
          == "TP002")
    }
  }

  @Test func `what Signer refuses is told, and stays refused`() async throws {
    try await withLedger { test async throws in
      try await test.ledger.order(try sweep())
      #expect(try await sign(test, decision: .refuse("not allowed")) == .done(signed: 0, held: 1, waiting: 0))
      #expect(try await sign(test) == .done(signed: 0, held: 0, waiting: 0))
      #expect(try await test.ledger.treasuryOrders(atMost: 9).map(\.state) == [.refused("not allowed")])
      #expect(try await test.rows("SELECT kind FROM alarms WHERE kind = 'treasury_refused'").count == 1)
      #expect(try await test.refusal("UPDATE treasury_orders SET refused_at = NULL, refusal = NULL") == "TP002")
      #expect(try await test.refusal("DELETE FROM treasury_orders") == "TP005")
    }
  }

  // A restore takes the signing, and a journal brings it back: the order that stands again is not signed a second time.
  @Test func `an order whose transaction was put back is not signed again`() async throws {
    try await withLedger { test async throws in
      let order = try sweep()
      try await test.ledger.order(order)
      _ = try await sign(test)
      let journal = try await test.broadcast()
      try await test.forget(txid(order))
      try await test.force("UPDATE treasury_orders SET txid = NULL, signed_in = NULL")
      try await test.loseContinuity()
      #expect(try await test.vouch(journal) == .vouched(putBack: [txid(order)], missing: []))
      #expect(try await sign(test) == .done(signed: 0, held: 0, waiting: 0))
      #expect(try await test.ledger.treasuryOrders(atMost: 9).map(\.state) == [.signed(txid(order), .signed)])
      // Also where the order's row was lost: the attempt stands, and is judged.
      try await test.forget(txid(order))
      try await test.force("DELETE FROM treasury_orders; DELETE FROM payout_references; DELETE FROM limit_windows")
      try await test.loseContinuity()
      #expect(try await test.vouch(journal) == .vouched(putBack: [txid(order)], missing: []))
      try await test.ledger.settle([txid(order): .dead], retryDelayMilliseconds: 0)
      #expect(try await test.used("signed").values.allSatisfy { $0 == 0 })
    }
  }

  // Its name is claimed for ever: whoever writes the database cannot call a payout a treasury order, so that no limit counts
  // it.
  @Test func `an order cannot have the name of a payout`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(1)
      let row = """
        INSERT INTO treasury_orders (id, reference, token, recipient, amount, despite_breaker, reason)
        SELECT id, reference, token, recipient, amount, false, 'r' FROM payouts
        """
      // Refused where the ledger orders it, which claims the reference first.
      #expect(
        try await test.refusal("INSERT INTO payout_references (reference, payout_id) SELECT reference, id FROM payouts")
          != nil)
      #expect(try await test.refusal(row) == "TP002")
    }
  }
}
