import Ledger
import Logging
import Payouts
import Streams
import Synchronization
import TestSupport
import Testing

@testable import Ingest

/// PostgreSQL and Redis going away in the middle of everything.
struct LostServersTests {
  @Test(.timeLimit(.minutes(5))) func `no 201 without a row, and none counted twice, while PostgreSQL crashes`()
    async throws
  {
    // Proves both laws at the door: clients that retry under their keys while the server is killed and restarted end with
    // one row each; every 201 they ever got names a row that exists; the window's use is the sum of the rows.
    let server = try await PrivatePostgres.start()
    let scene = try await IngestScene(server: server)
    let tally = Tally()
    try await scene.serving { ingest async throws in
      let token = ingest.token()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for client in 0..<20 {
          group.addTask {
            for number in 0..<15 {
              let key = "c\(client)-\(number)"
              try await until("\(key) is accepted") {
                let reply = try await ingest.post(payoutBody(), key: key, token: token)
                tally.count(reply.status)
                guard reply.status == 201 else {
                  #expect(reply.status == 503, "\(String(decoding: reply.bytes, as: UTF8.self))")
                  return false
                }
                let id = try #require(try reply.text("payout_id"))
                tally.note(id, under: key)
                return true
              }
            }
          }
        }
        group.addTask {
          for accepted in [20, 80, 150] {
            try await until("\(accepted) are accepted") { tally.told.count >= accepted }
            try await server.restart(mode: .immediate)
          }
        }
        try await group.waitForAll()
      }
      #expect(tally.told.count == 300)
      #expect(tally.told.values.allSatisfy { $0.count == 1 })
      let rows = Set(try await scene.sql("SELECT id FROM payouts").split(separator: "\n").map(String.init))
      #expect(rows == Set(tally.told.values.flatMap { $0 }))
      #expect(
        try await scene.sql("SELECT sum(used) FROM limit_windows WHERE scope = 'accepted' AND span = 'day'")
          == "\(300 * 12_500_000)")
      for key in tally.told.keys {
        let again = try await ingest.post(payoutBody(), key: key, token: token)
        #expect(again.status == 201 && again.headers.first(name: "Idempotency-Replayed") == "true")
        #expect(try tally.told[key] == [#require(try again.text("payout_id"))])
      }
      #expect(try await scene.payoutCount() == 300)
      try await until("PostgreSQL is well again") { try await ingest.ask("GET", "/ready", token: nil).status == 200 }
    }
    print("statuses while PostgreSQL crashed: \(tally.statuses)")
    try await server.stop()
  }

  @Test func `without PostgreSQL nothing is accepted, and readiness says so`() async throws {
    // Proves 503 with Retry-After for writes and reads, /ready and /health, and the recovery.
    let server = try await PrivatePostgres.start()
    let scene = try await IngestScene(server: server)
    try await scene.serving { ingest async throws in
      let id = try #require(try await ingest.post(payoutBody()).text("payout_id"))
      try await server.stopServer(mode: .fast)
      for reply in [try await ingest.post(payoutBody(), key: "k"), try await ingest.get("/payouts/\(id)")] {
        #expect(reply.status == 503 && reply.headers.first(name: "Retry-After") != nil)
      }
      try await until("it is not ready") { try await ingest.ask("GET", "/ready", token: nil).status == 503 }
      let health = try await ingest.ask("GET", "/health", token: nil)
      #expect(health.status == 503)
      #expect(try health.text("status") == "unhealthy")
      #expect(try await ingest.ask("GET", "/live", token: nil).status == 200)
      try await server.startServer()
      try await until("it is ready again") { try await ingest.ask("GET", "/ready", token: nil).status == 200 }
      #expect(try await ingest.post(payoutBody(), key: "k").status == 201)
    }
    try await server.stop()
  }

  @Test func `accepting goes on while Redis is lost, and comes back to the stream by itself`() async throws {
    // Proves that Redis is only the transport: with the real server killed, 201s go on (the test below shows that none waits
    // for it), health says degraded, what was left is counted; with the server back, new payouts reach the stream.
    let redis = try await PrivateRedis.start()
    let scene = try await IngestScene()
    let logger = Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() })
    let streams = try RedisStreams(url: redis.url, logger: logger)
    try await scene.serving(streams: streams) { ingest async throws in
      #expect(try await ingest.post(payoutBody()).status == 201)
      try await until("the first is enqueued") { try await streams.length(of: .payoutsImmediate) == 1 }
      try await redis.kill()
      for _ in 0..<20 { #expect(try await ingest.post(payoutBody()).status == 201) }
      try await until("health says degraded") {
        let health = try await ingest.ask("GET", "/health", token: nil)
        return try health.status == 200 && health.member("dependencies")?["redis"]?["state"] == .text("degraded")
      }
      #expect(try await ingest.ask("GET", "/ready", token: nil).status == 200)
      try await until("what was left for Scheduler to find is counted") {
        ingest.metric("payouts_ingest_payouts_not_enqueued_total") > 0
      }
      try await redis.restart()
      try await until("a new one is enqueued") {
        #expect(try await ingest.post(payoutBody()).status == 201)
        return try await streams.length(of: .payoutsImmediate) > 1
      }
      try await until("health is well again") {
        let health = try await ingest.ask("GET", "/health", token: nil)
        return try health.member("dependencies")?["redis"]?["state"] == .text("ok")
      }
    }
    await redis.stop()
  }

  @Test func `streams that hang hold up neither answers nor the end`() async throws {
    // Proves that an answer never waits for the stream: appends that do not return, and a drain that leaves them behind.
    let scene = try await IngestScene()
    let hanging = HangingStreams()
    try await scene.serving(streams: hanging) { ingest async throws in
      for _ in 0..<5 { #expect(try await ingest.post(payoutBody()).status == 201) }
      try await until("an append hangs") { hanging.appends > 0 }
      hanging.letGo()
    }
    #expect(try await scene.payoutCount() == 5)
  }
}

