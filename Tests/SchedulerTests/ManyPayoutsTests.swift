import Foundation
import Ledger
import Payouts
import Streams
import TestSupport
import Testing
import Worker

@testable import Scheduler

/// The built executable while a great many payouts wait for their window.
struct ManyPayoutsTests {
  /// The most memory that the process may ever have had, in KiB: 256 MiB, whatever waits.
  private static let memoryKiBMax = 262_144

  @Test func `a great many waiting payouts need no memory and no scan`() async throws {
    // Proves, on a real Redis and PostgreSQL, that the process takes what is due and leaves what waits: by its own peak of
    // memory as the system counts it, and by what the server has read of the table, from the process's start on.
    let scene = try await SchedulerScene()
    let redis = try await PrivateRedis.start()
    let due = 100
    let waiting = ManyPayouts.count - due
    try await scene.sql(ManyPayouts.queued(due: due, waiting: waiting))
    let streams = try RedisStreams(url: redis.url, logger: scene.logger)
    // Entries of payouts that wait: read, and done with.
    try await scene.announce((1...10_000).map { _ in PayoutID.random() }, in: .payoutsWeekly, of: streams)
    let work = """
      SELECT seq_scan, (SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'payouts_in_turn')
      FROM pg_stat_user_tables WHERE relname = 'payouts'
      """
    func counts() async throws -> (wholeReadings: Int, entriesRead: Int) {
      let numbers = try await scene.sql(work).split(separator: "|").compactMap { Int($0) }
      return try (#require(numbers.first), #require(numbers.last))
    }
    let before = try await counts()
    let began = ContinuousClock.now
    let processID = FileManager.default.temporaryDirectory.appendingPathComponent("scheduler-\(PayoutID.random())").path
    let executable = try TestProcess.builtExecutable("scheduler")
    let environment = SchedulerProcessTests.environment(scene, redis: redis.url)
      .merging(["PROCESS_ID_FILE": processID]) { $1 }
    let outcome = try await withThrowingTaskGroup(of: ChildProcess.Outcome?.self) { group in
      group.addTask {
        try await ChildProcess.run(
          "/bin/sh", ["-c", "echo $$ >\"$PROCESS_ID_FILE\"; exec \"$0\"", executable], environment: environment)
      }
      group.addTask {
        let signer = try ConsumerName("signer")
        try await SchedulerProcessTests.until("all that is due is scheduled") {
          // Stands in for the Signer, so that there is always room.
          let batches = try await streams.read(
            [.batchesReady], group: .signer, consumer: signer, count: 100, blockMilliseconds: 0)
          try await streams.acknowledge(batches, group: .signer)
          return try await scene.sql("SELECT sum(payout_count) FROM settlement_batches") == "\(due)"
        }
        try await SchedulerProcessTests.until("all entries are done with") {
          try await streams.length(of: .payoutsWeekly) == 0
        }
        let id = try String(contentsOfFile: processID, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        let status = try String(contentsOfFile: "/proc/\(id)/status", encoding: .utf8)
        let peak = try #require(
          status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }?.split(separator: " ")
            .compactMap { Int($0) }.first)
        #expect(peak < Self.memoryKiBMax, "its peak of memory was \(peak) KiB")
        print("with \(waiting) payouts waiting the Scheduler's peak of memory was \(peak) KiB")
        return nil
      }
      let first = try await group.next() ?? nil
      #expect(first == nil, "the process ended by itself: \(first?.standardError ?? "")")
      group.cancelAll()
      return try await group.next() ?? nil
    }
    #expect(outcome?.status == 0, "\(outcome?.standardError ?? "")")
    // The process has gone; the server's books follow.
    try await SchedulerProcessTests.until("its work is in the server's books") {
      try await counts().entriesRead - before.entriesRead >= due
    }
    let after = try await counts()
    #expect(after.wholeReadings == before.wholeReadings, "the table was read from end to end")
    // Each look reads what is due, or what has been: some two hundred looks at most, and of what waits nothing. What every
    // worker shows at its metrics port is counted up to 10,000, every ten seconds.
    let measured = (Int((ContinuousClock.now - began) / .seconds(10)) + 1) * 10_000
    #expect(after.entriesRead - before.entriesRead < waiting / 2 + measured)
    #expect(try await scene.sql("SELECT count(*) FROM payouts WHERE status = 'queued'") == "\(waiting)")
    try FileManager.default.removeItem(atPath: processID)
    await redis.stop()
  }
}

extension PayoutID {
  /// Some id.
  fileprivate static func random() -> PayoutID {
    PayoutID(at: SystemClock().now(), randomness: SystemRandomSource().bytes(10))
  }
}
