import Logging
import Redis
import TestSupport
import Testing

@testable import Streams

/// Entries that somebody else made large, on a real server: together they are more than one answer may have.
@Suite struct LargeEntriesTests {
  @Test func `entries that are too large to be read together are read in smaller portions, and all are done with`()
    async throws
  {
    // Forty entries of 50 kB, where an answer of more than 256 kB is cut off: the consumer comes to fewer at once by itself,
    // also after its restart, and back to many when they are gone.
    let url = "\(try await PrivateRedis.shared().url)/51"
    var configuration = try RedisConfiguration(url: url)
    configuration.backoff = RedisBackoff(baseMilliseconds: 5, maximumMilliseconds: 50)
    configuration.commandTimeoutMilliseconds = 60_000
    configuration.maximumReplyBytes = 256 << 10
    let logger = Logger(label: "test")
    let client = try RedisClient(configuration: configuration, logger: logger)
    let blocking = try RedisClient(configuration: configuration.forBlockingReads, logger: logger)
    let streams = RedisStreams(client: client, blockingClient: blocking)
    let large = (0..<40).map { ("entry \($0)", "'n', '\($0)', 'large', string.rep('a', 51200)") }
    try await HostileEntries.write(large, to: .batchesReady, at: url)

    let worker = ScriptedWorker()
    func consumer() throws -> StreamConsumer {
      var configuration = StreamConsumerConfiguration(
        streams: [.batchesReady], group: StreamFixture.group, consumer: name("anna"))
      configuration.blockMilliseconds = 0
      return try StreamConsumer(
        transport: streams, configuration: configuration, now: { 0 }, handle: { try worker.handle($0) },
        giveUp: { try worker.giveUp($0) })
    }
    let first = try consumer()
    await #expect(throws: StreamError.self) { try await first.step() }
    let second = try consumer()
    var steps = 0
    while try await streams.length(of: .batchesReady) > 0, steps < 100 {
      steps += 1
      _ = try? await second.step()
    }
    #expect(try await streams.length(of: .batchesReady) == 0)
    // Those that were in many answers that failed are handed over alone, or tried a last time and given up.
    #expect(Set(worker.handed().flatMap { $0 } + worker.givenUp) == Set(0..<40))

    // Small ones again: as many at once as before.
    try await streams.append((100..<200).map { ["n": "\($0)"] }, to: .batchesReady)
    for _ in 0..<10 { _ = try await second.step() }
    #expect(try await streams.length(of: .batchesReady) == 0)
    #expect(Set(worker.handed().flatMap { $0 }) == Set(100..<200))
    for open in [client, blocking] { await open.close() }
  }
}
