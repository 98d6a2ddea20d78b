/// An account's or contract's address.
///
/// - Shape: 21 bytes, the first 0x41, the rest the last 20 of keccak-256 of the public key; as text 34 characters of
///   base58check. Nothing else is an address to a node (tron-protocol.md §1.1).
struct Address: Hashable, Sendable, CustomStringConvertible {
  let bytes: Bytes

  /// The address with these 21 bytes, or nil where they are not one.
  init?(_ bytes: Bytes) {
    guard bytes.count == 21, bytes[0] == 0x41 else { return nil }
    self.bytes = bytes
  }

  /// The address that base58check text spells, or nil.
  init?(base58 text: String) {
    guard text.utf8.count == 34, let bytes = Base58Check.decode(text) else { return nil }
    self.init(bytes)
  }

  /// The address whose last 20 bytes these are (ABI words, log fields).
  init(last20 bytes: some Collection<UInt8>) {
    precondition(bytes.count == 20, "an address has 20 bytes after its prefix")
    self.bytes = [0x41] + bytes
  }

  /// The address of a 64-byte uncompressed public key, without its leading 0x04.
  init(publicKey: Bytes) {
    self.init(last20: Hash32.keccak256(publicKey).bytes[12...])
  }

  /// 41 and 20 zero bytes: owner of nothing, refused by the token as a recipient.
  static let zero = Address(last20: Bytes(repeating: 0, count: 20))

  /// The 20 bytes after the prefix.
  var last20: Bytes { Bytes(bytes[1...]) }

  /// 42 lower-case hex characters.
  var hex: String { Hex.encode(bytes) }

  /// 34 characters of base58check.
  var base58: String { Base58Check.encode(bytes) }

  var description: String { base58 }

  /// Feeds all bytes at once, which debug builds do much faster than one by one.
  func hash(into hasher: inout Hasher) {
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
  }
}
