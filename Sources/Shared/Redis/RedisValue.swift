/// One reply of a Redis server, in the shapes of RESP2.
///
/// - Source: Redis serialization protocol specification, version 2.
public enum RedisValue: Hashable, Sendable {
  /// Nothing: a null bulk string or a null array.
  case null
  /// A signed 64-bit integer.
  case integer(Int64)
  /// A short line from the server itself, such as `OK` or `QUEUED`.
  case status(String)
  /// A binary-safe string.
  case bulk([UInt8])
  /// Replies in order; up to eight levels deep, which is what the parser takes.
  case array([RedisValue])
  /// The server refused a command: the whole reply, one of a pipeline, or one inside a transaction's array.
  case error(RedisServerError)

  /// The text of a status or of a bulk string that is valid UTF-8; nil for everything else.
  public var text: String? {
    switch self {
    case .status(let text): text
    case .bulk(let bytes): String(validating: bytes, as: UTF8.self)
    case .null, .integer, .array, .error: nil
    }
  }

  /// The number of an integer reply; nil for everything else.
  public var integer: Int64? {
    if case .integer(let number) = self { number } else { nil }
  }

  /// The elements of an array; nil for everything else, a null array included.
  public var array: [RedisValue]? {
    if case .array(let elements) = self { elements } else { nil }
  }

  /// The refusal; nil for everything else.
  public var error: RedisServerError? {
    if case .error(let error) = self { error } else { nil }
  }
}

/// A refusal in the server's own words.
public struct RedisServerError: Hashable, Sendable, CustomStringConvertible {
  /// The whole line, cut to ``maximumBytes``. It may repeat parts of the command, so a log is no place for it where
  /// commands carry secrets.
  public let text: String
  /// The code word at its beginning, such as `WRONGTYPE`, `NOGROUP`, `OOM`, `BUSYGROUP`; `ERR` where there is none.
  public let word: String

  /// How much of a server's line is kept.
  public static let maximumBytes = 512

  /// A refusal from the line after the minus sign.
  public init(text: String) {
    self.text =
      text.utf8.count <= Self.maximumBytes ? text : String(decoding: text.utf8.prefix(Self.maximumBytes), as: UTF8.self)
    let first = text.prefix { $0 != " " }
    let isWord = !first.isEmpty && first.utf8.allSatisfy { (0x41...0x5a).contains($0) || $0 == 0x5f }
    word = isWord ? String(first) : "ERR"
  }

  /// The server's line.
  public var description: String { text }
}
