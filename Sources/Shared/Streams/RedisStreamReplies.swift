import Redis

/// All key names are built here.
struct RedisStreamKeys: Sendable {
  /// Put before the stream's name.
  let prefix: String

  /// The key of a stream as a word of a command.
  func argument(_ stream: StreamName) -> RedisArgument {
    .text(prefix + stream.text)
  }
}

/// Reads what the server answers to the commands on streams, and writes their fields.
enum RedisStreamReplies {
  /// An entry as it comes over the wire; without fields where it was deleted while pending.
  struct Entry {
    let stream: StreamName
    let id: StreamEntryID
    let fields: [String: String]?
  }

  /// The reply of XREADGROUP: `[[key, [[id, [name, value, …]], …]], …]`, or null where there is nothing.
  static func streams(
    _ reply: RedisValue, keys: RedisStreamKeys, asked: [StreamName]
  ) throws(StreamError) -> [(StreamName, [Entry])] {
    if reply == .null { return [] }
    guard let pairs = reply.array else { throw unexpected("XREADGROUP", expected: "an array of streams") }
    var result: [(StreamName, [Entry])] = []
    for pair in pairs {
      guard let parts = pair.array, parts.count == 2, let key = parts[0].text, let entries = parts[1].array,
        let stream = asked.first(where: { keys.prefix + $0.text == key })
      else { throw unexpected("XREADGROUP", expected: "pairs of a stream that was asked for and its entries") }
      result.append((stream, try self.entries(entries, stream: stream, command: "XREADGROUP")))
    }
    return result
  }

  /// The reply of XAUTOCLAIM: `[cursor, [[id, fields], …], [deleted id, …]]`.
  static func claimed(
    _ reply: RedisValue, stream: StreamName
  ) throws(StreamError) -> (cursor: String, entries: [Entry]) {
    guard let parts = reply.array, parts.count == 3, let cursor = parts[0].text, StreamEntryID(cursor) != nil,
      let entries = parts[1].array
    else { throw unexpected("XAUTOCLAIM", expected: "a cursor, entries and deleted ids, as of Redis 7") }
    return (cursor, try self.entries(entries, stream: stream, command: "XAUTOCLAIM"))
  }

  /// The reply of XPENDING for one id: `[[id, consumer, idle, deliveries]]`, or `[]` where it is not pending.
  ///
  /// Nil where the entry is not pending for `consumer`.
  static func deliveries(
    _ reply: RedisValue, of id: StreamEntryID, to consumer: ConsumerName
  ) throws(StreamError) -> Int? {
    if reply.error?.word == "NOGROUP" { return nil }
    guard let rows = reply.array else { throw unexpected("XPENDING", expected: "an array") }
    guard let row = rows.first else { return nil }
    guard let parts = row.array, parts.count == 4, parts[0].text == id.description, let holder = parts[1].text,
      let deliveries = parts[3].integer, deliveries > 0
    else { throw unexpected("XPENDING", expected: "id, consumer, idle time and deliveries") }
    return holder == consumer.text ? Int(deliveries) : nil
  }

  /// The fields of an entry as words, sorted by name so that equal entries are equal bytes.
  static func arguments(_ fields: [String: String]) -> [RedisArgument] {
    fields.sorted { $0.key < $1.key }.flatMap { [.text($0.key), .text($0.value)] }
  }

  /// The ids of entries by stream, streams and ids in the order they come.
  static func idsByStream(_ entries: [StreamEntry]) -> [(StreamName, [StreamEntryID])] {
    var order: [StreamName] = []
    var ids: [StreamName: [StreamEntryID]] = [:]
    for entry in entries {
      if ids[entry.stream] == nil { order.append(entry.stream) }
      ids[entry.stream, default: []].append(entry.id)
    }
    return order.map { ($0, ids[$0] ?? []) }
  }

  /// The error of a reply that has another shape than the protocol says.
  static func unexpected(_ command: String, expected: String) -> StreamError {
    StreamError(
      code: .unexpectedReply, outcome: .unknown,
      message: "the server's answer to \(command) is not \(expected): is it Redis 7 or later?")
  }

  /// Entries of a reply to `command`, each an id and its fields.
  static func entries(
    _ values: [RedisValue], stream: StreamName, command: String
  ) throws(StreamError) -> [Entry] {
    var result: [Entry] = []
    result.reserveCapacity(values.count)
    for value in values {
      guard let parts = value.array, parts.count == 2, let id = parts[0].text.flatMap({ StreamEntryID($0) }) else {
        throw unexpected(command, expected: "entries of an id and fields")
      }
      result.append(Entry(stream: stream, id: id, fields: try fields(parts[1], command: command)))
    }
    return result
  }

  /// Names and values in turn. Bytes that are no UTF-8 are replaced: whoever reads the entry finds no such row, and
  /// one broken entry must not stop the stream.
  private static func fields(_ value: RedisValue, command: String) throws(StreamError) -> [String: String]? {
    if value == .null { return nil }
    guard let words = value.array, words.count.isMultiple(of: 2) else {
      throw unexpected(command, expected: "fields as names and values")
    }
    var fields: [String: String] = [:]
    for index in stride(from: 0, to: words.count, by: 2) {
      guard case .bulk(let name) = words[index], case .bulk(let value) = words[index + 1] else {
        throw unexpected(command, expected: "fields as names and values")
      }
      fields[String(decoding: name, as: UTF8.self)] = String(decoding: value, as: UTF8.self)
    }
    return fields
  }
}
