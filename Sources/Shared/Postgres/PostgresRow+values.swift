/// The typed getters of a row. Names ending in `OrNil` allow NULL.
extension PostgresRow {
  /// An `int8`; also from `int4`, `int2` and `oid` columns. (A `sum` of `int8` is `numeric`: cast it.)
  public func int8(_ column: some PostgresColumn) throws -> Int64 { try value(column, .int8) }
  /// An `int8`; also from `int4`, `int2` and `oid` columns. (A `sum` of `int8` is `numeric`: cast it.) Or nil for NULL.
  public func int8OrNil(_ column: some PostgresColumn) throws -> Int64? { try valueOrNil(column, .int8) }

  /// An `int4`; also from `int2` columns.
  public func int4(_ column: some PostgresColumn) throws -> Int32 { try value(column, .int4) }
  /// An `int4`; also from `int2` columns. Or nil for NULL.
  public func int4OrNil(_ column: some PostgresColumn) throws -> Int32? { try valueOrNil(column, .int4) }

  /// A `bool`.
  public func bool(_ column: some PostgresColumn) throws -> Bool { try value(column, .bool) }
  /// A `bool`. Or nil for NULL.
  public func boolOrNil(_ column: some PostgresColumn) throws -> Bool? { try valueOrNil(column, .bool) }

  /// A text: character types, enums, `json` and `jsonb` (as the server prints it).
  public func text(_ column: some PostgresColumn) throws -> String { try value(column, .text) }
  /// A text: character types, enums, `json` and `jsonb` (as the server prints it). Or nil for NULL.
  public func textOrNil(_ column: some PostgresColumn) throws -> String? { try valueOrNil(column, .text) }

  /// A `bytea`.
  public func bytes(_ column: some PostgresColumn) throws -> [UInt8] { try value(column, .bytes) }
  /// A `bytea`. Or nil for NULL.
  public func bytesOrNil(_ column: some PostgresColumn) throws -> [UInt8]? { try valueOrNil(column, .bytes) }

  /// A `uuid`: 16 bytes.
  public func uuid(_ column: some PostgresColumn) throws -> [UInt8] { try value(column, .uuid) }
  /// A `uuid`: 16 bytes. Or nil for NULL.
  public func uuidOrNil(_ column: some PostgresColumn) throws -> [UInt8]? { try valueOrNil(column, .uuid) }

  /// A `timestamptz`: microseconds since 1970-01-01 UTC.
  public func timestampMicroseconds(_ column: some PostgresColumn) throws -> Int64 {
    try value(column, .timestampMicroseconds)
  }
  /// A `timestamptz`: microseconds since 1970-01-01 UTC. Or nil for NULL.
  public func timestampMicrosecondsOrNil(_ column: some PostgresColumn) throws -> Int64? {
    try valueOrNil(column, .timestampMicroseconds)
  }
}

/// The getters of one-dimensional arrays: without NULL elements, or, named `…WithNils`, with them.
extension PostgresRow {
  /// `int8[]`, `int4[]` or `int2[]`; no element may be NULL.
  public func int8Array(_ column: some PostgresColumn) throws -> [Int64] { try elements(column, .int8) }
  /// `int8[]`, `int4[]` or `int2[]`; no element may be NULL. Nil where the array is NULL.
  public func int8ArrayOrNil(_ column: some PostgresColumn) throws -> [Int64]? { try elementsOrNil(column, .int8) }
  /// `int8[]`, `int4[]` or `int2[]`; nil for each NULL element.
  public func int8ArrayWithNils(_ column: some PostgresColumn) throws -> [Int64?] {
    try value(column, ValueReader<Int64>.int8.array())
  }

  /// `int4[]` or `int2[]`; no element may be NULL.
  public func int4Array(_ column: some PostgresColumn) throws -> [Int32] { try elements(column, .int4) }
  /// `int4[]` or `int2[]`; no element may be NULL. Nil where the array is NULL.
  public func int4ArrayOrNil(_ column: some PostgresColumn) throws -> [Int32]? { try elementsOrNil(column, .int4) }
  /// `int4[]` or `int2[]`; nil for each NULL element.
  public func int4ArrayWithNils(_ column: some PostgresColumn) throws -> [Int32?] {
    try value(column, ValueReader<Int32>.int4.array())
  }

  /// `bool[]`; no element may be NULL.
  public func boolArray(_ column: some PostgresColumn) throws -> [Bool] { try elements(column, .bool) }
  /// `bool[]`; no element may be NULL. Nil where the array is NULL.
  public func boolArrayOrNil(_ column: some PostgresColumn) throws -> [Bool]? { try elementsOrNil(column, .bool) }
  /// `bool[]`; nil for each NULL element.
  public func boolArrayWithNils(_ column: some PostgresColumn) throws -> [Bool?] {
    try value(column, ValueReader<Bool>.bool.array())
  }

  /// `text[]`, an array of an enum or of `jsonb`; no element may be NULL.
  public func textArray(_ column: some PostgresColumn) throws -> [String] { try elements(column, .text) }
  /// `text[]`, an array of an enum or of `jsonb`; no element may be NULL. Nil where the array is NULL.
  public func textArrayOrNil(_ column: some PostgresColumn) throws -> [String]? { try elementsOrNil(column, .text) }
  /// `text[]`, an array of an enum or of `jsonb`; nil for each NULL element.
  public func textArrayWithNils(_ column: some PostgresColumn) throws -> [String?] {
    try value(column, ValueReader<String>.text.array())
  }

  /// `bytea[]`; no element may be NULL.
  public func bytesArray(_ column: some PostgresColumn) throws -> [[UInt8]] { try elements(column, .bytes) }
  /// `bytea[]`; no element may be NULL. Nil where the array is NULL.
  public func bytesArrayOrNil(_ column: some PostgresColumn) throws -> [[UInt8]]? { try elementsOrNil(column, .bytes) }
  /// `bytea[]`; nil for each NULL element.
  public func bytesArrayWithNils(_ column: some PostgresColumn) throws -> [[UInt8]?] {
    try value(column, ValueReader<[UInt8]>.bytes.array())
  }

  /// `uuid[]`, each of 16 bytes; no element may be NULL.
  public func uuidArray(_ column: some PostgresColumn) throws -> [[UInt8]] { try elements(column, .uuid) }
  /// `uuid[]`, each of 16 bytes; no element may be NULL. Nil where the array is NULL.
  public func uuidArrayOrNil(_ column: some PostgresColumn) throws -> [[UInt8]]? { try elementsOrNil(column, .uuid) }
  /// `uuid[]`, each of 16 bytes; nil for each NULL element.
  public func uuidArrayWithNils(_ column: some PostgresColumn) throws -> [[UInt8]?] {
    try value(column, ValueReader<[UInt8]>.uuid.array())
  }

  /// `timestamptz[]`: microseconds since 1970-01-01 UTC; no element may be NULL.
  public func timestampArray(_ column: some PostgresColumn) throws -> [Int64] {
    try elements(column, .timestampMicroseconds)
  }
  /// `timestamptz[]`: microseconds since 1970-01-01 UTC; no element may be NULL. Nil where the array is NULL.
  public func timestampArrayOrNil(_ column: some PostgresColumn) throws -> [Int64]? {
    try elementsOrNil(column, .timestampMicroseconds)
  }
  /// `timestamptz[]`: microseconds since 1970-01-01 UTC; nil for each NULL element.
  public func timestampArrayWithNils(_ column: some PostgresColumn) throws -> [Int64?] {
    try value(column, ValueReader<Int64>.timestampMicroseconds.array())
  }
}
