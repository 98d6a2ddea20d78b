import Payouts
import Testing

@testable import Ledger

/// When an endpoint is told that all payouts of a batch have ended, and how.
@Suite struct BatchCompletedTests {
  private func told(_ test: TestLedger) async throws -> [String] {
    try await test.rows(
      """
      SELECT right(batch_id::text, 2), details->>'status', details->>'total_payouts', details->>'completed_payouts',
        details->>'failed_payouts', details->>'total_amount_usdt'
      FROM webhook_deliveries WHERE event = 'batch.completed' ORDER BY number
      """)
  }

  private func end(_ numbers: ClosedRange<Int>, as status: PayoutStatus, _ test: TestLedger) async throws {
    let ids = numbers.map { "'\(Sample.payoutID($0))'" }.joined(separator: ", ")
    try await test.run(
      """
      UPDATE payouts SET status = '\(status.rawValue)', held_from = NULL, hold_reason = NULL WHERE id IN (\(ids))
      """)
  }

  @Test func `the end of a batch's last payout tells its owner's endpoints once, with what became of all`() async throws
  {
    try await withLedger { test async throws in
      try await test.register(1, events: [.batchCompleted])
      try await test.register(2, owner: "owner-2")
      try await test.register(3, events: [.cancelled])
      _ = try await test.ledger.accept([Sample.batch(1, 1...3)], limits: TestLedger.unlimited)
      try await end(1...1, as: .cancelled, test)
      try await end(2...2, as: .cancelled, test)
      #expect(try await told(test).isEmpty)
      try await end(3...3, as: .cancelled, test)
      let suffix = String("\(Sample.batchID(1))".suffix(2))
      #expect(try await told(test) == ["\(suffix)|failed|3|0|3|3"])
      try await test.run("UPDATE payouts SET note = 'a word'")
      #expect(try await told(test).count == 1)
      let lot = try #require(try await test.claim())
      #expect(lot.deliveries.map(\.event) == ["batch.completed"])
    }
  }

  @Test func `a batch of which some were paid is told as partially failed, and one paid whole as completed`()
    async throws
  {
    try await withLedger { test async throws in
      try await test.register(1, events: [.batchCompleted])
      _ = try await test.ledger.accept(
        [Sample.batch(1, 1...2), Sample.batch(2, 3...3)], limits: TestLedger.unlimited)
      // By the table of states a payout is held before it is settled outside.
      try await test.run("UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'x'")
      try await end(1...1, as: .settledExternally, test)
      try await end(3...3, as: .settledExternally, test)
      try await end(2...2, as: .rejected, test)
      let told = try await told(test).map { String($0.dropFirst(3)) }
      #expect(told == ["completed|1|1|0|1", "partially_failed|2|1|1|2"])
    }
  }

  @Test func `two that end the last two payouts at once tell it once`() async throws {
    for _ in 1...5 {
      try await withLedger { test async throws in
        try await test.register(1, events: [.batchCompleted])
        _ = try await test.ledger.accept([Sample.batch(1, 1...2)], limits: TestLedger.unlimited)
        async let first = test.ledger.cancel(Sample.payoutID(1), note: "one")
        async let second = test.ledger.cancel(Sample.payoutID(2), note: "the other")
        _ = try await (first, second)
        #expect(try await told(test).count == 1)
      }
    }
  }
}
