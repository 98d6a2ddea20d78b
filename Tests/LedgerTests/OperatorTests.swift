import Ledger
import Payouts
import Testing

/// Breaker, pause and alarms in an operator's hand, and how much waits where.
@Suite struct OperatorTests {
  /// Who did what and why: the rows of `alarms` that were never alarms.
  private func acts(_ test: TestLedger) async throws -> [String] {
    try await test.rows(
      "SELECT subject, message FROM alarms WHERE kind = 'operator' AND acknowledged_at = raised_at ORDER BY id")
  }

  @Test func `an operator opens and closes the breaker, and who and why is kept`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(1)
      #expect(try await test.ledger.breaker().state == "closed")
      #expect(try await test.ledger.closeBreaker(reason: "nothing") == nil)
      #expect(try await test.ledger.openBreaker(reason: "strange load") == nil)
      let open = try await test.ledger.breaker()
      #expect(open.state == "open" && open.cause == "operator" && open.closesBy == "operator")
      #expect(try await test.sign() == .blocked(.breakerOpen))
      #expect(try await test.ledger.openBreaker(reason: "again") == "operator")
      #expect(try await test.ledger.standingAlarms(atMost: 10).map(\.message) == ["ledger-tests: again"])
      let closed = try await test.ledger.closeBreaker(reason: "explained")
      #expect(closed?.cause == "operator" && closed?.acknowledged.isEmpty == true)
      #expect(try await test.ledger.standingAlarms(atMost: 10).isEmpty)
      #expect(
        try await acts(test) == [
          "breaker|ledger-tests: opened: strange load", "breaker|ledger-tests: opened: again",
          "breaker|ledger-tests: closed: explained; it was open by operator",
        ])
      #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 0))
    }
  }

  // Proves that only what was judged is acknowledged: what Monitor has just found may be explained by a put-back, or be
  // worse than what the operator has looked at.
  @Test func `closing acknowledges the findings that opened the breaker and no others`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(1)
      try await test.addFinding()
      #expect(try await test.ledger.judgeFindings() == 1)
      try await test.run(
        """
        INSERT INTO unclaimed_transfers (txid, kind, log_index, wallet, recipient, amount, block_number, block_id)
        VALUES (\(Sample.sql([UInt8](repeating: 0xef, count: 32))), 'token_transfer', 0,
          \(Sample.sql(Sample.wallet.bytes)), \(Sample.sql(Sample.recipient(1).bytes)), 1e30, 2,
          \(Sample.sql(Sample.blockID(2).bytes)))
        """)
      let report = try await test.ledger.breaker()
      #expect(report.cause == "unknown_transaction" && report.findings.map(\.isJudged) == [true, false])
      #expect(report.findings.last?.amountText == "1" + String(repeating: "0", count: 30))
      #expect(report.findings.last?.recipient == Sample.recipient(1))

      let closed = try #require(try await test.ledger.closeBreaker(reason: "our own test"))
      #expect(closed.cause == "unknown_transaction")
      #expect(closed.acknowledged.map(\.txid) == [TxID(exactly: [UInt8](repeating: 0xee, count: 32))])
      #expect(
        try await acts(test).last?.hasSuffix("acknowledged owned_transaction " + String(repeating: "ee", count: 32))
          == true)
      #expect(try await test.sign() == .blocked(.openFinding))
      #expect(try await test.ledger.judgeFindings() == 1)
      #expect(try await test.ledger.breaker().state == "open")
      #expect(try await test.ledger.closeBreaker(reason: "this too")?.acknowledged.count == 1)
      #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 0))
    }
  }

  // Proves that judging and closing at one time never leaves a judged finding beside a closed breaker, unless it can be
  // acknowledged by closing again.
  @Test func `a finding judged while the breaker is closed is acknowledged or opens it again`() async throws {
    try await withLedger { test async throws in
      for round in UInt8(1)...20 {
        _ = try await test.ledger.openBreaker(reason: "round")
        try await test.run(
          """
          INSERT INTO unclaimed_transfers (txid, kind, wallet, block_number, block_id)
          VALUES (\(Sample.sql([UInt8](repeating: round, count: 32))), 'owned_transaction',
            \(Sample.sql(Sample.wallet.bytes)), 1, \(Sample.sql(Sample.blockID(1).bytes)))
          """)
        async let judged = test.ledger.judgeFindings()
        async let closed = test.ledger.closeBreaker(reason: "looked")
        #expect(try await judged == 1)
        let acknowledged = try await closed?.acknowledged.count
        #expect(try await test.ledger.breaker().state == (acknowledged == 1 ? "closed" : "open"))
        if acknowledged == 0 { #expect(try await test.ledger.closeBreaker(reason: "rest")?.acknowledged.count == 1) }
      }
    }
  }

  @Test func `a pause stops signing until it is resumed, with the reason`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(1)
      #expect(try await !test.ledger.resume(reason: "nothing"))
      #expect(try await test.ledger.pause(reason: "treasury move"))
      #expect(try await !test.ledger.pause(reason: "another"))
      #expect(try await test.ledger.conditions().pauseReason == "treasury move")
      #expect(try await test.sign() == .blocked(.paused))
      #expect(try await test.ledger.resume(reason: "done"))
      #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 0))
      #expect(
        try await acts(test) == ["pause|ledger-tests: paused: treasury move", "pause|ledger-tests: resumed: done"])
    }
  }

  @Test func `an alarm stands until it is acknowledged, and the same cause raises a new one`() async throws {
    try await withLedger { test async throws in
      let ledger = test.ledger
      for message in ["first", "second"] {
        try await ledger.raiseAlarm(kind: "dead_letter", subject: "payout 1", message: message)
      }
      try await ledger.raiseAlarm(kind: "dead_letter", subject: "payout 2", message: "other")
      let alarms = try await ledger.standingAlarms(atMost: 10)
      #expect(alarms.map(\.message) == ["second", "other"] && alarms.map(\.count) == [2, 1])
      #expect(try await ledger.standingAlarms(atMost: 1).count == 1)
      let first = try #require(alarms.first)
      #expect(try await ledger.acknowledgeAlarm(first.id, reason: "seen")?.subject == "payout 1")
      #expect(try await ledger.acknowledgeAlarm(first.id, reason: "seen") == nil)
      #expect(try await ledger.standingAlarms(atMost: 10).map(\.message) == ["other"])
      #expect(try await acts(test) == ["alarm \(first.id)|ledger-tests: acknowledged: seen"])
      try await ledger.raiseAlarm(kind: "dead_letter", subject: "payout 1", message: "third")
      #expect(try await ledger.standingAlarms(atMost: 10).map(\.message) == ["other", "third"])
    }
  }

  // Proves the counts and ages stage by stage, and that what is finished counts nowhere.
  @Test func `each stage is counted, with the age of its oldest payout`() async throws {
    try await withLedger { test async throws in
      let empty = try await test.ledger.stageDepths(countingAtMost: nil)
      #expect(empty.map(\.status) == [.queued, .scheduled, .signed, .broadcast, .confirming, .held])
      #expect(empty.allSatisfy { $0.count == 0 && $0.oldestAgeMilliseconds == nil })
      try await test.signed(3)
      try await test.broadcast()
      try await test.head(101, [test.txid(3)])
      try await test.accept((4...6).map { try Sample.payout($0) })
      _ = try await test.ledger.schedule([Sample.payoutID(6)], maximumPerBatch: 100) { Sample.batchID(2) }
      try await test.force(
        """
        UPDATE payouts SET status = 'held', held_from = 'broadcast', hold_reason = 'x'
          WHERE id = \(Sample.sql(Sample.payoutID(1)));
        UPDATE payouts SET status_since = status_since - interval '1 hour', window_end = window_end - interval '1 hour'
          WHERE id = \(Sample.sql(Sample.payoutID(4)));
        -- What waits for its window is counted, and is not late.
        UPDATE payouts SET status_since = status_since - interval '2 hours', window_end = now() + interval '1 hour'
          WHERE id = \(Sample.sql(Sample.payoutID(5)));
        """)
      let depths = try await test.ledger.stageDepths(countingAtMost: nil)
      #expect(depths.map(\.count) == [2, 1, 0, 1, 1, 1])
      let oldest = try #require(depths.first?.oldestAgeMilliseconds)
      #expect((3_600_000..<3_700_000).contains(oldest))
      #expect(try await test.ledger.stageDepths(countingAtMost: 1).map(\.count) == [1, 1, 0, 1, 1, 1])
      #expect(depths[2].oldestAgeMilliseconds == nil && (depths[3].oldestAgeMilliseconds ?? 0) < 60_000)
    }
  }
}
