/// An unsigned integer of 256 bits: one ABI word.
struct Word256: Hashable, Comparable, Sendable {
  let high: UInt128
  let low: UInt128

  /// The largest word, which the token takes for an allowance that never decreases.
  static let max = Word256(high: .max, low: .max)
  static let zero = Word256(0)

  /// The word `high` · 2¹²⁸ + `low`.
  init(high: UInt128, low: UInt128) {
    self.high = high
    self.low = low
  }

  /// The word of a small number.
  init(_ value: UInt64) { self.init(high: 0, low: UInt128(value)) }

  /// The word that 32 big-endian bytes spell.
  init(bigEndian bytes: ArraySlice<UInt8>) {
    precondition(bytes.count == 32, "a word has 32 bytes")
    self = bytes.withUnsafeBytes { memory in
      Word256(
        high: UInt128(bigEndian: memory.loadUnaligned(as: UInt128.self)),
        low: UInt128(bigEndian: memory.loadUnaligned(fromByteOffset: 16, as: UInt128.self)))
    }
  }

  /// An address as ABI encodes it: its 20 bytes, padded on the left.
  init(_ address: Address) {
    var bytes = Bytes(repeating: 0, count: 11) + address.bytes
    bytes[11] = 0
    self.init(bigEndian: bytes[...])
  }

  /// 32 bytes, most significant first.
  var bytes: Bytes {
    withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Bytes($0) }
  }

  /// The value, or nil where it needs more than 64 bits.
  var uint64: UInt64? { high == 0 ? UInt64(exactly: low) : nil }

  /// The address in the last 20 bytes. Like Solidity before 0.5, whatever stands before them is ignored.
  var address: Address { Address(last20: bytes[12...]) }

  /// Compares as numbers.
  static func < (left: Word256, right: Word256) -> Bool {
    left.high == right.high ? left.low < right.low : left.high < right.high
  }

  /// The difference; `subtrahend` must not be larger.
  func subtracting(_ subtrahend: Word256) -> Word256 {
    let (low, borrowed) = self.low.subtractingReportingOverflow(subtrahend.low)
    return Word256(high: high - subtrahend.high - (borrowed ? 1 : 0), low: low)
  }
}
