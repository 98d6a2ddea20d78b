import Payouts
import Testing

@testable import Ledger

/// Attempts that end unpaid: whose failure it was, how long the next one waits, and when there is none
/// (DESIGN.md §3 point 6).
@Suite struct RetryTests {
  /// Ends payout 1's attempt with a named failure, all retry delays being over at once.
  private func fail(_ test: TestLedger, attempt: Int = 1, _ result: String = "REVERT") async throws {
    try await test.ledger.settle(
      [test.txid(1, attempt: attempt): .failedOnChain(test.place(101), Sample.cost, result: result)],
      retryDelayMilliseconds: 0)
  }

  /// The result in the block, nil for a transaction in none, and whose failure that is, nil where it does not tell.
  static let ends: [(result: String?, blame: String?)] = [
    ("OUT_OF_ENERGY", "energy"), ("OUT_OF_TIME", "producer_time"), ("ILLEGAL_OPERATION", "other"),
    ("TRANSFER_FAILED", "other"), ("REVERT", nil), (nil, "expired"),
  ]

  // Proves which ends tell by themselves whose failure they are, and that only a revert leaves it open.
  @Test(arguments: RetryTests.ends.indices)
  func `an end that tells whose failure it was is blamed at once`(index: Int) async throws {
    let (result, blame) = Self.ends[index]
    try await withLedger { test async throws in
      try await test.signed(1)
      if let result {
        try await fail(test, result)
      } else {
        try await test.ledger.settle([test.txid(1): .dead], retryDelayMilliseconds: 0)
      }
      #expect(try await test.rows("SELECT blame FROM attempts") == [blame ?? ""])
      #expect(try await test.ledger.attempts(of: Sample.payoutID(1)).first?.blame?.rawValue == blame)
      let unblamed = try await test.ledger.unblamedFailures(atMost: 10)
      #expect(unblamed.map(\.txid) == (blame == nil ? [test.txid(1)] : []))
      #expect(try await test.rows("SELECT kind FROM alarms") == (blame.map { ["failure_\($0)"] } ?? []))
      // Nobody signs it again, or wakes its batch, before that is known.
      #expect(
        try await test.ledger.batchesToSign(waitingFor: 0, atMost: 10) == (blame == nil ? [] : [Sample.batchID(1)]))
      #expect(try await test.sign() == .done(signed: blame == nil ? 0 : 1, held: 0, waiting: 0))
    }
  }

  // Proves that what ended long ago, before anybody asked for blame or in a history that was put back, stops nothing today.
  @Test func `a failure that ended long ago is blamed and tells the breaker nothing`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await fail(test)
      try await test.force("UPDATE attempts SET ended_at = ended_at - interval '301 seconds'")
      #expect(try await test.blame(.walletShort).isEmpty)
      #expect(try await test.rows("SELECT blame FROM attempts") == ["wallet_short"])
      #expect(try await test.rows("SELECT state, failures_in_row FROM breaker") == ["closed|0"])
      #expect(try await test.rows("SELECT kind FROM alarms").isEmpty)
    }
  }

  // Proves that five failures of its own end a payout, no fewer, whatever else failed between them, and that its limits go
  // back into the windows they came from, once.
  @Test func `a payout fails for good with its fifth own failure, and its limits are released`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      let blames: [FailureBlame] = [.payout, .walletShort, .payout, .payout, .tokenPaused, .payout, .payout]
      for (index, blame) in blames.enumerated() {
        try await fail(test, attempt: index + 1)
        #expect(try await test.status(Sample.payoutID(1)) == .scheduled)
        let failed = try await test.blame(blame)
        guard index + 1 < blames.count else {
          #expect(failed == [Sample.payoutID(1)])
          continue
        }
        #expect(failed.isEmpty)
        #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 0))
      }
      let payout = try #require(try await test.ledger.payout(Sample.payoutID(1)))
      #expect(payout.status == .failed && payout.notBefore == nil)
      #expect(payout.note == "the token refused it 5 times, the last time as txid \(test.txid(1, attempt: 7))")
      #expect(try await test.used("accepted") == ["hour": 0, "day": 0])
      #expect(try await test.used("signed") == ["hour": 0, "day": 0])
      #expect(try await test.ledger.history(of: Sample.payoutID(1)).last?.from == .scheduled)
      #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
      #expect(try await test.ledger.stageDepths(countingAtMost: nil).allSatisfy { $0.count == 0 })
    }
  }

  // Proves that nothing ends while the history is not vouched for or a finding is open, and that the judgement waits with
  // the end, so that the payout cannot be signed between the two.
  @Test(arguments: [true, false])
  func `a payout does not fail before the history is trusted, and is not signed meanwhile`(isFinding: Bool) async throws
  {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await fail(test)
      if isFinding { try await test.addFinding() } else { try await test.loseContinuity() }
      let error = try await ledgerError { try await test.blame(.payout, maximumOwnFailures: 1) }
      #expect(error.code == .historyNotTrusted)
      #expect(try await test.status(Sample.payoutID(1)) == .scheduled)
      #expect(try await test.rows("SELECT blame FROM attempts") == [""])
      if isFinding {
        _ = try await test.ledger.judgeFindings()
        _ = try await test.ledger.closeBreaker(reason: "looked")
      } else {
        try await test.vouch()
      }
      #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
      #expect(try await test.blame(.payout, maximumOwnFailures: 1) == [Sample.payoutID(1)])
    }
  }

  // Proves that a person's hold outranks the end, that a release gives no attempt more than there are, and that nobody signs
  // between the two.
  @Test func `a held payout does not fail, and its last own failure ends it once it is released`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await fail(test)
      // A Monitor read this before somebody held the payout.
      let failure = try #require(try await test.ledger.unblamedFailures(atMost: 1).first)
      try await test.run("UPDATE payouts SET status = 'held', held_from = 'scheduled', hold_reason = 'x'")
      #expect(try await test.ledger.unblamedFailures(atMost: 1).isEmpty)
      #expect(try await test.ledger.blame(.payout, for: failure, maximumOwnFailures: 1) == nil)
      #expect(try await test.rows("SELECT blame FROM attempts") == [""])
      #expect(try await test.status(Sample.payoutID(1)) == .held)
      let released = try await test.ledger.decide(
        Sample.payoutID(1), .release, seen: "x", reason: "again", requiredConfirmations: 19)
      #expect(released == .done(.scheduled))
      #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
      #expect(try await test.ledger.batchesToSign(waitingFor: 0, atMost: 10).isEmpty)
      #expect(try await test.blame(.payout, maximumOwnFailures: 1) == [Sample.payoutID(1)])
      #expect(try await test.status(Sample.payoutID(1)) == .failed)
      let states = try await test.ledger.history(of: Sample.payoutID(1)).map(\.to).suffix(3)
      #expect(states == [.held, .scheduled, .failed])
      #expect(try await test.used("accepted") == ["hour": 0, "day": 0])
    }
  }

  // Proves the same for an attempt that ended while its payout was held, with failures left: it is signed again then; and
  // that what is not the payout's own is told at once.
  @Test func `a held payout's own failure counts after its release, another's at once`() async throws {
    try await withLedger { test async throws in
      try await test.signed(2)
      let failures = try await (1...2).reverts(test)
      try await test.run("UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'x'")
      #expect(try await test.ledger.blame(.payout, for: failures[0], maximumOwnFailures: 2) == nil)
      #expect(try await test.ledger.blame(.walletShort, for: failures[1], maximumOwnFailures: 2) == nil)
      #expect(try await test.rows("SELECT blame FROM attempts ORDER BY reference") == ["", "wallet_short"])
      #expect(try await test.value("SELECT failures_in_row FROM breaker") == "1")
      for number in 1...2 {
        _ = try await test.ledger.decide(
          Sample.payoutID(number), .release, seen: "x", reason: "x", requiredConfirmations: 19)
      }
      #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 0))
      #expect(try await test.blame(.payout, maximumOwnFailures: 2).isEmpty)
      #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 0))
    }
  }

  // Proves that whoever goes through all of them by parts meets each once, also those that ended at the same moment.
  @Test func `failures are told by parts, each once`() async throws {
    try await withLedger { test async throws in
      try await test.signed(7)
      _ = try await (1...4).reverts(test)
      _ = try await (5...7).reverts(test)
      var seen: [TxID] = []
      var last: UnblamedFailure?
      while true {
        let part = try await test.ledger.unblamedFailures(after: last, atMost: 2)
        guard let end = part.last else { break }
        seen += part.map(\.txid)
        last = end
      }
      #expect(seen.count == 7 && Set(seen) == Set((1...7).map { test.txid($0) }))
      #expect(Set(seen.prefix(4)) == Set((1...4).map { test.txid($0) }))
    }
  }

  // Proves that several Monitors count one failure once, and that no program with SQL can turn or invent a judgement.
  @Test func `a failure is blamed once, and only a failure is`() async throws {
    try await withLedger { test async throws in
      try await test.signed(2)
      try await fail(test)
      let failure = try #require(try await test.ledger.unblamedFailures(atMost: 1).first)
      #expect(failure.reference == Sample.reference(1) && failure.result == "REVERT")
      #expect(failure.transfer.to == Sample.recipient(1) && failure.transfer.from == Sample.wallet)
      async let first = test.ledger.blame(.payout, for: failure, maximumOwnFailures: 5)
      async let second = test.ledger.blame(.walletShort, for: failure, maximumOwnFailures: 5)
      _ = try await (first, second)
      let blame = try await test.rows("SELECT blame FROM attempts WHERE blame IS NOT NULL")
      #expect(blame == ["payout"] || blame == ["wallet_short"])
      #expect(try await test.value("SELECT failures_in_row FROM breaker") == (blame == ["payout"] ? "0" : "1"))
      #expect(try await test.refusal("UPDATE attempts SET blame = 'other' WHERE outcome IS NOT NULL") == "TP002")
      #expect(try await test.refusal("UPDATE attempts SET blame = NULL WHERE outcome IS NOT NULL") == "TP002")
      #expect(
        try await test.refusal("UPDATE attempts SET blame = 'other' WHERE outcome IS NULL")
          == "only_failures_are_blamed")
      try await test.ledger.settle([test.txid(2): .paid(test.place(101), Sample.cost)], retryDelayMilliseconds: 0)
      #expect(
        try await test.refusal("UPDATE attempts SET blame = 'other' WHERE outcome = 'paid'")
          == "only_failures_are_blamed")
    }
  }

  // Proves the program's names against the database's, in both directions.
  @Test func `the database knows the program's blames and no others`() async throws {
    try await withLedger { test async throws in
      let rule = try await test.value(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'attempts_blame_check'")
      let names = (rule ?? "").matches(of: /'([a-z_]+)'/).map { String($0.output.1) }
      #expect(names.sorted() == FailureBlame.allCases.map(\.rawValue).sorted())
    }
  }

  // Proves that the delay doubles with each attempt up to an hour, and that a first delay above that stays.
  @Test func `the delay doubles with each attempt, up to an hour`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      for (attempt, seconds) in [60, 120, 240, 480, 960, 1_920, 3_600, 3_600].enumerated() {
        try await test.ledger.settle([test.txid(1, attempt: attempt + 1): .dead], retryDelayMilliseconds: 60_000)
        let delay = try await test.value(
          "SELECT round(extract(epoch FROM not_before - status_since)) || not_before_reason FROM payouts")
        #expect(delay == "\(seconds)retry", "attempt \(attempt + 1)")
        try await test.run("UPDATE payouts SET not_before = NULL; UPDATE breaker SET failures_in_row = 0")
        try await test.sign()
      }
      try await test.ledger.settle([test.txid(1, attempt: 9): .dead], retryDelayMilliseconds: 7_200_000)
      #expect(
        try await test.value("SELECT round(extract(epoch FROM not_before - status_since)) FROM payouts") == "7200")
    }
  }
}

extension ClosedRange<Int> {
  /// Lets the first attempts of these payouts revert, all in one transaction of the ledger.
  ///
  /// - Returns: all failures that nobody has told of, in the order of their payouts.
  fileprivate func reverts(_ test: TestLedger) async throws -> [UnblamedFailure] {
    let revert = TransactionVerdict.failedOnChain(test.place(101), Sample.cost, result: "REVERT")
    try await test.ledger.settle(
      Dictionary(uniqueKeysWithValues: map { (test.txid($0), revert) }), retryDelayMilliseconds: 0)
    return try await test.ledger.unblamedFailures(atMost: 100).sorted {
      $0.reference.bytes.last! < $1.reference.bytes.last!
    }
  }
}
