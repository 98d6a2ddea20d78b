/// Text that is not JSON.
struct JSONError: Error, Equatable {
  /// What was wrong and where, in a sentence.
  let reason: String
}

/// Reads JSON text (RFC 8259) into ``JSON``, without ever making a binary fraction of a number.
struct JSONParser {
  /// How deep arrays and objects may be nested.
  private static let depthMax = 64

  private let bytes: UnsafeBufferPointer<UInt8>
  private var position = 0
  private var depth = 0

  /// The value that `bytes` spell.
  static func parse(_ bytes: Bytes) throws(JSONError) -> JSON {
    let result = bytes.withUnsafeBufferPointer { buffer -> Result<JSON, JSONError> in
      var parser = JSONParser(bytes: buffer)
      return Result { () throws(JSONError) in try parser.document() }
    }
    return try result.get()
  }

  private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  private mutating func document() throws(JSONError) -> JSON {
    let value = try value()
    skipSpace()
    guard position == bytes.count else { throw unexpected("the end") }
    return value
  }

  private mutating func value() throws(JSONError) -> JSON {
    skipSpace()
    switch peek {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    default: return try number()
    }
  }

  private mutating func object() throws(JSONError) -> JSON {
    try enter()
    var object = JSONObject()
    if take(UInt8(ascii: "}")) { return leave(.object(object)) }
    while true {
      skipSpace()
      guard peek == UInt8(ascii: "\"") else { throw unexpected("a field's name") }
      let name = try string()
      guard take(UInt8(ascii: ":")) else { throw unexpected("':'") }
      object.set(name, try value())
      if take(UInt8(ascii: "}")) { return leave(.object(object)) }
      guard take(UInt8(ascii: ",")) else { throw unexpected("',' or '}'") }
    }
  }

  private mutating func array() throws(JSONError) -> JSON {
    try enter()
    var elements: [JSON] = []
    if take(UInt8(ascii: "]")) { return leave(.array(elements)) }
    while true {
      elements.append(try value())
      if take(UInt8(ascii: "]")) { return leave(.array(elements)) }
      guard take(UInt8(ascii: ",")) else { throw unexpected("',' or ']'") }
    }
  }

  private mutating func enter() throws(JSONError) {
    position += 1
    depth += 1
    guard depth <= Self.depthMax else { throw JSONError(reason: "nested deeper than \(Self.depthMax)") }
  }

  private mutating func leave(_ value: JSON) -> JSON {
    depth -= 1
    return value
  }

  private mutating func literal(_ text: StaticString, _ value: JSON) throws(JSONError) -> JSON {
    for index in 0..<text.utf8CodeUnitCount {
      guard peek == text.utf8Start[index] else { throw unexpected("a value") }
      position += 1
    }
    return value
  }

  private mutating func number() throws(JSONError) -> JSON {
    let start = position
    var isInteger = true
    scan: while let byte = peek {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): break
      case UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"): isInteger = false
      default: break scan
      }
      position += 1
    }
    guard position > start else { throw unexpected("a value") }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let integer = Int64(text) { return .integer(integer) }
    guard let first = text.utf8.last, first >= 48, first <= 57 else { throw unexpected("a number") }
    return .otherNumber(text)
  }

  private mutating func string() throws(JSONError) -> String {
    position += 1
    let start = position
    while position < bytes.count {
      let byte = bytes[position]
      if byte == 0x22 {
        defer { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
      }
      if byte == 0x5c { return try escapedString(from: start) }
      guard byte >= 0x20 else { throw unexpected("no control character in a text") }
      position &+= 1
    }
    throw unexpected("'\"'")
  }

  /// The rest of a text in which a backslash was met.
  private mutating func escapedString(from start: Int) throws(JSONError) -> String {
    var text = Bytes(bytes[start..<position])
    while let byte = peek {
      position += 1
      switch byte {
      case 0x22: return String(decoding: text, as: UTF8.self)
      case 0x5c: text += try escape().utf8
      case 0..<0x20: throw unexpected("no control character in a text")
      default: text.append(byte)
      }
    }
    throw unexpected("'\"'")
  }

  private mutating func escape() throws(JSONError) -> String {
    guard let byte = peek else { throw unexpected("an escape") }
    position += 1
    switch byte {
    case 0x22, 0x5c, UInt8(ascii: "/"): return String(UnicodeScalar(byte))
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      var units = [try codeUnit()]
      if UTF16.isLeadSurrogate(units[0]), peek == 0x5c {
        position += 1
        guard take(UInt8(ascii: "u")) else { throw unexpected("a low surrogate") }
        units.append(try codeUnit())
      }
      return String(decoding: units, as: UTF16.self)
    default: throw unexpected("an escape")
    }
  }

  private mutating func codeUnit() throws(JSONError) -> UInt16 {
    guard bytes.count - position >= 4,
      let unit = UInt16(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
    else { throw unexpected("four hex digits") }
    position += 4
    return unit
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position &+= 1 }
  }

  /// Skips space and then `byte`, if it is next.
  private mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard peek == byte else { return false }
    position += 1
    return true
  }

  private func unexpected(_ expected: String) -> JSONError {
    JSONError(reason: "syntax error, pos \(position): expected \(expected)")
  }
}
