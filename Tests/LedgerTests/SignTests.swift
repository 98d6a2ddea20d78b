import Payouts
import Synchronization
import Testing

@testable import Ledger

/// The heart: one database transaction signs a batch (DESIGN.md §3 point 1).
@Suite struct SignTests {
  // Proves what is stored for a signed payout, and what a Signer is told to decide on.
  @Test func `a signing stores transactions and attempts and sets signed`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(3)
      let told = Mutex<[SigningBatch]>([])
      let outcome = try await test.ledger.sign(test.order()) { batch in
        told.withLock { $0.append(batch) }
        return batch.candidates.prefix(2).map { .sign(Sample.signed($0, batch)) }
      }
      #expect(outcome == .done(signed: 2, held: 0, waiting: 1))
      let batch = try #require(told.withLock { $0.first })
      #expect(batch.candidates.map(\.payout.id) == (1...3).map(Sample.payoutID))
      #expect(batch.candidates.allSatisfy { $0.attemptNumber == 1 && $0.earlierTransactions == [] })
      #expect(batch.candidates.allSatisfy { !$0.isReferenceInUse && $0.unclaimedReferenceBits == [] })
      #expect(batch.signedThisHour == .zero && batch.signedThisDay == .zero && batch.secondsLater == 0)
      #expect(batch.now >= test.now)

