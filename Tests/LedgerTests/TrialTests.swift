import Payouts
import Testing

@testable import Ledger

/// The breaker that failures open and trials close (DESIGN.md §4).
@Suite struct TrialTests {
  /// The breaker's row, as far as it is told.
  private func breaker(_ test: TestLedger) async throws -> String? {
    try await test.value("SELECT state, cause, closes_by FROM breaker")
  }

  /// Lets these payouts' first transactions die at once.
  private func die(_ numbers: ClosedRange<Int>, _ test: TestLedger) async throws {
    try await test.ledger.settle(
      Dictionary(uniqueKeysWithValues: numbers.map { (test.txid($0), .dead) }), retryDelayMilliseconds: 86_400_000)
  }

  private func pay(_ txid: TxID, _ test: TestLedger) async throws {
    try await test.ledger.settle([txid: .paid(test.place(101), Sample.cost)], retryDelayMilliseconds: 0)
  }

  /// A breaker that ten deaths opened, and payouts 11 to 13 that wait to be signed.
  private func opened(_ test: TestLedger) async throws {
    try await test.freeze()
    try await test.schedule(13)
    try await test.sign(test.order(maximumPayouts: 10))
    try await die(1...10, test)
    #expect(try await breaker(test) == "open|repeated_failures|trial")
  }

