import Ledger
import Payouts
import Streams
import TestSupport
import Testing

@testable import Scheduler

/// Payouts of a window type wait for its end, by the ledger's clock, to the millisecond. On real PostgreSQL.
struct WindowTests {
  /// Monday, 5 January 2026, 00:00 UTC: the end of an hour, a day and a week at once.
  private static let monday = Timestamp(milliseconds: 1_767_571_200_000)
  private static let hour: Int64 = 3_600_000

  private func moved(_ milliseconds: Int64) -> Timestamp { Self.monday.advanced(byMilliseconds: milliseconds) }

  @Test(arguments: [
    (BatchType.hourly, Int64(3_600_000)), (.daily, 86_400_000), (.weekly, 604_800_000),
  ])
  func `a window ends at its boundary, and what comes exactly then goes with the next`(
    _ type: BatchType, _ length: Int64
  ) async throws {
    // Proves the last millisecond of a window, its end, and the first one after it, at acceptance and at release.
    let scene = try await SchedulerScene()
    let scheduler = try scene.scheduler()
    try await scene.freezeLedgerClock(at: moved(-1))
    let last = try await scene.accept(1, batchType: type)[0]
    #expect(try await scene.ledger.payout(last)?.windowEnd == Self.monday)
    try await scene.announce([last], in: .payoutsHourly)
    try await scheduler.listen.runUntilIdle()
    #expect(try await scheduler.schedule.run() == .idle(milliseconds: SchedulePayouts.idleMilliseconds))
    #expect(try await scene.status(of: last) == .queued)
    #expect(try await scene.streams.length(of: .payoutsHourly) == 0)

    try await scene.freezeLedgerClock(at: Self.monday)
    let first = try await scene.accept(1, batchType: type)[0]
    #expect(try await scene.ledger.payout(first)?.windowEnd == moved(length))
    _ = try await scheduler.schedule.run()
    #expect(try await scene.status(of: last) == .scheduled)
    #expect(try await scene.status(of: first) == .queued)
    #expect(try await scene.batches() == ["\(type.rawValue)|v0|normal|2026-01-05T00:00:00|1"])

    // A payout that was accepted before the end and seen by the Scheduler after it goes at once, into its own window.
    try await scene.freezeLedgerClock(at: moved(-1))
    let late = try await scene.accept(1, batchType: type)[0]
    try await scene.freezeLedgerClock(at: moved(1))
    try await scene.announce([late], in: .payoutsWeekly)
    try await scheduler.listen.runUntilIdle()
    #expect(try await scene.status(of: late) == .scheduled)

    try await scene.freezeLedgerClock(at: moved(length - 1))
    _ = try await scheduler.schedule.run()
    #expect(try await scene.status(of: first) == .queued)
    try await scene.freezeLedgerClock(at: moved(length))
    _ = try await scheduler.schedule.run()
    #expect(try await scene.status(of: first) == .scheduled)
    let released = try await scene.sql("SELECT count(*) FROM settlement_batches WHERE released_at < window_end")
    #expect(released == "0")
  }

  @Test func `an hour ends at its top, a day at 00 00 and a week on Monday, whatever the day`() async throws {
    // Proves the three kinds of windows from the middle of a week, and that urgent ones wait as well.
    let scene = try await SchedulerScene()
    // Wednesday, 10:30:00.123.
    let now = 58 * Self.hour + 1_800_123
    try await scene.freezeLedgerClock(at: moved(now))
    let ends = try await [BatchType.hourly, .daily, .weekly, .immediate].asyncMap { type in
      let payout = try await scene.accept(1, priority: .urgent, batchType: type)[0]
      return try #require(try await scene.ledger.payout(payout)).windowEnd.milliseconds(since: Self.monday)
    }
    #expect(ends == [59 * Self.hour, 72 * Self.hour, 168 * Self.hour, now])
    _ = try await scene.scheduler().schedule.run()
    #expect(try await scene.sql("SELECT batch_type FROM settlement_batches") == "immediate")
  }

