/// A JSON value whose numbers keep the digits they were written with (RFC 8259).
///
/// Foundation's reader hands numbers out as binary floating point, and money may not pass through that. Here a number is
/// its text until somebody who knows its unit reads it exactly. Members keep the order in which they came.
enum JSONValue: Sendable, Hashable {
  /// `null`.
  case null
  /// `true` or `false`.
  case flag(Bool)
  /// A number's text, as RFC 8259 §6 spells it: `12`, `-0.5`, `1e3`.
  case number(String)
  /// A text without its escapes.
  case text(String)
  /// Values in order.
  case array([JSONValue])
  /// Members in order; no name twice.
  case object([Member])

  /// A name and its value.
  struct Member: Sendable, Hashable {
    /// The name, without its escapes.
    let name: String
    /// The value.
    let value: JSONValue

    /// A member of an object.
    init(_ name: String, _ value: JSONValue) {
      self.name = name
      self.value = value
    }
  }

  /// A whole number.
  static func integer(_ number: some BinaryInteger) -> JSONValue { .number(String(number)) }

  /// A text, or null where there is none.
  static func text(orNull text: String?) -> JSONValue { text.map { .text($0) } ?? .null }

  /// What people call the kind of this value, for messages.
  var kind: String {
    switch self {
    case .null: "null"
    case .flag: "a boolean"
    case .number: "a number"
    case .text: "a text"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

extension JSONValue {
  /// The same value with the members of every object sorted by the bytes of their names, so that two requests that
  /// differ in the order of members alone are the same request.
  var canonical: JSONValue {
    switch self {
    case .null, .flag, .number, .text: self
    case .array(let items): .array(items.map(\.canonical))
    case .object(let members):
      .object(
        members.map { Member($0.name, $0.value.canonical) }
          .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
    }
  }
}
