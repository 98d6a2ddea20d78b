import Logging
import Redis
import Synchronization
import TestSupport
import Testing

@testable import Streams

/// One implementation of the streams, empty, with the means to let entries age and everything be lost.
struct StreamFixture: Sendable {
  /// The implementations that must behave alike.
  enum Kind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory, redis

    var testDescription: String { rawValue }
  }

  let transport: any StreamTransport
  /// The log of intents of the same implementation.
  let log: any IntentLog
  /// Lets everything that is pending for this consumer look as if it had been delivered so many milliseconds earlier.
  let age: @Sendable (_ entries: [StreamEntry], _ holder: ConsumerName, _ milliseconds: Int) async throws -> Void
  /// What FLUSHALL does.
  let loseEverything: @Sendable () async throws -> Void
  /// Lets go of connections.
  let close: @Sendable () async -> Void

  /// The group of these tests.
  static let group = ConsumerGroup("stage")

  private static let nextDatabase = Atomic<Int>(100)

  /// An empty fixture: memory of its own, or a database of its own on the shared server.
  static func make(_ kind: Kind) async throws -> StreamFixture {
    switch kind {
    case .memory:
      let clock = AgingClock()
      let streams = MemoryStreams(now: { clock.now }, sleep: { try await Task.sleep(for: .milliseconds($0)) })
      return StreamFixture(
        transport: streams, log: streams, age: { _, _, milliseconds in clock.advance(milliseconds) },
        loseEverything: { await streams.flushAll() }, close: {})
    case .redis:
      let database = nextDatabase.add(1, ordering: .relaxed).newValue
      return try await onServer("\(PrivateRedis.shared().url)/\(database)", prefix: "")
    }
  }

  /// The streams of a server in the database of the URL.
  static func onServer(_ url: String, prefix: String) async throws -> StreamFixture {
    let client = try makeClient(url)
    let blocking = try makeClient(url, isBlocking: true)
    let observer = try makeClient(url)
    let streams = RedisStreams(client: client, blockingClient: blocking, prefix: prefix)
    return StreamFixture(
      transport: streams, log: streams,
      age: { entries, holder, milliseconds in
        for entry in entries {
          let command: [RedisArgument] = [
            "XCLAIM", .text(prefix + entry.stream.text), .text(group.text), .text(holder.text), 0,
            .text(entry.id.description), "IDLE", .integer(milliseconds), "JUSTID",
          ]
          _ = try await observer.send(command)
        }
      },
      loseEverything: { _ = try await observer.send(["FLUSHDB"]) },
      close: { for client in [client, blocking, observer] { await client.close() } })
  }

  /// A client with short waits between attempts to connect.
  static func makeClient(_ url: String, isBlocking: Bool = false) throws -> RedisClient {
    var configuration = try RedisConfiguration(url: url)
    configuration.backoff = RedisBackoff(baseMilliseconds: 5, maximumMilliseconds: 50)
    configuration.commandTimeoutMilliseconds = 60_000
    return try RedisClient(
      configuration: isBlocking ? configuration.forBlockingReads : configuration, logger: Logger(label: "test"))
  }

  /// Makes a fixture, runs the test on it and lets go of it.
  static func with(_ kind: Kind, _ test: (StreamFixture) async throws -> Void) async throws {
    let fixture = try await make(kind)
    do {
      try await test(fixture)
    } catch {
      await fixture.close()
      throw error
    }
    await fixture.close()
  }

  // MARK: Shorter calls

  func append(_ numbers: some Sequence<Int>, to stream: StreamName = .batchesReady) async throws {
    try await transport.append(numbers.map { ["n": String($0)] }, to: stream)
  }

  func read(
    _ consumer: ConsumerName, count: Int = 100, block: Int = 0, from streams: [StreamName] = [.batchesReady],
    group: ConsumerGroup = group
  ) async throws -> [StreamEntry] {
    try await transport.read(streams, group: group, consumer: consumer, count: count, blockMilliseconds: block)
  }

  func readPending(
    _ consumer: ConsumerName, count: Int = 100, after: StreamEntryID? = nil,
    from streams: [StreamName] = [.batchesReady]
  ) async throws -> [StreamEntry] {
    let after = after.map { [streams[0]: $0] } ?? [:]
    return try await transport.readPending(streams, after: after, group: Self.group, consumer: consumer, count: count)
  }

  func claim(
    _ consumer: ConsumerName, idle: Int = 30_000, count: Int = 100, from streams: [StreamName] = [.batchesReady]
  ) async throws -> [StreamEntry] {
    try await transport.claim(
      streams, group: Self.group, consumer: consumer, idleMilliseconds: idle, count: count)
  }
}

/// Real time that can be pushed ahead.
final class AgingClock: Sendable {
  private let beginning = ContinuousClock.now
  private let ahead = Atomic<Int>(0)

  var now: Int64 {
    let passed = (ContinuousClock.now - beginning).components
    let milliseconds = passed.seconds * 1000 + passed.attoseconds / 1_000_000_000_000_000
    return 1_000_000 + milliseconds + Int64(ahead.load(ordering: .relaxed))
  }

  func advance(_ milliseconds: Int) {
    ahead.add(milliseconds, ordering: .relaxed)
  }
}

/// A consumer's name in a test.
func name(_ text: String) -> ConsumerName {
  do throws(StreamError) {
    return try ConsumerName(text)
  } catch {
    preconditionFailure("\(error)")
  }
}

/// The numbers that the tests write into their entries.
func numbers(_ entries: [StreamEntry]) -> [Int] {
  entries.compactMap { $0.fields["n"].flatMap { Int($0) } }
}

/// Waits until `condition` holds; fails the test when it does not within a minute.
func eventually(_ what: Comment, _ condition: () async throws -> Bool) async throws {
  let end = ContinuousClock.now + .seconds(60)
  while try await !condition() {
    try #require(ContinuousClock.now < end, what)
    try await Task.sleep(for: .milliseconds(5))
  }
}
