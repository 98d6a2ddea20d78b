/// How a protobuf field's value is written.
enum ProtobufWireType: UInt64 {
  case varint = 0
  case fixed64 = 1
  case lengthDelimited = 2
  case fixed32 = 5
}

/// Bytes that are not a protobuf message of the expected shape.
struct ProtobufError: Error, Equatable {
  /// What was wrong, in a sentence.
  let reason: String
}

/// One field of a message.
struct ProtobufField {
  let number: Int
  let value: Value
  /// The whole field with its key, as it came: kept for fields that are not known.
  let raw: ArraySlice<UInt8>

  /// A value by its wire type; fixed-size values, which no known field has, are only skipped.
  enum Value {
    case varint(UInt64)
    case bytes(ArraySlice<UInt8>)
    case fixed
  }

  /// The value of a varint field as a signed number.
  func integer() throws(ProtobufError) -> Int64 {
    guard case .varint(let value) = value else { throw wrongType }
    return Int64(bitPattern: value)
  }

  /// The value of an int32 or enum field: the lower 32 bits, as protobuf reads them.
  func integer32() throws(ProtobufError) -> Int32 { Int32(truncatingIfNeeded: try integer()) }

  /// The value of a bytes field or embedded message.
  func bytes() throws(ProtobufError) -> Bytes {
    guard case .bytes(let value) = value else { throw wrongType }
    return Bytes(value)
  }

  private var wrongType: ProtobufError {
    ProtobufError(reason: "Protocol message tag had invalid wire type (field \(number)).")
  }
}

/// Reads the fields of one protobuf message, in the order they stand there.
///
/// Source: protobuf encoding guide. Groups, which no message of TRON has, are refused.
struct ProtobufReader {
  private let bytes: Bytes
  private var position = 0

  /// A reader at the first field of `bytes`.
  init(_ bytes: Bytes) { self.bytes = bytes }

  /// The next field, or nil at the end.
  mutating func next() throws(ProtobufError) -> ProtobufField? {
    guard position < bytes.count else { return nil }
    let start = position
    let key = try varint()
    guard let type = ProtobufWireType(rawValue: key & 7), key >> 3 > 0, key >> 3 < 1 << 29 else {
      throw ProtobufError(reason: "Protocol message contained an invalid tag.")
    }
    let value: ProtobufField.Value
    switch type {
    case .varint: value = .varint(try varint())
    case .lengthDelimited:
      let length = try varint()
      guard length <= UInt64(bytes.count - position) else { throw truncated }
      value = .bytes(bytes[position..<position + Int(length)])
      position += Int(length)
    case .fixed64: value = try fixed(8)
    case .fixed32: value = try fixed(4)
    }
    return ProtobufField(number: Int(key >> 3), value: value, raw: bytes[start..<position])
  }

  private mutating func fixed(_ count: Int) throws(ProtobufError) -> ProtobufField.Value {
    guard bytes.count - position >= count else { throw truncated }
    position += count
    return .fixed
  }

  private mutating func varint() throws(ProtobufError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while shift < 70 {
      guard position < bytes.count else { throw truncated }
      let byte = bytes[position]
      position += 1
      if shift < 64 { value |= UInt64(byte & 0x7f) << shift }
      if byte < 0x80 { return value }
      shift += 7
    }
    throw ProtobufError(reason: "CodedInputStream encountered a malformed varint.")
  }

  private var truncated: ProtobufError {
    ProtobufError(
      reason: "While parsing a protocol message, the input ended unexpectedly in the middle of a field.")
  }
}