      let record = try #require(try await test.ledger.payout(Sample.payoutID(1)))
      #expect(record.status == .signed && record.note == "txid \(test.txid(1))")
      let attempts = try await test.ledger.attempts(of: Sample.payoutID(1))
      #expect(attempts.map(\.txid) == [test.txid(1)] && attempts.map(\.number) == [1])
      #expect(attempts.first?.outcome == nil && attempts.first?.status == .signed && attempts.first?.block == nil)
      let taken = try await test.take()
      #expect(Set(taken.map(\.txid)) == [test.txid(1), test.txid(2)])
      let entry = try #require(taken.first { $0.txid == test.txid(1) })
      let expected = Sample.signed(batch.candidates[0], batch)
      #expect(entry.signedBytes == expected.signedBytes && entry.expiration == expected.expiration)
      #expect(entry.wallet == Sample.wallet && entry.signer == TestLedger.signer && entry.feeLimit == expected.feeLimit)
      #expect(entry.headTime == expected.headTime && entry.referenceBlockNumber == expected.referenceBlockNumber)
      #expect(
        entry.payouts == [
          JournalPayout(
            payout: Sample.payoutID(1), reference: Sample.reference(1), attemptNumber: 1, token: Sample.token,
            recipient: Sample.recipient(1), amount: try Amount(microUSDT: 1_000_000))
        ])
      // What is signed is not offered again; what was left is, with what is used of the limits by now.
      #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 0))
      #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
    }
  }

  /// What blocks signing, and how it comes about.
  private static let blocks: [(SigningBlock, String)] = [
    (.notContinuous, "DELETE FROM continuity"),
    (
      .openFinding,
      """
      INSERT INTO unclaimed_transfers (txid, kind, wallet, block_number, block_id)
      VALUES (sha256('x'), 'token_transfer', '\\x41', 1, sha256('y'))
      """
    ),
    (.paused, "UPDATE pause SET paused = true, reason = 'an operator'"),
    (.breakerOpen, "SELECT open_breaker('test', 'subject', 'message')"),
    (
      .breakerTrial,
      """
      UPDATE breaker SET state = 'half_open', cause = 'test', closes_by = 'trial',
        trial_txid = decode(repeat('ee', 32), 'hex')
      """
    ),
    (.fenceBehind, "UPDATE chain_cursors SET number = 89 WHERE view = 'head'"),
    (.fenceBehind, "DELETE FROM chain_cursors"),
  ]

  // Proves each reason not to sign: nothing is decided, nothing stored.
  @Test(arguments: blocks.indices) func `nothing is signed while something forbids it`(index: Int) async throws {
    let (block, cause) = Self.blocks[index]
    try await withLedger { test async throws in
      try await test.schedule(1)
      try await test.force(cause)
      let outcome = try await test.ledger.sign(test.order()) { _ in
        Issue.record("asked to decide")
        return []
      }
      #expect(outcome == .blocked(block))
      #expect(try await test.value("SELECT count(*) FROM transactions") == "0")
      #expect(try await test.status(Sample.payoutID(1)) == .scheduled)
    }
  }

  // Proves the fence's bound on both sides: ten blocks behind is fresh, eleven is not.
  @Test func `the fence may be ten blocks behind the head`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(1)
      #expect(try await test.sign(test.order(head: 111)) == .blocked(.fenceBehind))
      #expect(try await test.sign(test.order(head: 110)) == .done(signed: 1, held: 0, waiting: 0))
    }
  }

  // Proves that at most so many transactions are out and not in a block: expired and included ones do not count, and a
  // batch is signed in part where there is room for a part.
  @Test func `no more is signed than may be in flight`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(5)
      #expect(try await test.sign(test.order(maximumInFlight: 2)) == .done(signed: 2, held: 0, waiting: 3))
      #expect(try await test.sign(test.order(maximumInFlight: 2)) == .blocked(.inFlightLimit))
      try await test.head(101, [test.txid(1)])
      #expect(try await test.sign(test.order(maximumInFlight: 2)) == .done(signed: 1, held: 0, waiting: 2))
      #expect(try await test.sign(test.order(maximumInFlight: 2)) == .blocked(.inFlightLimit))
      // A head far later: what is out has expired and waits for its verdict.
      let later = test.order(headTime: test.now.advanced(byMilliseconds: 120_000), maximumInFlight: 2)
      #expect(try await test.sign(later) == .done(signed: 2, held: 0, waiting: 0))
    }
  }

  // Proves that Signer may be told to sign fewer than it looks at, and that the bound is the ledger's.
  @Test func `no more is signed than was ordered, of all that is looked at`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(3)
      let outcome = try await test.ledger.sign(test.order(maximumSigned: 1)) { batch in
        #expect(batch.capacity == 1)
        return batch.candidates.dropFirst().map { .sign(Sample.signed($0, batch)) }
      }
      #expect(outcome == .done(signed: 1, held: 0, waiting: 2))
      #expect(try await test.status(Sample.payoutID(2)) == .signed)
      #expect(try await test.value("SELECT count(*) FROM transactions") == "1")
    }
  }

  // Proves that the bound on what is in flight holds for two Signers at once, on two batches.
  @Test func `two Signers together keep the bound on what is in flight`() async throws {
    try await withLedger(connectionLimit: 8) { test async throws in
      try await test.accept(try (1...40).map { try Sample.payout($0) })
      for batch in 1...4 {
        _ = try await test.ledger.schedule(
          ((batch - 1) * 10 + 1...batch * 10).map(Sample.payoutID), maximumPerBatch: 10
        ) { Sample.batchID(batch) }
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for batch in 1...4 {
          group.addTask {
            try await test.sign(test.order(Sample.batchID(batch), signer: "signer-\(batch)", maximumInFlight: 15))
          }
        }
        try await group.waitForAll()
      }
      #expect(try await test.value("SELECT count(*) FROM transactions") == "15")
    }
  }

  // Proves that several Signers at once on one batch sign each payout once: the locks make them take turns.
  @Test func `several Signers at once on one batch sign each payout once`() async throws {
    try await withLedger(connectionLimit: 8) { test async throws in
      try await test.schedule(50)
      let outcomes = try await withThrowingTaskGroup(of: SigningOutcome.self) { group in
        for number in 1...6 {
          group.addTask { try await test.sign(test.order(signer: "signer-\(number)")) }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.filter { $0 == .done(signed: 50, held: 0, waiting: 0) }.count == 1)
      #expect(outcomes.filter { $0 == .done(signed: 0, held: 0, waiting: 0) }.count == 5)
      #expect(try await test.value("SELECT count(*) FROM attempts") == "50")
    }
  }

  // Proves that a txid that is taken makes the whole group take the next second, up to a bound, and that nothing of the
  // first try stays.
  @Test func `a collision of txids takes the next second`() async throws {
    try await withLedger { test async throws in
      try await test.accept([Sample.payout(1), Sample.payout(2)])
      for number in 1...2 {
        _ = try await test.ledger.schedule([Sample.payoutID(number)], maximumPerBatch: 1) { Sample.batchID(number) }
      }
      // Twins: equal recipient, amount and millisecond make one txid for both payouts of one second.
      let twin: @Sendable (SigningBatch) -> [SigningDecision] = { batch in
        batch.candidates.map {
          .sign(
            Sample.signed($0, batch, txid: Sample.txid(Sample.reference(99), attempt: 1, second: batch.secondsLater)))
        }
      }
      #expect(try await test.ledger.sign(test.order(), decide: twin) == .done(signed: 1, held: 0, waiting: 0))
      #expect(
        try await test.ledger.sign(test.order(Sample.batchID(2)), decide: twin) == .done(signed: 1, held: 0, waiting: 0)
      )
      #expect(
        try await test.ledger.attempts(of: Sample.payoutID(2)).map(\.txid)
          == [Sample.txid(Sample.reference(99), attempt: 1, second: 1)])
      try await test.accept([Sample.payout(3)])
      _ = try await test.ledger.schedule([Sample.payoutID(3)], maximumPerBatch: 1) { Sample.batchID(3) }
      let stubborn: @Sendable (SigningBatch) -> [SigningDecision] = { batch in
        batch.candidates.map {
          .sign(Sample.signed($0, batch, txid: Sample.txid(Sample.reference(99), attempt: 1, second: 0)))
        }
      }
      let error = try await ledgerError {
        _ = try await test.ledger.sign(test.order(Sample.batchID(3)), decide: stubborn)
      }
      #expect(error.code == .refused && error.constraint == "transactions_pkey")
      #expect(try await test.status(Sample.payoutID(3)) == .scheduled)
    }
  }

  // Proves that twins in one batch do not stop each other for ever: one is signed now, the other a second later.
  @Test func `twins in one batch are signed one after the other`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(3)
      let twins: @Sendable (SigningBatch) -> [SigningDecision] = { batch in
        batch.candidates.map {
          .sign(
            Sample.signed($0, batch, txid: Sample.txid(Sample.reference(99), attempt: 1, second: batch.secondsLater)))
        }
      }
      for waiting in [2, 1, 0] {
        #expect(
          try await test.ledger.sign(test.order(), decide: twins) == .done(signed: 1, held: 0, waiting: waiting))
      }
      #expect(try await test.value("SELECT count(DISTINCT txid) FROM transactions") == "3")
    }
  }

  // Proves that a hold writes reason and origin and raises an alarm, beside payouts that are signed; and that one that
  // opens the breaker lets nothing else be signed, then or later.
  @Test func `a hold may open the breaker, and then nothing else is signed`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(4)
      let outcome = try await test.ledger.sign(test.order(maximumPayouts: 2)) { batch in
        [
          .hold(batch.candidates[0].payout.id, .signerLimit, note: "too much", opensBreaker: false),
          .sign(Sample.signed(batch.candidates[1], batch)),
        ]
      }
      #expect(outcome == .done(signed: 1, held: 1, waiting: 0))
      let held = try #require(try await test.ledger.payout(Sample.payoutID(1)))
      #expect(held.status == .held && held.heldFrom == .scheduled && held.holdReason == "signer_limit")
      #expect(held.note == "too much")
      let second = try await test.ledger.sign(test.order()) { batch in
        [
          .sign(Sample.signed(batch.candidates[0], batch)),
          .hold(batch.candidates[1].payout.id, .brokenSeal, note: "broken", opensBreaker: true),
        ]
      }
      #expect(second == .done(signed: 0, held: 1, waiting: 1))
      #expect(try await test.sign() == .blocked(.breakerOpen))
      #expect(
        try await test.rows("SELECT state, cause, closes_by FROM breaker") == ["open|broken_seal|operator"])
      #expect(
        try await test.rows("SELECT kind, subject, message FROM alarms ORDER BY id") == [
          "signer_limit|payout \(Sample.payoutID(1))|too much", "broken_seal|payout \(Sample.payoutID(4))|broken",
        ])
      #expect(try await test.ledger.conditions().breakerCause == "broken_seal")
    }
  }

  // Proves that an error while deciding leaves nothing behind, and that the next call is as the first.
  @Test func `an error while deciding rolls everything back`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(2)
      await #expect(throws: UnexpectedOutcome.self) {
        try await test.ledger.sign(test.order()) { _ in throw UnexpectedOutcome("no key") }
      }
      #expect(try await test.value("SELECT count(*) FROM transactions") == "0")
      #expect(try await test.used("signed") == [:])
      #expect(try await test.sign() == .done(signed: 2, held: 0, waiting: 0))
    }
  }

  // Proves that a transaction that would live too long stops its signing as a whole: nothing of the group is stored.
  @Test func `a life beyond the bound is refused with all that goes with it`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(2)
      let error = try await ledgerError { try await test.sign(lifeMilliseconds: 600_001) }
      #expect(error.code == .livesTooLong)
      #expect(try await test.value("SELECT count(*) FROM transactions") == "0")
      #expect(try await test.sign(lifeMilliseconds: 600_000) == .done(signed: 2, held: 0, waiting: 0))
    }
  }

  // Proves that a batch that is not released is neither signed nor told to be, although the Scheduler never makes one.
  @Test func `only released batches are signed and swept`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(2)
      try await test.run("UPDATE settlement_batches SET released_at = NULL")
      #expect(try await test.ledger.batchesToSign(waitingFor: 0, atMost: 10) == [])
      #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
      try await test.run("UPDATE settlement_batches SET released_at = created_at")
      #expect(try await test.ledger.batchesToSign(waitingFor: 0, atMost: 10) == [Sample.batchID(1)])
      #expect(try await test.sign() == .done(signed: 2, held: 0, waiting: 0))
    }
  }

  // Proves what a Signer is told of the past: earlier attempts, their number, unclaimed transfers of the same recipient
  // and amount with and without bits, references in use; and a retry's delay on both sides.
  @Test func `candidates carry their past`() async throws {
    try await withLedger { test async throws in
      try await test.signed(2)
      try await test.ledger.settle([test.txid(1): .dead, test.txid(2): .dead], retryDelayMilliseconds: 60_000)
      #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
      #expect(try await test.ledger.batchesToSign(waitingFor: 0, atMost: 10) == [])
      try await test.run("UPDATE ledger_settings SET clock_offset_ms = 60001")
      #expect(try await test.ledger.batchesToSign(waitingFor: 3_600_000, atMost: 10) == [Sample.batchID(1)])
      try await test.run(
        """
        INSERT INTO unclaimed_transfers (txid, kind, log_index, wallet, recipient, amount, reference_bits, block_number,
          block_id, acknowledged_at)
        SELECT sha256('x'), 'token_transfer', i, '\\x41', \(Sample.sql(Sample.recipient(1).bytes)), amount,
          CASE WHEN i > 0 THEN i END, 1, sha256('y'), now()
        FROM (VALUES (0, 1000000), (5, 1000000), (6, 999999), (7, 1e30)) v (i, amount)
        """)
      let told = Mutex<[SigningCandidate]>([])
      let outcome = try await test.ledger.sign(test.order()) { batch in
        told.withLock { $0 = batch.candidates }
        return batch.candidates.map { .sign(Sample.signed($0, batch)) }
      }
      #expect(outcome == .done(signed: 2, held: 0, waiting: 0))
      let candidates = told.withLock { $0 }
      #expect(candidates.map(\.attemptNumber) == [2, 2])
      #expect(candidates.map(\.earlierTransactions) == [[test.txid(1)], [test.txid(2)]])
      #expect(candidates.map(\.isReferenceInUse) == [false, false])
      #expect(Set(candidates[0].unclaimedReferenceBits) == [nil, 5] && candidates[1].unclaimedReferenceBits == [])
    }
  }
}
