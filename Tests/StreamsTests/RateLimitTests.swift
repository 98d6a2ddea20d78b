import Logging
import Redis
import TestSupport
import Testing

@testable import Streams

/// The algorithm of rate limits as a pure value.
struct RateLimitTests {
  /// Where an allowance stands, asked at given moments.
  private struct Allowance {
    let limit: RateLimit
    var fullAt: Int64?

    mutating func take(at now: Int64) -> RateVerdict {
      let verdict = limit.verdict(fullAt: fullAt, now: now)
      fullAt = now + verdict.fullAfterMicroseconds
      return verdict
    }
  }

  @Test func `a full allowance is taken at once, then one by one as it comes anew`() {
    // Proves the burst, the exact moment of the next one, and that a refusal costs nothing.
    var allowance = Allowance(limit: RateLimit(count: 60))
    for left in (0..<60).reversed() {
      let verdict = allowance.take(at: 5_000)
      #expect(verdict.isTaken && verdict.remaining == left && verdict.fullAfterSeconds == 60 - left)
    }
    for moment: Int64 in [5_000, 6_000, 1_004_999] {
      let verdict = allowance.take(at: moment)
      #expect(!verdict.isTaken && verdict.remaining == 0 && verdict.retryAfterSeconds == 1)
    }
    #expect(allowance.take(at: 1_005_000).isTaken && !allowance.take(at: 1_005_000).isTaken)
    // Two came anew, and no more than two.
    #expect(allowance.take(at: 3_005_000).isTaken && allowance.take(at: 3_005_000).isTaken)
    #expect(!allowance.take(at: 3_005_000).isTaken)
  }

  @Test func `no span of time takes more than what was saved up and what came anew`() {
    // Proves the bound for counts that divide a minute and some that do not, with requests at random moments.
    var random = SeededGenerator(seed: 7)
    for count in [1, 7, 60, 599, 1_200, 60_000] {
      var allowance = Allowance(limit: RateLimit(count: count))
      var taken: [Int64] = []
      var now: Int64 = 1_700_000_000_000_000
      for _ in 0..<3_000 {
        now += Int64.random(in: 0...allowance.limit.intervalMicroseconds, using: &random)
        if Bool.random(using: &random) { now += Int64.random(in: 0...2_000, using: &random) }
        if allowance.take(at: now).isTaken { taken.append(now) }
      }
      #expect(taken.count > 500)
      for first in stride(from: 0, to: taken.count, by: 97) {
        for last in stride(from: first, to: taken.count, by: 31) {
          let anew = (taken[last] - taken[first]) / allowance.limit.intervalMicroseconds
          #expect(Int64(last - first + 1) <= Int64(count) + anew)
        }
      }
    }
  }

  @Test func `a clock that is set back makes nobody wait for longer than a window`() {
    // Proves that what is remembered of the future is cut to the window, once and for all.
    var allowance = Allowance(limit: RateLimit(count: 6), fullAt: 1_000_000_000_000)
    let verdict = allowance.take(at: 0)
    #expect(!verdict.isTaken && verdict.retryAfterSeconds == 10 && verdict.fullAfterSeconds == 60)
    #expect(allowance.take(at: 10_000_000).isTaken)
  }

  @Test func `the largest limit counts as well`() {
    // Proves that nothing is divided away.
    var allowance = Allowance(limit: RateLimit(count: RateLimit.countMax))
    #expect(allowance.limit.intervalMicroseconds == 60)
    #expect(allowance.take(at: 0).remaining == RateLimit.countMax - 1)
  }
}

/// The same on a real server.
struct RedisRatesTests {
  /// Long, so that a busy machine is not taken for a server that is away.
  private static let patience = 30_000

  private func rates(_ url: String) throws -> RedisRates {
    try RedisRates(url: url, logger: Logger(label: "test"), deadlineMilliseconds: Self.patience)
  }

