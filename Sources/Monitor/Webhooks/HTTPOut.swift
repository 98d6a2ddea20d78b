/// The seam towards servers that are not ours: webhooks go out through it. A simulator gives its own.
public protocol HTTPOut: Sendable {
  /// Sends one POST, once, and tells the status of the answer. Redirects are not followed: they are answers too.
  ///
  /// - Throws: `HTTPOutError` where no answer came; whether the request arrived is unknown then.
  func post(_ request: OutgoingRequest) async throws(HTTPOutError) -> Int
}

/// A POST to a server that is not ours.
public struct OutgoingRequest: Sendable {
  /// An absolute http or https URL.
  public let url: String
  /// Names and values.
  public let headers: [(name: String, value: String)]
  /// The whole body.
  public let body: [UInt8]

  /// A request of its parts.
  public init(url: String, headers: [(name: String, value: String)], body: [UInt8]) {
    self.url = url
    self.headers = headers
    self.body = body
  }
}

/// Why no answer came. Every one of them is tried again later: names, networks and servers change.
public struct HTTPOutError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What kept the answer away.
  public enum Code: String, Sendable, Hashable {
    /// The URL cannot be called.
    case malformedURL = "malformed_url"
    /// The name has no address.
    case unresolved
    /// The name's address, or one of them, may not be called.
    case refusedAddress = "refused_address"
    /// No connection, or no TLS session with a certificate of that name.
    case unreachable
    /// No answer in time.
    case timeout
    /// The connection ended before the answer.
    case connectionLost = "connection_lost"
    /// The caller was cancelled.
    case cancelled
  }

  /// What kept the answer away.
  public let code: Code
  /// In words; holds no path and no query.
  public let message: String

  /// An error of its parts.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// `code: message`.
  public var description: String { "\(code.rawValue): \(message)" }
}
