import Payouts
import TestSupport
import Testing

@testable import Ledger

/// How the payments go, as it is told at a bounded cost.
@Suite struct StatsTests {
  private func told(_ tallies: [PayoutTally<some RawRepresentable<String>>]) -> [String] {
    tallies.filter { $0.payouts > 0 }.map { tally in
      "\(tally.name.rawValue) \(tally.payouts) \(tally.amount)\(tally.isComplete ? "" : "+")"
    }
  }

  // Proves that an empty ledger is told as such, with every word of every list.
  @Test func `nothing is told of an empty ledger but its words`() async throws {
    try await withLedger { test async throws in
      let stats = try await test.ledger.stats(countingAtMost: 10)
      #expect(Set(stats.byStatus.map(\.name)) == Set(PayoutStatus.allCases).subtracting([.confirmed]))
      #expect(stats.byStatus.allSatisfy { $0.payouts == 0 && $0.amount == .zero && $0.isComplete })
      #expect(stats.byRouter.map(\.name) == RouterType.allCases && stats.byRouter.allSatisfy { $0.payouts == 0 })
      #expect(stats.queue.map(\.name) == [.urgent, .high, .normal, .low])
      #expect(stats.queue.allSatisfy { $0.payouts == 0 })
      #expect(stats.newest == NewestPayouts(since: nil, isComplete: true, byStatus: []))
      #expect(stats.windows.count == 8 && stats.windows.allSatisfy { $0.used == .zero })
      #expect(stats.breakerState == "closed" && stats.failuresInRow == 0 && stats.lastFailureAt == nil)
    }
  }

