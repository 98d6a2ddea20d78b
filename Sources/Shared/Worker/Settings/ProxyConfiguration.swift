public import Payouts

/// The SOCKS5 proxy through which everything goes that leaves for the world: requests to nodes, webhooks, and calls about alarms.
///
/// Fails closed: where a proxy is configured, nothing goes past it. One that cannot be reached means no traffic at all.
/// The names of servers are resolved at the proxy, never here: who asks a name server tells it whom they talk to.
///
/// ## Configuration keys
/// - `TOR_ENABLED` (flag, default false): whether the proxy is used.
/// - `TOR_PROXY` (`host:port`, `socks5://host:port` or `socks5h://host:port`; required with `TOR_ENABLED`): the SOCKS5
///   proxy, such as Tor's. No user name: the HTTP client has no way to give one. A wrong one is a problem even while it is
///   not used.
public struct ProxyConfiguration: SettingsReadable, Sendable {
  /// The proxy; nil where traffic goes its direct way.
  public let server: ProxyServer?

  /// Reads both keys.
  public init(from settings: inout Settings) {
    let isEnabled = settings.flag("TOR_ENABLED", default: false)
    let server = settings.optional(
      "TOR_PROXY", expected: "a SOCKS5 proxy such as 127.0.0.1:9050 or socks5://127.0.0.1:9050", visibility: .url,
      parse: ProxyServer.init)
    if isEnabled, !settings.isSet("TOR_PROXY") {
      settings.note("TOR_PROXY", "is required with TOR_ENABLED: expected host:port of a SOCKS5 proxy")
    }
    self.server = isEnabled ? server : nil
  }
}

/// Where a SOCKS5 proxy listens.
public struct ProxyServer: Hashable, Sendable, CustomStringConvertible {
  /// A name or an address; an IPv6 address without its brackets.
  public let host: String
  /// 1 to 65535.
  public let port: Int

  /// Reads `host:port`, with or without the scheme socks5 or socks5h: names are resolved at the proxy either way.
  /// - Throws: `MalformedValue` whose reason never repeats the text.
  public init(_ text: String) throws(MalformedValue) {
    let whole = text.contains("://") ? text : "socks5://\(text)"
    guard !whole.contains("@") else {
      throw MalformedValue("proxy", "it carries a user name; it is not supported here")
    }
    let url = try ServiceURL(whole, kind: .socks)
    let rest = whole.drop { $0 != ":" }.dropFirst("://".count)
    guard !rest.contains(where: { "/?#".contains($0) }), let server = url.hosts.first, let port = server.port else {
      throw MalformedValue("proxy", "it carries more than a host and its port")
    }
    host = server.name
    self.port = port
  }

  /// `host:port`.
  public var description: String { ServiceURL.Host(name: host, port: port).description }
}
