public import Redis
import Synchronization

/// The streams on a real Redis server: consumer groups, claims, dead letters.
///
/// Needs Redis 7 (XAUTOCLAIM then also clears deleted entries). Run it with `maxmemory-policy noeviction` and AOF: an
/// evicted stream only costs a sweep, but costs it again and again. Nothing here trims a stream by length.
///
/// Blocking reads go over a client of their own, which closes its connection when a read is cancelled. One such client
/// serves one reader at a time, since a second read would wait behind the first.
public struct RedisStreams: StreamTransport {
  let client: RedisClient
  let blockingClient: RedisClient
  let keys: RedisStreamKeys
  /// Shared by all copies of this value.
  let cursors = ClaimCursors()

  /// How often one call makes missing groups and tries again before it gives up.
  static let maximumAttempts = 4
  /// The most commands in one of our pipelines; what is longer takes several.
  static let pipelineCommands = 1000

  /// Streams under a key prefix.
  ///
  /// - Parameters:
  ///   - client: For everything but blocking reads; may be shared with others.
  ///   - blockingClient: For blocking reads only; made with `RedisConfiguration.forBlockingReads`.
  ///   - prefix: Put before every key; empty in production, where the names are fixed.
  public init(client: RedisClient, blockingClient: RedisClient, prefix: String = "") {
    precondition(
      blockingClient.configuration.closesOnCancellation,
      "the client for blocking reads must be made with RedisConfiguration.forBlockingReads")
    self.client = client
    self.blockingClient = blockingClient
    keys = RedisStreamKeys(prefix: prefix)
  }

  /// Appends by XADD, a thousand to a round trip; see ``StreamTransport/append(_:to:)``.
  public func append(_ entries: [[String: String]], to stream: StreamName) async throws {
    try StreamLimits.check(append: entries)
    var appended = 0
    for chunk in entries.chunks(of: Self.pipelineCommands) {
      let commands = chunk.map { fields in
        ["XADD", keys.argument(stream), "*"] + RedisStreamReplies.arguments(fields)
      }
      let replies = try await pipeline(commands)
      let refusals = replies.compactMap(\.error)
      if let refusal = refusals.first {
        let isNothingDone = appended == 0 && refusals.count == replies.count
        throw StreamError(
          code: .refused, outcome: isNothingDone ? .notDone : .unknown,
          message: "the server refused \(refusals.count) of \(replies.count) entries for \(stream) with \(refusal.word)"
        )
      }
      appended += replies.count
    }
  }

  /// Ends entries by XACK and XDEL in one transaction a stream, so that none is acknowledged and yet kept for ever; see
  /// ``StreamTransport/acknowledge(_:group:)``.
  public func acknowledge(_ entries: [StreamEntry], group: ConsumerGroup) async throws {
    try StreamLimits.check(acknowledge: entries)
    var commands: [[RedisArgument]] = []
    for (stream, ids) in RedisStreamReplies.idsByStream(entries) {
      for chunk in ids.chunks(of: Self.pipelineCommands) {
        let words = chunk.map { RedisArgument.text($0.description) }
        commands += [
          ["MULTI"],
          ["XACK", keys.argument(stream), .text(group.text)] + words,
          ["XDEL", keys.argument(stream)] + words,
          ["EXEC"],
        ]
      }
    }
    for reply in try await pipeline(commands) {
      if let refusal = reply.error ?? reply.array?.lazy.compactMap(\.error).first {
        throw StreamError(
          code: .refused, outcome: .unknown, message: "the server refused an acknowledgement with \(refusal.word)")
      }
    }
  }

  /// Moves an entry to the dead letters by one script; see ``StreamTransport/deadLetter(_:group:error:)``.
  public func deadLetter(_ entry: StreamEntry, group: ConsumerGroup, error: String) async throws {
    let fields = DeadLetterField.letter(for: entry, group: group, error: error)
    _ = try await send(
      ["EVAL", .text(DeadLetterScript.text), 2, keys.argument(entry.stream), keys.argument(entry.stream.deadLetters)]
        + [.text(group.text), .text(entry.id.description)] + RedisStreamReplies.arguments(fields))
  }

  /// Counts by XLEN; see ``StreamTransport/length(of:)``.
  public func length(of stream: StreamName) async throws -> Int {
    guard let length = try await send(["XLEN", keys.argument(stream)]).integer else {
      throw RedisStreamReplies.unexpected("XLEN", expected: "an integer")
    }
    return Int(length)
  }

  /// Reads by XRANGE; see ``StreamTransport/contents(of:atMost:)``.
  public func contents(of stream: StreamName, atMost count: Int) async throws -> [StreamEntry] {
    try StreamLimits.check(streams: [stream], count: count)
    let reply = try await send(["XRANGE", keys.argument(stream), "-", "+", "COUNT", .integer(count)])
    return try RedisStreamReplies.range(reply, stream: stream).map {
      StreamEntry(stream: stream, id: $0.id, fields: $0.fields ?? [:], deliveries: 0)
    }
  }
}

extension RedisStreams {
  /// Sends one command and speaks of errors in this module's words.
  func send(_ command: [RedisArgument]) async throws -> RedisValue {
    do throws(RedisError) {
      return try await client.send(command)
    } catch {
      throw Self.translated(error)
    }
  }

  /// Sends commands in one piece and speaks of errors in this module's words; refusals stay among the replies.
  func pipeline(_ commands: [[RedisArgument]]) async throws -> [RedisValue] {
    do throws(RedisError) {
      return try await client.pipeline(commands)
    } catch {
      throw Self.translated(error)
    }
  }

  /// The same error for callers who do not know Redis.
  static func translated(_ error: RedisError) -> any Error {
    if error.code == .cancelled { return CancellationError() }
    switch error.outcome {
    case .notSent:
      let code: StreamError.Code = error.code == .invalidCommand ? .invalidArgument : .unavailable
      return StreamError(code: code, outcome: .notDone, message: error.message)
    case .answered:
      return StreamError(code: .refused, outcome: .notDone, message: error.message)
    case .unknown:
      return StreamError(code: .unavailable, outcome: .unknown, message: error.message)
    }
  }
}

extension Array {
  /// The elements in order, in arrays of up to `size`.
  func chunks(of size: Int) -> [ArraySlice<Element>] {
    stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
  }
}
