import Payouts
import Testing

@testable import Ledger

/// Lists of audit records, and the place up to which they were delivered.
@Suite struct AuditPageTests {
  /// Every page of a list, one after the other.
  private func pages(
    _ test: TestLedger, _ filter: AuditFilter, limit: Int, scanned: Int
  ) async throws -> [AuditPage] {
    var pages: [AuditPage] = []
    repeat {
      let scan = AuditScan(filter, before: pages.last?.next, limit: limit, scanned: scanned)
      pages.append(try await test.ledger.page(scan))
    } while pages.last?.next != nil && pages.count <= 400
    return pages
  }

  private static func fits(_ entry: AuditPage.Entry, _ filter: AuditFilter) -> Bool {
    let (record, at) = (entry.audit.record, entry.audit.at)
    if let caller = filter.caller, record.caller != caller { return false }
    if let target = filter.target, record.target != target { return false }
    if let operation = filter.operation, record.operation != operation { return false }
    if let outcome = filter.outcome, record.outcome != outcome { return false }
    if let from = filter.from, at < from { return false }
    if let to = filter.to, at >= to { return false }
    return true
  }

  // Proves that whatever is asked for, in pages of whatever size, also where a page may look at a few records only: all
  // pages together hold each record that fits once, newest first, and no page is too long. Some records were stored
  // long after they happened, so that the order of ids is not that of times.
  @Test func `the pages of a list are what fits, newest first, each once`() async throws {
    try await withLedger { test async throws in
      for round in 0..<20 {
        try await test.freeze(afterSeconds: Int64(round) * 60)
        let records = (0..<10).map { index in
          let number = round * 10 + index
          return AuditTests.record(
            number, caller: number % 3 == 0 ? nil : "client-\(number % 3)",
            target: number % 7 == 0 ? nil : "payout-\(number % 7)",
            operation: number % 2 == 0 ? "createPayout" : "cancelPayout",
            outcome: number % 31 == 0 ? "forbidden" : "done"
          ).waited(milliseconds: number % 11 == 0 ? 300_000 : 0)
        }
        try await test.ledger.record(audits: records)
      }
      _ = try await test.ledger.linkAudits(atMost: 150)
      let all = try await pages(test, AuditFilter(), limit: 1_000, scanned: 1_000).flatMap(\.entries)
      #expect(all.count == 200 && all.filter { $0.link == nil }.count == 50)
      let order = all.map { [$0.audit.at.milliseconds, $0.audit.id] }
      #expect(order == order.sorted { $1.lexicographicallyPrecedes($0) })

      var filters: [AuditFilter] = [AuditFilter()]
      func add(_ change: (inout AuditFilter) -> Void) {
        filters += filters.map { filter in
          var changed = filter
          change(&changed)
          return changed
        }
      }
      add { $0.caller = "client-1" }
      add { $0.target = "payout-3" }
      add { $0.outcome = "forbidden" }
      add { $0.from = test.now.advanced(byMilliseconds: 240_000) }
      add { $0.to = test.now.advanced(byMilliseconds: 900_000) }
      var operation = AuditFilter()
      operation.operation = "cancelPayout"
      filters.append(operation)
      for filter in filters {
        let expected = all.filter { Self.fits($0, filter) }
        for (limit, scanned) in [(5, 6), (7, 20), (100, 2_000)] {
          let pages = try await pages(test, filter, limit: limit, scanned: scanned)
          #expect(pages.flatMap(\.entries) == expected, "\(filter), \(limit) a page, \(scanned) looked at")
          #expect(pages.allSatisfy { $0.entries.count <= limit } && pages.last?.next == nil)
        }
      }
      #expect(try await test.ledger.audits(fitting: AuditFilter(), before: 1_000_000, limit: 5).entries == [])
    }
  }

  // Proves that one Monitor at a time delivers, that nobody else's word moves the place, and that nothing is skipped.
  @Test func `a batch is one Monitor's until its time is over, and moves the place by its own word only`()
    async throws
  {
    try await withLedger { test async throws in
      let ledger = test.ledger
      try await test.freeze()
      #expect(try await ledger.takeAudits(leaseMilliseconds: 30_000, atMost: 2) == nil)
      try await ledger.record(audits: (1...5).map { AuditTests.record($0) })
      // What has no place in the chain is not delivered yet.
      #expect(try await ledger.takeAudits(leaseMilliseconds: 30_000, atMost: 2) == nil)
      _ = try await ledger.linkAudits(atMost: 9)
      try await test.freeze(afterSeconds: 10)
      #expect(try await ledger.auditSinkDepth() == AuditSinkDepth(waitingCount: 5, oldestAgeMilliseconds: 10_000))
      let first = try #require(try await ledger.takeAudits(leaseMilliseconds: 30_000, atMost: 2))
      #expect(first.audits.map(\.link.sequence) == [1, 2])
      #expect(try await ledger.takeAudits(leaseMilliseconds: 30_000, atMost: 2) == nil)
      // Its time is over: somebody else has the same records, and the first one's word counts no more.
      try await test.freeze(afterSeconds: 40)
      let second = try #require(try await ledger.takeAudits(leaseMilliseconds: 30_000, atMost: 2))
      #expect(second.audits == first.audits)
      #expect(try await ledger.recordDelivered(first) == false)
      try await ledger.giveBack(first)
      #expect(try await ledger.takeAudits(leaseMilliseconds: 30_000, atMost: 2) == nil)
      #expect(try await ledger.recordDelivered(second))
      #expect(try await ledger.recordDelivered(second) == false)
      #expect(try await ledger.deliveredAudits() == 2)
      // What was not taken is free at once.
      let third = try #require(try await ledger.takeAudits(leaseMilliseconds: 30_000, atMost: 9))
      try await ledger.giveBack(third)
      let fourth = try #require(try await ledger.takeAudits(leaseMilliseconds: 30_000, atMost: 9))
      #expect(fourth.audits.map(\.link.sequence) == [3, 4, 5])
      #expect(try await ledger.recordDelivered(fourth))
      #expect(try await ledger.auditSinkDepth() == AuditSinkDepth(waitingCount: 0, oldestAgeMilliseconds: 0))
      #expect(try await ledger.takeAudits(leaseMilliseconds: 30_000, atMost: 9) == nil)
    }
  }
}
