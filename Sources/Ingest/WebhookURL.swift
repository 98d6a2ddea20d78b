import Payouts

/// Checks that a text is an absolute http or https URL that can stand in a request line (RFC 3986, RFC 9110 §4.2).
///
/// Whether its host may be called is asked when it is called: names and networks change.
enum WebhookURL {
  /// The text, where it is such a URL.
  /// - Throws: `MalformedValue` with what is wrong.
  static func checked(_ text: String) throws(MalformedValue) -> String {
    func malformed(_ reason: String) -> MalformedValue { MalformedValue("URL", reason) }
    guard text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }), !text.contains(where: { "\"<>\\^`{|}".contains($0) })
    else { throw malformed("holds a character that must be percent-encoded in a URL") }
    guard let scheme = text.firstRange(of: "://") else { throw malformed("must be an absolute http or https URL") }
    guard ["http", "https"].contains(text[..<scheme.lowerBound].lowercased()) else {
      throw malformed("must begin with http:// or https://")
    }
    guard !text.contains("#") else { throw malformed("must not have a fragment") }
    let rest = text[scheme.upperBound...]
    let authority = rest[..<(rest.firstIndex { "/?".contains($0) } ?? rest.endIndex)]
    guard !authority.contains("@") else { throw malformed("must not carry a user or password") }
    try checkHost(authority)
    return text
  }

  private static func checkHost(_ authority: Substring) throws(MalformedValue) {
    let isBracketed = authority.hasPrefix("[")
    let hostEnd =
      isBracketed
      ? authority.firstIndex(of: "]").map { authority.index(after: $0) } ?? authority.startIndex
      : authority.firstIndex(of: ":") ?? authority.endIndex
    let host = authority[..<hostEnd]
    let isHost =
      isBracketed
      ? host.count > 2 && host.dropFirst().dropLast().allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." }
      : (1...253).contains(host.count) && host.allSatisfy { $0.isLetter || $0.isNumber || "-._".contains($0) }
        && !host.hasPrefix(".")
    guard isHost else { throw MalformedValue("URL", "must name a host") }
    let port = authority[hostEnd...]
    guard port.isEmpty || port.first == ":" && UInt16(port.dropFirst()).map({ $0 > 0 }) ?? false,
      port.dropFirst().allSatisfy(\.isNumber)
    else { throw MalformedValue("URL", "has a port outside 1 to 65535") }
  }
}