  // Proves each count and each sum, that what has ended is no router's any more, and that a window tells what it counts.
  @Test func `states, routers, priorities and windows are counted`() async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await test.signed(1)
      try await test.accept([
        try Sample.payout(2, amount: 2_500_000, priority: .urgent), try Sample.payout(3, amount: 1, router: .kyc),
        try Sample.payout(4, amount: 4_000_000), try Sample.payout(5, amount: 5_000_000),
        try Sample.payout(6, amount: 6_000_000),
      ])
      let accepted = try await test.ledger.stats(countingAtMost: 10)
      func used(_ scope: WindowUse.Scope) -> [String] {
        accepted.windows.filter { $0.scope == scope }.map { "\($0.span) \($0.used)" }.sorted()
      }
      #expect(used(.accepted(nil)) == ["day 18.500001", "hour 18.500001"])
      #expect(used(.accepted(.kyc)) == ["day 0.000001", "hour 0.000001"])
      #expect(used(.accepted(.v0)) == ["day 18.5", "hour 18.5"])
      #expect(used(.signed) == ["day 1", "hour 1"])
      for window in accepted.windows {
        #expect(window.startsAt <= accepted.at && accepted.at < window.endsAt)
        #expect(window.endsAt.milliseconds(since: window.startsAt) == (window.span == .hour ? 3_600_000 : 86_400_000))
      }
      try await test.force(
        """
        UPDATE payouts SET status = 'failed' WHERE id = \(Sample.sql(Sample.payoutID(4)));
        UPDATE payouts SET status = 'confirmed' WHERE id = \(Sample.sql(Sample.payoutID(5)));
        UPDATE payouts SET status = 'held', held_from = 'queued', hold_reason = 'x'
          WHERE id = \(Sample.sql(Sample.payoutID(6)));
        UPDATE payouts SET created_at = ledger_now() - interval '1 hour';
        UPDATE payouts SET created_at = ledger_now() - interval '25 hours' WHERE id = \(Sample.sql(Sample.payoutID(1)));
        """)
      let stats = try await test.ledger.stats(countingAtMost: 10)
      #expect(told(stats.byStatus) == ["queued 2 2.500001", "signed 1 1", "held 1 6", "failed 1 4"])
      #expect(told(stats.byRouter) == ["v0 3 9.5", "kyc 1 0.000001"])
      #expect(told(stats.queue) == ["urgent 1 2.5", "normal 1 0.000001"])
      #expect(
        told(stats.newest.byStatus).sorted() == ["confirmed 1 5", "failed 1 4", "held 1 6", "queued 2 2.500001"])
      #expect(stats.newest.isComplete && stats.newest.since == stats.at.advanced(byMilliseconds: -3_600_000))
    }
  }

  // Proves that a count that ended at its bound says so, and only such a one; and which payouts are the newest.
  @Test func `what was not counted to its end is told as such`() async throws {
    try await withLedger { test async throws in
      try await test.accept(try (1...3).map { try Sample.payout($0, priority: $0 == 1 ? .high : .low) })
      try await test.force(
        """
        UPDATE payouts SET created_at = ledger_now() - interval '1 hour';
        UPDATE payouts SET status = 'expired' WHERE id = \(Sample.sql(Sample.payoutID(3)));
        """)
      let cut = try await test.ledger.stats(countingAtMost: 2)
      #expect(told(cut.byStatus) == ["queued 2 2+", "expired 1 1"])
      #expect(told(cut.byRouter) == ["v0 2 2+"] && told(cut.queue) == ["high 1 1", "low 1 1"])
      #expect(told(cut.newest.byStatus).sorted() == ["expired 1 1+", "queued 1 1+"] && !cut.newest.isComplete)
      let whole = try await test.ledger.stats(countingAtMost: 4)
      #expect(told(whole.byStatus) == ["queued 2 2", "expired 1 1"] && whole.newest.isComplete)
      // Those of the day are all there, where one from before it was met.
      try await test.force(
        "UPDATE payouts SET created_at = ledger_now() - interval '25 hours' WHERE id = \(Sample.sql(Sample.payoutID(2)))"
      )
      let day = try await test.ledger.stats(countingAtMost: 2).newest
      #expect(told(day.byStatus) == ["expired 1 1"] && day.isComplete)
    }
  }

  // Proves what is told of failures: those that are no payout's own, the last of them.
  @Test func `the breaker's failures are told, with the last of them`() async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await test.signed(3)
      func end(_ number: Int, _ blame: String, hoursAgo hours: Int) -> String {
        """
        UPDATE attempts SET outcome = 'failed_on_chain', blame = '\(blame)',
          ended_at = ledger_now() - interval '\(hours) hours'
        WHERE reference = \(Sample.sql(Sample.reference(number).bytes));
        """
      }
      try await test.force(
        end(1, "energy", hoursAgo: 3) + end(2, "other", hoursAgo: 2) + end(3, "payout", hoursAgo: 1)
          + "UPDATE breaker SET failures_in_row = 2;")
      _ = try await test.ledger.openBreaker(reason: "look")
      let stats = try await test.ledger.stats(countingAtMost: 10)
      #expect(stats.breakerState == "open" && stats.failuresInRow == 2)
      #expect(stats.lastFailureAt == stats.at.advanced(byMilliseconds: -7_200_000))
    }
  }

  /// What the server has counted: whole readings of the large tables, and pages of payouts touched.
  private func work(_ test: TestLedger) async throws -> (wholeReadings: Int64, pages: Int64) {
    _ = try await test.pool.execute("SELECT pg_stat_force_next_flush()")
    let row = try await test.pool.execute(
      """
      SELECT sum(t.seq_scan)::bigint AS seq_scan,
        sum(s.heap_blks_hit + s.heap_blks_read + s.idx_blks_hit + s.idx_blks_read)::bigint AS pages
      FROM pg_stat_user_tables t JOIN pg_statio_user_tables s USING (relid)
      WHERE t.relname IN ('payouts', 'attempts', 'payout_events')
      """
    ).rows[0]
    return (try row.int8("seq_scan"), try row.int8("pages"))
  }

  // Proves, by the server's own counts, that no payouts are read beyond the bound: some pages for each of the 100 of
  // three states that hold more, of those that wait, and of the newest. The times are printed.
  @Test func `the statistics read no more than they count of a great many payouts`() async throws {
    try await withLedger(connectionLimit: 1) { test async throws in
      // What vacuum reads is counted as well.
      for table in ["payouts", "attempts", "payout_events"] {
        try await test.run("ALTER TABLE \(table) SET (autovacuum_enabled = off)")
      }
      try await PrivatePostgres.shared().query(
        ListedPayouts.sql(ListSpeedTests.count), database: TestLedger.name(of: test.url))
      // Often enough that the server may change from plans for one value to a plan for all.
      for _ in 0..<10 {
        let before = try await work(test)
        let began = ContinuousClock.now
        let stats = try await test.ledger.stats(countingAtMost: 100)
        print("statistics of \(ListSpeedTests.count) payouts took \(ContinuousClock.now - began)")
        let after = try await work(test)
        #expect(after.wholeReadings == before.wholeReadings)
        #expect(after.pages - before.pages < 2_500, "\(after.pages - before.pages) pages")
        #expect(told(stats.byStatus) == ["queued 100 0.0001+", "failed 100 0.0001+", "rejected 100 0.0001+"])
        #expect(stats.newest.byStatus.reduce(0) { $0 + $1.payouts } == 100 && !stats.newest.isComplete)
      }
    }
  }
}
