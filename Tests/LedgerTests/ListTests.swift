import Payouts
import TestSupport
import Testing

@testable import Ledger

/// Lists of payouts (api.md "GET /payouts").
@Suite struct ListTests {
  private static let count = 600

  /// All payouts, newest first, as one would find them by looking at each.
  private func all(_ test: TestLedger) async throws -> [PayoutRecord] {
    try await PrivatePostgres.shared().query(ListedPayouts.sql(Self.count), database: TestLedger.name(of: test.url))
    let ids = try await test.rows("SELECT id::text AS name FROM payouts ORDER BY id DESC").map { try PayoutID($0) }
    let records = try await test.ledger.payouts(ids)
    return records.sorted { $0.id > $1.id }
  }

  /// Every page of a list, one after the other.
  private func pages(
    _ test: TestLedger, _ filter: PayoutFilter, _ reader: String?, limit: Int, scanned: Int
  ) async throws -> [PayoutPage] {
    var pages: [PayoutPage] = []
    repeat {
      pages.append(
        try await test.ledger.payouts(
          fitting: filter, readableBy: reader, before: pages.last?.next, limit: limit, scanned: scanned))
    } while pages.last?.next != nil && pages.count <= Self.count + 2
    return pages
  }

  // Proves that whatever is asked for, by whomever and in pages of whatever size, also where a page may look at a few
  // payouts only: all pages together hold each payout that fits once, newest first, and no page is too long.
  @Test func `the pages of a list are what fits, newest first, each once`() async throws {
    let seed = TestSupport.SeededGenerator.printedSeed(for: "lists")
    try await withLedger { test async throws in
      var chance = TestSupport.SeededGenerator(seed: seed)
      func roll(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &chance) }
      let records = try await all(test)
      #expect(records.count == Self.count)
      var found = 0
      for _ in 0..<400 {
        var filter = PayoutFilter()
        for _ in 0..<roll(4) { ListedPayouts.word(roll(10), roll(records.count), in: &filter, of: records) }
        let reader = roll(3) == 0 ? nil : "o\(roll(6))"
        let (limit, scanned) = (1 + roll(100), [1, 7, 50, 2_000][roll(4)])
        let pages = try await pages(test, filter, reader, limit: limit, scanned: max(scanned, limit))
        let expected = records.filter { record in
          filter.fits(record)
            && (reader == nil || [record.terms.owner, record.particulars.beneficiaryUserID].contains(reader))
        }
        let told = pages.flatMap(\.records)
        #expect(told == expected, "\(filter), read by \(reader ?? "all"), \(limit) a page, \(scanned) looked at")
        #expect(pages.allSatisfy { $0.records.count <= limit } && pages.last?.next == nil)
        found += told.count
      }
      #expect(found > 10_000)
    }
  }

  // Proves that a word of more owners than are looked through one by one is found among all payouts.
  @Test func `what many owners have is listed for an admin, newest first, each once`() async throws {
    try await withLedger { test async throws in
      let payouts = try (1...50).map { try Sample.payout($0, owner: "owner-\($0)") }
      _ = try await test.ledger.accept(payouts, limits: TestLedger.unlimited)
      var filter = PayoutFilter()
      filter.status = .queued
      for scanned in [1, 7, 100] {
        let told = try await pages(test, filter, nil, limit: 7, scanned: scanned).flatMap(\.records)
        #expect(told.map(\.id) == payouts.map(\.terms.id).sorted(by: >), "\(scanned)")
      }
    }
  }

  // Proves that the table that lists are read from holds what is accepted, from the same commit on.
  @Test func `what is accepted stands in the list`() async throws {
    try await withLedger { test async throws in
      let payouts = try (1...3).map { try Sample.payout($0) }
      _ = try await test.ledger.accept(payouts, limits: TestLedger.unlimited)
      let page = try await test.ledger.payouts(fitting: PayoutFilter(), readableBy: nil, before: nil, limit: 10)
      #expect(page.records.map(\.id) == payouts.map(\.terms.id).sorted(by: >) && page.next == nil)
      let missing = try await test.rows(
        """
        SELECT id::text AS name FROM payouts p WHERE NOT EXISTS (SELECT FROM payout_directory d
          WHERE (d.id, d.owner, d.recipient) = (p.id, p.owner, p.recipient)
            AND (d.external_id, d.node_id, d.session_id, d.beneficiary_user_id, d.client_batch_id) IS NOT DISTINCT FROM
              (p.external_id, p.node_id, p.session_id, p.beneficiary_user_id, p.client_batch_id))
        """)
      #expect(missing.isEmpty)
    }
  }
}
