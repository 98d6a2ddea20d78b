import Ledger
import Payouts
import Streams
import TestSupport
import Testing

@testable import Scheduler

/// Payouts that PostgreSQL itself refuses to put into a batch: found, held, and later scheduled once. By a real trigger.
struct RefusedPayoutTests {
  /// Lets the database refuse to schedule these.
  private func refuse(_ payouts: [PayoutID], _ scene: SchedulerScene) async throws {
    let list = payouts.map { "'\($0)'" }.joined(separator: ",")
    try await scene.sql(
      """
      CREATE FUNCTION refuse_some() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.status = 'scheduled' AND NEW.id IN (\(list)) THEN RAISE EXCEPTION 'the test refuses this payout'; END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER refuse_some BEFORE UPDATE ON payouts FOR EACH ROW EXECUTE FUNCTION refuse_some();
      """)
  }

  @Test(arguments: [[0], [499], [0, 1, 250, 498, 499]])
  func `payouts that the database refuses are found among five hundred and held, and all others go`(
    bad: [Int]
  ) async throws {
    // Proves the halving on a full round: however the refused ones lie, each is held alone, with a reason and an alarm, and
    // everybody else is scheduled in the same round. None is tried for ever.
    let scene = try await SchedulerScene()
    let payouts = try await scene.accept(500)
    // In the order in which the ledger takes them.
    let inTurn = try await scene.ledger.duePayouts(atMost: 500)
    #expect(Set(inTurn) == Set(payouts))
    let refused = bad.map { inTurn[$0] }
    try await refuse(refused, scene)
    try await scene.announce(payouts)
    let scheduler = try scene.scheduler()
    try await scheduler.listen.runUntilIdle()
    try await scheduler.schedule.runUntilIdle()

    #expect(try await scene.sql("SELECT count(*) FROM payouts WHERE status = 'scheduled'") == "\(500 - bad.count)")
    for payout in refused {
      let record = try #require(try await scene.ledger.payout(payout))
      #expect(record.status == .held && record.heldFrom == .queued)
      #expect(record.holdReason == HoldReason.deadLetter.rawValue)
      #expect(record.note == "it could not be put into a settlement batch: refused")
    }
    let alarms = try await scene.sql("SELECT subject FROM alarms WHERE kind = 'dead_letter'")
    #expect(Set(alarms.split(separator: "\n").map(String.init)) == Set(refused.map { "payout \($0)" }))
    #expect(try await scene.streams.length(of: .payoutsImmediate) == 0)

    // A person looks, mends the cause and releases: each is scheduled once, and nobody else again.
    try await scene.sql("DROP TRIGGER refuse_some ON payouts")
    for payout in refused {
      let outcome = try await scene.ledger.decide(payout, .release, reason: "mended", requiredConfirmations: 19)
      #expect(outcome == .done(.queued))
    }
    try await scheduler.schedule.runUntilIdle()
    #expect(try await scene.sql("SELECT sum(payout_count) FROM settlement_batches") == "500")
    #expect(try await scene.sql("SELECT count(*) FROM payout_events WHERE to_status = 'scheduled'") == "500")
  }

  @Test func `two Schedulers that find the same refused payout hold it once`() async throws {
    let scene = try await SchedulerScene()
    let payouts = try await scene.accept(40)
    try await refuse([payouts[7]], scene)
    try await scene.announce(payouts + payouts)
    let schedulers = [try scene.scheduler("one"), try scene.scheduler("two")]
    try await withThrowingTaskGroup(of: Void.self) { group in
      for scheduler in schedulers {
        group.addTask { try await scheduler.listen.runUntilIdle() }
        group.addTask { try await scheduler.schedule.runUntilIdle() }
      }
      try await group.waitForAll()
    }
    #expect(try await scene.status(of: payouts[7]) == .held)
    #expect(try await scene.sql("SELECT count(*) FROM payouts WHERE status = 'scheduled'") == "39")
    #expect(try await scene.sql("SELECT count(*) FROM payout_events WHERE to_status = 'held'") == "1")
    #expect(try await scene.sql("SELECT count(*), sum(count) FROM alarms") == "1|1")
  }
}
