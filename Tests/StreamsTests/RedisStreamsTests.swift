import Logging
import Redis
import Synchronization
import TestSupport
import Testing

@testable import Streams

/// What workers of one test handled, and what the dying one held.
private final class Seen: Sendable {
  let handled = Mutex(Set<Int>())
  let dying = Mutex([Int]())
}

/// What only a real server can show: restarts, kills, FLUSHALL under a blocked read, prefixes, refusals, speed.
@Suite struct RedisStreamsTests {
  let anna = name("anna")
  let berta = name("berta")

  @Test func `prefixes keep streams of one server apart`() async throws {
    let url = "\(try await PrivateRedis.shared().url)/50"
    let one = try await StreamFixture.onServer(url, prefix: "one.")
    let other = try await StreamFixture.onServer(url, prefix: "other.")
    try await one.append(1...1)
    #expect(try await other.read(anna).isEmpty)
    #expect(numbers(try await one.read(anna)) == [1])
    let client = try StreamFixture.makeClient(url)
    let keys = try #require(try await client.send(["KEYS", "*"]).array).compactMap(\.text)
    #expect(keys.sorted() == ["one.batches.ready", "other.batches.ready"])
    for fixture in [one, other] { await fixture.close() }
    await client.close()
  }

  /// The blocked read hears of the loss by NOGROUP or UNBLOCKED, or only when its time is over: in each case what is
  /// appended afterwards arrives.
  @Test func `FLUSHALL under a blocked read, and what is appended afterwards arrives`() async throws {
    let redis = try await PrivateRedis.start()
    let fixture = try await StreamFixture.onServer(redis.url, prefix: "")
    let client = try StreamFixture.makeClient(redis.url)
    try await fixture.append(0...0)
    try await fixture.transport.acknowledge(try await fixture.read(anna), group: StreamFixture.group)
    for round in 1...3 {
      async let read = fixture.read(anna, block: 10_000)
      try await eventually("the read is blocked") {
        try await client.send(["CLIENT", "LIST"]).text?.contains("flags=b") == true
      }
      _ = try await client.send(["FLUSHALL"])
      try await fixture.append(round...round)
      var entries = try await read
      if entries.isEmpty { entries = try await fixture.read(anna, block: 10_000) }
      #expect(numbers(entries) == [round])
    }
    await fixture.close()
    await client.close()
    await redis.stop()
  }

  /// AOF keeps what is pending over a restart and, with every write synced, over a kill.
  @Test func `pending entries and their counts outlive a restart and a kill of the server`() async throws {
    let redis = try await PrivateRedis.start(arguments: ["--appendfsync", "always"])
    let fixture = try await StreamFixture.onServer(redis.url, prefix: "")
    try await fixture.append(1...3)
    #expect(numbers(try await fixture.read(anna, count: 2)) == [1, 2])
    try await redis.restart()
    #expect(try await fixture.claim(anna, idle: 0).map(\.deliveries) == [2, 2])
    try await redis.kill()
    try await redis.restart()
    #expect(try await fixture.claim(berta, idle: 0).map(\.deliveries) == [3, 3])
    #expect(numbers(try await fixture.read(berta)) == [3])
    await fixture.close()
    await redis.stop()
  }

