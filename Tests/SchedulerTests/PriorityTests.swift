import Ledger
import Payouts
import Streams
import Testing

@testable import Scheduler

/// Who goes first where not all can go at once. On real PostgreSQL.
struct PriorityTests {
  /// The priorities of what was sent on since last time, in order.
  private func sent(_ scene: SchedulerScene) async throws -> [String] {
    var priorities: [String] = []
    for batch in try await scene.readyBatches() {
      priorities.append(try await scene.sql("SELECT priority FROM settlement_batches WHERE id = '\(batch)'"))
    }
    return priorities
  }

  @Test func `urgent and high payouts go before the rest, in a round and in the stream`() async throws {
    // Proves the order of work: what came last is sent first, and a round that is full leaves the lowest behind.
    let scene = try await SchedulerScene()
    for (priority, count) in [(Priority.low, 150), (.normal, 150), (.high, 150), (.urgent, 150)] {
      _ = try await scene.accept(count, priority: priority)
    }
    let scheduler = try scene.scheduler()
    #expect(try await scheduler.schedule.run() == .worked)
    #expect(
      try await sent(scene) == ["urgent", "urgent", "high", "high", "normal", "normal", "low"])
    #expect(
      try await scene.sql("SELECT priority, count(*) FROM payouts WHERE status = 'queued' GROUP BY 1") == "low|100")
    #expect(try await scheduler.schedule.run() != .worked)
    #expect(try await sent(scene) == ["low"])
  }

  @Test func `a low payout starves no longer than its patience, whatever else comes`() async throws {
    // Proves the bound that `DueTurn` states, on both sides of the ten minutes: with more urgent payouts than a round
    // takes, the low and the normal one wait; once their time is over they are in the very next round, and three fifths
    // of it are the urgent ones' still.
    let scene = try await SchedulerScene()
    let start = Timestamp(milliseconds: 1_767_571_200_000)
    try await scene.freezeLedgerClock(at: start)
    let low = try await scene.accept(1, priority: .low)[0]
    let normal = try await scene.accept(1)[0]
    _ = try await scene.accept(1_700, priority: .urgent)
    let scheduler = try scene.scheduler()
    try await scene.freezeLedgerClock(at: start.advanced(byMilliseconds: 599_999))
    #expect(try await scheduler.schedule.run() == .worked)
    #expect(try await sent(scene) == [String](repeating: "urgent", count: 5))
    for payout in [low, normal] { #expect(try await scene.status(of: payout) == .queued) }

    try await scene.freezeLedgerClock(at: start.advanced(byMilliseconds: 600_000))
    _ = try await scheduler.schedule.run()
    #expect(try await sent(scene) == ["urgent", "urgent", "urgent", "normal", "low"])
    for payout in [low, normal] { #expect(try await scene.status(of: payout) == .scheduled) }
  }

  @Test func `of many that starve, each round takes the oldest hundred`() async throws {
    // Proves the bound's number: with 250 low ones waiting, the last of them is in the third round.
    let scene = try await SchedulerScene()
    let start = Timestamp(milliseconds: 1_767_571_200_000)
    try await scene.freezeLedgerClock(at: start)
    let low = try await scene.accept(250, priority: .low)
    try await scene.freezeLedgerClock(at: start.advanced(byMilliseconds: 600_000))
    _ = try await scene.accept(2_000, priority: .high)
    let scheduler = try scene.scheduler()
    var left: [String] = []
    for _ in 0..<3 {
      _ = try await scheduler.schedule.run()
      left.append(try await scene.sql("SELECT count(*) FROM payouts WHERE priority = 'low' AND status = 'queued'"))
    }
    #expect(left == ["150", "50", "0"])
    #expect(low.count == 250)
  }

  @Test func `while Signer is behind payouts wait in the ledger, and the most urgent goes when there is room`()
    async throws
  {
    // Proves both sides of the bound of `batches.ready`, that entries are done with all the same, and why: an urgent
    // payout that comes last overtakes everything that was held back.
    let scene = try await SchedulerScene()
    let filler = ["x": "y"]
    try await scene.streams.append(
      [[String: String]](repeating: filler, count: SchedulePayouts.readyBatchesMax), to: .batchesReady)
    let normal = try await scene.accept(3)
    try await scene.announce(normal)
    let scheduler = try scene.scheduler()
    try await scheduler.listen.runUntilIdle()
    #expect(try await scheduler.schedule.run() == .idle(milliseconds: SchedulePayouts.behindMilliseconds))
    #expect(try await scene.streams.length(of: .payoutsImmediate) == 0)
    for payout in normal { #expect(try await scene.status(of: payout) == .queued) }

    let urgent = try await scene.accept(1, priority: .urgent)
    let signer = try ConsumerName("signer")
    let one = try await scene.streams.read(
      [.batchesReady], group: .signer, consumer: signer, count: 1, blockMilliseconds: 0)
    try await scene.streams.acknowledge(one, group: .signer)
    _ = try await scheduler.schedule.run()
    let batches = try await scene.readyBatchesAfterFiller()
    #expect(batches.count == 2)
    #expect(try await scene.ledger.payout(urgent[0])?.settlementBatch == batches.first)
    #expect(try await scene.ledger.payout(normal[0])?.settlementBatch == batches.last)
  }
}

extension SchedulerScene {
  /// As `readyBatches`, without the entries that name no batch.
  fileprivate func readyBatchesAfterFiller() async throws -> [BatchID] {
    let entries = try await streams.read(
      [.batchesReady], group: ConsumerGroup("onlookers"), consumer: ConsumerName("test"), count: 1_000,
      blockMilliseconds: 0)
    return entries.compactMap { try? BatchID($0.fields[StreamField.batchID] ?? "") }
  }
}
