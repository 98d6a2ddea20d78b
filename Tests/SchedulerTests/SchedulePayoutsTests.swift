import Ledger
import Payouts
import Streams
import Testing

@testable import Scheduler

/// Payouts go into settlement batches, each into exactly one, whatever the streams say. On real PostgreSQL.
struct SchedulePayoutsTests {
  @Test(arguments: [(1, [1]), (100, [100]), (101, [100, 1]), (500, [100, 100, 100, 100, 100])])
  func `a batch holds at most 100 payouts`(count: Int, sizes: [Int]) async throws {
    // Proves both sides of the limit: the hundredth payout joins the batch, the next one begins another.
    let scene = try await SchedulerScene()
    let payouts = try await scene.accept(count)
    try await scene.announce(payouts)
    try await scene.scheduler().listen.runUntilIdle()

    let ready = try await scene.readyBatches()
    let stored = try await scene.sql(
      "SELECT payout_count FROM settlement_batches WHERE released_at IS NOT NULL ORDER BY payout_count DESC")
    #expect(stored.split(separator: "\n").compactMap { Int($0) } == sizes)
    #expect(ready.count == sizes.count && Set(ready).count == sizes.count)
    // The batch's own numbers are those of its payouts.
    let wrong = try await scene.sql(
      """
      SELECT count(*) FROM settlement_batches b WHERE (b.payout_count, b.total_amount) <>
        (SELECT count(*), sum(amount) FROM payouts WHERE settlement_batch_id = b.id AND status = 'scheduled')
      """)
    #expect(wrong == "0")
    #expect(try await scene.streams.length(of: .payoutsImmediate) == 0)
  }

  @Test func `payouts of another priority or router go into another batch`() async throws {
    // Proves the grouping: one read brings all of them mixed, and no batch mixes.
    let scene = try await SchedulerScene()
    let groups = [
      try await scene.accept(7), try await scene.accept(5, priority: .urgent),
      try await scene.accept(3, router: .kyc), try await scene.accept(2, router: .kyc, priority: .urgent),
    ]
    for index in 0..<7 { try await scene.announce(groups.compactMap { $0.indices.contains(index) ? $0[index] : nil }) }
    try await scene.scheduler().listen.runUntilIdle()

    let batches = try await scene.sql(
      "SELECT router, priority, payout_count FROM settlement_batches ORDER BY payout_count DESC")
    #expect(batches == "v0|normal|7\nv0|urgent|5\nkyc|normal|3\nkyc|urgent|2")
    let mixed = try await scene.sql(
      """
      SELECT count(*) FROM payouts p JOIN settlement_batches b ON b.id = p.settlement_batch_id
      WHERE (p.router, p.priority, p.batch_type) <> (b.router, b.priority, b.batch_type)
      """)
    #expect(mixed == "0")
    #expect(try await scene.readyBatches().count == 4)
  }

  @Test func `duplicates, forgeries and malformed entries do nothing`() async throws {
    // Proves that an entry is no authority: only what the ledger holds as queued enters a batch, once.
    let scene = try await SchedulerScene()
    let payouts = try await scene.accept(2)
    let hourly = try await scene.accept(1, batchType: .hourly)
    try await scene.vouch()
    let cancelled = try await scene.accept(1)
    try await scene.sql("UPDATE payouts SET status = 'cancelled' WHERE id = '\(cancelled[0])'")
    let unknown = PayoutID(at: scene.clock.now(), randomness: [UInt8](repeating: 9, count: 10))
    try await scene.announce(payouts + payouts + [unknown] + cancelled + hourly + payouts)
    try await scene.streams.append(
      [
        [StreamField.payoutID: "' OR true --"], [StreamField.payoutID: ""], ["something": "\(payouts[0])"],
        [StreamField.payoutID: "\(payouts[0])", "amount": "1000000"],
      ], to: .payoutsImmediate)
    let scheduler = try scene.scheduler()
    try await scheduler.listen.runUntilIdle()
    try await scene.announce(payouts)
    try await scheduler.listen.runUntilIdle()

    #expect(try await scene.readyBatches().count == 1)
    #expect(try await scene.sql("SELECT sum(payout_count), sum(total_amount) FROM settlement_batches") == "2|3000000")
    #expect(try await scene.status(of: cancelled[0]) == .cancelled)
    #expect(try await scene.status(of: hourly[0]) == .queued)
    #expect(try await scene.status(of: unknown) == nil)
    #expect(try await scene.streams.length(of: .payoutsImmediate) == 0)
    #expect(try await scene.streams.length(of: StreamName.payoutsImmediate.deadLetters) == 0)
  }

  @Test func `two Schedulers side by side never put a payout into two batches`() async throws {
    // Proves it under real concurrency: both are told of every payout, in opposite order, and look by themselves too.
    let scene = try await SchedulerScene()
    let payouts = try await scene.accept(1_000)
    try await scene.announce(payouts + payouts.reversed() + payouts)
    let schedulers = [try scene.scheduler("one"), try scene.scheduler("two")]
    try await withThrowingTaskGroup(of: Void.self) { group in
      for scheduler in schedulers {
        group.addTask { try await scheduler.listen.runUntilIdle() }
        group.addTask { try await scheduler.schedule.runUntilIdle() }
      }
      try await group.waitForAll()
    }

    #expect(
      try await scene.sql("SELECT sum(payout_count), sum(total_amount) FROM settlement_batches") == "1000|1500000000")
    #expect(try await scene.sql("SELECT count(*) FROM payouts WHERE status = 'scheduled'") == "1000")
    #expect(
      try await scene.sql("SELECT count(*) FROM payout_events WHERE to_status = 'scheduled'") == "1000",
      "a payout was scheduled twice")
    let ready = try await scene.readyBatches()
    let stored = try await scene.sql("SELECT id FROM settlement_batches")
    #expect(Set(ready.map(\.description)) == Set(stored.split(separator: "\n").map(String.init)))
  }
}
