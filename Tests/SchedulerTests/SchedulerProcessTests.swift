import Foundation
import Ledger
import Logging
import Payouts
import Streams
import TestSupport
import Testing

@testable import Scheduler

/// The built executable on a real Redis and a real PostgreSQL.
struct SchedulerProcessTests {
  /// The environment of a Scheduler on a scene's database.
  static func environment(_ scene: SchedulerScene, redis: String) -> [String: String] {
    [
      "PATH": "/usr/bin:/bin", "LUCID_ENV": "dev", "DATABASE_URL": scene.url, "REDIS_URL": redis,
      "TRON_NETWORK": "devnet", "TRON_GENESIS_BLOCK_ID": SchedulerScene.installation.genesis.description,
      "LOG_FORMAT": "json",
    ]
  }

  @Test func `the process schedules what it is told of and what Redis lost, and stops cleanly`() async throws {
    // Proves the composition on real servers: an entry in Redis becomes a batch; a payout that nobody tells of does too, and
    // after FLUSHALL, which takes the groups with it, entries are read again; SIGTERM ends the process with exit code 0.
    let scene = try await SchedulerScene()
    let redis = try await PrivateRedis.start()
    let streams = try RedisStreams(url: redis.url, logger: scene.logger)
    let first = try await scene.accept(1)[0]
    let environment = Self.environment(scene, redis: redis.url)
    let executable = try TestProcess.builtExecutable("scheduler")
    let outcome = try await withThrowingTaskGroup(of: ChildProcess.Outcome?.self) { group in
      group.addTask { try await ChildProcess.run(executable, environment: environment) }
      group.addTask {
        try await streams.append([[StreamField.payoutID: "\(first)"]], to: .payoutsImmediate)
        try await Self.until("the first payout is scheduled") { try await scene.status(of: first) == .scheduled }
        try await Self.until("its batch is sent on") { try await streams.length(of: .batchesReady) == 1 }
        try await ChildProcess.require("redis-cli", ["-u", redis.url, "FLUSHALL"])
        let lost = try await scene.accept(1)[0]
        try await Self.until("the lost payout is scheduled") { try await scene.status(of: lost) == .scheduled }
        try await Self.until("its batch is sent on") { try await streams.length(of: .batchesReady) == 1 }
        try await streams.append([[StreamField.payoutID: "\(lost)"]], to: .payoutsImmediate)
        try await Self.until("its entry is gone") { try await streams.length(of: .payoutsImmediate) == 0 }
        return nil
      }
      // Whichever ends first: the story, which ends the process, or the process by itself, which fails the test.
      let first = try await group.next() ?? nil
      #expect(first == nil, "the process ended by itself: \(first?.standardError ?? "")")
      group.cancelAll()
      return try await group.next() ?? nil
    }
    #expect(outcome?.status == 0, "\(outcome?.standardError ?? "")")
    await redis.stop()
  }

  @Test func `wrong settings end the process with exit code 78 and every problem named`() async throws {
    // Proves that an operator learns all at once, without a password in the text.
    let outcome = try await ChildProcess.run(
      try TestProcess.builtExecutable("scheduler"),
      environment: ["DATABASE_URL": "postgres://u:hunter2@", "TRON_NETWORK": "devnet", "METRICS_PORT": "99999"])
    #expect(outcome.status == 78)
    for key in ["REDIS_URL", "TRON_GENESIS_BLOCK_ID", "METRICS_PORT"] {
      #expect(outcome.standardError.contains("scheduler: \(key): "), "\(outcome.standardError)")
    }
    #expect(!outcome.standardError.contains("hunter2"))
    let staging = try await ChildProcess.run(
      try TestProcess.builtExecutable("scheduler"),
      environment: ["LUCID_ENV": "staging", "BATCH_HOURLY_SECONDS": "3600", "BATCH_WEEKLY_SECONDS": "0"])
    #expect(staging.status == 78)
    for key in ["BATCH_HOURLY_SECONDS", "BATCH_WEEKLY_SECONDS"] {
      #expect(staging.standardError.contains("scheduler: \(key): "), "\(staging.standardError)")
    }
  }

  @Test func `another installation's database ends the process with exit code 78`() async throws {
    // Proves that a mixed-up DATABASE_URL is found before anything is written.
    let scene = try await SchedulerScene()
    var environment = Self.environment(scene, redis: "redis://127.0.0.1:1")
    environment["TRON_GENESIS_BLOCK_ID"] = String(repeating: "0", count: 64)
    let outcome = try await ChildProcess.run(try TestProcess.builtExecutable("scheduler"), environment: environment)
    #expect(outcome.status == 78)
    #expect(outcome.standardError.contains("another installation's"), "\(outcome.standardError)")
  }

  /// Waits for a condition, at most a minute.
  static func until(_ what: String, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while try await !condition() {
      guard ContinuousClock.now < deadline else { throw SceneError(description: "waited in vain until \(what)") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}
