/// PostgreSQL's binary form of values: what the `…send` functions of its types write and `…recv` read.
///
/// Numbers are big-endian. Source: the PostgreSQL 15 source, `src/backend/utils/adt` (`int.c`, `timestamp.c`,
/// `arrayfuncs.c`, `jsonb.c`), since the manual leaves these forms to the types.
enum BinaryFormat {
  /// Microseconds from 1970-01-01 to 2000-01-01, from which `timestamptz` counts.
  static let timestampEpochMicroseconds: Int64 = 946_684_800_000_000

  /// The version byte before the text of a `jsonb`.
  static let jsonbVersion: UInt8 = 1

  /// The length that stands for NULL.
  static let nullLength: Int32 = -1

  /// Bytes of a `uuid`.
  static let uuidBytes = 16

  /// Appends a number, highest byte first.
  static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }

  /// Reads a number that fills all of `bytes`; nil where the width is another.
  static func integer<Value: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer, as: Value.Type) -> Value? {
    guard bytes.count == MemoryLayout<Value>.size else { return nil }
    return Value(bigEndian: bytes.loadUnaligned(as: Value.self))
  }

  /// Converts to the server's count of microseconds; nil outside `Int64`, and for the two values that the
  /// server reads as minus and plus infinity.
  static func timestamp(fromUnixMicroseconds microseconds: Int64) -> Int64? {
    let (value, overflows) = microseconds.subtractingReportingOverflow(timestampEpochMicroseconds)
    return overflows || value == .max || value == .min ? nil : value
  }

  /// The reverse; nil for infinity and outside `Int64`.
  static func unixMicroseconds(fromTimestamp value: Int64) -> Int64? {
    guard value != .max, value != .min else { return nil }
    let (microseconds, overflows) = value.addingReportingOverflow(timestampEpochMicroseconds)
    return overflows ? nil : microseconds
  }
}

/// The values of one statement, encoded end to end in one buffer.
struct EncodedParameters {
  /// All values, one after another, and one spare byte so that an empty value has an address too.
  private(set) var bytes: [UInt8] = []
  /// Where each value stands in `bytes`; nil for NULL.
  private(set) var ranges: [Range<Int>?] = []

  /// Encodes the values.
  ///
  /// - Throws: `invalidParameter` naming the parameter, never its value.
  init(_ parameters: [PostgresParameter], statement: String) throws(PostgresError) {
    guard parameters.count <= PostgresConfiguration.parametersMax else {
      throw PostgresError(
        code: .invalidParameter,
        message: "\(parameters.count) parameters; at most \(PostgresConfiguration.parametersMax) can be sent",
        statement: statement)
    }
    ranges.reserveCapacity(parameters.count)
    for (index, parameter) in parameters.enumerated() {
      let start = bytes.count
      do {
        ranges.append(try Self.append(parameter, to: &bytes) ? start..<bytes.count : nil)
      } catch {
        throw PostgresError(
          code: .invalidParameter, message: "parameter $\(index + 1): \(error.reason)", statement: statement)
      }
    }
    bytes.append(0)
    guard bytes.count <= PostgresConfiguration.parameterBytesMax else {
      throw PostgresError(
        code: .invalidParameter,
        message: "parameters of \(bytes.count) bytes; at most \(PostgresConfiguration.parameterBytesMax) can be sent",
        statement: statement)
    }
  }

  /// Why a value has no binary form.
  private struct Unencodable: Error {
    let reason: String
  }

