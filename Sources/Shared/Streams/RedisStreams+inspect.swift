import Redis

/// How full a stream is, for whoever looks after it.
public struct StreamDepth: Sendable, Hashable {
  /// The stream.
  public let stream: StreamName
  /// The group that reads it.
  public let group: ConsumerGroup
  /// How many entries it holds: those that wait and those that are pending.
  public let length: Int
  /// How many of them were delivered and not acknowledged yet.
  public let pending: Int
  /// How long ago the server took the oldest one, by its own clock, in milliseconds; nil for an empty stream.
  public let oldestAgeMilliseconds: Int64?
  /// How many entries were given up.
  public let deadLetters: Int
}

/// An entry that was given up after too many deliveries.
public struct DeadLetter: Sendable, Hashable {
  /// The stream it came from.
  public let stream: StreamName
  /// Its place among the dead letters of that stream; its milliseconds are when it was given up, by the server's clock.
  public let id: StreamEntryID
  /// Its fields as they were, without those of ``DeadLetterField``.
  public let fields: [String: String]
  /// Why it was given up.
  public let error: String?
  /// The group that gave it up.
  public let group: String?
  /// How often it had been delivered.
  public let deliveries: Int?
}

/// What came of putting a dead letter back.
public enum DeadLetterRetry: Sendable, Hashable {
  /// It waits on its stream again, and is no dead letter any more.
  case putBack
  /// There is no such letter: it was put back before, or never was.
  case unknown
  /// It carries nothing but why it was given up, so that there is nothing to put back.
  case empty
}

extension StreamName {
  /// Every stream with the group of the stage that reads it, in the order of a payout's way.
  public static let stages: [(stream: StreamName, group: ConsumerGroup)] = [
    (.payoutsImmediate, .scheduler), (.payoutsHourly, .scheduler), (.payoutsDaily, .scheduler),
    (.payoutsWeekly, .scheduler), (.batchesReady, .signer), (.transactionsSent, .monitor),
  ]
}

/// Looking after streams, as an operator does; no worker needs it.
extension RedisStreams {
  /// How full streams are, in the order they are given. A missing stream or group counts as empty. Changes nothing.
  public func depths(of stages: [(stream: StreamName, group: ConsumerGroup)]) async throws -> [StreamDepth] {
    let perStage = 4
    let commands = stages.flatMap { stage -> [[RedisArgument]] in
      let key = keys.argument(stage.stream)
      return [
        ["XLEN", key], ["XPENDING", key, .text(stage.group.text)], ["XRANGE", key, "-", "+", "COUNT", 1],
        ["XLEN", keys.argument(stage.stream.deadLetters)],
      ]
    }
    let replies = try await pipeline(commands + [["TIME"]])
    guard replies.count == stages.count * perStage + 1, let now = RedisStreamReplies.milliseconds(replies.last) else {
      throw RedisStreamReplies.unexpected("TIME", expected: "seconds and microseconds")
    }
    return try stages.enumerated().map { index, stage in
      let own = replies[(index * perStage)..<((index + 1) * perStage)].map { $0 }
      let oldest = try RedisStreamReplies.range(own[2], stream: stage.stream).first?.id
      return StreamDepth(
        stream: stage.stream, group: stage.group, length: try RedisStreamReplies.length(own[0]),
        pending: try RedisStreamReplies.pendingCount(own[1]),
        oldestAgeMilliseconds: oldest.map { max(0, now - Int64(clamping: $0.milliseconds)) },
        deadLetters: try RedisStreamReplies.length(own[3]))
    }
  }

  /// The dead letters of a stream, the oldest first. Changes nothing.
  public func deadLetters(of stream: StreamName, atMost count: Int) async throws -> [DeadLetter] {
    try StreamLimits.check(streams: [stream], count: count)
    let reply = try await send(["XRANGE", keys.argument(stream.deadLetters), "-", "+", "COUNT", .integer(count)])
    return try RedisStreamReplies.range(reply, stream: stream).map { entry in
      let fields = entry.fields ?? [:]
      return DeadLetter(
        stream: stream, id: entry.id, fields: fields.filter { !$0.key.hasPrefix(DeadLetterField.prefix) },
        error: fields[DeadLetterField.error], group: fields[DeadLetterField.group],
        deliveries: fields[DeadLetterField.deliveries].flatMap { Int($0) })
    }
  }

