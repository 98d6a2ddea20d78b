import NIOCore
import Payouts

/// An IPv4 or IPv6 address. An IPv4-mapped one (::ffff:0:0/96, RFC 4291 §2.5.5.2) is the IPv4 address it stands for, since
/// that is where a connection to it goes.
struct IPAddress: Hashable, Sendable, CustomStringConvertible {
  private static let mappedPrefix: [UInt8] = [UInt8](repeating: 0, count: 10) + [0xff, 0xff]

  /// 4 or 16, in network order.
  let bytes: [UInt8]

  /// - Precondition: there are 4 or 16 bytes.
  init(bytes: [UInt8]) {
    precondition(bytes.count == 4 || bytes.count == 16, "an address has 4 or 16 bytes")
    let isMapped = bytes.count == 16 && bytes.starts(with: Self.mappedPrefix)
    self.bytes = isMapped ? [UInt8](bytes[12...]) : bytes
  }

  /// Reads the usual text, without brackets and zone; nil for any other text, such as 127.1 or 0x7f000001.
  init?(_ text: String) {
    guard let address = try? SocketAddress(ipAddress: text, port: 0) else { return nil }
    switch address {
    case .v4(let address): self.init(bytes: withUnsafeBytes(of: address.address.sin_addr) { [UInt8]($0) })
    case .v6(let address): self.init(bytes: withUnsafeBytes(of: address.address.sin6_addr) { [UInt8]($0) })
    case .unixDomainSocket: return nil
    }
  }

  /// The usual text, without brackets.
  var description: String {
    let text = try? SocketAddress(packedIPAddress: ByteBuffer(bytes: bytes), port: 0).ipAddress
    return text ?? Hex.text(bytes)
  }
}

/// A block of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
struct IPNetwork: Hashable, Sendable {
  private let prefix: [UInt8]
  private let bits: Int

  /// - Throws: `MalformedValue` for any other text, a length that its address does not have, and an address with bits
  ///   beyond the length: it would be unclear which network is meant.
  init(_ text: some StringProtocol) throws(MalformedValue) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let first = parts.first, let address = IPAddress(String(first)) else {
      throw MalformedValue("network", "expected an address and a length such as 10.0.0.0/8")
    }
    let whole = address.bytes.count * 8
    var bits = whole
    if parts.count == 2 {
      guard let length = Int(parts[1]), (0...whole).contains(length), parts[1].allSatisfy(\.isNumber) else {
        throw MalformedValue("network", "expected a length of 0 to \(whole) after the slash")
      }
      bits = length
    }
    self.init(prefix: address.bytes, bits: bits)
    guard prefix == address.bytes else {
      throw MalformedValue("network", "the address has bits beyond the length")
    }
  }

  /// Cuts what lies beyond the length.
  private init(prefix: [UInt8], bits: Int) {
    self.prefix = prefix.enumerated().map { index, byte in
      byte & UInt8(truncatingIfNeeded: 0xff00 >> min(8, max(0, bits - 8 * index)))
    }
    self.bits = bits
  }

  /// Whether an address lies in it.
  func contains(_ address: IPAddress) -> Bool {
    address.bytes.count == prefix.count && IPNetwork(prefix: address.bytes, bits: bits) == self
  }
}

/// Which addresses may be called: those of the public internet, and what the operator names.
///
/// Source: the IANA registries of special-purpose addresses (RFC 6890), and RFC 4291 §2.4: of IPv6 only 2000::/3 is
/// handed out, so that loopback, link-local, unique local, multicast and NAT64 (64:ff9b::/96) lie outside of it.
struct CallableAddresses: Sendable {
  private static let specialIPv4: [(text: String, name: String)] = [
    ("0.0.0.0/8", "unspecified"), ("10.0.0.0/8", "private"), ("100.64.0.0/10", "carrier-grade NAT"),
    ("127.0.0.0/8", "loopback"), ("169.254.0.0/16", "link-local"), ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "special"), ("192.0.2.0/24", "documentation"), ("192.88.99.0/24", "special"),
    ("192.168.0.0/16", "private"), ("198.18.0.0/15", "benchmarking"), ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"), ("224.0.0.0/4", "multicast"), ("240.0.0.0/4", "reserved"),
  ]
  private static let specialIPv6: [(text: String, name: String)] = [
    ("2001::/23", "special"), ("2001:db8::/32", "documentation"), ("2002::/16", "6to4"), ("3fff::/20", "documentation"),
  ]

  private let allowed: [IPNetwork]
  private let special: [(network: IPNetwork, name: String)]
  private let publicIPv6: IPNetwork

  /// - Parameter allowed: `WEBHOOK_ALLOWED_NETWORKS`: may be called whatever they are.
  init(allowed: [IPNetwork] = []) {
    self.allowed = allowed
    special = (Self.specialIPv4 + Self.specialIPv6).map { (Self.network($0.text), $0.name) }
    publicIPv6 = Self.network("2000::/3")
  }

  /// Why an address may not be called; nil where it may.
  func refusal(of address: IPAddress) -> String? {
    if allowed.contains(where: { $0.contains(address) }) { return nil }
    if let found = special.first(where: { $0.network.contains(address) }) { return found.name }
    return address.bytes.count == 16 && !publicIPv6.contains(address) ? "no public address" : nil
  }

  /// A network of the tables above.
  private static func network(_ text: String) -> IPNetwork {
    do { return try IPNetwork(text) } catch { preconditionFailure("\(text) is no network: \(error.reason)") }
  }
}
