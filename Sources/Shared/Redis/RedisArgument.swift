import NIOCore

/// One word of a command: its name, a key, an option, a value. Binary-safe.
public enum RedisArgument: Hashable, Sendable, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral {
  /// Text, sent as UTF-8.
  case text(String)
  /// A number, sent in decimal.
  case integer(Int)
  /// Bytes as they are.
  case bytes([UInt8])

  /// Text.
  public init(stringLiteral text: String) {
    self = .text(text)
  }

  /// A number.
  public init(integerLiteral number: Int) {
    self = .integer(number)
  }
}

/// Writes commands in the form the server reads: an array of bulk strings.
///
/// - Source: Redis serialization protocol specification, "Sending commands to a Redis server".
enum RedisCommandEncoder {
  /// Appends one command; `command` has at least one word, which the client has checked.
  static func encode(_ command: [RedisArgument], into buffer: inout ByteBuffer) {
    writeCount("*", command.count, into: &buffer)
    for argument in command {
      switch argument {
      case .text(let text):
        writeCount("$", text.utf8.count, into: &buffer)
        buffer.writeString(text)
      case .integer(let number):
        let text = String(number)
        writeCount("$", text.utf8.count, into: &buffer)
        buffer.writeString(text)
      case .bytes(let bytes):
        writeCount("$", bytes.count, into: &buffer)
        buffer.writeBytes(bytes)
      }
      buffer.writeStaticString("\r\n")
    }
  }

  private static func writeCount(_ mark: StaticString, _ count: Int, into buffer: inout ByteBuffer) {
    buffer.writeStaticString(mark)
    buffer.writeString(String(count))
    buffer.writeStaticString("\r\n")
  }
}
