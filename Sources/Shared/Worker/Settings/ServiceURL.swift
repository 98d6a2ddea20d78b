public import Payouts

/// The address of a server, as an operator gives it: `postgresql://payouts:…@db:5432/payouts`.
///
/// Such text may carry a password, an API key in its path or parameters. So it prints as scheme, hosts and ports
/// alone, and the whole of it is read only inside a closure.
public struct ServiceURL: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible,
  CustomReflectable
{
  /// Which servers a setting may name.
  public enum Kind: Sendable {
    /// `http` or `https`: a base to which paths are appended. No credentials, parameters or fragment.
    case http
    /// `http` or `https`: called exactly as it is, parameters included, which may hold a token. No credentials or fragment.
    case endpoint
    /// `postgresql` or `postgres` (libpq's connection URI, PostgreSQL manual 34.1.1.2): several hosts are possible,
    /// and none where a parameter names a socket's folder.
    case postgres
    /// `redis` or `rediss` (TLS): one host.
    case redis
    /// `socks5` or `socks5h`: one host and its port.
    case socks

    /// The schemes, the usual one first.
    var schemes: [String] {
      switch self {
      case .http, .endpoint: ["http", "https"]
      case .postgres: ["postgresql", "postgres"]
      case .redis: ["redis", "rediss"]
      case .socks: ["socks5", "socks5h"]
      }
    }

    /// What a problem's text calls it.
    var expected: String {
      switch self {
      case .http: "an http or https URL such as http://127.0.0.1:8090"
      case .endpoint: "an http or https URL such as https://alarms.example/hook"
      case .postgres: "a PostgreSQL URL such as postgresql://user:password@host:5432/database"
      case .redis: "a Redis URL such as redis://127.0.0.1:6379"
      case .socks: "a SOCKS proxy such as socks5://127.0.0.1:9050"
      }
    }
  }

  /// A host and, where given, its port.
  public struct Host: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address; an IPv6 address without its brackets.
    public let name: String
    /// 1 to 65535, nil for the service's usual one.
    public let port: Int?

    /// `name:port`, an IPv6 address in brackets.
    public var description: String {
      let shown = name.utf8.contains(UInt8(ascii: ":")) ? "[\(name)]" : name
      return port.map { "\(shown):\($0)" } ?? shown
    }
  }

  /// Lower case.
  public let scheme: String
  /// In the given order; empty only for PostgreSQL over a socket.
  public let hosts: [Host]
  private let text: String

  /// Reads a URL of that kind.
  /// - Throws: `MalformedValue` whose reason never repeats the text.
  public init(_ text: String, kind: Kind) throws(MalformedValue) {
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      throw MalformedValue("URL", "holds a space or a character that must be percent-encoded")
    }
    guard let colon = text.firstRange(of: "://") else { throw MalformedValue("URL", "has no scheme") }
    let scheme = text[..<colon.lowerBound].lowercased()
    guard kind.schemes.contains(scheme) else {
      throw MalformedValue("URL", "has another scheme than \(kind.schemes.joined(separator: " or "))")
    }
    let rest = text[colon.upperBound...]
    let authorityEnd = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
    let authority = rest[..<authorityEnd]
    let credentialsEnd = authority.lastIndex(of: "@")
    let hosts = try ServiceURL.hosts(credentialsEnd.map { authority[authority.index(after: $0)...] } ?? authority)
    try ServiceURL.check(hosts, kind: kind)
    var kept = text
    if kind == .http || kind == .endpoint {
      guard credentialsEnd == nil else { throw MalformedValue("URL", "carries a user name; it is not supported here") }
    }
    if kind == .endpoint, rest[authorityEnd...].contains("#") { throw MalformedValue("URL", "carries a fragment") }
    if kind == .http {
      guard !rest[authorityEnd...].contains(where: { "?#".contains($0) }) else {
        throw MalformedValue("URL", "carries parameters or a fragment; paths are appended to it")
      }
      while kept.hasSuffix("/") { kept.removeLast() }
    }
    self.scheme = scheme
    self.hosts = hosts
    self.text = kept
  }

  private init(scheme: String, hosts: [Host], text: String) {
    self.scheme = scheme
    self.hosts = hosts
    self.text = text
  }

  /// What a reading call returns beside a problem; it names no server.
  static let standIn = ServiceURL(scheme: "unset", hosts: [], text: "unset:")

  /// Lends the whole text, credentials included; an http URL without a slash at its end. The closure must not let it
  /// escape into an error, a log or a description.
  public func withText<Result, Failure: Error>(_ body: (String) throws(Failure) -> Result) throws(Failure) -> Result {
    try body(text)
  }

  /// What two spellings of one server have in common: hosts in lower case with their ports, and what follows them.
  struct Server: Hashable {
    fileprivate let hosts: [Host]
    fileprivate let path: String
  }

  /// Which server it names, however it is spelled: over TLS at its usual port is the same as without at that one's, and as
  /// none at all. Names are not looked up.
  var server: Server {
    let usual = ["http", "https"].contains(scheme) ? [80, 443] : []
    let rest = text.firstRange(of: "://").map { text[$0.upperBound...] } ?? text[...]
    return Server(
      hosts: hosts.map { Host(name: $0.name.lowercased(), port: $0.port.flatMap { usual.contains($0) ? nil : $0 }) },
      path: String(rest.drop { !"/?#".contains($0) }))
  }

  /// Scheme, hosts and ports; nothing else.
  public var description: String { "\(scheme)://\(hosts.map(\.description).joined(separator: ","))" }
  /// The same.
  public var debugDescription: String { description }
  /// A mirror without the text.
  public var customMirror: Mirror { Mirror(self, children: ["url": description]) }

  private static func hosts(_ text: Substring) throws(MalformedValue) -> [Host] {
    guard !text.isEmpty else { return [] }
    var hosts: [Host] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      var name = part
      var port: Substring?
      if part.hasPrefix("["), let end = part.firstIndex(of: "]") {
        name = part[part.index(after: part.startIndex)..<end]
        let after = part[part.index(after: end)...]
        guard after.isEmpty || after.hasPrefix(":") else { throw MalformedValue("URL", "has a malformed host") }
        port = after.isEmpty ? nil : after.dropFirst()
      } else if let colon = part.firstIndex(of: ":") {
        name = part[..<colon]
        port = part[part.index(after: colon)...]
      }
      guard !name.isEmpty, !name.contains("["), !name.contains("]") else {
        throw MalformedValue("URL", "has a malformed host")
      }
      hosts.append(Host(name: String(name), port: try port.map { text throws(MalformedValue) in try number(text) }))
    }
    return hosts
  }

  private static func number(_ port: Substring) throws(MalformedValue) -> Int {
    guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int(port), (1...65_535).contains(value)
    else { throw MalformedValue("URL", "has a port that is no number from 1 to 65535") }
    return value
  }

  private static func check(_ hosts: [Host], kind: Kind) throws(MalformedValue) {
    switch kind {
    case .postgres: return
    case .http, .endpoint, .redis:
      guard hosts.count == 1 else { throw MalformedValue("URL", "must name exactly one host") }
    case .socks:
      guard hosts.count == 1, hosts[0].port != nil else {
        throw MalformedValue("URL", "must name exactly one host and its port")
      }
    }
  }
}
