import Payouts

/// Reads the fields of a request's object one by one, and notes everything that is wrong instead of stopping at it.
///
/// Each call returns the value, or nil where the field is absent, null or wrong; `problems` tells them apart. At the end
/// `refuseUnknownFields` adds those that nobody asked for.
struct RequestFields {
  /// The most problems that an answer names; a body of a thousand unknown fields needs no thousand lines.
  static let problemsMax = 50
  /// The longest unknown name that is repeated in an answer, in characters.
  static let shownNameCharactersMax = 64

  /// What was found wrong so far, in the order of the fields asked for.
  private(set) var problems: [Problem.FieldProblem] = []
  /// Whether one of them would be wrong at any time, and not only under the present circumstances.
  private(set) var hasLastingProblem = false
  private let members: [String: JSONValue]
  private let names: [String]
  /// The fields that were asked for so far.
  private(set) var asked: Set<String> = []

  /// The fields of an object, each name once.
  init(_ members: [JSONValue.Member]) {
    self.members = Dictionary(members.map { ($0.name, $0.value) }) { first, _ in first }
    names = members.map(\.name)
  }

  /// The fields of a body that must be a JSON object.
  /// - Throws: `Problem` of kind `malformedJSON`.
  init(body: [UInt8]) throws(Problem) {
    let value: JSONValue
    do {
      value = try ReadJSON.value(of: body)
    } catch {
      throw Problem(.malformedJSON, "The body is no JSON text that is read here, \(error).")
    }
    guard case .object(let members) = value else {
      throw Problem(.malformedJSON, "The body must be a JSON object, not \(value.kind).")
    }
    self.init(members)
  }

  /// Notes a problem of a field.
  /// - Parameter isLasting: false where the field could have been good yesterday, or under other settings.
  mutating func note(_ field: String, _ message: String, isLasting: Bool = true) {
    if isLasting { hasLastingProblem = true }
    guard problems.count < RequestFields.problemsMax else { return }
    problems.append(Problem.FieldProblem(field: field, message: message))
  }

  /// Notes what is wrong with an object that stands in a field.
  mutating func note(_ inner: RequestFields, under field: String) {
    for problem in inner.problems {
      note("\(field).\(problem.field)", problem.message, isLasting: inner.hasLastingProblem)
    }
  }

  /// The field's value; nil where it is absent or null, which is noted where it is required.
  mutating func value(_ field: String, isRequired: Bool = false) -> JSONValue? {
    asked.insert(field)
    if let value = members[field], value != .null { return value }
    if isRequired { note(field, "is required") }
    return nil
  }

  /// A text of 1 to `maximum` characters without control characters.
  mutating func text(_ field: String, maximum: Int, isRequired: Bool = false) -> String? {
    guard let value = value(field, isRequired: isRequired) else { return nil }
    guard case .text(let text) = value else {
      note(field, "must be a text, not \(value.kind)")
      return nil
    }
    if text.isEmpty {
      note(field, "must not be empty")
    } else if text.unicodeScalars.contains(where: \.isControl) {
      note(field, "must not hold control characters")
    } else if text.unicodeScalars.count > maximum {
      note(field, "has \(text.unicodeScalars.count) characters, at most \(maximum) are possible")
    } else {
      return text
    }
    return nil
  }

  /// True or false.
  mutating func flag(_ field: String) -> Bool? {
    guard let value = value(field) else { return nil }
    guard case .flag(let flag) = value else {
      note(field, "must be true or false, not \(value.kind)")
      return nil
    }
    return flag
  }

  /// A whole number that is not negative.
  mutating func count(_ field: String) -> Int64? {
    guard let value = value(field) else { return nil }
    guard case .number(let text) = value, let count = Int64(text), count >= 0 else {
      note(field, "must be a whole number, not negative")
      return nil
    }
    return count
  }

  /// A number, or decimal text, read exactly by `parse`; a number's text is the one in the request.
  mutating func decimal<Value>(
    _ field: String, isRequired: Bool = false, parse: (String) throws(MalformedValue) -> Value
  ) -> Value? {
    guard let value = value(field, isRequired: isRequired) else { return nil }
    switch value {
    case .number(let text), .text(let text):
      do {
        return try parse(text)
      } catch {
        note(field, error.reason)
      }
    case .null, .flag, .array, .object:
      note(field, "must be a number or decimal text, not \(value.kind)")
    }
    return nil
  }

  /// A text that `parse` reads.
  mutating func parsed<Value>(
    _ field: String, maximum: Int, isRequired: Bool = false, parse: (String) throws(MalformedValue) -> Value
  ) -> Value? {
    guard let text = text(field, maximum: maximum, isRequired: isRequired) else { return nil }
    do {
      return try parse(text)
    } catch {
      note(field, error.reason)
      return nil
    }
  }

  /// One word of a closed set.
  mutating func word<Word: RawRepresentable & CaseIterable>(
    _ field: String, _ type: Word.Type, isRequired: Bool = false, lowercases: Bool = false
  ) -> Word? where Word.RawValue == String {
    guard let text = text(field, maximum: 64, isRequired: isRequired) else { return nil }
    guard let word = Word(rawValue: lowercases ? text.lowercased() : text) else {
      note(field, "must be one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
      return nil
    }
    return word
  }

  /// A list of texts that `parse` reads; each wrong one is noted.
  mutating func list<Value>(
    _ field: String, count: ClosedRange<Int>, isRequired: Bool = false,
    parse: (String) throws(MalformedValue) -> Value
  ) -> [Value]? {
    guard let value = value(field, isRequired: isRequired) else { return nil }
    guard case .array(let items) = value else {
      note(field, "must be an array of texts, not \(value.kind)")
      return nil
    }
    guard count.contains(items.count) else {
      note(field, "has \(items.count) items, \(count.lowerBound) to \(count.upperBound) are possible")
      return nil
    }
    var values: [Value] = []
    for (index, item) in items.enumerated() {
      guard case .text(let text) = item else {
        note("\(field)[\(index)]", "must be a text, not \(item.kind)")
        continue
      }
      do {
        values.append(try parse(text))
      } catch {
        note("\(field)[\(index)]", error.reason)
      }
    }
    return values
  }

  /// Notes that a field is given although it belongs to something that this request is not.
  mutating func refuse(_ field: String, _ message: String) {
    if value(field) != nil { note(field, message) }
  }

  /// What was read of a request, where nothing is wrong with it and nothing else stands there.
  /// - Throws: `Problem` of kind `invalidRequest`.
  mutating func whole<Value>(_ value: Value?) throws(Problem) -> Value {
    refuseUnknownFields()
    guard let value, problems.isEmpty else { throw ParsePayoutRequest.problem(problems) }
    return value
  }

  /// Notes each field that nobody asked for.
  mutating func refuseUnknownFields() {
    for name in names where !asked.contains(name) {
      note(RequestFields.shown(name), "is not a field of this request")
    }
  }

  /// An unknown name, fit to be repeated.
  private static func shown(_ name: String) -> String {
    let shown = name.unicodeScalars.prefix(shownNameCharactersMax).map { $0.isControl ? "?" : String($0) }.joined()
    return name.unicodeScalars.count > shownNameCharactersMax ? shown + "…" : shown
  }
}