/// What clients were told.
private final class Tally: Sendable {
  private let state = Mutex((told: [String: Set<String>](), statuses: [Int: Int]()))

  /// The ids told under each key.
  var told: [String: Set<String>] { state.withLock { $0.told } }
  /// How often each status was answered.
  var statuses: [Int: Int] { state.withLock { $0.statuses } }

  func note(_ id: String, under key: String) { state.withLock { _ = $0.told[key, default: []].insert(id) } }

  func count(_ status: Int) { state.withLock { $0.statuses[status, default: 0] += 1 } }
}

/// Streams whose appends wait until they are let go, and then fail.
private final class HangingStreams: StreamTransport {
  private let state = Mutex((appends: 0, isOpen: false))

  var appends: Int { state.withLock { $0.appends } }

  func letGo() { state.withLock { $0.isOpen = true } }

  func append(_ entries: [[String: String]], to stream: StreamName) async throws {
    state.withLock { $0.appends += 1 }
    while !state.withLock({ $0.isOpen }) { try await Task.sleep(for: .milliseconds(5)) }
    throw StreamError(code: .unavailable, outcome: .unknown, message: "the test lets it fail")
  }

  func read(
    _ streams: [StreamName], group: ConsumerGroup, consumer: ConsumerName, count: Int, blockMilliseconds: Int
  ) async throws -> [StreamEntry] { [] }

  func readPending(
    _ streams: [StreamName], after: [StreamName: StreamEntryID], group: ConsumerGroup, consumer: ConsumerName,
    count: Int
  ) async throws -> [StreamEntry] { [] }

  func claim(
    _ streams: [StreamName], group: ConsumerGroup, consumer: ConsumerName, idleMilliseconds: Int, count: Int
  ) async throws -> [StreamEntry] { [] }

  func acknowledge(_ entries: [StreamEntry], group: ConsumerGroup) async throws {}

  func deadLetter(_ entry: StreamEntry, group: ConsumerGroup, error: String) async throws {}

  func length(of stream: StreamName) async throws -> Int { 0 }

  func contents(of stream: StreamName, atMost count: Int) async throws -> [StreamEntry] { [] }
}
