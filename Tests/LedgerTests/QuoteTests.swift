import Payouts
import TestSupport
import Testing

@testable import Ledger

/// What the ledger knows about payouts that somebody thinks of.
@Suite struct QuoteTests {
  private func twins(_ test: TestLedger, _ owner: String, _ asked: [(Int, Int64)]) async throws -> [PayoutID?] {
    try await test.ledger.quoteBasis(
      of: owner, paying: try asked.map { (Sample.recipient($0.0), try Amount(microUSDT: $0.1)) }
    ).twins
  }

  // Proves which payouts are told as twins: same owner, recipient and amount, not ended, the newest; each in its place.
  @Test func `a payout of the same owner, recipient and amount that has not ended is told`() async throws {
    try await withLedger { test async throws in
      try await test.accept([
        try Sample.payout(1, amount: 5, recipient: 1), try Sample.payout(2, amount: 5, recipient: 1),
        try Sample.payout(3, amount: 6, recipient: 1), try Sample.payout(4, amount: 5, recipient: 2),
        try Sample.payout(5, amount: 5, recipient: 1, owner: "owner-2"),
      ])
      let asked: [(Int, Int64)] = [(1, 5), (9, 5), (1, 6), (1, 7), (2, 5)]
      let expected = [Sample.payoutID(2), nil, Sample.payoutID(3), nil, Sample.payoutID(4)]
      #expect(try await twins(test, "owner-1", asked) == expected)
      #expect(try await twins(test, "owner-2", [(1, 5), (2, 5)]) == [Sample.payoutID(5), nil])
      #expect(try await twins(test, "owner-3", [(1, 5)]) == [nil])
      for status in PayoutStatus.allCases.filter(\.isFinal) {
        try await test.force(
          "UPDATE payouts SET status = '\(status.rawValue)' WHERE id = \(Sample.sql(Sample.payoutID(2)))")
        #expect(try await twins(test, "owner-1", [(1, 5)]) == [Sample.payoutID(1)], "\(status)")
      }
    }
  }

  // Proves that costs are those of paid transfers, averaged and rounded up, and that nothing is told where none was seen.
  @Test func `what transfers have cost is told where some have paid`() async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await test.signed(3)
      let before = try await test.ledger.quoteBasis(of: "owner-1", paying: [])
      #expect(before.cost == nil && before.twins.isEmpty && before.windows.count == 8)
      #expect(before.windowEnds.count == 4 && before.windowEnds.values.allSatisfy { $0 >= before.at })
      func pay(_ number: Int, _ energy: Int, _ fee: Int, _ outcome: String) -> String {
        """
        UPDATE attempts SET outcome = '\(outcome)', ended_at = ledger_now()
          WHERE reference = \(Sample.sql(Sample.reference(number).bytes));
        UPDATE transactions SET energy_used = \(energy), fee_sun = \(fee)
          WHERE txid = \(Sample.sql(test.txid(number).bytes));
        """
      }
      try await test.force(
        pay(1, 64_285, 13_000_000, "paid") + pay(2, 31_896, 0, "paid") + pay(3, 7, 7, "failed_on_chain"))
      let cost = try #require(try await test.ledger.quoteBasis(of: "owner-1", paying: []).cost)
      #expect(cost == TransferCost(transfers: 2, energy: 48_091, fee: Sun(6_500_000)))
    }
  }

  // Proves, by the server's own counts, that no table is read from end to end and that what is touched is bounded: some pages
  // for each of 100 newest payouts to each of 11 recipients asked about, and of the 500 newest of all.
  @Test func `a quote reads a bounded part of a great many payouts`() async throws {
    try await withLedger(connectionLimit: 1) { test async throws in
      // What vacuum reads is counted as well.
      for table in ["payouts", "payout_directory"] {
        try await test.run("ALTER TABLE \(table) SET (autovacuum_enabled = off)")
      }
      try await PrivatePostgres.shared().query(
        ListedPayouts.sql(ListSpeedTests.count), database: TestLedger.name(of: test.url))
      let recipients = try await test.rows(
        "SELECT DISTINCT encode(recipient, 'hex') FROM (SELECT recipient FROM payouts LIMIT 1000) p")
      let terms = try recipients.map { hex in
        (recipient: try Address(bytes: try #require(Hex.bytes(hex))), amount: try Amount(microUSDT: 1))
      }
      #expect(terms.count == 11)
      for _ in 0..<10 {
        let before = try await work(test)
        let began = ContinuousClock.now
        let basis = try await test.ledger.quoteBasis(of: "o2", paying: terms)
        print("a quote beside \(ListSpeedTests.count) payouts took \(ContinuousClock.now - began)")
        let after = try await work(test)
        #expect(basis.twins.allSatisfy { $0 != nil } && basis.cost == nil)
        #expect(after.wholeReadings == before.wholeReadings)
        #expect(after.pages - before.pages < 10_000, "\(after.pages - before.pages) pages")
      }
    }
  }

  private func work(_ test: TestLedger) async throws -> (wholeReadings: Int64, pages: Int64) {
    _ = try await test.pool.execute("SELECT pg_stat_force_next_flush()")
    let row = try await test.pool.execute(
      """
      SELECT sum(t.seq_scan)::bigint AS seq_scan,
        sum(s.heap_blks_hit + s.heap_blks_read + s.idx_blks_hit + s.idx_blks_read)::bigint AS pages
      FROM pg_stat_user_tables t JOIN pg_statio_user_tables s USING (relid)
      WHERE t.relname IN ('payouts', 'payout_directory', 'attempts', 'transactions')
      """
    ).rows[0]
    return (try row.int8("seq_scan"), try row.int8("pages"))
  }
}
