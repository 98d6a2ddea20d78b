import Ledger
import Payouts
import Streams
import TestSupport
import Testing

@testable import Scheduler

/// What Scheduler writes to the log of intents, and how it bounds it (DESIGN.md §3 "Continuity").
struct IntentLogStepsTests {
  private func intents(_ scene: SchedulerScene) async throws -> [Intent] {
    try await scene.streams.intents(after: .zero, atMost: 1_000).map { try Intent(fields: $0.fields) }
  }

  @Test func `an expiry is written to the log after its commit`() async throws {
    let scene = try await SchedulerScene()
    let payouts = try await scene.accept(2, expiresAfterMilliseconds: 1_000)
    try await scene.vouch()
    try await scene.setLedgerClock(offsetMilliseconds: 60_000)
    try await scene.scheduler().expire.runUntilIdle()
    let told = try await intents(scene).compactMap { intent -> PayoutEnd? in
      if case .ended(let end) = intent { end } else { nil }
    }
    #expect(Set(told.map(\.payout)) == Set(payouts))
    for end in told {
      let record = try #require(try await scene.ledger.payout(end.payout))
      #expect(PayoutEnd(record) == end && end.status == .expired)
    }
  }

  @Test func `what could not be written is written once Redis is back`() async throws {
    let scene = try await SchedulerScene()
    _ = try await scene.accept(1, expiresAfterMilliseconds: 1_000)
    try await scene.vouch()
    try await scene.setLedgerClock(offsetMilliseconds: 60_000)
    let scheduler = try scene.scheduler()
    await scene.streams.setFault { $0 == .appendIntents ? .notDone : nil }
    try await scheduler.expire.runUntilIdle()
    await scene.streams.setFault(nil)
    #expect(try await intents(scene) == [])
    try await scheduler.recordIntents.runUntilIdle()
    #expect(try await intents(scene).count == 1)
  }

  @Test func `an empty log gets a marker, and the last entry outlives its hours`() async throws {
    // Proves that a checkpoint always has something to stand on, and that the rest goes after INTENT_LOG_HOURS, but not
    // while a restore may have made the log the only one that knows.
    let scene = try await SchedulerScene()
    let scheduler = try scene.scheduler()
    try await scheduler.trimIntents.runUntilIdle()
    #expect(try await intents(scene) == [.marker])
    try await scene.streams.appendIntents([Intent.marker.fields, Intent.marker.fields])
    scene.clock.advance(milliseconds: 71 * 3_600_000)
    try await scheduler.trimIntents.runUntilIdle()
    #expect(try await intents(scene).count == 3)
    scene.clock.advance(milliseconds: 2 * 3_600_000)
    try await scheduler.trimIntents.runUntilIdle()
    #expect(try await intents(scene).count == 3)
    try await scene.vouch()
    try await scheduler.trimIntents.runUntilIdle()
    #expect(try await intents(scene).count == 1)
  }
}
