import Payouts
import Testing

@testable import Ledger

/// Adoptions in the ledger: what may be ordered, what a Signer's carrying it out changes, and what it does not
/// (DESIGN.md §3 "The fence").
@Suite struct AdoptionTests {
  /// A transaction on the chain that nobody here knows, found in block 101.
  private static let lost = Sample.txid(Sample.reference(1), attempt: 7)

  /// An order about it, for payout 1 unless said otherwise.
  private func order(
    _ test: TestLedger, for payout: Int = 1, txid: TxID = lost, amount: Int64 = 1_000_000
  ) throws -> AdoptionOrder {
    AdoptionOrder(
      payout: Sample.payoutID(payout), txid: txid, wallet: Sample.wallet,
      signedBytes: [UInt8](repeating: 0xab, count: 250), referenceBlockNumber: TestLedger.startNumber,
      expiration: test.now.advanced(byMilliseconds: 60_000), timestamp: test.now, feeLimit: Sun(1),
      transfer: ExpectedTransfer(
        token: Sample.token, from: Sample.wallet, to: Sample.recipient(payout), amount: try Amount(microUSDT: amount)),
      block: test.place(101), reason: "the restore took it")
  }

  /// What the fence says of it.
  private func suspects(_ txid: TxID = lost) -> [ChainFinding] {
    [
      ChainFinding(
        kind: .ownedTransaction, txid: txid, logIndex: -1, wallet: Sample.wallet, recipient: Sample.recipient(1),
        amountText: "1000000", referenceBits: Sample.reference(1).topTenBits, timestamp: nil)
    ]
  }

  /// Payout 1 waits, and block 101 holds what paid it, solid if so wanted.
  private func found(_ test: TestLedger, solid: Bool = true) async throws {
    try await test.schedule(1)
    try await test.head(101, [Self.lost], suspects: suspects())
    if solid { try await test.solid(101) }
    #expect(try await test.ledger.judgeFindings() == 1)
  }

  /// A Signer's part, but for its journal.
  @discardableResult
  private func carryOut(_ test: TestLedger) async throws -> [JournalEntry] {
    let lot = try await test.ledger.adoptionsToCarryOut(
      wallet: Sample.wallet, signer: TestLedger.signer, atMost: 10)
    for entry in lot.transactions {
      let isDone = try await test.ledger.adopt(
        entry, signer: TestLedger.signer, journalID: TestLedger.journalID, life: lot.life)
      #expect(isDone)
    }
    return lot.transactions
  }

  // Twins: a journal may bring the transaction back for its own payout after it was ordered for the other one.
  @Test func `a transaction that has become another payout's attempt is not adopted`() async throws {
    try await withLedger { test async throws in
      try await found(test)
      #expect(try await test.ledger.order(order(test)) == nil)
      let lot = try await test.ledger.adoptionsToCarryOut(wallet: Sample.wallet, signer: TestLedger.signer, atMost: 10)
      let wanted = try #require(lot.transactions.first)
      let own = JournalEntry(
        txid: wanted.txid, wallet: wanted.wallet, signer: wanted.signer, signedBytes: wanted.signedBytes,
        referenceBlockNumber: wanted.referenceBlockNumber, headTime: wanted.headTime, expiration: wanted.expiration,
        feeLimit: wanted.feeLimit, signedAt: wanted.signedAt,
        payouts: [
          JournalPayout(
            payout: Sample.payoutID(9), reference: Sample.reference(9), attemptNumber: 1, token: Sample.token,
            recipient: Sample.recipient(1), amount: try Amount(microUSDT: 1_000_000))
        ])
      #expect(try await test.vouch([own]) == .vouched(putBack: [own.txid], missing: []))
      let isDone = try await test.ledger.adopt(
        wanted, signer: TestLedger.signer, journalID: TestLedger.journalID, life: lot.life)
      #expect(!isDone)
      #expect(try await test.status(Sample.payoutID(1)) == .scheduled)
      #expect(try await test.value("SELECT count(*) FROM attempts") == "1")
    }
  }

