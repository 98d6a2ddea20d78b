/// What a column may be named by: its name (`String`) or its place from 0 (`Int`).
public protocol PostgresColumn: Sendable {
  /// The column's place among `names`, from 0; nil where there is none. With equal names, the first.
  func place(among names: [String]) -> Int?
  /// The column as an error text names it.
  var columnDescription: String { get }
}

extension String: PostgresColumn {
  /// The place of the first column of this name.
  public func place(among names: [String]) -> Int? { names.firstIndex(of: self) }
  /// The name in quotes.
  public var columnDescription: String { "\"\(self)\"" }
}

extension Int: PostgresColumn {
  /// The place itself, where there is such a column.
  public func place(among names: [String]) -> Int? { names.indices.contains(self) ? self : nil }
  /// The place, with a number sign.
  public var columnDescription: String { "#\(self)" }
}

/// One row of a result; its values are decoded when they are asked for.
///
/// Every getter throws ``PostgresError`` with code `decoding`, naming column, expected and found type and the
/// statement, where the column is not there, is NULL (unless the getter ends in `OrNil`), or has another type.
public struct PostgresRow: Sendable {
  let storage: RowStorage
  let index: Int

  /// The names of the columns, in order.
  public var columns: [String] { storage.columns }

  /// True where the column is NULL.
  public func isNull(_ column: some PostgresColumn) throws -> Bool {
    storage.cells[index * storage.columns.count + (try place(of: column, as: "a value"))] == nil
  }

  private func place(of column: some PostgresColumn, as expected: String) throws(PostgresError) -> Int {
    guard let place = column.place(among: storage.columns) else {
      throw PostgresError(
        code: .decoding,
        message: "there is no column \(column.columnDescription) to read as \(expected); there are: "
          + storage.columns.joined(separator: ", "),
        statement: storage.statement)
    }
    return place
  }

  /// The value of a column, or nil for NULL.
  func valueOrNil<Value>(
    _ column: some PostgresColumn, _ reader: ValueReader<Value>
  ) throws(PostgresError) -> Value? {
    let place = try place(of: column, as: reader.name)
    guard let range = storage.cells[index * storage.columns.count + place] else { return nil }
    let type = storage.types[place]
    let value = storage.bytes.withUnsafeBytes {
      reader.read(type, UnsafeRawBufferPointer(rebasing: $0[range]))
    }
    guard let value else {
      throw PostgresError(
        code: .decoding,
        message: "column \(column.columnDescription), \(range.count) bytes of the type with oid \(type.rawValue), "
          + "cannot be read as \(reader.name); cast it in the statement",
        statement: storage.statement)
    }
    return value
  }

  /// The value of a column that must not be NULL.
  func value<Value>(_ column: some PostgresColumn, _ reader: ValueReader<Value>) throws(PostgresError) -> Value {
    guard let value = try valueOrNil(column, reader) else {
      throw PostgresError(
        code: .decoding, message: "column \(column.columnDescription) is NULL, expected \(reader.name)",
        statement: storage.statement)
    }
    return value
  }

  /// The elements of an array column, none of which may be NULL; nil where the array itself is.
  func elementsOrNil<Value>(
    _ column: some PostgresColumn, _ reader: ValueReader<Value>
  ) throws(PostgresError) -> [Value]? {
    guard let optionals = try valueOrNil(column, reader.array()) else { return nil }
    let elements = optionals.compactMap { $0 }
    guard elements.count == optionals.count else {
      throw PostgresError(
        code: .decoding, message: "column \(column.columnDescription) has a NULL element, expected \(reader.name)[]",
        statement: storage.statement)
    }
    return elements
  }

  /// The elements of an array column that must not be NULL, nor any element of it.
  func elements<Value>(_ column: some PostgresColumn, _ reader: ValueReader<Value>) throws(PostgresError) -> [Value] {
    guard let elements = try elementsOrNil(column, reader) else {
      throw PostgresError(
        code: .decoding, message: "column \(column.columnDescription) is NULL, expected \(reader.name)[]",
        statement: storage.statement)
    }
    return elements
  }
}

/// The rows of one result: all values in one buffer, copied out of libpq.
final class RowStorage: Sendable {
  /// Column names.
  let columns: [String]
  /// Column types.
  let types: [TypeOID]
  /// Values, one after another.
  let bytes: [UInt8]
  /// Where each value stands in `bytes`, row by row; nil for NULL.
  let cells: [Range<Int>?]
  /// The SQL text, for errors.
  let statement: String

  /// Keeps what was copied.
  init(columns: [String], types: [TypeOID], bytes: [UInt8], cells: [Range<Int>?], statement: String) {
    self.columns = columns
    self.types = types
    self.bytes = bytes
    self.cells = cells
    self.statement = statement
  }
}

/// What a statement answered.
public struct PostgresResult: Sendable {
  /// The rows, in the server's order; empty for statements that give none.
  public let rows: [PostgresRow]
  /// Rows inserted, updated, deleted or selected, by the server's count.
  public let affectedRows: Int
  /// The server's word for what it did: `INSERT 0 1`, `SELECT 5`, `COMMIT`.
  public let commandTag: String
  /// Texts of the WARNINGs that came with the answer; in a pipeline they stand at the last result, since
  /// the protocol does not tell to which command they belong. At most `warningsMax` are kept.
  public internal(set) var warnings: [String]

  /// The most warnings kept for one call.
  public static let warningsMax = 100
}
