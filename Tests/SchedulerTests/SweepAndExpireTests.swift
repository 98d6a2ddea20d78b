import Ledger
import Payouts
import Streams
import TestSupport
import Testing

@testable import Scheduler

/// Lost entries are sent again, and payouts end when their own time is over. On real PostgreSQL.
struct SweepAndExpireTests {
  @Test func `a payout whose entry was lost is sent again after 15 seconds and scheduled`() async throws {
    // Proves both sides of the deadline, by the ledger's clock: what was announced and lost is found by its state alone.
    let scene = try await SchedulerScene()
    let payouts = try await scene.accept(3)
    let hourly = try await scene.accept(1, batchType: .hourly)
    try await scene.announce(payouts)
    await scene.streams.flushAll()
    let scheduler = try scene.scheduler()
    try await scene.setLedgerClock(offsetMilliseconds: SweepQueued.queuedMillisecondsMax - 5_000)
    _ = try await scheduler.sweep.run()
    #expect(try await scene.streams.length(of: .payoutsImmediate) == 0)

    try await scene.setLedgerClock(offsetMilliseconds: SweepQueued.queuedMillisecondsMax)
    _ = try await scheduler.sweep.run()
    #expect(try await scene.streams.length(of: .payoutsImmediate) == 3)
    try await scheduler.schedule.runUntilIdle()
    for payout in payouts { #expect(try await scene.status(of: payout) == .scheduled) }
    #expect(try await scene.status(of: hourly[0]) == .queued)
    #expect(try await scene.readyBatches().count == 1)

    // Nothing is left to send.
    _ = try await scheduler.sweep.run()
    #expect(try await scene.streams.length(of: .payoutsImmediate) == 0)
  }

  @Test func `nothing is added to a long stream`() async throws {
    // Proves the bound on both sides: one entry below it the sweep sends, at it the sweep does not.
    let scene = try await SchedulerScene()
    _ = try await scene.accept(1)
    try await scene.setLedgerClock(offsetMilliseconds: SweepQueued.queuedMillisecondsMax)
    let filler = [String: String](uniqueKeysWithValues: [("x", "y")])
    try await scene.streams.append(
      [[String: String]](repeating: filler, count: SweepQueued.streamLengthMax), to: .payoutsImmediate)
    let scheduler = try scene.scheduler()
    _ = try await scheduler.sweep.run()
    #expect(try await scene.streams.length(of: .payoutsImmediate) == SweepQueued.streamLengthMax)

    let reader = ConsumerGroup("onlookers")
    let one = try await scene.streams.read(
      [.payoutsImmediate], group: reader, consumer: ConsumerName("test"), count: 1, blockMilliseconds: 0)
    try await scene.streams.acknowledge(one, group: reader)
    _ = try await scheduler.sweep.run()
    #expect(try await scene.streams.length(of: .payoutsImmediate) == SweepQueued.streamLengthMax)
    #expect(
      try await scene.streams.read(
        [.payoutsImmediate], group: reader, consumer: ConsumerName("test"), count: 1_000, blockMilliseconds: 0
      ).isEmpty == false)
  }

  @Test func `a payout expires when its own time is over, from every waiting state, and frees its limits`()
    async throws
  {
    // Proves both sides of expires_at and that the amount goes back into the window it was taken from.
    let scene = try await SchedulerScene()
    try await scene.vouch()
    let queued = try await scene.accept(1, expiresAfterMilliseconds: 60_000)
    let scheduled = try await scene.accept(1, expiresAfterMilliseconds: 60_000)
    let later = try await scene.accept(1, expiresAfterMilliseconds: 600_000)
    let never = try await scene.accept(1)
    let scheduler = try scene.scheduler()
    try await scene.announce(scheduled)
    try await scheduler.schedule.runUntilIdle()
    #expect(try await scheduler.expire.run() != .worked)
    #expect(try await scene.status(of: queued[0]) == .queued)

    try await scene.setLedgerClock(offsetMilliseconds: 61_000)
    _ = try await scheduler.expire.run()
    #expect(try await scene.status(of: queued[0]) == .expired)
    #expect(try await scene.status(of: scheduled[0]) == .expired)
    #expect(try await scene.status(of: later[0]) == .queued)
    #expect(try await scene.status(of: never[0]) == .queued)
    #expect(
      try await scene.sql("SELECT sum(used) FROM limit_windows WHERE scope = 'accepted' AND span = 'day'") == "3000000")
  }

  @Test func `nothing expires while the history is not trusted`() async throws {
    // Proves that continuity binds the Scheduler: a payout that looks unsigned may have been paid in a lost history. The
    // step neither fails nor ends anything, before a vouching and while a finding of the fence is open.
    let scene = try await SchedulerScene()
    let payout = try await scene.accept(1, expiresAfterMilliseconds: 1_000)[0]
    try await scene.setLedgerClock(offsetMilliseconds: 10_000)
    let scheduler = try scene.scheduler()
    _ = try await scheduler.expire.run()
    #expect(try await scene.status(of: payout) == .queued)

    try await scene.vouch()
    try await scene.sql(
      """
      INSERT INTO unclaimed_transfers (txid, kind, wallet, block_number, block_id)
      VALUES (decode(repeat('ab', 32), 'hex'), 'owned_transaction', decode(repeat('41', 21), 'hex'), 5,
        decode(repeat('cd', 32), 'hex'))
      """)
    _ = try await scheduler.expire.run()
    #expect(try await scene.status(of: payout) == .queued)

    try await scene.sql("UPDATE unclaimed_transfers SET explained_at = now()")
    _ = try await scheduler.expire.run()
    #expect(try await scene.status(of: payout) == .expired)
  }

  @Test func `a full round of expiries is followed by another at once`() async throws {
    // Proves the bound of a round, and that what is beyond it does not wait for the next look.
    let scene = try await SchedulerScene()
    try await scene.vouch()
    _ = try await scene.accept(ExpirePayouts.maximumPayouts + 1, expiresAfterMilliseconds: 1_000)
    try await scene.setLedgerClock(offsetMilliseconds: 10_000)
    let scheduler = try scene.scheduler()
    #expect(try await scheduler.expire.run() == .worked)
    #expect(try await scene.sql("SELECT count(*) FROM payouts WHERE status = 'queued'") == "1")
    #expect(try await scheduler.expire.run() == .idle(milliseconds: ExpirePayouts.idleMilliseconds))
    #expect(try await scene.sql("SELECT count(*) FROM payouts WHERE status = 'queued'") == "0")
  }
}
