import Redis

extension RedisStreams {
  /// Reads by XREADGROUP with `>`; see ``StreamTransport/read(_:group:consumer:count:blockMilliseconds:)``.
  public func read(
    _ streams: [StreamName], group: ConsumerGroup, consumer: ConsumerName, count: Int, blockMilliseconds: Int
  ) async throws -> [StreamEntry] {
    try StreamLimits.check(streams: streams, count: count)
    try StreamLimits.check(blockMilliseconds: blockMilliseconds)
    let from = streams.map { ($0, ">") }
    let reply = try await readGroup(
      from, group: group, consumer: consumer, count: count, blockMilliseconds: blockMilliseconds)
    return try RedisStreamReplies.streams(reply, keys: keys, asked: streams).flatMap { stream, entries in
      entries.compactMap { entry in
        entry.fields.map { StreamEntry(stream: stream, id: entry.id, fields: $0, deliveries: 1) }
      }
    }
  }

  /// Reads by XREADGROUP with an id; see ``StreamTransport/readPending(_:after:group:consumer:count:)``.
  ///
  /// Entries that were deleted while they were pending come without fields: they are acknowledged here and the next ones
  /// are read, so that an empty result means that nothing is left.
  ///
  /// The server counts these deliveries in memory only: after its restart they are those of the last claim.
  public func readPending(
    _ streams: [StreamName], after: [StreamName: StreamEntryID], group: ConsumerGroup, consumer: ConsumerName,
    count: Int
  ) async throws -> [StreamEntry] {
    try StreamLimits.check(streams: streams, count: count)
    var after = after
    for _ in 0..<Self.maximumPendingRounds {
      let from = streams.map { ($0, (after[$0] ?? .zero).description) }
      let reply = try await readGroup(from, group: group, consumer: consumer, count: count, blockMilliseconds: 0)
      var found: [RedisStreamReplies.Entry] = []
      for (stream, entries) in try RedisStreamReplies.streams(reply, keys: keys, asked: streams) {
        found += entries
        if let last = entries.last { after[stream] = last.id }
      }
      if found.isEmpty { return [] }
      let deleted = found.filter { $0.fields == nil }
      try await acknowledge(
        deleted.map { StreamEntry(stream: $0.stream, id: $0.id, fields: [:], deliveries: 1) }, group: group)
      let entries = try await withDeliveries(found, group: group, consumer: consumer)
      if !entries.isEmpty { return entries }
    }
    return []
  }

  /// How many pages of deleted entries one call of `readPending` clears away.
  static let maximumPendingRounds = 64

  /// One XREADGROUP. Where a stream or group is missing it is made and the read repeated.
  private func readGroup(
    _ from: [(stream: StreamName, id: String)], group: ConsumerGroup, consumer: ConsumerName, count: Int,
    blockMilliseconds: Int
  ) async throws -> RedisValue {
    var command: [RedisArgument] = ["XREADGROUP", "GROUP", .text(group.text), .text(consumer.text)]
    command += ["COUNT", .integer(count)]
    if blockMilliseconds > 0 { command += ["BLOCK", .integer(blockMilliseconds)] }
    command += ["STREAMS"] + from.map { keys.argument($0.stream) } + from.map { .text($0.id) }
    let reader = blockMilliseconds > 0 ? blockingClient : client
    let timeout = reader.configuration.commandTimeoutMilliseconds + blockMilliseconds
    return try await withGroups(from.map(\.stream), group) { () async throws(RedisError) in
      try await reader.send(command, timeoutMilliseconds: timeout)
    }
  }

  /// Does `action`, and where it is refused because a stream or group is missing makes them all and does it again.
  ///
  /// `NOGROUP`: missing from the first, or since the server lost its data. `UNBLOCKED`: the stream went away while a read
  /// was blocked on it.
  func withGroups(
    _ streams: [StreamName], _ group: ConsumerGroup, _ action: () async throws(RedisError) -> RedisValue
  ) async throws -> RedisValue {
    var attempt = 1
    while true {
      do throws(RedisError) {
        return try await action()
      } catch {
        let word = error.serverError?.word
        guard word == "NOGROUP" || word == "UNBLOCKED", attempt < Self.maximumAttempts else {
          throw Self.translated(error)
        }
      }
      attempt += 1
      try await makeGroups(streams, group)
    }
  }

  /// Makes the group on each stream, and the stream where it is missing, from the beginning: so that entries which were
  /// appended before are delivered. `BUSYGROUP` means that it is there already.
  private func makeGroups(_ streams: [StreamName], _ group: ConsumerGroup) async throws {
    let replies = try await pipeline(
      streams.map { ["XGROUP", "CREATE", keys.argument($0), .text(group.text), "0", "MKSTREAM"] })
    if let refusal = replies.lazy.compactMap(\.error).first(where: { $0.word != "BUSYGROUP" }) {
      throw StreamError(
        code: .refused, outcome: .notDone, message: "the server refused to make the group \(group) with \(refusal.word)"
      )
    }
  }

  /// Adds to entries that were delivered again how often that happened, by XPENDING, one for each entry.
  ///
  /// An entry that is no longer pending for this consumer has been ended or taken over by another one: it is left out.
  func withDeliveries(
    _ entries: [RedisStreamReplies.Entry], group: ConsumerGroup, consumer: ConsumerName
  ) async throws -> [StreamEntry] {
    var result: [StreamEntry] = []
    for chunk in entries.filter({ $0.fields != nil }).chunks(of: Self.pipelineCommands) {
      let replies = try await pipeline(
        chunk.map { entry in
          let id = RedisArgument.text(entry.id.description)
          return ["XPENDING", keys.argument(entry.stream), .text(group.text), id, id, 1]
        })
      for (entry, reply) in zip(chunk, replies) {
        guard let deliveries = try RedisStreamReplies.deliveries(reply, of: entry.id, to: consumer),
          let fields = entry.fields
        else { continue }
        result.append(StreamEntry(stream: entry.stream, id: entry.id, fields: fields, deliveries: deliveries))
      }
    }
    return result
  }
}
