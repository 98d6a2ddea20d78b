import Ledger
import Payouts
import Streams
import TestSupport
import Testing

@testable import Scheduler

/// The four streams of payouts, written by somebody else. On real Redis and real PostgreSQL.
struct HostileEntriesTests {
  @Test(arguments: [0, 1, 2, 3])
  func `whatever stands in a stream of payouts, only what is due is scheduled, once`(index: Int) async throws {
    // Proves for each stream that no entry stops it, that none is given up, and that none moves a payout: not one that waits
    // for its window, is held, or has ended.
    let stream = ListenForPayouts.streams[index]
    let scene = try await SchedulerScene()
    let url = "\(try await PrivateRedis.shared().url)/\(200 + index)"
    let streams = try RedisStreams.patient(at: url)
    try await scene.vouch()
    let due = try await scene.accept(1)[0]
    let later = try await scene.accept(1, batchType: .weekly)[0]
    let (held, ended) = try await (scene.accept(1)[0], scene.accept(1)[0])
    try await scene.sql(
      "UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'test' WHERE id = '\(held)'")
    try await scene.sql("UPDATE payouts SET status = 'cancelled' WHERE id = '\(ended)'")
    let nobodys = PayoutID(at: scene.clock.now(), randomness: [UInt8](repeating: 0xab, count: 10))
    let entries = HostileEntries.all(
      field: StreamField.payoutID, real: "\(due)", others: ["\(later)", "\(held)", "\(ended)"], nobodys: "\(nobodys)")
    try await HostileEntries.write(entries, to: stream, at: url)
    #expect(try await streams.length(of: stream) == entries.count)

    let scheduler = try scene.scheduler(streams: streams)
    try await scheduler.listen.runUntilIdle()
    // Once more, after all was acknowledged.
    try await HostileEntries.write(entries, to: stream, at: url)
    try await scheduler.listen.runUntilIdle()

    #expect(try await scene.status(of: due) == .scheduled)
    #expect(try await scene.status(of: later) == .queued)
    #expect(try await scene.status(of: held) == .held)
    #expect(try await scene.status(of: ended) == .cancelled)
    #expect(
      try await scene.sql("SELECT count(*), sum(payout_count), sum(total_amount) FROM settlement_batches")
        == "1|1|1500000")
    #expect(try await scene.sql("SELECT count(*) FROM payouts") == "4")
    #expect(try await streams.length(of: .batchesReady) == 1)
    #expect(try await streams.length(of: stream) == 0)
    #expect(try await streams.length(of: stream.deadLetters) == 0)
    #expect(try await scene.sql("SELECT count(*) FROM alarms") == "0")
  }
}
