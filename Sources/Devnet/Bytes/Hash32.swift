import Crypto

/// 32 bytes that name something: a transaction id, a block id, a tree root.
///
/// - Shape: always 32 bytes; printed as 64 lower-case hex characters.
struct Hash32: Hashable, Sendable {
  let bytes: Bytes

  /// The hash with these bytes, or nil where there are not 32 of them.
  init?(_ bytes: Bytes) {
    guard bytes.count == 32 else { return nil }
    self.bytes = bytes
  }

  /// The hash that 64 hex characters spell, or nil.
  init?(hex: String) {
    guard let bytes = Hex.decode(hex) else { return nil }
    self.init(bytes)
  }

  private init(unchecked bytes: Bytes) { self.bytes = bytes }

  /// 32 zero bytes: the transaction root of an empty block (tron-protocol.md §1.6).
  static let zero = Hash32(unchecked: Bytes(repeating: 0, count: 32))

  /// SHA-256 of `data`.
  static func sha256(_ data: Bytes) -> Hash32 {
    Hash32(unchecked: Bytes(SHA256.hash(data: data)))
  }

  /// Keccak-256 of `data`, as Ethereum and TRON use it (padding 0x01, not SHA-3's 0x06).
  static func keccak256(_ data: Bytes) -> Hash32 {
    Hash32(unchecked: Keccak.hash256(data))
  }

  /// The first eight bytes of `number`, big endian, followed by the last 24 of this hash: a block id (§1.6).
  func numbered(_ number: Int64) -> Hash32 {
    Hash32(unchecked: number.bigEndianBytes + bytes[8...])
  }

  /// 64 lower-case hex characters.
  var hex: String { Hex.encode(bytes) }

  /// Feeds all bytes at once, which debug builds do much faster than one by one.
  func hash(into hasher: inout Hasher) {
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
  }
}

extension Int64 {
  /// Eight bytes, most significant first.
  var bigEndianBytes: Bytes { withUnsafeBytes(of: bigEndian) { Bytes($0) } }
}
