/// One value bound to `$1`, `$2`, … of a statement; sent in binary, never spliced into the SQL text.
///
/// | case | sent as | note |
/// | --- | --- | --- |
/// | `null` | NULL of whatever type the statement takes there | |
/// | `bool`, `int4`, `int8` | `bool`, `int4`, `int8` | |
/// | `text` | whatever text-like type the server infers there: `text`, `varchar`, an enum, `json` | refused before sending where the server infers another kind of type, such as `int8` |
/// | `bytes` | `bytea` | |
/// | `uuid` | `uuid` | exactly 16 bytes |
/// | `timestamp` | `timestamptz` | microseconds since 1970-01-01 UTC |
/// | `json` | `jsonb` | UTF-8 JSON text |
/// | `…Array` | one-dimensional array, `nil` for NULL | `textArray` is `text[]`: write `$1::text[]` and cast the elements to reach an enum |
public enum PostgresParameter: Sendable, Equatable {
  /// NULL.
  case null
  /// `bool`.
  case bool(Bool)
  /// `int4`.
  case int4(Int32)
  /// `int8`.
  case int8(Int64)
  /// Text, or an enum's label: the bytes are the same.
  case text(String)
  /// `bytea`.
  case bytes([UInt8])
  /// `uuid`, 16 bytes.
  case uuid([UInt8])
  /// `timestamptz`, microseconds since 1970-01-01 UTC.
  case timestamp(microsecondsSinceUnixEpoch: Int64)
  /// `jsonb`, as JSON text.
  case json(String)
  /// `bool[]`.
  case boolArray([Bool?])
  /// `int4[]`.
  case int4Array([Int32?])
  /// `int8[]`.
  case int8Array([Int64?])
  /// `text[]`.
  case textArray([String?])
  /// `bytea[]`.
  case bytesArray([[UInt8]?])
  /// `uuid[]`, each element 16 bytes.
  case uuidArray([[UInt8]?])
  /// `timestamptz[]`, microseconds since 1970-01-01 UTC.
  case timestampArray([Int64?])
  /// `jsonb[]`, as JSON texts.
  case jsonArray([String?])
}

extension PostgresParameter {
  /// The type the statement is prepared with; `TypeOID.unspecified` leaves it to the server.
  var declaredType: TypeOID {
    switch self {
    case .null, .text: .unspecified
    case .bool: .bool
    case .int4: .int4
    case .int8: .int8
    case .bytes: .bytea
    case .uuid: .uuid
    case .timestamp: .timestamptz
    case .json: .jsonb
    case .boolArray: .boolArray
    case .int4Array: .int4Array
    case .int8Array: .int8Array
    case .textArray: .textArray
    case .bytesArray: .byteaArray
    case .uuidArray: .uuidArray
    case .timestampArray: .timestamptzArray
    case .jsonArray: .jsonbArray
    }
  }

  /// Whether this value may be bound where the server takes `type`.
  ///
  /// Binary values carry no type of their own: eight bytes of text bound to an `int8` would be taken as a
  /// number. So text is let through only where its bytes mean text.
  func fits(_ type: TypeOID) -> Bool {
    switch self {
    case .null: true
    case .text: type.isTextLike
    default: type == declaredType
    }
  }
}
