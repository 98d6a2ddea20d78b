/// The statements prepared on one connection: which text under which name, for which parameter types.
///
/// A text may be prepared more than once, where it is used with values of different types. The statement
/// unused for longest makes room for a new one. A pure value: the connection does what it decides.
struct PreparedStatements {
  private struct Variant {
    let name: String
    let types: [TypeOID]
    var lastCall: UInt64
  }

  private let capacity: Int
  private var variants: [String: [Variant]] = [:]
  private var call: UInt64 = 0
  private var nameCounter: UInt64 = 0
  /// Names that are of no more use but may still be prepared on the server.
  private var retired: [String] = []
  /// Statements held.
  private(set) var count = 0

  /// An empty set with room for so many.
  init(capacity: Int) {
    self.capacity = capacity
  }

  /// Begins a call; statements found or added from now on are not evicted before the next one.
  mutating func beginCall() {
    call += 1
  }

  /// The name under which a text is prepared for values of these types, if it is.
  mutating func find(_ sql: String, _ parameters: [PostgresParameter]) -> String? {
    guard let index = variants[sql]?.firstIndex(where: { Self.fits(parameters, $0.types) }) else { return nil }
    variants[sql]?[index].lastCall = call
    return variants[sql]?[index].name
  }

  /// Whether these values may be bound to parameters of these types.
  static func fits(_ parameters: [PostgresParameter], _ types: [TypeOID]) -> Bool {
    parameters.count == types.count && zip(parameters, types).allSatisfy { $0.fits($1) }
  }

  /// A name for a text, never used before on this connection.
  mutating func newName(for sql: String) -> String {
    nameCounter += 1
    return "s\(String(SQLText.fingerprint(sql), radix: 16))_\(nameCounter)"
  }

  /// Makes room for `newCount` more statements.
  ///
  /// - Returns: names to deallocate on the server, or nil where the present call alone needs more than fits.
  mutating func makeRoom(for newCount: Int) -> [String]? {
    var old = variants.flatMap { sql, list in list.map { (sql: sql, name: $0.name, lastCall: $0.lastCall) } }
      .filter { $0.lastCall < call }
    let surplus = count + newCount - capacity
    guard surplus <= old.count else { return nil }
    if surplus > 0 {
      old.sort { $0.lastCall < $1.lastCall }
      for victim in old.prefix(surplus) {
        remove(name: victim.name, of: victim.sql)
      }
    }
    return retired
  }

  /// Notes that the server has let go of a name.
  mutating func deallocated(_ name: String) {
    retired.removeAll { $0 == name }
  }

  /// Notes that a text was prepared, with the types that the server takes.
  mutating func add(_ sql: String, name: String, types: [TypeOID]) {
    variants[sql, default: []].append(Variant(name: name, types: types, lastCall: call))
    count += 1
  }

  /// Gives up a name, to be deallocated when next a statement is prepared.
  mutating func remove(name: String, of sql: String) {
    guard let index = variants[sql]?.firstIndex(where: { $0.name == name }) else { return }
    variants[sql]?.remove(at: index)
    if variants[sql]?.isEmpty == true { variants[sql] = nil }
    count -= 1
    retired.append(name)
  }

  /// Gives up all forms of a text.
  mutating func removeVariants(of sql: String) {
    for variant in variants[sql] ?? [] { remove(name: variant.name, of: sql) }
  }

  /// Why values do not fit the text as it was last prepared, for an error; never the values.
  func mismatch(_ sql: String, _ parameters: [PostgresParameter]) -> String {
    guard let types = variants[sql]?.last?.types else { return "it could not be prepared" }
    guard types.count == parameters.count else {
      return "it takes \(types.count) parameters, \(parameters.count) were given"
    }
    guard let index = zip(parameters, types).enumerated().first(where: { !$1.0.fits($1.1) })?.offset else {
      return "the types of its parameters differ between uses"
    }
    return "$\(index + 1) has the type with oid \(types[index].rawValue) there; cast it in the statement, as in "
      + "$\(index + 1)::text, or give a value of that type"
  }

  /// Forgets everything, after the server did.
  mutating func removeAll() {
    variants.removeAll()
    retired.removeAll()
    count = 0
  }
}
