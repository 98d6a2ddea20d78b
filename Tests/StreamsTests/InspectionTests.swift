import Redis
import TestSupport
import Testing

@testable import Streams

/// What an operator sees of the streams, and how a dead letter comes back; on a real server.
@Suite struct InspectionTests {
  private let anna = name("anna")

  /// Streams in a database of the test's own, the same as a fixture for writing and reading.
  private func with(
    database: Int, _ test: (RedisStreams, StreamFixture, RedisClient) async throws -> Void
  ) async throws {
    let url = "\(try await PrivateRedis.shared().url)/\(database)"
    let fixture = try await StreamFixture.onServer(url, prefix: "")
    let client = try StreamFixture.makeClient(url)
    let streams = try #require(fixture.transport as? RedisStreams)
    let result: Result<Void, any Error>
    do { result = .success(try await test(streams, fixture, client)) } catch { result = .failure(error) }
    await fixture.close()
    await client.close()
    try result.get()
  }

  /// Gives up the first entry of batches.ready, as a worker does.
  private func giveUp(_ streams: RedisStreams, _ fields: [String: String]) async throws {
    try await streams.append([fields], to: .batchesReady)
    let entries = try await streams.read(
      [.batchesReady], group: .signer, consumer: anna, count: 1, blockMilliseconds: 0)
    try await streams.deadLetter(try #require(entries.first), group: .signer, error: "why it failed")
  }

  @Test func `depths tell what waits, what is pending, how old it is and what was given up`() async throws {
    try await with(database: 60) { streams, _, client in
      let empty = try await streams.depths(of: StreamName.stages)
      #expect(empty.map(\.stream.text).count == 6)
      #expect(empty.allSatisfy { $0.length == 0 && $0.pending == 0 && $0.deadLetters == 0 })
      #expect(empty.allSatisfy { $0.oldestAgeMilliseconds == nil })

      try await giveUp(streams, ["batch_id": "1"])
      let time = try #require(try await client.send(["TIME"]).array?.first?.text.flatMap { Int($0) })
      _ = try await client.send(["DEL", "batches.ready"])
      _ = try await client.send(["XADD", "batches.ready", "\(time - 90)000-0", "batch_id", "2"])
      try await streams.append([["batch_id": "3"], ["batch_id": "4"]], to: .batchesReady)
      _ = try await streams.read([.batchesReady], group: .signer, consumer: anna, count: 2, blockMilliseconds: 0)
      let depth = try #require(try await streams.depths(of: StreamName.stages).first { $0.stream == .batchesReady })
      #expect(depth.length == 3 && depth.pending == 2 && depth.deadLetters == 1 && depth.group == .signer)
      #expect((89_000..<150_000).contains(depth.oldestAgeMilliseconds ?? 0))
    }
  }

  @Test func `a dead letter is told with its own fields and why it was given up`() async throws {
    try await with(database: 61) { streams, _, _ in
      #expect(try await streams.deadLetters(of: .batchesReady, atMost: 10).isEmpty)
      for number in 1...3 { try await giveUp(streams, ["batch_id": "\(number)"]) }
      let letters = try await streams.deadLetters(of: .batchesReady, atMost: 2)
      #expect(letters.map(\.fields) == [["batch_id": "1"], ["batch_id": "2"]])
      let letter = try #require(letters.first)
      #expect(letter.stream == .batchesReady && letter.error == "why it failed")
      #expect(letter.group == "signer" && letter.deliveries == 1)
      await #expect(throws: StreamError.self) { try await streams.deadLetters(of: .batchesReady, atMost: 1_001) }
    }
  }

  // Proves the round trip: the same fields are delivered again, once, and nothing stays behind.
  @Test func `a retried dead letter is delivered again as it was`() async throws {
    try await with(database: 62) { streams, _, _ in
      try await giveUp(streams, ["batch_id": "1", "other": "x"])
      let letter = try #require(try await streams.deadLetters(of: .batchesReady, atMost: 10).first)
      #expect(try await streams.retry(letter.id, deadLetterOf: .batchesReady) == .putBack)
      #expect(try await streams.retry(letter.id, deadLetterOf: .batchesReady) == .unknown)
      #expect(try await streams.deadLetters(of: .batchesReady, atMost: 10).isEmpty)
      let again = try await streams.read(
        [.batchesReady], group: .signer, consumer: anna, count: 10, blockMilliseconds: 0)
      #expect(again.map(\.fields) == [["batch_id": "1", "other": "x"]])
    }
  }

  // Proves that the letter goes only where the entry was written: what cannot be written stays a letter.
  @Test func `a dead letter that cannot be put back stays where it is`() async throws {
    try await with(database: 63) { streams, _, client in
      try await giveUp(streams, ["batch_id": "1"])
      let letter = try #require(try await streams.deadLetters(of: .batchesReady, atMost: 10).first)
      _ = try await client.send(["DEL", "batches.ready"])
      _ = try await client.send(["SET", "batches.ready", "no stream"])
      await #expect(throws: StreamError.self) { try await streams.retry(letter.id, deadLetterOf: .batchesReady) }
      #expect(try await streams.deadLetters(of: .batchesReady, atMost: 10) == [letter])
      await #expect(throws: StreamError.self) { try await streams.depths(of: StreamName.stages) }

      _ = try await client.send(["DEL", "batches.ready"])
      _ = try await client.send(["XADD", "batches.ready.dead", "*", "dead.error", "forged"])
      let forged = try #require(try await streams.deadLetters(of: .batchesReady, atMost: 10).last)
      #expect(try await streams.retry(forged.id, deadLetterOf: .batchesReady) == .empty)
      #expect(try await streams.deadLetters(of: .batchesReady, atMost: 10).count == 2)
    }
  }
}
