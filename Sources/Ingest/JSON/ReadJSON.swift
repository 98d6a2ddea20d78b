/// Why bytes are no JSON text that this program reads.
struct MalformedJSON: Error, Equatable, CustomStringConvertible {
  /// Where, counted in bytes from 0; nil where it concerns the text as a whole.
  let offset: Int?
  /// What was found or expected there.
  let reason: String

  /// For the caller who sent it; repeats nothing of the text.
  var description: String { offset.map { "at byte \($0): \(reason)" } ?? reason }
}

/// Reads one JSON text strictly by RFC 8259: UTF-8 without a byte order mark, no comments, no trailing commas, no bare
/// control characters, no lone surrogates. What the RFC leaves open is refused: the same name twice in an object.
///
/// A pass over the bytes without recursion deeper than `depthMax`; nothing is kept of a text that is refused.
struct ReadJSON {
  /// How deep arrays and objects may lie in one another.
  static let depthMax = 32
  /// How many values a text may hold.
  static let valuesMax = 20_000
  /// The longest number, in characters.
  static let numberCharactersMax = 128

  private let bytes: [UInt8]
  private var offset = 0
  private var values = 0

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The value of a whole text.
  static func value(of bytes: [UInt8]) throws(MalformedJSON) -> JSONValue {
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw MalformedJSON(offset: nil, reason: "the text is not UTF-8")
    }
    var reader = ReadJSON(bytes)
    let value = try reader.value(depth: 0)
    reader.skipSpace()
    guard reader.offset == bytes.count else { throw reader.malformed("nothing more was expected") }
    return value
  }

  private mutating func value(depth: Int) throws(MalformedJSON) -> JSONValue {
    skipSpace()
    values += 1
    guard values <= ReadJSON.valuesMax else { throw malformed("more than \(ReadJSON.valuesMax) values") }
    guard let first = peek() else { throw malformed("the text ends where a value was expected") }
    switch first {
    case UInt8(ascii: "{"): return try object(depth: depth + 1)
    case UInt8(ascii: "["): return try array(depth: depth + 1)
    case UInt8(ascii: "\""): return .text(try text())
    case UInt8(ascii: "t"): return try word("true", .flag(true))
    case UInt8(ascii: "f"): return try word("false", .flag(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
    default: throw malformed("a value was expected")
    }
  }

  private mutating func object(depth: Int) throws(MalformedJSON) -> JSONValue {
    try enter(depth)
    var members: [JSONValue.Member] = []
    var names: Set<[UInt8]> = []
    skipSpace()
    if take(UInt8(ascii: "}")) { return .object([]) }
    while true {
      skipSpace()
      guard peek() == UInt8(ascii: "\"") else { throw malformed("a member's name in quotation marks was expected") }
      let start = offset
      let name = try text()
      guard names.insert(Array(name.utf8)).inserted else {
        throw MalformedJSON(offset: start, reason: "a name stands twice in one object")
      }
      skipSpace()
      guard take(UInt8(ascii: ":")) else { throw malformed("a colon was expected") }
      members.append(JSONValue.Member(name, try value(depth: depth)))
      skipSpace()
      if take(UInt8(ascii: "}")) { return .object(members) }
      guard take(UInt8(ascii: ",")) else { throw malformed("a comma or the object's end was expected") }
    }
  }

  private mutating func array(depth: Int) throws(MalformedJSON) -> JSONValue {
    try enter(depth)
    var items: [JSONValue] = []
    skipSpace()
    if take(UInt8(ascii: "]")) { return .array([]) }
    while true {
      items.append(try value(depth: depth))
      skipSpace()
      if take(UInt8(ascii: "]")) { return .array(items) }
      guard take(UInt8(ascii: ",")) else { throw malformed("a comma or the array's end was expected") }
    }
  }

  private mutating func enter(_ depth: Int) throws(MalformedJSON) {
    guard depth <= ReadJSON.depthMax else { throw malformed("more than \(ReadJSON.depthMax) levels") }
    offset += 1
  }

  private mutating func word(_ word: String, _ value: JSONValue) throws(MalformedJSON) -> JSONValue {
    guard bytes[offset...].starts(with: word.utf8) else { throw malformed("a value was expected") }
    offset += word.utf8.count
    return value
  }

  /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
  private mutating func number() throws(MalformedJSON) -> String {
    let start = offset
    _ = take(UInt8(ascii: "-"))
    if !take(UInt8(ascii: "0")) { try digits() }
    if take(UInt8(ascii: ".")) { try digits() }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try digits()
    }
    guard offset - start <= ReadJSON.numberCharactersMax else {
      throw MalformedJSON(
        offset: start, reason: "a number has more than \(ReadJSON.numberCharactersMax) characters")
    }
    return String(decoding: bytes[start..<offset], as: UTF8.self)
  }

  private mutating func digits() throws(MalformedJSON) {
    let start = offset
    while let digit = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) { offset += 1 }
    guard offset > start else { throw malformed("a digit was expected") }
  }

  private mutating func text() throws(MalformedJSON) -> String {
    offset += 1
    var plain: [UInt8] = []
    var start = offset
    while let byte = peek() {
      switch byte {
      case UInt8(ascii: "\""):
        plain.append(contentsOf: bytes[start..<offset])
        offset += 1
        return String(decoding: plain, as: UTF8.self)
      case UInt8(ascii: "\\"):
        plain.append(contentsOf: bytes[start..<offset])
        offset += 1
        plain.append(contentsOf: try escaped())
        start = offset
      case 0..<0x20: throw malformed("a control character stands bare in a text; it must be escaped")
      default: offset += 1
      }
    }
    throw malformed("the text ends inside quotation marks")
  }

  /// What stands behind a backslash, as UTF-8.
  private mutating func escaped() throws(MalformedJSON) -> [UInt8] {
    guard let letter = peek() else { throw malformed("the text ends inside an escape") }
    offset += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [letter]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0c]
    case UInt8(ascii: "n"): return [0x0a]
    case UInt8(ascii: "r"): return [0x0d]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"):
      guard let scalar = Unicode.Scalar(try escapedScalar()) else { throw malformed("a lone surrogate") }
      return UTF8.encode(scalar).map { Array($0) } ?? []
    default:
      offset -= 1
      throw malformed("there is no such escape")
    }
  }

  /// The four digits behind `\u`, and those of the second half where they are the first half of a pair.
  private mutating func escapedScalar() throws(MalformedJSON) -> UInt32 {
    let first = try fourHexDigits()
    guard (0xd800..<0xdc00).contains(first) else { return first }
    guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw malformed("a lone surrogate") }
    let second = try fourHexDigits()
    guard (0xdc00..<0xe000).contains(second) else { throw malformed("a lone surrogate") }
    return 0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)
  }

  private mutating func fourHexDigits() throws(MalformedJSON) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
        throw malformed("four hexadecimal digits were expected")
      }
      value = value << 4 | UInt32(digit)
      offset += 1
    }
    return value
  }

  private func peek() -> UInt8? { offset < bytes.count ? bytes[offset] : nil }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard peek() == byte else { return false }
    offset += 1
    return true
  }

  private mutating func skipSpace() {
    while let byte = peek(), byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { offset += 1 }
  }

  private func malformed(_ reason: String) -> MalformedJSON { MalformedJSON(offset: offset, reason: reason) }
}
