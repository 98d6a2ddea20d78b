/// A JSON value to be written (RFC 8259), for log lines, health reports and webhooks.
///
/// Fields stay in the given order. Foundation's encoder is not used here: a log line is written thousands of times a
/// second, and its keys are known only when it is written.
public enum JSON: CustomStringConvertible, Sendable {
  /// `null`.
  case null
  /// A string.
  case text(String)
  /// A number.
  case integer(Int64)
  /// `true` or `false`.
  case flag(Bool)
  /// A list.
  case array([JSON])
  /// Fields in order; the caller gives each name once.
  case object([(String, JSON)])

  /// The value on one line.
  public var description: String {
    String(decoding: utf8, as: UTF8.self)
  }

  /// The value on one line, without spaces, in UTF-8. Equal values are equal bytes.
  public var utf8: [UInt8] {
    var bytes: [UInt8] = []
    append(to: &bytes)
    return bytes
  }

  /// Writes the value as UTF-8, without any line break.
  func append(to bytes: inout [UInt8]) {
    switch self {
    case .null: bytes.append(contentsOf: "null".utf8)
    case .text(let text): JSON.append(text, to: &bytes)
    case .integer(let number): bytes.append(contentsOf: String(number).utf8)
    case .flag(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
    case .array(let items):
      bytes.append(UInt8(ascii: "["))
      for (index, item) in items.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        item.append(to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .object(let fields):
      bytes.append(UInt8(ascii: "{"))
      for (index, field) in fields.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        JSON.append(field.0, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        field.1.append(to: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  /// Quotation mark, backslash and everything below U+0020 must be escaped (RFC 8259 §7). DEL, U+2028 and U+2029 are
  /// escaped as well, since terminals and line-based readers may act on them.
  private static func append(_ text: String, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": bytes.append(contentsOf: "\\\"".utf8)
      case "\\": bytes.append(contentsOf: "\\\\".utf8)
      case "\n": bytes.append(contentsOf: "\\n".utf8)
      case "\r": bytes.append(contentsOf: "\\r".utf8)
      case "\t": bytes.append(contentsOf: "\\t".utf8)
      case "\u{0}"..<" ", "\u{7f}"..."\u{9f}", "\u{2028}", "\u{2029}":
        let digits = String(scalar.value, radix: 16)
        bytes.append(contentsOf: "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8)
      default: bytes.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
