import Foundation
import Logging
import Payouts
import Streams
import TestSupport
import Testing

/// `payoutctl queues` and `dead-letters` on real servers.
struct QueueCommandsTests {
  /// Streams in a database of the test's own.
  private func streams(database: Int) async throws -> (streams: RedisStreams, url: String) {
    let url = "\(try await PrivateRedis.shared().url)/\(database)"
    return (try RedisStreams(url: url, logger: Logger(label: "payoutctl-tests")), url)
  }

  /// Gives up an entry, as Signer does.
  private func giveUp(_ streams: RedisStreams) async throws {
    try await streams.append([["batch_id": "7"]], to: .batchesReady)
    let entries = try await streams.read(
      [.batchesReady], group: .signer, consumer: try ConsumerName("signer"), count: 1, blockMilliseconds: 0)
    try await streams.deadLetter(try #require(entries.first), group: .signer, error: "no such batch")
  }

  @Test func `queues tell stages and streams, for people and for programs`() async throws {
    let scene = try await CommandLineScene.vouched()
    let (streams, redis) = try await streams(database: 70)
    _ = try await scene.held()
    try await streams.append([["payout_id": "1"], ["payout_id": "2"]], to: .payoutsImmediate)
    let text = try await scene.run("queues", redis: redis)
    #expect(text.exitCode == 0, "\(text.errors)")
    #expect(text.output.contains("stage       payouts  oldest\n"), "\(text.output)")
    #expect(text.output.contains("queued            0       -\n"), "\(text.output)")
    let shown: [String: [[String: Any]]] = try CommandLineScene.json(
      try await scene.run("queues", "--json", redis: redis))
    let stages = try #require(shown["stages"])
    #expect(
      stages.map { $0["stage"] as? String } == ["queued", "scheduled", "signed", "broadcast", "confirming", "held"])
    #expect(stages.map { $0["count"] as? Int } == [0, 0, 0, 0, 0, 1])
    #expect(stages.last?["oldest_age_seconds"] is Int && stages.first?["oldest_age_seconds"] == nil)
    let immediate = try #require(shown["streams"]?.first)
    #expect(immediate["stream"] as? String == "payouts.immediate" && immediate["group"] as? String == "scheduler")
    #expect(immediate["length"] as? Int == 2 && immediate["pending"] as? Int == 0 && immediate["dead"] as? Int == 0)
  }

  @Test func `queues tell what PostgreSQL knows where Redis is away`() async throws {
    let scene = try await CommandLineScene.vouched()
    _ = try await scene.held()
    let nowhere = "redis://user:hunter2@127.0.0.1:1/0"
    let text = try await scene.run("queues", redis: nowhere)
    #expect(text.exitCode == 1 && text.output.contains("\nheld "), "\(text.output)")
    #expect(text.errors.contains("Redis cannot be asked: ") && text.errors.contains("only what PostgreSQL knows"))
    #expect(!text.errors.contains("hunter2"))
    let json = try await scene.run("queues", "--json", redis: nowhere)
    let shown: [String: Any] = try CommandLineScene.json(json)
    #expect(json.exitCode == 1 && shown["streams"] == nil && shown["problem"] is String)
    #expect((shown["stages"] as? [Any])?.count == 6)
  }

  // Proves the way back of an entry: what is given up is seen, put back, and delivered again.
  @Test func `dead letters are listed and put back`() async throws {
    let scene = try await CommandLineScene.vouched()
    let (streams, redis) = try await streams(database: 71)
    #expect(try await scene.run("dead-letters", redis: redis).output == "no entry was given up\n")
    try await giveUp(streams)
    let rows: [[String: Any]] = try CommandLineScene.json(
      try await scene.run("dead-letters", "--json", redis: redis))
    let letter = try #require(rows.first)
    #expect(letter["stream"] as? String == "batches.ready" && letter["error"] as? String == "no such batch")
    #expect(letter["fields"] as? [String: String] == ["batch_id": "7"] && letter["dead_since"] is String)
    let id = try #require(letter["id"] as? String)
    let text = try await scene.run("dead-letters", redis: redis)
    #expect(text.output.contains("batches.ready  \(id)  batch_id=7\n  given up "), "\(text.output)")

    let retried = try await scene.run("dead-letters", "retry", "batches.ready", id, redis: redis)
    #expect(retried.exitCode == 0 && retried.output.contains("payoutctl release"), "\(retried.errors)")
    #expect(try await streams.length(of: .batchesReady) == 1)
    let again = try await scene.run("dead-letters", "retry", "batches.ready.dead", id, redis: redis)
    #expect(again.exitCode == 1 && again.errors.contains("no entry \(id) is among the dead letters of batches.ready"))
  }

  @Test func `commands that need Redis name the missing setting`() async throws {
    for command in ["queues", "dead-letters"] {
      let outcome = try await CommandLineScene.payoutctl([command])
      #expect(outcome.exitCode == 78 && outcome.errors.contains("REDIS_URL: "), "\(outcome.errors)")
    }
  }
}
