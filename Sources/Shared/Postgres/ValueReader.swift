/// How one Swift type is read from the binary form of one or more PostgreSQL types.
struct ValueReader<Value: Sendable>: Sendable {
  /// What the caller asked for, for error texts.
  let name: String
  /// Reads a value of the given type from its bytes; nil where type or bytes do not fit.
  let read: @Sendable (TypeOID, UnsafeRawBufferPointer) -> Value?
}

extension ValueReader where Value == Int64 {
  /// `int8`, `int4`, `int2`, and `oid`, which is an unsigned 32-bit number.
  static let int8 = ValueReader(name: "int8") { type, bytes in
    switch type {
    case .int8: BinaryFormat.integer(bytes, as: Int64.self)
    case .int4: BinaryFormat.integer(bytes, as: Int32.self).map(Int64.init)
    case .int2: BinaryFormat.integer(bytes, as: Int16.self).map(Int64.init)
    case .oid: BinaryFormat.integer(bytes, as: UInt32.self).map(Int64.init)
    default: nil
    }
  }

  /// `timestamptz`, as microseconds since 1970-01-01 UTC; infinity has no such number and is refused.
  static let timestampMicroseconds = ValueReader(name: "timestamptz") { type, bytes in
    guard type == .timestamptz, let value = BinaryFormat.integer(bytes, as: Int64.self) else { return nil }
    return BinaryFormat.unixMicroseconds(fromTimestamp: value)
  }
}

extension ValueReader where Value == Int32 {
  /// `int4` and `int2`.
  static let int4 = ValueReader(name: "int4") { type, bytes in
    switch type {
    case .int4: BinaryFormat.integer(bytes, as: Int32.self)
    case .int2: BinaryFormat.integer(bytes, as: Int16.self).map(Int32.init)
    default: nil
    }
  }
}

extension ValueReader where Value == Bool {
  /// `bool`.
  static let bool = ValueReader(name: "bool") { type, bytes in
    guard type == .bool, let value = BinaryFormat.integer(bytes, as: UInt8.self) else { return nil }
    return value != 0
  }
}

extension ValueReader where Value == String {
  /// Character types, enums and `json`; `jsonb` without its version byte.
  static let text = ValueReader(name: "text") { type, bytes in
    if type == .jsonb {
      guard bytes.first == BinaryFormat.jsonbVersion else { return nil }
      return String(validating: bytes.dropFirst(), as: UTF8.self)
    }
    return type.isTextLike ? String(validating: bytes, as: UTF8.self) : nil
  }
}

extension ValueReader where Value == [UInt8] {
  /// `bytea`.
  static let bytes = ValueReader(name: "bytea") { type, bytes in
    type == .bytea ? [UInt8](bytes) : nil
  }

  /// `uuid`: 16 bytes.
  static let uuid = ValueReader(name: "uuid") { type, bytes in
    type == .uuid && bytes.count == BinaryFormat.uuidBytes ? [UInt8](bytes) : nil
  }
}

extension ValueReader {
  /// A one-dimensional array of what this reader reads; the element type stands in the array's own bytes
  /// (`array_send`). Arrays of more dimensions are refused.
  func array() -> ValueReader<[Value?]> {
    let readElement = read
    return ValueReader<[Value?]>(name: name + "[]") { _, bytes in
      var cursor = ByteCursor(bytes: bytes)
      guard
        let dimensions = cursor.next(Int32.self), cursor.next(Int32.self) != nil,
        let element = cursor.next(UInt32.self)
      else { return nil }
      if dimensions == 0 { return [] }
      guard dimensions == 1, let count = cursor.next(Int32.self), count >= 0, cursor.next(Int32.self) != nil,
        // Each element has a length of four bytes at least: a count that cannot be true reserves no memory.
        Int(count) <= cursor.remaining / 4
      else { return nil }
      var values: [Value?] = []
      values.reserveCapacity(Int(count))
      for _ in 0..<count {
        guard let length = cursor.next(Int32.self) else { return nil }
        if length == BinaryFormat.nullLength {
          values.append(nil)
          continue
        }
        guard let slice = cursor.next(count: Int(length)), let value = readElement(TypeOID(element), slice) else {
          return nil
        }
        values.append(value)
      }
      return cursor.remaining == 0 ? values : nil
    }
  }
}

/// Reads a byte buffer from front to back; every read says whether so much was left.
private struct ByteCursor {
  let bytes: UnsafeRawBufferPointer
  private var position = 0

  init(bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  var remaining: Int { bytes.count - position }

  mutating func next(count: Int) -> UnsafeRawBufferPointer? {
    guard count >= 0, count <= remaining else { return nil }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)])
  }

  mutating func next<Value: FixedWidthInteger>(_ type: Value.Type) -> Value? {
    next(count: MemoryLayout<Value>.size).flatMap { BinaryFormat.integer($0, as: type) }
  }
}