  /// Appends one value; false where it is NULL.
  private static func append(
    _ parameter: PostgresParameter, to bytes: inout [UInt8]
  ) throws(Unencodable) -> Bool {
    switch parameter {
    case .null: return false
    case .bool(let value): bytes.append(value ? 1 : 0)
    case .int4(let value): BinaryFormat.append(value, to: &bytes)
    case .int8(let value): BinaryFormat.append(value, to: &bytes)
    case .text(let value): bytes.append(contentsOf: value.utf8)
    case .bytes(let value): bytes.append(contentsOf: value)
    case .uuid(let value): try appendUUID(value, to: &bytes)
    case .timestamp(let value): try appendTimestamp(value, to: &bytes)
    case .json(let value): appendJSON(value, to: &bytes)
    case .boolArray(let values):
      try appendArray(values, of: .bool, to: &bytes) { value, bytes throws(Unencodable) in bytes.append(value ? 1 : 0) }
    case .int4Array(let values):
      try appendArray(values, of: .int4, to: &bytes) { value, bytes throws(Unencodable) in
        BinaryFormat.append(value, to: &bytes)
      }
    case .int8Array(let values):
      try appendArray(values, of: .int8, to: &bytes) { value, bytes throws(Unencodable) in
        BinaryFormat.append(value, to: &bytes)
      }
    case .textArray(let values):
      try appendArray(values, of: .text, to: &bytes) { value, bytes throws(Unencodable) in
        bytes.append(contentsOf: value.utf8)
      }
    case .bytesArray(let values):
      try appendArray(values, of: .bytea, to: &bytes) { value, bytes throws(Unencodable) in
        bytes.append(contentsOf: value)
      }
    case .uuidArray(let values): try appendArray(values, of: .uuid, to: &bytes, appendUUID)
    case .timestampArray(let values): try appendArray(values, of: .timestamptz, to: &bytes, appendTimestamp)
    case .jsonArray(let values):
      try appendArray(values, of: .jsonb, to: &bytes) { value, bytes throws(Unencodable) in
        appendJSON(value, to: &bytes)
      }
    }
    return true
  }

  private static func appendUUID(_ value: [UInt8], to bytes: inout [UInt8]) throws(Unencodable) {
    guard value.count == BinaryFormat.uuidBytes else {
      throw Unencodable(reason: "a uuid has \(BinaryFormat.uuidBytes) bytes, this has \(value.count)")
    }
    bytes.append(contentsOf: value)
  }

  private static func appendTimestamp(_ value: Int64, to bytes: inout [UInt8]) throws(Unencodable) {
    guard let timestamp = BinaryFormat.timestamp(fromUnixMicroseconds: value) else {
      throw Unencodable(reason: "the time lies outside what timestamptz can hold")
    }
    BinaryFormat.append(timestamp, to: &bytes)
  }

  private static func appendJSON(_ value: String, to bytes: inout [UInt8]) {
    bytes.append(BinaryFormat.jsonbVersion)
    bytes.append(contentsOf: value.utf8)
  }

  /// Appends a one-dimensional array: dimensions, whether NULLs occur, element type, length, lower bound 1,
  /// then each element with its length (`array_recv`). An empty array has no dimension.
  private static func appendArray<Element>(
    _ values: [Element?], of type: TypeOID, to bytes: inout [UInt8],
    _ appendElement: (Element, inout [UInt8]) throws(Unencodable) -> Void
  ) throws(Unencodable) {
    BinaryFormat.append(Int32(values.isEmpty ? 0 : 1), to: &bytes)
    BinaryFormat.append(Int32(values.contains { $0 == nil } ? 1 : 0), to: &bytes)
    BinaryFormat.append(type.rawValue, to: &bytes)
    guard !values.isEmpty else { return }
    guard let count = Int32(exactly: values.count) else {
      throw Unencodable(reason: "an array of \(values.count) elements is too long")
    }
    BinaryFormat.append(count, to: &bytes)
    BinaryFormat.append(Int32(1), to: &bytes)
    for value in values {
      guard let value else {
        BinaryFormat.append(BinaryFormat.nullLength, to: &bytes)
        continue
      }
      let lengthAt = bytes.count
      BinaryFormat.append(Int32(0), to: &bytes)
      try appendElement(value, &bytes)
      guard let length = Int32(exactly: bytes.count - lengthAt - 4) else {
        throw Unencodable(reason: "an array element is too long")
      }
      withUnsafeBytes(of: length.bigEndian) { bytes.replaceSubrange(lengthAt..<(lengthAt + 4), with: $0) }
    }
  }
}
