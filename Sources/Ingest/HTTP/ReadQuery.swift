/// Reads a URL's query (RFC 3986 §3.4) as forms write it: names and values percent-encoded, a plus sign for a space.
///
/// As strict as with a body: a name twice, or bytes that are no UTF-8, are refused, and unknown names are noted by
/// ``RequestFields/refuseUnknownFields()``.
enum ReadQuery {
  /// The parameters of a query; none where there is no query.
  /// - Throws: `Problem` of kind `malformedQuery`.
  static func fields(_ query: Substring?) throws(Problem) -> RequestFields {
    var members: [JSONValue.Member] = []
    var names: Set<String> = []
    for pair in (query ?? "").utf8.split(separator: UInt8(ascii: "&")) {
      let end = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
      let value = pair[end...].dropFirst()
      guard let name = decoded(pair[..<end]), let value = decoded(value) else {
        throw Problem(.malformedQuery, "The query must be percent-encoded UTF-8, as in name=value&name=value.")
      }
      guard names.insert(name).inserted else {
        throw Problem(.malformedQuery, "The query names one parameter twice.")
      }
      members.append(.init(name, .text(value)))
    }
    return RequestFields(members)
  }

  /// Percent-encoded bytes as text; nil where they are none, or no UTF-8.
  /// - Parameter plus: what a plus sign stands for; in paths it is itself (RFC 3986 §3.3).
  static func decoded(_ bytes: some Sequence<UInt8>, plus: UInt8 = UInt8(ascii: " ")) -> String? {
    var decoded: [UInt8] = []
    var rest = bytes.makeIterator()
    while let byte = rest.next() {
      switch byte {
      case UInt8(ascii: "+"): decoded.append(plus)
      case UInt8(ascii: "%"):
        guard let high = rest.next().flatMap(digit), let low = rest.next().flatMap(digit) else { return nil }
        decoded.append(high << 4 | low)
      default: decoded.append(byte)
      }
    }
    return String(validating: decoded, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
