import Logging
import Payouts
import Streams
import TestSupport
import Testing

@testable import Ingest
@testable import Worker

/// Rate limits over real HTTP, on a real Redis.
struct RateLimitOverHTTPTests {
  /// Long, so that a busy machine is not taken for a server that is away; a server that is away costs one such wait.
  private static let patience = 3_000

  private static func rates(_ url: String) throws -> RedisRates {
    let logger = Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() })
    return try RedisRates(url: url, logger: logger, deadlineMilliseconds: patience)
  }

  private static func url() async throws -> String {
    "\(try await PrivateRedis.shared().url)/\(300 + Int.random(in: 0..<3_000))"
  }

  private func settings(batch: Int = 0, writes: Int = 0, reads: Int = 0) -> [String: String] {
    [
      "RATE_LIMIT_BATCH_PER_MINUTE": "\(batch)", "RATE_LIMIT_WRITES_PER_MINUTE": "\(writes)",
      "RATE_LIMIT_READS_PER_MINUTE": "\(reads)",
    ]
  }

  /// The answers to as many calls, all at once.
  private static func atOnce(
    _ count: Int, _ ask: @Sendable @escaping (Int) async throws -> RunningIngest.Reply
  ) async throws -> [RunningIngest.Reply] {
    try await withThrowingTaskGroup(of: RunningIngest.Reply.self, returning: [RunningIngest.Reply].self) { group in
      for number in 0..<count { group.addTask { try await ask(number) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
  }

  /// Payouts, all at once: how many were accepted, and the other answers. Each tells of the limit.
  private static func burst(
    _ count: Int, of ingest: RunningIngest
  ) async throws -> (done: Int, refused: [RunningIngest.Reply]) {
    let replies = try await atOnce(count) { number async throws in
      try await ingest.post(payoutBody(), key: "k\(number)")
    }
    for reply in replies { #expect(reply.headers.first(name: "RateLimit-Policy") == #""writes";q=\#(count - 1);w=60"#) }
    return (replies.count { $0.status == 201 }, replies.filter { $0.status == 429 })
  }

  @Test func `of one request too many nothing comes but 429`() async throws {
    // Proves the burst, the fields of every answer, that what is refused has no effect, and that neither another caller nor
    // another class is touched.
    let url = try await Self.url()
    let rates = try Self.rates(url)
    let scene = try await IngestScene()
    try await scene.serving(settings(writes: 2, reads: 5), rates: rates) { ingest async throws in
      let told = try await Self.burst(3, of: ingest)
      #expect(told.done == 2 && told.refused.count == 1)
      let reply = try #require(told.refused.first)
      #expect(reply.problem == "rate-limited")
      let seconds = try #require(Int(reply.headers.first(name: "Retry-After") ?? ""))
      #expect((1...30).contains(seconds))
      #expect(reply.headers.first(name: "RateLimit")?.hasPrefix(#""writes";r=0;t="#) == true)
      #expect(try await scene.payoutCount() == 2)
      // Nothing of it is read: no body, no key, no path.
      #expect(try await ingest.post("{", key: "").status == 429)
      #expect(try await ingest.ask("DELETE", "/payouts/x", token: ingest.token()).status == 429)
      #expect(try await ingest.post(payoutBody(), token: ingest.token("client-2")).status == 201)
      let read = try await ingest.get("/payouts")
      #expect(read.status == 200 && read.headers.first(name: "RateLimit")?.hasPrefix(#""reads";r=4;t="#) == true)
      #expect(ingest.metric(#"payouts_ingest_rate_limited_total{class="writes"}"#) >= 3)
      #expect(ingest.metric(#"payouts_ingest_rate_decisions_total{by="process"}"#) == 0)
    }
    let keys = try await ChildProcess.require("redis-cli", ["-u", url, "KEYS", "*"])
    #expect(keys.contains("rates:writes:") && !keys.contains("client"))
    await rates.close()
  }

  @Test func `whoever waits as long as it was told is let in again`() async throws {
    // Proves that Retry-After is the truth, by Redis' time, and that asking meanwhile costs nothing.
    let rates = try Self.rates(try await Self.url())
    let scene = try await IngestScene()
    try await scene.serving(settings(reads: 12), rates: rates) { ingest async throws in
      var reply = try await ingest.get("/payouts")
      while reply.status == 200 { reply = try await ingest.get("/payouts") }
      #expect(
        reply.problem == "rate-limited" && reply.headers.first(name: "Retry-After").map { Int($0) ?? 0 <= 5 } == true)
      try await until("its time has come") { try await ingest.get("/payouts").status == 200 }
    }
    await rates.close()
  }

  @Test func `two replicas and all proofs of a caller share one limit`() async throws {
    // Proves that neither another replica nor the gateway's word instead of a token is a way around it.
    let url = try await Self.url()
    let (one, other) = (try Self.rates(url), try Self.rates(url))
    let scene = try await IngestScene()
    let token = String(repeating: "t", count: 32)
    let settings = settings(reads: 3).merging(["API_GATEWAY_TOKEN": token]) { $1 }
    try await scene.serving(settings, rates: one) { first async throws in
      try await scene.serving(settings, rates: other) { second async throws in
        let replies = try await Self.atOnce(12) { number async throws in
          let ingest = number % 2 == 0 ? first : second
          guard number % 3 == 0 else { return try await ingest.get("/payouts") }
          return try await ingest.ask(
            "GET", "/payouts", token: nil,
            headers: ["X-Gateway-Token": token, "X-User-ID": "client-1", "X-User-Role": "service"])
        }
        #expect(replies.count { $0.status == 200 } == 3 && replies.count { $0.status == 429 } == 9)
      }
    }
    for rates in [one, other] { await rates.close() }
  }

  @Test(.timeLimit(.minutes(5))) func `each replica counts for itself while Redis is away, and all together after`()
    async throws
  {
    // Proves that it is neither an error nor without limits, that what was used up before counts, and that health tells.
    let redis = try await PrivateRedis.start()
    let (one, other) = (try Self.rates(redis.url), try Self.rates(redis.url))
    let scene = try await IngestScene()
    try await scene.serving(settings(reads: 3), rates: one) { first async throws in
      try await scene.serving(settings(reads: 3), rates: other) { second async throws in
        try await until("both know Redis") {
          [first, second].allSatisfy { $0.health.component(LimitRates.component)?.state == .ok }
        }
        #expect(try await first.get("/payouts").status == 200)
        #expect(try await second.get("/payouts").headers.first(name: "RateLimit")?.hasPrefix(#""reads";r=1;"#) == true)
        try await redis.kill()
        // What each knows of stands: one here, two there. (A unit comes anew in 20 s.)
        let told = try await Self.atOnce(9) { _ async throws in try await first.get("/payouts") }
        #expect((1...3).contains(told.count { $0.status == 200 }))
        #expect(told.allSatisfy { $0.status == 200 || $0.status == 429 && $0.headers.contains(name: "Retry-After") })
        #expect(try await second.get("/payouts").status == 200)
        #expect(first.metric(#"payouts_ingest_rate_decisions_total{by="process"}"#) == 9)
        for ingest in [first, second] {
          let health = try await ingest.ask("GET", "/health", token: nil)
          #expect(try health.status == 200 && health.text("status") == "degraded")
          #expect(ingest.health.component(LimitRates.component)?.state == .degraded)
          try await until("it is ready") { try await ingest.ask("GET", "/ready", token: nil).status == 200 }
        }
        try await redis.restart()
        try await until("it is shared again") {
          [first, second].allSatisfy { $0.health.component(LimitRates.component)?.state == .ok }
        }
        let replies = try await Self.atOnce(12) { number async throws in
          try await (number % 2 == 0 ? first : second).get("/payouts", token: first.token("fresh"))
        }
        #expect(replies.count { $0.status == 200 } == 3 && replies.count { $0.status == 429 } == 9)
      }
    }
    for rates in [one, other] { await rates.close() }
    await redis.stop()
  }

  @Test func `whoever goes on over the limit leaves two records, one of which has the number`() async throws {
    // Proves that no refusal goes untold, and that a caller cannot fill the table.
    let rates = try Self.rates(try await Self.url())
    let scene = try await IngestScene()
    try await scene.serving(settings(writes: 1, reads: 1), rates: rates) { ingest async throws in
      for _ in 0..<60 { _ = try await ingest.post(payoutBody()) }
      for _ in 0..<3 { _ = try await ingest.get("/payouts") }
      func records(_ question: String) async throws -> Int {
        let text = try await scene.sql(
          "SELECT \(question) FROM audit_records WHERE outcome = 'rate-limited' AND status = 429")
        return try #require(Int(text))
      }
      try await until("the first ones are recorded") { try await records("count(*)") == 2 }
      ingest.clock.advance(milliseconds: LimitedAllowance.spanMilliseconds)
      let all = "count(*) FILTER (WHERE detail IS NULL) + coalesce(sum(split_part(detail, ' ', 1)::int), 0)"
      let refused =
        Int(ingest.metric(#"payouts_ingest_rate_limited_total{class="writes"}"#))
        + Int(ingest.metric(#"payouts_ingest_rate_limited_total{class="reads"}"#))
      #expect(refused >= 58)
      try await until("all of them are told") { try await records(all) == refused }
      #expect(try await records("count(*)") == 4)
      #expect(try await records("count(*) FILTER (WHERE caller = 'client-1' AND operation = 'createPayout')") == 1)
    }
    await rates.close()
  }

  @Test func `what is no call is counted, probes and pages are not, and 0 is no limit`() async throws {
    // Proves what is taken from which allowance, by what the answers tell.
    let rates = try Self.rates(try await Self.url())
    let scene = try await IngestScene()
    try await scene.serving(settings(reads: 2), rates: rates) { ingest async throws in
      #expect(try await ingest.get("/nowhere").status == 404)
      #expect(try await ingest.ask("HEAD", "/payouts", token: ingest.token()).headers.contains(name: "RateLimit"))
      #expect(try await ingest.get("/nowhere").status == 429)
      #expect(try await ingest.get("/openapi.json").status == 429)
      for path in ["/health", "/ready", "/live", "/docs", "/api/payment/docs"] {
        let reply = try await ingest.ask("GET", path, token: ingest.token())
        #expect(reply.status == 200 && !reply.headers.contains(name: "RateLimit"), "\(path)")
      }
      #expect(try await ingest.ask("GET", "/payouts", token: nil).status == 401)
      let written = try await ingest.post(payoutBody())
      #expect(written.status == 201 && !written.headers.contains(name: "RateLimit-Policy"))
      #expect(try await ingest.ask("PUT", "/payouts", token: ingest.token()).status == 405)
    }
    await rates.close()
  }

  @Test func `without settings the limits are those of the contract`() throws {
    // Proves the defaults of api.md, and what 0 means.
    let limits = try Settings.read(RateLimits.self, environment: [:])
    #expect(limits[.batch]?.count == 60 && limits[.writes]?.count == 600 && limits[.reads]?.count == 1_200)
    #expect(RateClass.allCases.allSatisfy { limits[$0]?.windowSeconds == 60 })
    #expect(try Settings.read(RateLimits.self, environment: settings(batch: 7)).areNone == false)
    #expect(try Settings.read(RateLimits.self, environment: settings()).areNone)
  }

  @Test func `each class has the calls that it should`() {
    // Proves the table by what the calls are.
    for operation in Operation.allCases {
      #expect((operation.rateClass == nil) == operation.isOpen, "\(operation)")
      #expect((operation.rateClass == .reads) == (!operation.isOpen && !operation.isWrite), "\(operation)")
    }
  }
}
