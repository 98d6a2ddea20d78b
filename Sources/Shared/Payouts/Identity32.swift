/// A value named by 32 bytes (a SHA-256 or a number with a hash): printed as 64 lower-case hex digits.
public protocol Identity32: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Exactly 32 bytes.
  var bytes: [UInt8] { get }
  /// What errors call it.
  static var kind: String { get }
  /// Takes 32 bytes whose count was checked by the caller.
  init(exactly bytes: [UInt8])
}

extension Identity32 {
  /// - Throws: `MalformedValue` unless there are exactly 32 bytes.
  public init(_ bytes: [UInt8]) throws(MalformedValue) {
    guard bytes.count == 32 else {
      throw MalformedValue(Self.kind, "has \(bytes.count) bytes, expected 32")
    }
    self.init(exactly: bytes)
  }

  /// - Throws: `MalformedValue` unless `hex` is 64 hexadecimal digits.
  public init(hex: some StringProtocol) throws(MalformedValue) {
    guard let bytes = Hex.bytes(hex), bytes.count == 32 else {
      throw MalformedValue(Self.kind, "expected 64 hexadecimal digits")
    }
    self.init(exactly: bytes)
  }

  /// 64 lower-case hexadecimal digits.
  public var description: String { Hex.text(bytes) }

  /// Byte order, so that rows can be locked in one order by everybody.
  public static func < (left: Self, right: Self) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }
}

/// The identity of a transaction on chain: SHA-256 of its serialized `raw_data`.
///
/// Signatures lie outside it, so that a signature's malleability does not change it (reference §1.4, §1.5).
public struct TxID: Identity32 {
  /// What errors call it.
  public static let kind = "txid"
  /// 32 bytes.
  public let bytes: [UInt8]
  /// Takes 32 bytes whose count was checked by the caller.
  public init(exactly bytes: [UInt8]) { self.bytes = bytes }
}

/// The identity of a block: 8 bytes of its number, big endian, and the last 24 of SHA-256(header) (reference §1.6).
public struct BlockID: Identity32 {
  /// What errors call it.
  public static let kind = "block id"
  /// 32 bytes.
  public let bytes: [UInt8]
  /// Takes 32 bytes whose count was checked by the caller.
  public init(exactly bytes: [UInt8]) { self.bytes = bytes }

  /// The block's number as the id itself carries it.
  public var number: Int64 {
    Int64(bitPattern: bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
  }
}
