import Ledger
import Payouts
import Testing

@testable import Scheduler

/// Payouts end when their own time is over. On real PostgreSQL.
struct ExpireTests {
  @Test func `a payout expires when its own time is over, from every waiting state, and frees its limits`()
    async throws
  {
    // Proves both sides of expires_at and that the amount goes back into the window it was taken from.
    let scene = try await SchedulerScene()
    try await scene.vouch()
    let scheduled = try await scene.accept(1, expiresAfterMilliseconds: 60_000)
    let scheduler = try scene.scheduler()
    try await scheduler.schedule.runUntilIdle()
    #expect(try await scene.status(of: scheduled[0]) == .scheduled)
    let queued = try await scene.accept(1, expiresAfterMilliseconds: 60_000)
    let later = try await scene.accept(1, expiresAfterMilliseconds: 600_000)
    let never = try await scene.accept(1)
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
