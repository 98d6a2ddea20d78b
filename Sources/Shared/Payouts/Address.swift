import Crypto

/// A TRON account: 21 bytes, `0x41` and the last 20 of keccak-256 of its public key (reference §1.1).
///
/// An address is checked once, where it enters the program; a value of this type cannot hold a bad checksum,
/// a wrong length or another network's prefix.
public struct Address: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The first byte of every address on TRON's networks (java-tron DecodeUtil.addressValid).
  public static let prefix: UInt8 = 0x41
  /// The zero address: nobody holds its key, so that what is sent there is lost.
  public static let zero = Address(account: [UInt8](repeating: 0, count: 20))

  /// 21 bytes, the first of them `0x41`.
  public let bytes: [UInt8]

  /// - Throws: `MalformedValue` unless there are 21 bytes that begin with `0x41`.
  public init(bytes: [UInt8]) throws(MalformedValue) {
    guard bytes.count == 21 else { throw MalformedValue("address", "has \(bytes.count) bytes, expected 21") }
    guard bytes[0] == Address.prefix else {
      throw MalformedValue("address", "begins with the byte \(Hex.text([bytes[0]])), expected 41: not a TRON address")
    }
    self.bytes = bytes
  }

  /// Reads base58check text: 34 characters beginning with `T`, with a 4-byte double SHA-256 checksum.
  ///
  /// - Throws: `MalformedValue` for any other text. A pattern alone is no check: it matches wrong checksums too.
  public init(_ text: some StringProtocol) throws(MalformedValue) {
    guard text.utf8.count == 34 else {
      throw MalformedValue("address", "has \(text.utf8.count) characters, expected 34")
    }
    guard let decoded = Base58.decode(text) else {
      throw MalformedValue("address", "holds a character outside the base58 alphabet")
    }
    guard decoded.count == 25 else {
      throw MalformedValue("address", "decodes to \(decoded.count) bytes, expected 25")
    }
    let payload = [UInt8](decoded.prefix(21))
    guard Address.checksum(payload) == [UInt8](decoded.suffix(4)) else {
      throw MalformedValue("address", "has a wrong checksum: a character is mistyped")
    }
    try self.init(bytes: payload)
  }

  /// The account of the 20 bytes that a contract sees.
  /// - Precondition: `account` has 20 bytes; callers hold fixed-size words.
  public init(account: some Sequence<UInt8>) {
    let bytes = [Address.prefix] + account
    precondition(bytes.count == 21, "an account has 20 bytes")
    self.bytes = bytes
  }

  /// The 20 bytes without the prefix, as ABI words and event logs hold them.
  public var account: [UInt8] { [UInt8](bytes.dropFirst()) }

  /// Base58check text, 34 characters.
  public var description: String { Base58.encode(bytes + Address.checksum(bytes)) }

  /// Byte order.
  public static func < (left: Address, right: Address) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }

  private static func checksum(_ payload: [UInt8]) -> [UInt8] {
    [UInt8](SHA256.hash(data: [UInt8](SHA256.hash(data: payload))).prefix(4))
  }
}