  @Test func `windows missed while no Scheduler ran close at its start, each with batches of its own`() async throws {
    // Proves that nothing waits for the next end: three hourly windows and a daily one passed, routers and priorities
    // apart, and the first round of a fresh Scheduler, told of nothing, closes them all.
    let scene = try await SchedulerScene()
    for index in 0..<3 {
      try await scene.freezeLedgerClock(at: moved(-4 * Self.hour + Int64(index) * Self.hour))
      _ = try await scene.accept(2, batchType: .hourly)
      _ = try await scene.accept(1, router: .kyc, batchType: .hourly)
    }
    _ = try await scene.accept(101, priority: .high, batchType: .daily)
    try await scene.freezeLedgerClock(at: moved(5 * Self.hour))
    let waiting = try await scene.accept(1, batchType: .hourly)[0]
    _ = try await scene.scheduler().schedule.run()
    #expect(
      try await scene.batches() == [
        "daily|v0|high|2026-01-05T00:00:00|1", "daily|v0|high|2026-01-05T00:00:00|100",
        "hourly|kyc|normal|2026-01-04T21:00:00|1", "hourly|kyc|normal|2026-01-04T22:00:00|1",
        "hourly|kyc|normal|2026-01-04T23:00:00|1", "hourly|v0|normal|2026-01-04T21:00:00|2",
        "hourly|v0|normal|2026-01-04T22:00:00|2", "hourly|v0|normal|2026-01-04T23:00:00|2",
      ])
    #expect(try await scene.readyBatches().count == 8)
    #expect(try await scene.status(of: waiting) == .queued)
  }

  @Test func `two Schedulers close one window without double work`() async throws {
    // Proves it under real concurrency, over several rounds each: every payout in one batch, none left, batches full but
    // for the ends of rounds.
    let scene = try await SchedulerScene()
    try await scene.freezeLedgerClock(at: moved(-1))
    _ = try await scene.accept(2_400, batchType: .hourly)
    try await scene.freezeLedgerClock(at: Self.monday)
    let schedulers = [try scene.scheduler("one"), try scene.scheduler("two")]
    try await withThrowingTaskGroup(of: Void.self) { group in
      for scheduler in schedulers { group.addTask { try await scheduler.schedule.runUntilIdle() } }
      try await group.waitForAll()
    }
    // Whoever found the rest locked has gone to sleep; one more look, as every half second brings.
    try await schedulers[0].schedule.runUntilIdle()
    let made = try await scene.sql("SELECT sum(payout_count), count(*) FROM settlement_batches").split(separator: "|")
      .compactMap { Int($0) }
    #expect(made.first == 2_400)
    // Two that look at the same moment may share what is left between them: then each ends with a batch that is not full.
    #expect((24...30).contains(made.last ?? 0), "\(made)")
    #expect(try await scene.sql("SELECT count(*) FROM payout_events WHERE to_status = 'scheduled'") == "2400")
    #expect(try await scene.readyBatches().count == made.last)
  }

  @Test func `the Scheduler that starts last sets the length of windows for all, and accepted payouts keep theirs`()
    async throws
  {
    // Proves what becomes of two replicas that are configured differently: one length at a time, from one place.
    let scene = try await SchedulerScene()
    try await scene.freezeLedgerClock(at: moved(1))
    #expect(try await scene.ledger.setWindows(.usual) == false)
    let usual = try await scene.accept(1, batchType: .daily)[0]
    #expect(try await scene.ledger.setWindows(WindowLengths(hourly: 5_000, daily: 7_000, weekly: 1_000)))
    let short = try await [BatchType.hourly, .daily, .weekly].asyncMap { type in
      let payout = try await scene.accept(1, batchType: type)[0]
      return try #require(try await scene.ledger.payout(payout)).windowEnd.milliseconds
    }
    // Counted from a Monday in 1970, so that replicas started at different times agree.
    let anchor: Int64 = 345_600_000
    let now = moved(1).milliseconds
    #expect(short == [5_000, 7_000, 1_000].map { anchor + ((now - anchor) / $0 + 1) * $0 })
    #expect(try await scene.ledger.setWindows(.usual))
    #expect(try await scene.ledger.payout(usual)?.windowEnd == moved(86_400_000))
    #expect(try await scene.sql("SELECT count(DISTINCT window_end) FROM payouts") == "4")
  }

  @Test func `windows of another length are refused outside of dev`() async throws {
    // Proves the ledger's own guard, behind the one of the configuration.
    let server = try await PrivatePostgres.shared()
    let url = try await server.createDatabase()
    let logger = try await SchedulerScene().logger
    let ledger = Ledger(url: url, actor: "tests", logger: logger)
    let dev = SchedulerScene.installation
    try await ledger.prepare(
      Installation(
        environment: "staging", network: dev.network, genesis: dev.genesis,
        maximumExpirationMilliseconds: dev.maximumExpirationMilliseconds,
        clockBoundMilliseconds: dev.clockBoundMilliseconds))
    let error = await #expect(throws: LedgerError.self) {
      try await ledger.setWindows(WindowLengths(hourly: 3_599_000, daily: 86_400_000, weekly: 604_800_000))
    }
    #expect(error?.code == .refused && error?.constraint == "other_windows_only_in_dev")
    #expect(try await ledger.setWindows(.usual) == false)
  }
}

extension Sequence {
  /// The results for each element, one after another.
  fileprivate func asyncMap<Result>(_ transform: (Element) async throws -> Result) async rethrows -> [Result] {
    var results: [Result] = []
    for element in self { results.append(try await transform(element)) }
    return results
  }
}
