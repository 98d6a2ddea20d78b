/// The name of a payout: 16 bytes in the layout of UUID version 7 (RFC 9562 §5.7), so that ids made later sort later
/// and new rows land at the end of an index.
public struct PayoutID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// 16 bytes.
  public let bytes: [UInt8]

  /// - Throws: `MalformedValue` unless there are 16 bytes.
  public init(bytes: [UInt8]) throws(MalformedValue) {
    guard bytes.count == 16 else { throw MalformedValue("id", "has \(bytes.count) bytes, expected 16") }
    self.bytes = bytes
  }

  /// A new id of a time and 10 random bytes.
  /// - Precondition: `randomness` has 10 bytes.
  public init(at time: Timestamp, randomness: [UInt8]) {
    precondition(randomness.count == 10, "a new id takes 10 random bytes")
    let milliseconds = UInt64(clamping: time.milliseconds)
    var bytes = (0..<6).map { UInt8(truncatingIfNeeded: milliseconds >> (40 - 8 * UInt64($0))) } + randomness
    bytes[6] = bytes[6] & 0x0f | 0x70
    bytes[8] = bytes[8] & 0x3f | 0x80
    self.bytes = bytes
  }

  /// Reads the usual text of a UUID, in either case.
  /// - Throws: `MalformedValue` for any other text.
  public init(_ text: some StringProtocol) throws(MalformedValue) {
    let groups = text.split(separator: "-", omittingEmptySubsequences: false)
    guard groups.map(\.utf8.count) == [8, 4, 4, 4, 12], let bytes = Hex.bytes(groups.joined()) else {
      throw MalformedValue("id", "expected a UUID such as 019ab2c3-1111-7222-8333-444455556666")
    }
    try self.init(bytes: bytes)
  }

  /// The usual text of a UUID, lower case.
  public var description: String {
    [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { Hex.text(bytes[$0]) }.joined(separator: "-")
  }

  /// Byte order, the order in which rows are locked.
  public static func < (left: PayoutID, right: PayoutID) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }
}

/// The name of a batch, the Scheduler's (settlement) or the client's: 16 bytes in the same layout.
public typealias BatchID = PayoutID
