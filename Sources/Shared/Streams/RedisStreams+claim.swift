import Redis
import Synchronization

extension RedisStreams {
  /// How many XAUTOCLAIM one call makes on each stream; each passes over ten times its count of pending entries.
  static let maximumClaimRounds = 100

  /// Claims by XAUTOCLAIM; see ``StreamTransport/claim(_:group:consumer:idleMilliseconds:count:)``.
  ///
  /// A claim goes on where the last one ended: behind many entries that living consumers hold, idle ones are reached
  /// over several calls.
  public func claim(
    _ streams: [StreamName], group: ConsumerGroup, consumer: ConsumerName, idleMilliseconds: Int, count: Int
  ) async throws -> [StreamEntry] {
    try StreamLimits.check(streams: streams, count: count)
    try StreamLimits.check(idleMilliseconds: idleMilliseconds)
    var entries: [StreamEntry] = []
    for stream in streams {
      let found = try await claim(
        stream, group: group, consumer: consumer, idleMilliseconds: idleMilliseconds, count: count)
      entries += try await withDeliveries(found, group: group, consumer: consumer)
    }
    return entries
  }

  /// Claims on one stream, from the kept cursor to the end; from the beginning again where that brought nothing.
  ///
  /// It never begins again after it has claimed something: with a short idle time it would claim the same once more.
  private func claim(
    _ stream: StreamName, group: ConsumerGroup, consumer: ConsumerName, idleMilliseconds: Int, count: Int
  ) async throws -> [RedisStreamReplies.Entry] {
    var cursor = cursors.cursor(stream, group)
    var isFromBeginning = cursor == ClaimCursors.beginning
    var found: [RedisStreamReplies.Entry] = []
    for _ in 0..<Self.maximumClaimRounds where found.count < count {
      let command: [RedisArgument] = [
        "XAUTOCLAIM", keys.argument(stream), .text(group.text), .text(consumer.text), .integer(idleMilliseconds),
        .text(cursor), "COUNT", .integer(count - found.count),
      ]
      let reply = try await withGroups([stream], group) { () async throws(RedisError) in
        try await client.send(command)
      }
      let page = try RedisStreamReplies.claimed(reply, stream: stream)
      found += page.entries
      cursor = page.cursor
      cursors.keep(cursor, stream, group)
      if cursor == ClaimCursors.beginning {
        if isFromBeginning || !found.isEmpty { break }
        isFromBeginning = true
      }
    }
    return found
  }
}

/// Where the next claim on each stream goes on.
final class ClaimCursors: Sendable {
  /// The cursor of a claim that passes over all pending entries, and the server's answer when it came to their end.
  static let beginning = "0-0"

  private struct Place: Hashable {
    let stream: StreamName
    let group: ConsumerGroup
  }

  /// One cursor for each pair of stream and group, which are fixed in the code.
  private let cursors = Mutex<[Place: String]>([:])

  /// Where to go on.
  func cursor(_ stream: StreamName, _ group: ConsumerGroup) -> String {
    cursors.withLock { $0[Place(stream: stream, group: group)] ?? Self.beginning }
  }

  /// Remembers where to go on.
  func keep(_ cursor: String, _ stream: StreamName, _ group: ConsumerGroup) {
    cursors.withLock { $0[Place(stream: stream, group: group)] = cursor }
  }
}