  @Test func `a blocked read whose server is killed ends as unknown and the next one works`() async throws {
    let redis = try await PrivateRedis.start()
    let fixture = try await StreamFixture.onServer(redis.url, prefix: "")
    let client = try StreamFixture.makeClient(redis.url)
    let read = Task { try await fixture.read(anna, block: 60_000) }
    try await eventually("the read is blocked") {
      try await client.send(["CLIENT", "LIST"]).text?.contains("flags=b") == true
    }
    try await redis.kill()
    await #expect {
      _ = try await read.value
    } throws: { ($0 as? StreamError)?.code == .unavailable && ($0 as? StreamError)?.outcome == .unknown }
    try await redis.restart()
    try await fixture.append(1...1)
    #expect(numbers(try await fixture.read(anna, block: 10_000)) == [1])
    await fixture.close()
    await client.close()
    await redis.stop()
  }

  /// A living consumer holds 2,500 entries; behind them lie three idle ones of a dead one. A claim for one entry passes
  /// over a thousand pending ones at most: over several calls it must still reach all three.
  @Test func `idle entries behind many that are held are reached over several calls`() async throws {
    try await StreamFixture.with(.redis) { fixture in
      try await fixture.append(1...2_500)
      while try await !fixture.read(anna, count: 1000).isEmpty {}
      try await fixture.append(2_501...2_503)
      // An hour, so that what Anna holds does not become idle on a slow machine.
      try await fixture.age(try await fixture.read(berta), berta, 7_200_000)
      func claim() async throws -> [StreamEntry] {
        try await fixture.claim(name("carla"), idle: 3_600_000, count: 1)
      }
      #expect(try await claim().isEmpty)
      var claimed: [StreamEntry] = []
      for _ in 0..<6 { claimed += try await claim() }
      #expect(numbers(claimed) == [2_501, 2_502, 2_503])
    }
  }

  @Test func `a key of another type is refused, and nothing is done`() async throws {
    let redis = try await PrivateRedis.start()
    let fixture = try await StreamFixture.onServer(redis.url, prefix: "")
    let client = try StreamFixture.makeClient(redis.url)
    _ = try await client.send(["SET", "batches.ready", "x"])
    _ = try await client.send(["SET", "payouts.daily.dead", "x"])
    await #expect {
      try await fixture.append(1...3)
    } throws: { ($0 as? StreamError)?.code == .refused && ($0 as? StreamError)?.outcome == .notDone }
    await #expect {
      _ = try await fixture.read(anna)
    } throws: { ($0 as? StreamError)?.code == .refused }

    // A dead letter that cannot be written leaves the entry pending.
    try await fixture.append(4...4, to: .payoutsDaily)
    let entry = try await fixture.read(anna, from: [.payoutsDaily])[0]
    await #expect {
      try await fixture.transport.deadLetter(entry, group: StreamFixture.group, error: "x")
    } throws: { ($0 as? StreamError)?.code == .refused }
    #expect(numbers(try await fixture.readPending(anna, from: [.payoutsDaily])) == [4])
    await fixture.close()
    await client.close()
    await redis.stop()
  }

  @Test func `a server without memory refuses an append, and nothing is done`() async throws {
    let redis = try await PrivateRedis.start(arguments: ["--maxmemory", "1"])
    let fixture = try await StreamFixture.onServer(redis.url, prefix: "")
    await #expect {
      try await fixture.append(1...3)
    } throws: {
      let error = $0 as? StreamError
      return error?.code == .refused && error?.outcome == .notDone && error?.message.contains("OOM") == true
    }
    #expect(try await fixture.transport.length(of: .batchesReady) == 0)
    await fixture.close()
    await redis.stop()
  }

  @Test func `answers of another shape are errors and not crashes`() {
    let keys = RedisStreamKeys(prefix: "")
    let bulk = RedisValue.bulk(Array("batches.ready".utf8))
    let id = RedisValue.bulk(Array("1-1".utf8))
    let broken: [RedisValue] = [
      .integer(1), .status("OK"), .array([bulk]), .array([.array([bulk])]), .array([.array([bulk, .integer(1)])]),
      .array([.array([.bulk(Array("other".utf8)), .array([])])]), .array([.array([bulk, .array([id])])]),
      .array([.array([bulk, .array([.array([.bulk(Array("x".utf8)), .array([])])])])]),
      .array([.array([bulk, .array([.array([id, .array([bulk])])])])]),
      .array([.array([bulk, .array([.array([id, .array([.integer(1), bulk])])])])]),
    ]
    for reply in broken {
      #expect(throws: StreamError.self) {
        _ = try RedisStreamReplies.streams(reply, keys: keys, asked: [.batchesReady])
      }
    }
    for reply in [.null, .array([id, .array([])]), .array([bulk, .array([]), .array([])])] as [RedisValue] {
      #expect(throws: StreamError.self) { _ = try RedisStreamReplies.claimed(reply, stream: .batchesReady) }
    }
  }

  /// Three workers, each with connections of its own, share five hundred entries. One of them is cancelled in its handler
  /// while it holds a batch and never comes back: the others take over what it held, and at the end everything was
  /// handled and nothing is left.
  @Test func `what a killed worker held is taken over by the others`() async throws {
    let redis = try await PrivateRedis.start()
    let observer = try await StreamFixture.onServer(redis.url, prefix: "")
    try await observer.append(1...500)
    let seen = Seen()
    let clock = AgingClock()
    let workers = (0..<3).map { number in
      Task {
        let fixture = try await StreamFixture.onServer(redis.url, prefix: "")
        var configuration = StreamConsumerConfiguration(
          streams: [.batchesReady], group: StreamFixture.group, consumer: name("worker-\(number)"))
        configuration.count = 20
        configuration.blockMilliseconds = 20
        configuration.claimIdleMilliseconds = 200
        configuration.claimEveryMilliseconds = 50
        let consumer = try StreamConsumer(
          transport: fixture.transport, configuration: configuration, now: { clock.now },
          handle: { entries in
            if number == 0 {
              seen.dying.withLock { $0 = numbers(entries) }
              try await Task.sleep(for: .seconds(60))
            }
            seen.handled.withLock { $0.formUnion(numbers(entries)) }
            return entries
          }, giveUp: { _ in "given up" })
        while !Task.isCancelled { _ = try? await consumer.step() }
        await fixture.close()
      }
    }
    try await eventually("the first worker holds a batch") { seen.dying.withLock { !$0.isEmpty } }
    workers[0].cancel()
    try await eventually("everything is handled") {
      try await observer.transport.length(of: .batchesReady) == 0
    }
    #expect(seen.handled.withLock { $0 } == Set(1...500))
    #expect(try await observer.transport.length(of: StreamName.batchesReady.deadLetters) == 0)
    for worker in workers {
      worker.cancel()
      try await worker.value
    }
    await observer.close()
    await redis.stop()
  }

  /// Prints how many entries a second go in and come out over one connection. The number is of a debug build and of this
  /// machine; the bound only catches a change by orders of magnitude.
  @Test func `throughput of one connection`() async throws {
    let redis = try await PrivateRedis.start()
    let fixture = try await StreamFixture.onServer(redis.url, prefix: "")
    let total = 20_000
    let clock = ContinuousClock()
    let appending = try await clock.measure {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for part in 0..<10 {
          group.addTask { try await fixture.append((part * total / 10)..<((part + 1) * total / 10)) }
        }
        try await group.waitForAll()
      }
    }
    #expect(try await fixture.transport.length(of: .batchesReady) == total)
    var taken = 0
    let consuming = try await clock.measure {
      while case let page = try await fixture.read(anna, count: 1000), !page.isEmpty {
        taken += page.count
        try await fixture.transport.acknowledge(page, group: StreamFixture.group)
      }
    }
    #expect(taken == total)
    let (inRate, outRate) = (Double(total) / (appending / .seconds(1)), Double(total) / (consuming / .seconds(1)))
    print("debug build, one connection: \(Int(inRate)) XADD/s; \(Int(outRate)) entries/s read and acknowledged")
    #expect(inRate > 500 && outRate > 500)
    await fixture.close()
    await redis.stop()
  }
}
