/// A JSON value whose numbers are 64-bit integers: nothing a node says needs another, and money never passes through
/// a binary fraction.
indirect enum JSON: Equatable, Sendable {
  case null
  case bool(Bool)
  case integer(Int64)
  /// A number with a fraction or exponent, or beyond 64 bits, as it was written.
  case otherNumber(String)
  case string(String)
  case array([JSON])
  case object(JSONObject)

  /// A field of an object, or nil.
  subscript(name: String) -> JSON? {
    guard case .object(let object) = self else { return nil }
    return object[name]
  }

  /// The text in one line, without spaces.
  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// The text's UTF-8.
  var bytes: Bytes {
    var writer = JSONWriter()
    writer.write(self)
    return writer.bytes
  }
}

/// The fields of an object, in the order they were set.
struct JSONObject: Equatable, Sendable, ExpressibleByDictionaryLiteral {
  private(set) var fields: [(name: String, value: JSON)] = []

  /// An object without fields: `{}`.
  init() {}

  /// The fields of a literal, in its order.
  init(dictionaryLiteral elements: (String, JSON)...) {
    fields = elements.map { (name: $0.0, value: $0.1) }
  }

  /// The last field of this name: where a name comes twice, the later one counts.
  subscript(name: String) -> JSON? { fields.last { $0.name == name }?.value }

  /// Adds a field.
  mutating func set(_ name: String, _ value: JSON) { fields.append((name: name, value: value)) }

  /// Adds a text, unless it is empty: a node does not print default values (tron-protocol.md §4.1).
  mutating func set(_ name: String, text: String) {
    if !text.isEmpty { set(name, .string(text)) }
  }

  /// Adds bytes in hex, unless they are empty.
  mutating func set(_ name: String, hex: Bytes) {
    if !hex.isEmpty { set(name, .string(Hex.encode(hex))) }
  }

  /// Adds a number, unless it is zero.
  mutating func set(_ name: String, integer: Int64) {
    if integer != 0 { set(name, .integer(integer)) }
  }

  /// Adds a list, unless it is empty.
  mutating func set(_ name: String, list: [JSON]) {
    if !list.isEmpty { set(name, .array(list)) }
  }

  /// Whether both have the same fields in the same order.
  static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.fields.elementsEqual(right.fields) { $0.name == $1.name && $0.value == $1.value }
  }
}

/// Writes JSON text.
private struct JSONWriter {
  var bytes: Bytes = []

  /// Appends the text of `value`.
  mutating func write(_ value: JSON) {
    switch value {
    case .null: bytes += "null".utf8
    case .bool(let value): bytes += (value ? "true" : "false").utf8
    case .integer(let value): bytes += String(value).utf8
    case .otherNumber(let text): bytes += text.utf8
    case .string(let text): write(text)
    case .array(let elements):
      bytes.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        write(element)
      }
      bytes.append(UInt8(ascii: "]"))
    case .object(let object):
      bytes.append(UInt8(ascii: "{"))
      for (index, field) in object.fields.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        write(field.name)
        bytes.append(UInt8(ascii: ":"))
        write(field.value)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  /// Writes a text in quotation marks; runs of characters that need no escape are copied as a whole.
  private mutating func write(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    var text = text
    text.withUTF8 { utf8 in
      var start = 0
      for index in 0..<utf8.count {
        let byte = utf8[index]
        if byte >= 0x20 && byte != 0x22 && byte != 0x5c { continue }
        bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<index]))
        writeEscape(byte)
        start = index &+ 1
      }
      bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start...]))
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func writeEscape(_ byte: UInt8) {
    bytes.append(0x5c)
    switch byte {
    case 0x22, 0x5c: bytes.append(byte)
    case 0x0a: bytes.append(UInt8(ascii: "n"))
    case 0x0d: bytes.append(UInt8(ascii: "r"))
    case 0x09: bytes.append(UInt8(ascii: "t"))
    default: bytes += "u00\(Hex.encode([byte]))".utf8
    }
  }
}