  @Test func `two processes share one allowance, and each unit of it is given once`() async throws {
    // Proves the script's atomicity: what each is told is left makes up the whole allowance.
    let url = "\(try await PrivateRedis.shared().url)/61"
    let (one, other) = (try rates(url), try rates(url))
    let limit = RateLimit(count: 50, windowSeconds: 3_600)
    let verdicts = try await withThrowingTaskGroup(of: RateVerdict.self, returning: [RateVerdict].self) { group in
      for number in 0..<200 { group.addTask { try await (number % 2 == 0 ? one : other).take("k", of: limit) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(verdicts.filter(\.isTaken).map(\.remaining).sorted() == Array(0..<50))
    #expect(verdicts.allSatisfy { $0.isTaken || $0.remaining == 0 && (1...72).contains($0.retryAfterSeconds) })
    #expect(try await one.take("another", of: limit).remaining == 49)
    for rates in [one, other] { await rates.close() }
  }

  @Test func `what is used up comes anew by the server's time, and then its key is gone`() async throws {
    // Proves that the wait that is told is the true one, by the machine's own clock, and that Redis is not filled.
    let url = "\(try await PrivateRedis.shared().url)/62"
    let rates = try rates(url)
    let client = try StreamFixture.makeClient(url)
    let limit = RateLimit(count: 1, windowSeconds: 3)
    let began = ContinuousClock.now
    #expect(try await rates.take("k", of: limit).isTaken)
    let refused = try await rates.take("k", of: limit)
    #expect(!refused.isTaken && (1...3).contains(refused.retryAfterSeconds))
    #expect(try #require(try await client.send(["PTTL", "rates:k"]).integer) <= 3_000)
    try await eventually("it is taken again") { try await rates.take("k", of: limit).isTaken }
    #expect(ContinuousClock.now - began > .milliseconds(2_900))
    try await eventually("the key is gone") { try await client.send(["EXISTS", "rates:k"]).integer == 0 }
    await rates.close()
    await client.close()
  }

  @Test func `whatever stands under the key, nobody waits for longer than a window`() async throws {
    // Proves what a clock that was set back, or somebody who writes there, can do: a moment far ahead is cut to the window for
    // good, no number is a full allowance, and another type is an error, not a limit.
    let url = "\(try await PrivateRedis.shared().url)/63"
    let rates = try rates(url)
    let client = try StreamFixture.makeClient(url)
    let limit = RateLimit(count: 60, windowSeconds: 60)
    _ = try await client.send(["SET", "rates:k", "9000000000000000"])
    let cut = try await rates.take("k", of: limit)
    #expect(!cut.isTaken && cut.fullAfterSeconds == 60 && cut.retryAfterSeconds == 1)
    #expect(try #require(try await client.send(["PTTL", "rates:k"]).integer) <= 60_000)
    _ = try await client.send(["SET", "rates:k", "no number"])
    #expect(try await rates.take("k", of: limit).remaining == 59)
    _ = try await client.send(["DEL", "rates:k"])
    _ = try await client.send(["RPUSH", "rates:k", "1"])
    await #expect(throws: StreamError.self) { try await rates.take("k", of: limit) }
    await rates.close()
    await client.close()
  }

  @Test func `a server that does not answer is given up at the deadline`() async throws {
    // Proves that a request does not hang on a server that is stopped in the middle of everything.
    let redis = try await PrivateRedis.start()
    let rates = try RedisRates(url: redis.url, logger: Logger(label: "test"), deadlineMilliseconds: 50)
    let limit = RateLimit(count: 1)
    try await eventually("it answers") { (try? await rates.take("k", of: limit)) != nil }
    await redis.pause()
    let began = ContinuousClock.now
    await #expect(throws: StreamError.self) { try await rates.take("k", of: limit) }
    #expect(ContinuousClock.now - began < .seconds(10))
    await redis.resume()
    try await eventually("it answers again") { (try? await rates.take("k", of: limit)) != nil }
    await rates.close()
    await redis.stop()
  }

  @Test func `no stream's name begins as its keys do`() {
    // Proves that a caller's allowance and a stream never meet.
    let streams: [StreamName] = [
      .payoutsImmediate, .payoutsHourly, .payoutsDaily, .payoutsWeekly, .batchesReady, .transactionsSent, .intents,
    ]
    for stream in streams { #expect(!stream.text.hasPrefix(RedisRates.keyPrefix)) }
  }
}