  // Proves the bound of failures in a row on both sides, that one payment ends the row, and what is told of it.
  @Test func `ten failures in a row open the breaker, nine do not`() async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await test.signed(25)
      try await die(1...9, test)
      try await test.freeze(afterSeconds: 300)
      try await pay(test.txid(10), test)
      try await die(11...19, test)
      #expect(try await breaker(test) == "closed||")
      // The span of the first ones is over, so that only the row counts.
      try await test.freeze(afterSeconds: 600)
      try await die(20...20, test)
      #expect(try await breaker(test) == "open|repeated_failures|trial")
      #expect(
        try await test.rows("SELECT kind, subject, count FROM alarms ORDER BY id")
          == ["failure_expired|payments|3", "repeated_failures|breaker|1"])
    }
  }

  // Proves the span on both sides: with payments between them, ten failures within 300 s open it, over more they do not.
  @Test(arguments: [(Int64(299), "open|repeated_failures|trial"), (300, "closed||")])
  func `ten failures within 300 s open the breaker, whatever was paid between them`(seconds: Int64, state: String)
    async throws
  {
    try await withLedger { test async throws in
      try await test.signed(20)
      try await test.freeze()
      try await die(1...9, test)
      try await pay(test.txid(11), test)
      try await test.freeze(afterSeconds: seconds)
      try await die(10...10, test)
      #expect(try await breaker(test) == state)
    }
  }

  // Proves that what is the payout's own fault says nothing against the others.
  @Test func `a payout's own failures do not open the breaker`() async throws {
    try await withLedger { test async throws in
      try await test.signed(12)
      let place = test.place(101)
      let reverts = Dictionary(
        uniqueKeysWithValues: (1...12).map {
          (test.txid($0), TransactionVerdict.failedOnChain(place, Sample.cost, result: "REVERT"))
        })
      try await test.ledger.settle(reverts, retryDelayMilliseconds: 0)
      try await test.blame(.payout)
      #expect(try await breaker(test) == "closed||")
      #expect(try await test.rows("SELECT kind FROM alarms") == [])
    }
  }

  // Proves that failures whose cause is found out later count as well.
  @Test func `reverts by circumstance open the breaker when their cause is known`() async throws {
    try await withLedger { test async throws in
      try await test.signed(10)
      for number in 1...10 {
        try await test.ledger.settle(
          [test.txid(number): .failedOnChain(test.place(101), Sample.cost, result: "REVERT")],
          retryDelayMilliseconds: 0)
      }
      #expect(try await breaker(test) == "closed||")
      try await test.blame(.walletShort)
      #expect(try await breaker(test) == "open|repeated_failures|trial")
      #expect(
        try await test.rows("SELECT kind, count FROM alarms ORDER BY id")
          == ["failure_wallet_short|10", "repeated_failures|1"])
    }
  }

  // Proves the pause on both sides, that exactly one is signed and names the trial, and that its payment closes the
  // breaker: the failures from before are over then.
  @Test func `after the pause exactly one transaction is signed, and its payment closes the breaker`() async throws {
    try await withLedger { test async throws in
      try await opened(test)
      #expect(try await test.sign() == .blocked(.breakerOpen))
      try await test.freeze(afterSeconds: 59)
      #expect(try await test.sign() == .blocked(.breakerOpen))
      #expect(try await !test.ledger.conditions().doesBreakerLetThrough)
      try await test.freeze(afterSeconds: 60)
      #expect(try await test.ledger.conditions().doesBreakerLetThrough)
      #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 2))
      #expect(try await breaker(test) == "half_open|repeated_failures|trial")
      let report = try await test.ledger.breaker()
      #expect(report.trial == test.txid(11) && report.trialAt == nil && report.failedTrials == 0)
      let conditions = try await test.ledger.conditions()
      #expect(conditions.isBreakerTrialOut && !conditions.doesBreakerLetThrough)
      #expect(try await test.sign() == .blocked(.breakerTrial))
      try await pay(test.txid(11), test)
      #expect(try await breaker(test) == "closed||")
      #expect(try await test.value("SELECT failures_in_row FROM breaker") == "0")
      #expect(try await test.sign() == .done(signed: 2, held: 0, waiting: 0))
      try await die(12...13, test)
      #expect(try await breaker(test) == "closed||")
    }
  }

  // Proves that a trial that fails, by whatever end, opens the breaker again for twice as long, up to half an hour.
  @Test func `a failed trial opens it again for longer, up to half an hour`() async throws {
    try await withLedger { test async throws in
      try await opened(test)
      var now: Int64 = 60
      for (round, pause) in [Int64(120), 240, 480, 960, 1_800, 1_800].enumerated() {
        try await test.freeze(afterSeconds: now - 1)
        #expect(try await test.sign() == .blocked(.breakerOpen))
        try await test.freeze(afterSeconds: now)
        #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 2))
        let trial = try #require(try await test.ledger.breaker().trial)
        let verdict: TransactionVerdict =
          round.isMultiple(of: 2) ? .dead : .failedOnChain(test.place(101), Sample.cost, result: "OUT_OF_ENERGY")
        try await test.ledger.settle([trial: verdict], retryDelayMilliseconds: 0)
        let report = try await test.ledger.breaker()
        #expect(report.state == "open" && report.closesBy == "trial" && report.failedTrials == round + 1)
        now += pause
        #expect(report.trialAt == test.now.millisecond.advanced(byMilliseconds: now * 1_000), "round \(round)")
      }
    }
  }

  // Proves that a trial which the token refuses for its own sake costs the others no longer pause.
  @Test func `a trial that fails by its own fault is followed by another at once`() async throws {
    try await withLedger { test async throws in
      try await opened(test)
      try await test.freeze(afterSeconds: 60)
      try await test.sign()
      let revert = TransactionVerdict.failedOnChain(test.place(101), Sample.cost, result: "REVERT")
      try await test.ledger.settle([test.txid(11): revert], retryDelayMilliseconds: 3_600_000)
      #expect(try await test.ledger.breaker().failedTrials == 1)
      #expect(try await test.sign() == .blocked(.breakerOpen))
      try await test.blame(.payout)
      #expect(try await test.ledger.breaker().failedTrials == 0)
      #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 1))
      #expect(try await test.ledger.breaker().trial == test.txid(12))
    }
  }

  // Proves that whatever needs an operator is not closed by a trial that pays, nor opened anew by failures.
  @Test func `what an operator must close is closed by no trial`() async throws {
    try await withLedger { test async throws in
      try await opened(test)
      try await test.freeze(afterSeconds: 60)
      try await test.sign()
      try await test.ledger.openBreaker(cause: "altered_transaction", subject: "x", message: "x")
      try await pay(test.txid(11), test)
      #expect(try await breaker(test) == "open|altered_transaction|operator")
      try await test.freeze(afterSeconds: 10_000)
      #expect(try await test.sign() == .blocked(.breakerOpen))
      #expect(try await !test.ledger.conditions().doesBreakerLetThrough)
      let report = try await test.ledger.breaker()
      #expect(report.trial == nil && report.trialAt == nil)
      #expect(try await test.ledger.closeBreaker(reason: "looked")?.cause == "altered_transaction")
      #expect(try await test.sign() == .done(signed: 2, held: 0, waiting: 0))
      try await die(12...13, test)
      #expect(try await breaker(test) == "closed||")
    }
  }

  // Proves that an operator can close it without waiting for a trial, and that the row begins anew then.
  @Test func `an operator closes it at any time, and the row of failures begins anew`() async throws {
    try await withLedger { test async throws in
      try await opened(test)
      #expect(try await test.ledger.closeBreaker(reason: "funded")?.cause == "repeated_failures")
      #expect(try await test.sign() == .done(signed: 3, held: 0, waiting: 0))
      try await die(11...13, test)
      #expect(try await breaker(test) == "closed||")
    }
  }

  // Proves that Signer is shown all payouts of the batch and told that one may be signed, so that the trial is the first that
  // can be, whatever stands before it; and that no more than that one is stored, whatever was decided.
  @Test func `the trial is the first payout that can be signed`() async throws {
    try await withLedger { test async throws in
      try await opened(test)
      try await test.freeze(afterSeconds: 60)
      let outcome = try await test.ledger.sign(test.order()) { batch in
        #expect(batch.capacity == 1 && batch.candidates.map(\.payout.id) == (11...13).map(Sample.payoutID))
        return [
          .hold(batch.candidates[0].payout.id, .signerLimit, note: "x", opensBreaker: false),
          .sign(Sample.signed(batch.candidates[1], batch)), .sign(Sample.signed(batch.candidates[2], batch)),
        ]
      }
      #expect(outcome == .done(signed: 1, held: 1, waiting: 1))
      #expect(try await test.ledger.breaker().trial == test.txid(12))
      #expect(try await test.status(Sample.payoutID(13)) == .scheduled)
      #expect(try await test.value("SELECT count(*) FROM attempts WHERE outcome IS NULL") == "1")
    }
  }

  // Proves that a batch of which nothing can be signed takes no trial away from the others.
  @Test func `where nothing of a batch can be signed, another batch has the trial`() async throws {
    try await withLedger { test async throws in
      try await opened(test)
      try await test.accept([Sample.payout(14)])
      _ = try await test.ledger.schedule([Sample.payoutID(14)], maximumPerBatch: 1) { Sample.batchID(2) }
      try await test.freeze(afterSeconds: 60)
      #expect(try await test.ledger.sign(test.order()) { _ in [] } == .done(signed: 0, held: 0, waiting: 3))
      #expect(try await breaker(test) == "open|repeated_failures|trial")
      #expect(try await test.sign(test.order(Sample.batchID(2))) == .done(signed: 1, held: 0, waiting: 0))
      #expect(try await test.ledger.breaker().trial == test.txid(14))
    }
  }

  // Proves that the trial is one in all: two Signers by name, each with connections of its own as a process has, begin at the
  // same moment, round after round.
  @Test func `two Signers with connections of their own sign one trial between them`() async throws {
    try await withLedger { test async throws in
      try await opened(test)
      try await test.accept([Sample.payout(14)])
      _ = try await test.ledger.schedule([Sample.payoutID(14)], maximumPerBatch: 1) { Sample.batchID(2) }
      try await withLedger(at: test.url) { other async throws in
        var now: Int64 = 60
        for pause in [Int64(120), 240, 480, 960, 1_800] {
          try await test.freeze(afterSeconds: now)
          async let first = test.sign(test.order(signer: "signer-1"))
          async let second = other.sign(other.order(Sample.batchID(2), signer: "signer-2", headTime: test.now))
          let outcomes = try await [first, second]
          #expect(outcomes.filter { $0 == .blocked(.breakerTrial) }.count == 1, "\(outcomes)")
          let live = "SELECT count(*) FROM attempts WHERE outcome IS NULL"
          #expect(try await test.value(live) == "1")
          let trial = try #require(try await other.ledger.breaker().trial)
          #expect(try await test.sign() == .blocked(.breakerTrial))
          #expect(try await other.sign() == .blocked(.breakerTrial))
          try await other.ledger.settle([trial: .dead], retryDelayMilliseconds: 0)
          now += pause
        }
      }
    }
  }

  // Proves that several Signers agree on one trial, also where each has a batch of its own.
  @Test func `several Signers sign one trial between them`() async throws {
    try await withLedger(connectionLimit: 6) { test async throws in
      try await opened(test)
      for number in 14...18 {
        try await test.accept([Sample.payout(number)])
        _ = try await test.ledger.schedule([Sample.payoutID(number)], maximumPerBatch: 100) { Sample.batchID(number) }
      }
      try await test.freeze(afterSeconds: 60)
      let outcomes = try await withThrowingTaskGroup(of: SigningOutcome.self) { group in
        for number in 14...18 {
          group.addTask { try await test.sign(test.order(Sample.batchID(number), signer: TestLedger.signer)) }
        }
        return try await group.reduce(into: [SigningOutcome]()) { $0.append($1) }
      }
      #expect(outcomes.filter { $0 == .done(signed: 1, held: 0, waiting: 0) }.count == 1)
      #expect(outcomes.filter { $0 == .blocked(.breakerTrial) }.count == 4)
      #expect(try await test.value("SELECT count(*) FROM transactions WHERE status = 'signed'") == "1")
    }
  }
}

extension Timestamp {
  /// Itself, to the millisecond.
  fileprivate var millisecond: Timestamp { Timestamp(milliseconds: milliseconds) }
}
