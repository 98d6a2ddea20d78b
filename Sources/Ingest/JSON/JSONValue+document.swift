/// Reading a JSON document whose shape is known.
extension JSONValue {
  /// A member of an object; null where there is none.
  func member(_ name: String) -> JSONValue {
    guard case .object(let members) = self else { return .null }
    return members.first { $0.name == name }?.value ?? .null
  }

  /// The members of an object, in order; none of anything else.
  var members: [(name: String, value: JSONValue)] {
    guard case .object(let members) = self else { return [] }
    return members.map { ($0.name, $0.value) }
  }

  func members(_ name: String) -> [(name: String, value: JSONValue)] { member(name).members }

  func items(_ name: String) -> [JSONValue] {
    guard case .array(let items) = member(name) else { return [] }
    return items
  }

  var plainText: String? {
    switch self {
    case .text(let text), .number(let text): text
    case .flag(let flag): "\(flag)"
    case .null, .array, .object: nil
    }
  }

  func string(_ name: String) -> String { member(name).plainText ?? "" }

  func flag(_ name: String) -> Bool { member(name) == .flag(true) }

  /// The last part of a reference into the same document.
  var reference: String? {
    member("$ref").plainText?.split(separator: "/").last.map(String.init)
  }

  /// What stands at a reference; itself where it is none.
  func resolved(_ value: JSONValue) -> JSONValue {
    guard let path = value.member("$ref").plainText?.split(separator: "/").dropFirst() else { return value }
    return path.reduce(self) { $0.member(String($1)) }
  }

  /// Of a body or an answer: what it may be, of whatever media type.
  var bodySchema: JSONValue? { members("content").first?.value.member("schema") }
}
