/// A request to `/devnet` that is refused with status 400.
struct ControlError: Error, Equatable {
  /// What was found and what was expected.
  let sentence: String
}

/// The fields of a request to `/devnet`, read strictly: what is misspelt or out of range is refused, never passed over.
///
/// A field counts as known once it was asked for; ``finish()`` refuses the rest.
struct ControlFields {
  let object: JSONObject
  private var known: [String] = []

  /// How many entries a list may have.
  static let listMax = 10_000

  /// The fields of `body`; an empty one has none.
  init(body: Bytes) throws(ControlError) {
    var json = JSON.object(JSONObject())
    if !body.isEmpty {
      do {
        json = try JSONParser.parse(body)
      } catch {
        throw ControlError(sentence: "the body is not JSON: \(error.reason)")
      }
    }
    try self.init(json, name: "the body")
  }

  private init(_ json: JSON, name: String) throws(ControlError) {
    guard case .object(let object) = json else { throw Self.wrong(name, json, "an object") }
    self.object = object
  }

  /// Refuses fields that nobody asked for.
  func finish() throws(ControlError) {
    for (name, _) in object.fields where !known.contains(name) {
      throw ControlError(sentence: "'\(name.prefix(100))' is no field here; expected \(Self.list(known))")
    }
  }

  /// Refuses a request without any field.
  func requireSome() throws(ControlError) {
    if object.fields.isEmpty { throw ControlError(sentence: "nothing is asked for; expected \(Self.list(known))") }
  }

  // MARK: Values

  /// A whole number, or nil when absent.
  mutating func integer(_ name: String, in range: ClosedRange<Int64>) throws(ControlError) -> Int64? {
    guard let value = take(name) else { return nil }
    guard case .integer(let number) = value, range.contains(number) else {
      throw Self.wrong(name, value, "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// Yes or no, or nil when absent.
  mutating func flag(_ name: String) throws(ControlError) -> Bool? {
    guard let value = take(name) else { return nil }
    guard case .bool(let flag) = value else { throw Self.wrong(name, value, "true or false") }
    return flag
  }

  /// A text that is not empty, or nil when absent.
  mutating func text(_ name: String) throws(ControlError) -> String? {
    guard let value = take(name) else { return nil }
    guard case .string(let text) = value, !text.isEmpty else { throw Self.wrong(name, value, "a text") }
    return text
  }

  /// One of these texts, or nil when absent.
  mutating func choice(_ name: String, of choices: [String]) throws(ControlError) -> String? {
    guard let value = take(name) else { return nil }
    guard case .string(let text) = value, choices.contains(text) else {
      throw Self.wrong(name, value, Self.list(choices, or: true))
    }
    return text
  }

  /// A transaction's id, or nil when absent.
  mutating func hash(_ name: String) throws(ControlError) -> Hash32? {
    try take(name).map { value throws(ControlError) in try Self.hash(value, name) }
  }

  /// An address in base58, or nil when absent.
  mutating func address(_ name: String) throws(ControlError) -> Address? {
    guard let value = take(name) else { return nil }
    guard case .string(let text) = value, let address = Address(base58: text) else {
      throw Self.wrong(name, value, "an address of 34 characters of base58check")
    }
    return address
  }

  /// A list of whole numbers, or nil when absent.
  mutating func integers(_ name: String, in range: ClosedRange<Int64>) throws(ControlError) -> [Int64]? {
    guard let elements = try list(name) else { return nil }
    return try elements.map { element throws(ControlError) in
      guard case .integer(let number) = element, range.contains(number) else {
        throw Self.wrong(name, element, "whole numbers from \(range.lowerBound) to \(range.upperBound)")
      }
      return number
    }
  }

  /// A list of transaction ids; empty when absent.
  mutating func hashes(_ name: String) throws(ControlError) -> [Hash32] {
    try (list(name) ?? []).map { element throws(ControlError) in try Self.hash(element, name) }
  }

  /// A list of objects; empty when absent.
  mutating func objects(_ name: String) throws(ControlError) -> [ControlFields] {
    try (list(name) ?? []).map { element throws(ControlError) in try ControlFields(element, name: name) }
  }

  private mutating func list(_ name: String) throws(ControlError) -> [JSON]? {
    guard let value = take(name) else { return nil }
    guard case .array(let elements) = value, elements.count <= Self.listMax else {
      throw Self.wrong(name, value, "a list of at most \(Self.listMax)")
    }
    return elements
  }

  private mutating func take(_ name: String) -> JSON? {
    known.append(name)
    return object[name]
  }

  private static func hash(_ value: JSON, _ name: String) throws(ControlError) -> Hash32 {
    guard case .string(let text) = value, let hash = Hash32(hex: text) else {
      throw wrong(name, value, "a transaction's id in 64 hex characters")
    }
    return hash
  }

  private static func wrong(_ name: String, _ value: JSON, _ expected: String) -> ControlError {
    ControlError(sentence: "\(name): \(value.text.prefix(100)) was found; expected \(expected)")
  }

  private static func list(_ names: [String], or: Bool = false) -> String {
    names.isEmpty ? "none" : names.map { "'\($0)'" }.joined(separator: or ? " or " : ", ")
  }
}

/// The value, or a sentence that says that the field is missing.
func given<Value>(_ value: Value?, _ name: String) throws(ControlError) -> Value {
  guard let value else { throw ControlError(sentence: "\(name): it is missing") }
  return value
}
