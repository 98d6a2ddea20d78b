import Foundation
import Payouts
import TestSupport
import Testing

@testable import Ledger

/// What a page of a list costs hangs on the page, not on how many payouts there are.
@Suite struct ListSpeedTests {
  /// So many payouts: 100,000, or what `LISTED_PAYOUTS` says; of 5,000,000 and more it is also asked that 99 of 100 pages
  /// take 20 ms at most.
  static let count = ProcessInfo.processInfo.environment["LISTED_PAYOUTS"].flatMap { Int($0) } ?? 100_000
  private static let timed = 5_000_000
  private static let slowest = Duration.milliseconds(20)

  /// What the server has counted: whole readings of either table, and pages touched.
  private struct Work {
    var wholeReadings: Int64
    var pages: Int64

    init(_ test: TestLedger) async throws {
      _ = try await test.pool.execute("SELECT pg_stat_force_next_flush()")
      let row = try await test.pool.execute(
        """
        SELECT sum(t.seq_scan)::bigint AS seq_scan,
          sum(s.heap_blks_hit + s.heap_blks_read + s.idx_blks_hit + s.idx_blks_read)::bigint AS pages
        FROM pg_stat_user_tables t JOIN pg_statio_user_tables s USING (relid)
        WHERE t.relname IN ('payouts', 'payout_directory')
        """
      ).rows[0]
      wholeReadings = try row.int8("seq_scan")
      pages = try row.int8("pages")
    }
  }

  /// Each word alone, and two together of which the second is rare among what the first one leads to.
  private static let questions: [(name: String, words: [Int])] = [
    ("nothing", []), ("status", [0]), ("router", [1]), ("batch type", [2]), ("recipient", [3]), ("external id", [4]),
    ("node", [5]), ("session", [6]), ("from", [7]), ("to", [8]), ("batch", [9]), ("recipient and status", [3, 0]),
    ("node and session", [5, 6]), ("router and batch type", [1, 2]),
  ]

  /// The same of clients' batches: each reads its own payouts only.
  private func batchTimes(
    of batches: some Sequence<BatchID>, _ test: TestLedger
  ) async throws -> [(time: Duration, name: String)] {
    try await test.force(
      """
      INSERT INTO client_batches (id, owner, payout_count, total_amount)
      SELECT client_batch_id, min(owner), 10, 10 FROM payouts WHERE client_batch_id IS NOT NULL GROUP BY 1;
      ANALYZE client_batches
      """)
    var times: [(time: Duration, name: String)] = []
    for batch in batches {
      let before = try await Work(test)
      let began = ContinuousClock.now
      let progress = try #require(try await test.ledger.clientBatch(batch))
      times.append((ContinuousClock.now - began, "a client's batch"))
      let after = try await Work(test)
      #expect(progress.size.payoutCount == 10)
      #expect(after.wholeReadings == before.wholeReadings && after.pages - before.pages < 200)
    }
    #expect(!times.isEmpty)
    return times
  }

  // Proves, by the server's own counts, that no page reads a table from end to end, and that none touches more pages of it
  // than its bound says: 2,000 payouts looked at of two parts, some three pages each, and their entries. The times are printed.
  @Test func `a page of a list reads a bounded part of an index, whatever is asked for`() async throws {
    let seed = TestSupport.SeededGenerator.printedSeed(for: "list speed")
    try await withLedger(connectionLimit: 1) { test async throws in
      var chance = TestSupport.SeededGenerator(seed: seed)
      try await PrivatePostgres.shared().query(ListedPayouts.sql(Self.count), database: TestLedger.name(of: test.url))
      let sample = try await test.rows(
        """
        SELECT id::text AS name FROM payouts
        WHERE num_nulls(external_id, node_id, session_id, client_batch_id) = 0 LIMIT 500
        """
      ).map { try PayoutID($0) }
      let records = try await test.ledger.payouts(sample)
      #expect(records.count > 100)
      var slowest: [(time: Duration, name: String)] = []
      for reader in [nil, "o1"] {
        for (name, words) in Self.questions {
          var times: [Duration] = []
          for _ in 0..<20 {
            var filter = PayoutFilter()
            for word in words {
              ListedPayouts.word(word, Int.random(in: 0..<records.count, using: &chance), in: &filter, of: records)
            }
            let before = try await Work(test)
            let began = ContinuousClock.now
            _ = try await test.ledger.payouts(fitting: filter, readableBy: reader, before: nil, limit: 100)
            times.append(ContinuousClock.now - began)
            let after = try await Work(test)
            #expect(after.wholeReadings == before.wholeReadings, "\(name)")
            #expect(after.pages - before.pages < 25_000, "\(name): \(after.pages - before.pages) pages")
          }
          slowest += times.map { ($0, "\(name), by \(reader ?? "all")") }
        }
      }
      slowest += try await batchTimes(of: records.compactMap(\.terms.clientBatch).prefix(20), test)
      slowest.sort { $0.time < $1.time }
      let last = slowest[slowest.count * 99 / 100]
      print(
        "lists of \(Self.count) payouts: median \(slowest[slowest.count / 2].time), 99 of 100 in \(last.time) (\(last.name)), "
          + "slowest \(slowest.last?.time ?? .zero) (\(slowest.last?.name ?? ""))")
      if Self.count >= Self.timed { #expect(last.time <= Self.slowest) }
    }
  }
}
