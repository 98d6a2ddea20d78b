/// The number of a data type in the server's catalogue (`pg_type.oid`; the built-in ones are fixed in
/// `pg_type.dat` of the PostgreSQL source and never change).
struct TypeOID: Hashable, Sendable {
  /// The number itself; 0 means "let the server infer it".
  let rawValue: UInt32

  /// Names a type by its number.
  init(_ rawValue: UInt32) {
    self.rawValue = rawValue
  }

  static let unspecified = TypeOID(0)
  static let bool = TypeOID(16)
  static let bytea = TypeOID(17)
  static let char = TypeOID(18)
  static let name = TypeOID(19)
  static let int8 = TypeOID(20)
  static let int2 = TypeOID(21)
  static let int4 = TypeOID(23)
  static let text = TypeOID(25)
  static let oid = TypeOID(26)
  static let json = TypeOID(114)
  static let xml = TypeOID(142)
  static let unknown = TypeOID(705)
  static let bpchar = TypeOID(1042)
  static let varchar = TypeOID(1043)
  static let timestamptz = TypeOID(1184)
  static let uuid = TypeOID(2950)
  static let jsonb = TypeOID(3802)

  static let boolArray = TypeOID(1000)
  static let byteaArray = TypeOID(1001)
  static let int4Array = TypeOID(1007)
  static let textArray = TypeOID(1009)
  static let int8Array = TypeOID(1016)
  static let timestamptzArray = TypeOID(1185)
  static let uuidArray = TypeOID(2951)
  static let jsonbArray = TypeOID(3807)

  /// Numbers from here on belong to types made by users: enums, domains, extensions (`FirstNormalObjectId`).
  static let firstUserDefined: UInt32 = 16_384

  private static let builtInTextLike: Set<TypeOID> = [.text, .varchar, .bpchar, .name, .char, .json, .xml, .unknown]

  /// True for types whose binary form is the text itself: character types, `json`, and types made by users,
  /// which are taken to be enums (a domain over a number has to be given its number as `int8`, with a cast).
  var isTextLike: Bool {
    Self.builtInTextLike.contains(self) || rawValue >= Self.firstUserDefined
  }
}