  /// Puts a dead letter back on its stream, in one atomic step of the server: a crash leaves it in one of the two places,
  /// and never in none.
  ///
  /// After an error with the outcome `unknown`, calling again is safe: `unknown` is returned where it was put back.
  public func retry(_ id: StreamEntryID, deadLetterOf stream: StreamName) async throws -> DeadLetterRetry {
    let reply = try await send([
      "EVAL", .text(DeadLetterRetryScript.text), 2, keys.argument(stream), keys.argument(stream.deadLetters),
      .text(id.description), .text(DeadLetterField.prefix),
    ])
    switch reply.integer {
    case 1: return .putBack
    case 0: return .unknown
    case -1: return .empty
    default: throw RedisStreamReplies.unexpected("EVAL", expected: "1, 0 or -1")
    }
  }
}

/// Puts one dead letter back on its stream, in one atomic step of the server.
///
/// - KEYS: 1 the stream, 2 its stream of dead letters.
/// - ARGV: 1 the letter's id, 2 the beginning of the names of the letter's own fields, which are left behind.
/// - Returns: 1 where it was put back, 0 where there is no such letter, -1 where it has no other fields.
/// - The entry is written first: where that fails (no memory, another type under that key) the letter stays.
private enum DeadLetterRetryScript {
  static let text = """
    local letters = redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1])
    if #letters == 0 then return 0 end
    local fields = letters[1][2]
    local kept = {}
    for index = 1, #fields, 2 do
      if string.sub(fields[index], 1, #ARGV[2]) ~= ARGV[2] then
        kept[#kept + 1] = fields[index]
        kept[#kept + 1] = fields[index + 1]
      end
    end
    if #kept == 0 then return -1 end
    redis.call('XADD', KEYS[1], '*', unpack(kept))
    redis.call('XDEL', KEYS[2], ARGV[1])
    return 1
    """
}

extension RedisStreamReplies {
  /// The reply of XRANGE: `[[id, [name, value, …]], …]`.
  static func range(_ reply: RedisValue, stream: StreamName) throws -> [Entry] {
    try refuse(reply)
    guard let values = reply.array else { throw unexpected("XRANGE", expected: "an array of entries") }
    return try entries(values, stream: stream, command: "XRANGE")
  }

  /// The reply of XLEN.
  static func length(_ reply: RedisValue) throws -> Int {
    try refuse(reply)
    guard let length = reply.integer else { throw unexpected("XLEN", expected: "an integer") }
    return Int(length)
  }

  /// The first number of XPENDING's summary; 0 where the stream or the group is missing.
  fileprivate static func pendingCount(_ reply: RedisValue) throws -> Int {
    if reply.error?.word == "NOGROUP" { return 0 }
    try refuse(reply)
    guard let count = reply.array?.first?.integer else {
      throw unexpected("XPENDING", expected: "a summary that begins with a count")
    }
    return Int(count)
  }

  /// The reply of TIME, in Unix milliseconds.
  static func milliseconds(_ reply: RedisValue?) -> Int64? {
    guard let parts = reply?.array, parts.count == 2, let seconds = parts[0].text.flatMap({ Int64($0) }),
      let microseconds = parts[1].text.flatMap({ Int64($0) })
    else { return nil }
    return seconds * 1_000 + microseconds / 1_000
  }

  private static func refuse(_ reply: RedisValue) throws(StreamError) {
    guard let refusal = reply.error else { return }
    throw StreamError(
      code: .refused, outcome: .notDone, message: "the server refused to tell of a stream with \(refusal.word)")
  }
}
