/// Where a Redis server is and how to enter: what a URL says.
///
/// - Shape: `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. User and password may be
///   percent-encoded; the user may be empty (`redis://:password@host`). An IPv6 address stands in brackets.
public struct RedisEndpoint: Hashable, Sendable, CustomStringConvertible {
  /// The port where none is given.
  public static let defaultPort = 6379
  /// The longest URL that is read.
  public static let maximumBytes = 2048

  /// A host name or an address without brackets.
  public let host: String
  /// 1 to 65,535.
  public let port: Int
  /// The ACL user; nil for the server's default user.
  public let user: String?
  /// The password; nil where the server asks for none.
  let password: RedisSecret?
  /// The number of the database, 0 or more.
  public let database: Int
  /// Whether the connection is encrypted and the server's certificate verified.
  public let usesTLS: Bool

  /// Reads a URL; throws `invalidConfiguration`. The error never repeats the URL, which holds the password.
  public init(url: String) throws(RedisError) {
    guard url.utf8.count <= Self.maximumBytes else {
      throw Self.invalid("it is longer than \(Self.maximumBytes) bytes")
    }
    var rest: Substring
    if url.hasPrefix("redis://") {
      usesTLS = false
      rest = url.dropFirst("redis://".count)
    } else if url.hasPrefix("rediss://") {
      usesTLS = true
      rest = url.dropFirst("rediss://".count)
    } else {
      throw Self.invalid("it does not begin with redis:// or rediss://")
    }
    guard !rest.contains("?"), !rest.contains("#") else { throw Self.invalid("it has a query or a fragment") }
    // The last "@" ends the user's part: everything after it is a host, which has none.
    if let at = rest.lastIndex(of: "@") {
      (user, password) = try Self.credentials(rest[..<at])
      rest = rest[rest.index(after: at)...]
    } else {
      (user, password) = (nil, nil)
    }
    let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    database = try Self.database(parts.count == 2 ? parts[1] : "")
    (host, port) = try Self.address(parts[0])
  }

  /// The address without user and password.
  public var description: String {
    let shownHost = host.contains(":") ? "[\(host)]" : host
    return "\(usesTLS ? "rediss" : "redis")://\(shownHost):\(port)/\(database)"
  }

  private static func credentials(_ text: Substring) throws(RedisError) -> (String?, RedisSecret?) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { throw invalid("the part before @ is not user:password") }
    guard let user = percentDecoded(parts[0]), let password = percentDecoded(parts[1]) else {
      throw invalid("user or password has a broken percent-encoding")
    }
    guard !password.isEmpty else { throw invalid("the password is empty") }
    return (user.isEmpty ? nil : user, RedisSecret(password))
  }

  private static func database(_ text: Substring) throws(RedisError) -> Int {
    if text.isEmpty { return 0 }
    guard let number = decimal(text, in: 0...65_535) else {
      throw invalid("the database is not a number from 0 to 65535")
    }
    return number
  }

  private static func address(_ text: Substring) throws(RedisError) -> (String, Int) {
    var host = text
    var port: Substring?
    if text.first == "[" {
      guard let end = text.firstIndex(of: "]") else { throw invalid("an IPv6 address lacks its closing bracket") }
      host = text[text.index(after: text.startIndex)..<end]
      let tail = text[text.index(after: end)...]
      guard tail.isEmpty || tail.first == ":" else { throw invalid("something follows the IPv6 address") }
      port = tail.isEmpty ? nil : tail.dropFirst()
    } else if let colon = text.firstIndex(of: ":") {
      host = text[..<colon]
      port = text[text.index(after: colon)...]
    }
    guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      throw invalid("the host is missing or has characters that no host has")
    }
    guard let port else { return (String(host), defaultPort) }
    guard let number = decimal(port, in: 1...65_535) else { throw invalid("the port is not a number from 1 to 65535") }
    return (String(host), number)
  }

  private static func decimal(_ text: Substring, in range: ClosedRange<Int>) -> Int? {
    guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let number = Int(text), range.contains(number)
    else { return nil }
    return number
  }

  private static func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%") {
        guard let high = rest.popFirst(), let low = rest.popFirst(),
          let highDigit = Character(UnicodeScalar(high)).hexDigitValue,
          let lowDigit = Character(UnicodeScalar(low)).hexDigitValue
        else { return nil }
        bytes.append(UInt8(highDigit * 16 + lowDigit))
      } else {
        bytes.append(byte)
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func invalid(_ reason: String) -> RedisError {
    RedisError(
      .invalidConfiguration, .notSent,
      "the Redis URL cannot be used: \(reason); expected redis://[user:password@]host[:port][/database] or rediss://…")
  }
}

/// A password that no description, dump or log shows.
struct RedisSecret: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
  /// The password itself, for the handshake only.
  let text: String

  /// Keeps the password.
  init(_ text: String) {
    self.text = text
  }

  var description: String { "<secret>" }
  var customMirror: Mirror { Mirror(self, children: []) }
}
