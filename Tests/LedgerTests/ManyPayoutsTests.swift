import Payouts
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Ledger

/// What Scheduler asks of the ledger costs the same however many payouts wait.
@Suite struct ManyPayoutsTests {
  /// What the server has counted on the table of payouts: whole readings of it, entries read from its index of turns, and
  /// pages touched.
  private struct Work {
    let wholeReadings: Int64
    let turnsRead: Int64
    let pages: Int64

    static func - (left: Work, right: Work) -> Work {
      Work(
        wholeReadings: left.wholeReadings - right.wholeReadings, turnsRead: left.turnsRead - right.turnsRead,
        pages: left.pages - right.pages)
    }

    init(wholeReadings: Int64, turnsRead: Int64, pages: Int64) {
      self.wholeReadings = wholeReadings
      self.turnsRead = turnsRead
      self.pages = pages
    }

    init(_ test: TestLedger) async throws {
      _ = try await test.pool.execute("SELECT pg_stat_force_next_flush()")
      let row = try await test.pool.execute(
        """
        SELECT t.seq_scan, i.idx_tup_read, s.heap_blks_hit + s.heap_blks_read + s.idx_blks_hit + s.idx_blks_read AS pages
        FROM pg_stat_user_tables t JOIN pg_statio_user_tables s USING (relid)
          JOIN pg_stat_user_indexes i USING (relid)
        WHERE t.relname = 'payouts' AND i.indexrelname = 'payouts_in_turn'
        """
      ).rows[0]
      wholeReadings = try row.int8("seq_scan")
      turnsRead = try row.int8("idx_tup_read")
      pages = try row.int8("pages")
    }
  }

  // Proves, by the server's own counts, that a round reads nothing of what waits, that its work does not grow with the
  // rounds before it (whose entries nobody has cleaned up), and that looking for what is due or expired reads no table from
  // end to end; in its first half without statistics of the table, as after a flood, then with them. The times are printed.
  @Test func `rounds are flat while a great many payouts wait`() async throws {
    let due = ManyPayouts.count / 20
    let waiting = ManyPayouts.count - due
    try await withLedger(connectionLimit: 1) { test async throws in
      try await PrivatePostgres.shared().query(
        ManyPayouts.queued(due: due, waiting: waiting), database: TestLedger.name(of: test.url))
      let number = Mutex(0)
      let name: @Sendable () -> BatchID = {
        Sample.batchID(
          number.withLock {
            $0 += 1; return $0
          })
      }
      var works: [Work] = []
      var times: [Duration] = []
      for round in 0..<(due / 500) {
        if round == due / 1_000 { _ = try await test.pool.execute("ANALYZE") }
        let before = try await Work(test)
        let began = ContinuousClock.now
        let batches = try await test.ledger.scheduleDue(atMost: 500, maximumPerBatch: 100, newBatchID: name)
        times.append(ContinuousClock.now - began)
        works.append(try await Work(test) - before)
        #expect(batches.map(\.payouts.count).reduce(0, +) == 500)
      }
      #expect(works.allSatisfy { $0.wholeReadings == 0 })
      // At worst what is due, and what rounds before it left dead there, twice; of what waits, nothing.
      let turnsRead = works.map(\.turnsRead).max() ?? 0
      #expect(turnsRead < 3 * due)
      let (first, last) = (works.prefix(5).map(\.pages).max() ?? 0, works.suffix(5).map(\.pages).max() ?? 0)
      #expect(Double(last) < 1.5 * Double(first), "\(first) pages in a round at first, \(last) at last")

      let before = try await Work(test)
      for _ in 0..<10 {
        #expect(try await test.ledger.scheduleDue(atMost: 500, maximumPerBatch: 100, newBatchID: name).isEmpty)
        #expect(try await test.ledger.expire(atMost: 500).isEmpty)
      }
      let idle = try await Work(test) - before
      #expect(idle.wholeReadings == 0)
      #expect(try await test.value("SELECT count(*) FROM payouts WHERE status = 'queued'") == "\(waiting)")

      try await test.run("UPDATE ledger_settings SET clock_offset_ms = 2 * 86400000 + 60000")
      let expiring = try await Work(test)
      #expect(try await test.ledger.expire(atMost: 500).count == 500)
      let expired = try await Work(test) - expiring
      #expect(expired.wholeReadings == 0)
      #expect(expired.pages < 2 * first, "\(expired.pages) pages to expire 500 of \(waiting / 10)")
      print(
        "\(waiting) waiting: round of 500 takes \(times[1]) at first, "
          + "\(times[times.count - 1]) at last (\(first) and \(last) pages); ten idle rounds touch \(idle.pages) pages")
    }
  }

  // Proves, by the server's own counts, that what every worker measures every ten seconds costs what its bound says, however
  // many wait, with statistics and without; and that the age is still that of the oldest of all. The times are printed.
  @Test func `measuring the stages reads no more than it counts while a great many payouts wait`() async throws {
    let due = ManyPayouts.count / 20
    try await withLedger(connectionLimit: 1) { test async throws in
      try await PrivatePostgres.shared().query(
        ManyPayouts.queued(due: due, waiting: ManyPayouts.count - due), database: TestLedger.name(of: test.url))
      for statistics in ["none", "all"] {
        if statistics == "all" { _ = try await test.pool.execute("ANALYZE") }
        for bound in [100, 10_000] as [Int64] {
          let before = try await Work(test)
          let began = ContinuousClock.now
          let depths = try await test.ledger.stageDepths(countingAtMost: bound)
          let took = ContinuousClock.now - began
          let work = try await Work(test) - before
          #expect(depths.map(\.count) == [bound, 0, 0, 0, 0, 0])
          #expect((3_600_000..<7_200_000).contains(depths[0].oldestAgeMilliseconds ?? 0))
          #expect(work.wholeReadings == 0)
          #expect(work.turnsRead <= bound + 10, "\(work.turnsRead) entries read to count \(bound)")
          print("\(ManyPayouts.count) wait, statistics: \(statistics): counting up to \(bound) takes \(took)")
        }
      }
      let began = ContinuousClock.now
      #expect(
        try await test.ledger.stageDepths(countingAtMost: nil)[0].count == ManyPayouts.count)
      print("\(ManyPayouts.count) wait: counting all takes \(ContinuousClock.now - began)")
    }
  }
}
