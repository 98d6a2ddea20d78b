import Ledger
import Payouts
import Streams
import TestSupport
import Testing

@testable import Scheduler

/// What a death or a failure at each point of a round leaves, and that nothing is lost by it. On real PostgreSQL.
struct SchedulerFailureTests {
  @Test func `a Scheduler that dies after its commit loses nothing`() async throws {
    // Proves the order of a round: the append fails, so the entries stay; when they come again there is nothing left to
    // do with them, and the ledger names the batch to Signer's sweeper.
    let scene = try await SchedulerScene()
    let payouts = try await scene.accept(3)
    try await scene.announce(payouts)
    await scene.streams.setFault { $0 == .append ? .notDone : nil }
    let first = try scene.scheduler("first")
    await #expect(throws: StreamError.self) { try await first.listen.run() }
    for payout in payouts { #expect(try await scene.status(of: payout) == .scheduled) }
    #expect(try await scene.readyBatches().isEmpty)
    #expect(try await scene.streams.length(of: .payoutsImmediate) == 3)

    // Another replica takes the entries over once they have lain idle.
    await scene.streams.setFault(nil)
    scene.clock.advance(milliseconds: 31_000)
    try await scene.scheduler("second").listen.runUntilIdle()
    #expect(try await scene.streams.length(of: .payoutsImmediate) == 0)
    #expect(try await scene.sql("SELECT payout_count FROM settlement_batches") == "3")
    let unsent = try await scene.ledger.batchesToSign(waitingFor: 0, atMost: 10)
    #expect(unsent.map(\.description) == [try await scene.sql("SELECT id FROM settlement_batches")])
  }

  @Test func `a Scheduler that dies before its commit takes its entries up again after its restart`() async throws {
    // Proves that nothing is acknowledged early: the same name reads what its earlier life held, without any wait.
    let scene = try await SchedulerScene()
    try await scene.announce(try await scene.accept(3))
    let failing = FailingLedger(scene.ledger)
    failing.fail { _ in .before(.unavailable) }
    let first = try scene.scheduler(ledger: failing)
    await #expect(throws: LedgerError.self) { try await first.listen.run() }
    #expect(try await scene.readyBatches().isEmpty)

    try await scene.scheduler().listen.runUntilIdle()
    #expect(try await scene.readyBatches().count == 1)
    #expect(try await scene.streams.length(of: .payoutsImmediate) == 0)
  }

  @Test func `a commit whose answer is lost is neither repeated nor forgotten`() async throws {
    // Proves the third outcome: the batch exists though its maker was not told; no second one is made.
    let scene = try await SchedulerScene()
    try await scene.announce(try await scene.accept(5))
    let failing = FailingLedger(scene.ledger)
    failing.fail { _ in .after(.outcomeUnknown) }
    let first = try scene.scheduler(ledger: failing)
    await #expect(throws: LedgerError.self) { try await first.listen.run() }
    failing.fail(nil)
    try await scene.scheduler(ledger: failing).listen.runUntilIdle()

    #expect(try await scene.sql("SELECT count(*), sum(payout_count) FROM settlement_batches") == "1|5")
    #expect(try await scene.ledger.batchesToSign(waitingFor: 0, atMost: 10).count == 1)
    #expect(try await scene.streams.length(of: .payoutsImmediate) == 0)
  }

  @Test func `a payout that the ledger refuses is held at once, and its neighbours are scheduled together`()
    async throws
  {
    // Proves that one bad payout holds up nobody, is not lost, and that a person hears of it.
    let scene = try await SchedulerScene()
    let payouts = try await scene.accept(16)
    let bad = payouts[5]
    let failing = FailingLedger(scene.ledger)
    failing.fail { $0.contains(bad) ? .before(.refused) : nil }
    let scheduler = try scene.scheduler(ledger: failing)
    _ = try await scheduler.schedule.run()

    for payout in payouts where payout != bad { #expect(try await scene.status(of: payout) == .scheduled) }
    let record = try #require(try await scene.ledger.payout(bad))
    #expect(record.status == .held && record.heldFrom == .queued && record.holdReason == "dead_letter")
    #expect(try await scene.sql("SELECT kind, subject FROM alarms") == "dead_letter|payout \(bad)")
    // By halves: fifteen others in four batches, not in fifteen.
    #expect(try await scene.readyBatches().count == 4)
    _ = try await scheduler.schedule.run()
    #expect(try await scene.readyBatches().isEmpty)
  }

  @Test func `where no payout goes through none is held`() async throws {
    // Proves that a mistake of ours, or a broken table, is not held against payouts: the step fails, and later all go.
    let scene = try await SchedulerScene()
    let payouts = try await scene.accept(5)
    let failing = FailingLedger(scene.ledger)
    failing.fail { $0.isEmpty ? nil : .before(.refused) }
    let scheduler = try scene.scheduler(ledger: failing)
    for _ in 0..<3 { await #expect(throws: LedgerError.self) { try await scheduler.schedule.run() } }
    for payout in payouts { #expect(try await scene.status(of: payout) == .queued) }
    failing.fail(nil)
    _ = try await scheduler.schedule.run()
    for payout in payouts { #expect(try await scene.status(of: payout) == .scheduled) }
    #expect(try await scene.sql("SELECT count(*) FROM alarms") == "0")
  }

  @Test func `a database that is away for long makes no dead letters`() async throws {
    // Proves that the database's own trouble is not held against payouts: far more deliveries than the limit fail, and
    // when it is back all are scheduled and none is held.
    let scene = try await SchedulerScene()
    let payouts = try await scene.accept(3)
    try await scene.announce(payouts)
    let failing = FailingLedger(scene.ledger)
    failing.fail { _ in .before(.unavailable) }
    let scheduler = try scene.scheduler(ledger: failing)
    // Three times as often as an entry is delivered before it is given up.
    for _ in 0..<24 {
      await #expect(throws: LedgerError.self) { try await scheduler.listen.run() }
      scene.clock.advance(milliseconds: 31_000)
    }
    failing.fail(nil)
    scene.clock.advance(milliseconds: 31_000)
    try await scheduler.listen.runUntilIdle()

    for payout in payouts { #expect(try await scene.status(of: payout) == .scheduled) }
    #expect(try await scene.streams.length(of: .payoutsImmediate) == 0)
    #expect(try await scene.streams.length(of: StreamName.payoutsImmediate.deadLetters) == 0)
    #expect(try await scene.sql("SELECT count(*) FROM alarms") == "0")
  }
}
