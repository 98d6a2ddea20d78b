import Redis

/// The log of intents on a real Redis server.
extension RedisStreams: IntentLog {
  /// By XADD in one round trip; see ``IntentLog/appendIntents(_:)``.
  public func appendIntents(_ entries: [[String: String]]) async throws {
    guard entries.count <= IntentLogBounds.maximumEntries else {
      throw StreamError.invalidArgument(
        "the log takes up to \(IntentLogBounds.maximumEntries) entries at once, not \(entries.count)")
    }
    let commands = entries.map { ["XADD", keys.argument(.intents), "*"] + RedisStreamReplies.arguments($0) }
    let replies: [RedisValue]
    do throws(RedisError) {
      replies = try await client.pipeline(commands, timeoutMilliseconds: IntentLogBounds.appendMilliseconds)
    } catch {
      throw Self.translated(error)
    }
    if let refusal = replies.lazy.compactMap(\.error).first {
      throw StreamError(
        code: .refused, outcome: .unknown, message: "the server refused entries for the log with \(refusal.word)")
    }
  }

  /// By XRANGE and XREVRANGE; see ``IntentLog/intentExtent()``.
  public func intentExtent() async throws -> IntentLogExtent? {
    let key = keys.argument(.intents)
    let replies = try await pipeline([
      ["XRANGE", key, "-", "+", "COUNT", 1], ["XREVRANGE", key, "+", "-", "COUNT", 1],
    ])
    let ends = try replies.flatMap { try RedisStreamReplies.range($0, stream: .intents).map(\.id) }
    guard let first = ends.first, let last = ends.last else { return nil }
    return IntentLogExtent(first: first, last: last)
  }

  /// By XRANGE; see ``IntentLog/holdsIntent(_:)``.
  public func holdsIntent(_ id: StreamEntryID) async throws -> Bool {
    let reply = try await send(["XRANGE", keys.argument(.intents), .text("\(id)"), .text("\(id)"), "COUNT", 1])
    return try !RedisStreamReplies.range(reply, stream: .intents).isEmpty
  }

  /// By XRANGE; see ``IntentLog/intents(after:atMost:)``.
  public func intents(after id: StreamEntryID, atMost count: Int) async throws -> [IntentLogEntry] {
    try StreamLimits.check(streams: [.intents], count: count)
    let reply = try await send(["XRANGE", keys.argument(.intents), .text("(\(id)"), "+", "COUNT", .integer(count)])
    return try RedisStreamReplies.range(reply, stream: .intents).map {
      IntentLogEntry(id: $0.id, fields: $0.fields ?? [:])
    }
  }

  /// By XTRIM; see ``IntentLog/trimIntents(ageMilliseconds:bytesMax:)``.
  ///
  /// Between the question and the trimming others may append: what they add is younger than what goes.
  public func trimIntents(ageMilliseconds: Int64, bytesMax: Int) async throws -> IntentLogTrim {
    let key = keys.argument(.intents)
    let replies = try await pipeline([["TIME"], ["XLEN", key], ["MEMORY", "USAGE", key]])
    guard replies.count == 3, let now = RedisStreamReplies.milliseconds(replies[0]) else {
      throw RedisStreamReplies.unexpected("TIME", expected: "seconds and microseconds")
    }
    let length = try RedisStreamReplies.length(replies[1])
    guard let last = try await intentExtent()?.last else {
      return IntentLogTrim(removed: 0, bytes: 0, wasTooLarge: false)
    }
    let oldest = min(StreamEntryID(milliseconds: UInt64(clamping: now - ageMilliseconds), sequence: 0), last)
    var removed = try await count(["XTRIM", key, "MINID", "~", .text("\(oldest)")])
    let bytes = Int(replies[2].integer ?? 0)
    let isTooLarge = bytes > bytesMax
    if isTooLarge {
      // A tenth below, so that it need not be done again at once. Sizes are far below what a product overflows at.
      let kept = max(1, length * (bytesMax / 10 * 9 / 1_024) / max(1, bytes / 1_024))
      removed += try await count(["XTRIM", key, "MAXLEN", "~", .integer(kept)])
    }
    return IntentLogTrim(removed: removed, bytes: bytes, wasTooLarge: isTooLarge)
  }

  private func count(_ command: [RedisArgument]) async throws -> Int {
    guard let count = try await send(command).integer else {
      throw RedisStreamReplies.unexpected("XTRIM", expected: "an integer")
    }
    return Int(count)
  }
}
