import Payouts

/// Whose pages may read answers in a browser (CORS): `CORS_ALLOWED_ORIGINS`, by default nobody's.
///
/// - Shape: origins as browsers send them, separated by commas: `https://` and a host in lower case, and its port where that is
///   not 443; or `http://` and localhost, 127.0.0.1 or [::1]. Nothing follows.
struct AllowedOrigins: Sendable {
  /// What is said to be expected, of a wrong one.
  static let expected = "origins such as https://pay.example, separated by commas"
  /// The most origins.
  static let originsMax = 100

  private let origins: [String]

  /// Nobody.
  init() { origins = [] }

  /// Reads the setting.
  init(_ text: String) throws(MalformedValue) {
    var origins: [String] = []
    for item in text.split(separator: ",", omittingEmptySubsequences: false) {
      let origin = String(item.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
      try Self.check(origin)
      guard !origins.contains(origin) else { throw Self.malformed("it names \(origin) twice") }
      origins.append(origin)
    }
    guard origins.count <= Self.originsMax else { throw Self.malformed("it names more than \(Self.originsMax)") }
    self.origins = origins
  }

  /// Whether nobody is allowed, so that answers do not depend on who asks.
  var areNone: Bool { origins.isEmpty }

  /// Whether this is one of them, byte for byte.
  func contains(_ origin: String) -> Bool { origins.contains { $0.utf8.elementsEqual(origin.utf8) } }

  private static func check(_ origin: String) throws(MalformedValue) {
    guard !origin.contains("*") else {
      throw malformed("* would let any page that a caller opens read what his credentials show: name each origin")
    }
    let isSecure = origin.hasPrefix("https://")
    guard isSecure || origin.hasPrefix("http://") else { throw malformed("an origin begins with https://") }
    let authority = origin.dropFirst(isSecure ? 8 : 7)
    guard !authority.contains(where: { "/?#@".contains($0) }) else {
      throw malformed("an origin ends after its host and port: nothing follows, not even a slash")
    }
    let colon = authority.lastIndex(of: ":").flatMap { authority[$0...].contains("]") ? nil : $0 }
    let host = authority[..<(colon ?? authority.endIndex)]
    guard isHost(host) else { throw malformed("an origin names a host, in lower case") }
    if let colon { try checkPort(authority[authority.index(after: colon)...], usual: isSecure ? 443 : 80) }
    guard isSecure || ["localhost", "127.0.0.1", "[::1]"].contains(host) else {
      throw malformed("http:// is for pages of this machine alone: localhost, 127.0.0.1, [::1]")
    }
  }

  private static func isHost(_ host: Substring) -> Bool {
    let bytes = Array(host.utf8)
    let isDigit: (UInt8) -> Bool = { (0x30...0x39).contains($0) }
    if host.hasPrefix("["), host.hasSuffix("]"), bytes.count > 3 {
      return bytes.dropFirst().dropLast().allSatisfy {
        isDigit($0) || (0x61...0x66).contains($0) || $0 == UInt8(ascii: ":")
      }
    }
    return (1...253).contains(bytes.count)
      && bytes.allSatisfy {
        isDigit($0) || (0x61...0x7a).contains($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
      }
      && !host.hasPrefix(".")
  }

  private static func checkPort(_ text: Substring, usual: UInt16) throws(MalformedValue) {
    guard let port = UInt16(text), port > 0, text == "\(port)" else { throw malformed("a port is 1 to 65535") }
    guard port != usual else { throw malformed("browsers leave the usual port \(usual) out: do so, too") }
  }

  private static func malformed(_ reason: String) -> MalformedValue { MalformedValue("origins", reason) }
}