  @Test func `an adopted transaction is an attempt like any other, by the person's name and reason`() async throws {
    try await withLedger { test async throws in
      try await found(test)
      #expect(try await test.ledger.order(order(test)) == nil)
      #expect(try await test.ledger.waitingOrders() == WaitingOrders(hasAdoptions: true, hasTreasury: false))
      #expect(
        try await test.ledger.unexplainedFindings(naming: [], atMost: 9).map(\.adoption) == [
          .ordered(Sample.payoutID(1))
        ])
      // An order alone changes nothing.
      #expect(try await test.status(Sample.payoutID(1)) == .scheduled)
      try await carryOut(test)
      #expect(try await test.status(Sample.payoutID(1)) == .signed)
      let event = try #require(try await test.ledger.history(of: Sample.payoutID(1)).last)
      #expect(event.actor == TestLedger.actor && event.note == "adopted txid \(Self.lost): the restore took it")
      #expect(try await test.ledger.unexplainedFindings(naming: [], atMost: 9).isEmpty)
      #expect(try await test.ledger.conditions().openFindings == 0)
      // The breaker is the person's to close, and nothing else is signed for it.
      #expect(try await test.ledger.conditions().breakerCause == "unknown_transaction")
      _ = try await test.ledger.closeBreaker(reason: "adopted")
      #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
      #expect(try await test.used("signed") == ["hour": 1_000_000, "day": 1_000_000])
      #expect(try await test.used("accepted") == ["hour": 1_000_000, "day": 1_000_000])
    }
  }

  // "Confirmed by Monitor's verdict by point 5, never by the operator's word alone."
  @Test func `an adopted payout is confirmed by a verdict only, and freed by one`() async throws {
    try await withLedger { test async throws in
      try await found(test)
      #expect(try await test.ledger.order(order(test)) == nil)
      try await carryOut(test)
      #expect(try await test.ledger.confirm(headNumber: 1_000, requiredConfirmations: 1, atMost: 9).isEmpty)
      #expect(try await test.refusal("UPDATE payouts SET status = 'confirmed'") == "TP001")
      #expect(try await test.ledger.attempts(of: Sample.payoutID(1)).map(\.outcome) == [nil])
      try await test.solid(102, at: test.now.advanced(byMilliseconds: 70_000))
      #expect(try await test.ledger.unjudged(atMost: 9).map(\.transaction.txid) == [Self.lost])
      try await test.ledger.settle(
        [Self.lost: .failedOnChain(test.place(101), Sample.cost, result: "OUT_OF_ENERGY")], retryDelayMilliseconds: 0)
      #expect(try await test.status(Sample.payoutID(1)) == .scheduled)
      #expect(try await test.used("signed") == ["hour": 0, "day": 0])
      _ = try await test.ledger.closeBreaker(reason: "adopted")
      #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 0))
      #expect(try await test.ledger.attempts(of: Sample.payoutID(1)).map(\.number) == [1, 2])
    }
  }

  @Test func `nothing is ordered that cannot be`() async throws {
    try await withLedger { test async throws in
      try await found(test, solid: false)
      #expect(try await test.ledger.order(order(test)) == .notSolid)
      try await test.solid(101)
      #expect(try await test.ledger.order(order(test, for: 9)) == .unknownPayout)
      #expect(try await test.ledger.order(order(test, amount: 5)) == .otherTerms)
      let unknown = Sample.txid(Sample.reference(2), attempt: 1)
      #expect(try await test.ledger.order(order(test, txid: unknown)) == .noFinding)
      #expect(try await test.ledger.order(order(test)) == nil)
      #expect(try await test.ledger.order(order(test)) == .alreadyOrdered)
      let second = Sample.txid(Sample.reference(1), attempt: 8)
      try await test.head(102, [second], suspects: suspects(second))
      #expect(try await test.ledger.order(order(test, txid: second)) == .alreadyOrdered)
      try await carryOut(test)
      #expect(try await test.ledger.order(order(test, txid: second)) == .doesNotWait(.signed))
      try await test.run(
        "UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'operator_decision'")
      #expect(try await test.ledger.order(order(test, txid: second)) == .referenceInUse(Self.lost))
    }
  }

  // What is journaled is put back for ever, so nothing is handed to a Signer that could not be taken; and what a Signer
  // refuses is told, and may be ordered anew.
  @Test func `an order that another attempt has overtaken is refused before a Signer journals it`() async throws {
    try await withLedger { test async throws in
      try await found(test)
      #expect(try await test.ledger.order(order(test)) == nil)
      try await test.run(
        "UPDATE unclaimed_transfers SET acknowledged_at = now(); UPDATE breaker SET state = 'closed', cause = NULL, closes_by = NULL"
      )
      try await test.sign()
      #expect(try await carryOut(test).isEmpty)
      let state = try await test.ledger.unexplainedFindings(naming: [], atMost: 9).map(\.adoption)
      #expect(state == [.refused(Ledger.cannotBeTaken)])
      #expect(try await test.rows("SELECT kind FROM alarms WHERE kind = 'adoption_refused'").count == 1)
      try await test.ledger.settle([test.txid(1): .dead], retryDelayMilliseconds: 0)
      #expect(try await test.ledger.order(order(test)) == nil)
      try await carryOut(test)
      #expect(try await test.ledger.attempts(of: Sample.payoutID(1)).map(\.txid) == [test.txid(1), Self.lost])
    }
  }

  // Found by an audit: an order's transaction is put back whatever its payout is by then, and may have paid it.
  @Test func `nothing ends unpaid that is ordered to have been paid`() async throws {
    try await withLedger { test async throws in
      try await found(test)
      #expect(try await test.ledger.order(order(test)) == nil)
      try await test.run("UPDATE payouts SET status = 'held', held_from = 'scheduled', hold_reason = 'test'")
      _ = try await test.ledger.closeBreaker(reason: "looked at")
      for decision in [HeldDecision.reject, .settle(proof: "p")] {
        #expect(
          try await test.ledger.decide(Sample.payoutID(1), decision, reason: "r", requiredConfirmations: 19)
            == .refused(.attemptIsLive(Self.lost, .signed)))
      }
      try await test.ledger.refuseAdoption(of: Self.lost, "a test")
      #expect(
        try await test.ledger.decide(Sample.payoutID(1), .reject, reason: "r", requiredConfirmations: 19)
          == .done(.rejected))
    }
  }

  @Test func `an order is carried out or refused once, and never changed or removed`() async throws {
    try await withLedger { test async throws in
      try await found(test)
      _ = try await test.ledger.order(order(test))
      for change in ["amount = 5", "reference = sha256('x')", "reason = 'another'", "ordered_by = 'nobody'"] {
        #expect(try await test.refusal("UPDATE adoptions SET \(change)") == "TP002", "\(change)")
      }
      #expect(try await test.refusal("DELETE FROM adoptions") == "TP005")
      try await carryOut(test)
      #expect(try await test.refusal("UPDATE adoptions SET refused_at = now(), refusal = 'x'") == "TP002")
      #expect(
        try await test.ledger.adopt(
          JournalEntry(
            txid: Self.lost, wallet: Sample.wallet, signer: "s", signedBytes: [], referenceBlockNumber: 1,
            headTime: test.now, expiration: test.now, feeLimit: Sun(1), signedAt: test.now, payouts: []),
          signer: "s", journalID: [], life: test.ledger.vouchingState(signer: "s").life) == false)
    }
  }

  // A fork moves what the fence found into another block: reconciling looks where it is now.
  @Test func `a finding follows its transaction into another block`() async throws {
    try await withLedger { test async throws in
      try await test.head(101, [Self.lost], suspects: suspects())
      _ = try await test.ledger.undoHead(above: 100)
      try await test.head(101, [], branch: 1)
      try await test.head(102, [Self.lost], suspects: suspects(), branch: 1)
      let findings = try await test.ledger.unexplainedFindings(naming: [], atMost: 9)
      #expect(findings.map(\.finding.blockNumber) == [102])
    }
  }
}
