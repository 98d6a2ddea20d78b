/// Writes protobuf fields in the canonical way: the caller gives them in ascending order, and zero, false and empty
/// values are left out (tron-protocol.md §1.3).
struct ProtobufWriter {
  private(set) var bytes: Bytes = []

  /// A varint field; negative numbers take ten bytes, as int32, int64 and enums do.
  mutating func integer(_ number: Int, _ value: Int64) {
    guard value != 0 else { return }
    key(number, .varint)
    varint(UInt64(bitPattern: value))
  }

  /// A bytes field, left out when empty.
  mutating func bytes(_ number: Int, _ value: Bytes) {
    guard !value.isEmpty else { return }
    message(number, value)
  }

  /// An embedded message or an element of a repeated field, written even when empty.
  mutating func message(_ number: Int, _ value: Bytes) {
    key(number, .lengthDelimited)
    varint(UInt64(value.count))
    bytes += value
  }

  /// Fields that were read but are not known, exactly as they came.
  mutating func unknown(_ fields: Bytes) { bytes += fields }

  private mutating func key(_ number: Int, _ type: ProtobufWireType) {
    varint(UInt64(number) << 3 | type.rawValue)
  }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest &>>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }
}
