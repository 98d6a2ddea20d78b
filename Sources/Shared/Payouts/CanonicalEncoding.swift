/// Bytes that two programs build alike from the same fields: a tag, then each field with its length.
///
/// The layout (DESIGN.md §7): the tag ends in a zero byte; a field is a 4-byte big-endian length and its bytes;
/// integers and Unix milliseconds have 8 bytes, big endian; an absent field is the length FFFFFFFF alone.
struct CanonicalEncoding {
  private(set) var bytes: [UInt8]

  init(tag: String) {
    bytes = [UInt8](tag.utf8) + [0]
  }

  mutating func append(_ field: [UInt8]?) {
    guard let field else {
      bytes.append(contentsOf: [0xff, 0xff, 0xff, 0xff])
      return
    }
    bytes.append(contentsOf: bigEndian(UInt32(field.count)))
    bytes.append(contentsOf: field)
  }

  mutating func append(_ text: String?) { append(text.map { [UInt8]($0.utf8) }) }

  mutating func append(_ integer: Int64?) { append(integer.map(bigEndian)) }

  /// A list as one field: each text with its own length.
  mutating func append(list texts: [String]) {
    var items: [UInt8] = []
    for text in texts {
      items.append(contentsOf: bigEndian(UInt32(text.utf8.count)))
      items.append(contentsOf: text.utf8)
    }
    append(items)
  }

  /// The one field of 4 bytes: the index of a payout in its request.
  mutating func append(index: UInt32) { append(bigEndian(index)) }

  /// Bytes without a length, for a field of fixed size that stands alone behind its tag.
  mutating func appendFixed(_ field: [UInt8]) { bytes.append(contentsOf: field) }

  private func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { [UInt8]($0) }
  }
}
