import FoundationEssentials
import HTTPTypes
import NIOHTTP1
import Payouts

@testable import Ingest

/// Holds what the server answers against ops/openapi.yaml, by the part of JSON Schema that the document uses
/// (OpenAPI 3.0.3, "Schema Object"). Another reader of the same schemas is asked in OpenAPITests.
enum DocumentedAnswer {
  /// What an answer has that the document does not tell, or lacks of what it tells.
  static func complaints(
    _ operation: Operation, method: String, status: Int, headers: HTTPHeaders, bytes: [UInt8]
  ) -> [String] {
    let document = ServeHTTP.document
    let (place, template) = operation.place
    let call = document.member("paths").member(template).member(place.rawValue.lowercased())
    let response = document.resolved(call.member("responses").member("\(status)"))
    guard response != .null else { return ["status \(status) is not documented"] }
    var complaints: [String] = []
    for (name, header) in response.members("headers") {
      let header = document.resolved(header)
      if let value = headers.first(name: name) {
        complaints += Self.complaints(JSONValue.header(value, header.member("schema")), header.member("schema"), name)
      } else if header.flag("required") {
        complaints.append("header \(name) is missing")
      }
    }
    guard method != "HEAD" else { return complaints }
    let type = headers.first(name: "Content-Type") ?? "none"
    guard let content = response.members("content").first(where: { $0.name == type }) else {
      return complaints + ["content of type \(type) is not documented"]
    }
    guard type.hasSuffix("json") else { return complaints }
    guard let value = try? ReadJSON.value(of: bytes) else { return complaints + ["the body is no JSON"] }
    return complaints + Self.complaints(value, content.value.member("schema"), "body")
  }

  /// What a value has against a schema of the document.
  static func complaints(_ value: JSONValue, _ schema: JSONValue, _ place: String) -> [String] {
    let schema = ServeHTTP.document.resolved(schema)
    if value == .null {
      let words = schema.items("enum")
      let isPossible =
        schema.flag("nullable") && schema.member("type") != .null && (words.isEmpty || words.contains(.null))
      if isPossible || !schema.items("oneOf").isEmpty && fits(schema.items("oneOf"), value, place) == 1 { return [] }
      return schema == .object([]) ? [] : ["\(place) is null"]
    }
    var complaints = schema.items("allOf").flatMap { Self.complaints(value, $0, place) }
    let choices = schema.items("oneOf")
    if !choices.isEmpty, fits(choices, value, place) != 1 { complaints.append("\(place) is not one of its schemas") }
    let words = schema.items("enum")
    if !words.isEmpty, !words.contains(value) { complaints.append("\(place) is \(value), no word of its enum") }
    switch (schema.string("type"), value) {
    case ("", _), ("boolean", .flag): break
    case ("string", .text(let text)): complaints += ofText(text, schema, place)
    case ("integer", .number(let text)) where Int64(text) != nil, ("number", .number(let text)):
      complaints += ofNumber(text, schema, place)
    case ("array", .array(let items)):
      complaints += ofCount(items.count, schema, "Items", place)
      complaints += items.enumerated().flatMap { Self.complaints($1, schema.member("items"), "\(place)[\($0)]") }
    case ("object", .object(let members)): complaints += ofObject(members, schema, place)
    default: complaints.append("\(place) is \(value.kind), not of type \(schema.string("type"))")
    }
    return complaints
  }

  private static func fits(_ choices: [JSONValue], _ value: JSONValue, _ place: String) -> Int {
    choices.count { complaints(value, $0, place).isEmpty }
  }

  private static func ofObject(_ members: [JSONValue.Member], _ schema: JSONValue, _ place: String) -> [String] {
    let known = schema.members("properties")
    let more = schema.member("additionalProperties")
    let missing = schema.items("required").compactMap(\.plainText).filter { name in
      !members.contains { $0.name == name }
    }
    return missing.map { "\(place).\($0) is missing" }
      + members.flatMap { member -> [String] in
        if let property = known.first(where: { $0.name == member.name }) {
          return complaints(member.value, property.value, "\(place).\(member.name)")
        }
        switch more {
        case .flag(false): return ["\(place).\(member.name) is not documented"]
        case .object: return complaints(member.value, more, "\(place).\(member.name)")
        default: return []
        }
      }
  }

  private static func ofText(_ text: String, _ schema: JSONValue, _ place: String) -> [String] {
    var complaints = ofCount(text.unicodeScalars.count, schema, "Length", place)
    if let pattern = schema.member("pattern").plainText {
      let isMatch = (try? Regex(pattern)).map { text.firstMatch(of: $0) != nil } ?? false
      if !isMatch { complaints.append("\(place) is \(text), not like \(pattern)") }
    }
    let isOfFormat =
      switch schema.string("format") {
      case "uuid": UUID(uuidString: text) != nil
      case "date-time": (try? Timestamp(rfc3339: text)) != nil
      case "uri": URL(string: text) != nil
      default: true
      }
    return isOfFormat ? complaints : complaints + ["\(place) is \(text), no \(schema.string("format"))"]
  }

  private static func ofNumber(_ text: String, _ schema: JSONValue, _ place: String) -> [String] {
    guard let number = Decimal(string: text) else { return ["\(place) is \(text), no number"] }
    func bound(_ name: String) -> Decimal? { schema.member(name).plainText.flatMap { Decimal(string: $0) } }
    let isLow = bound("minimum").map { number < $0 } ?? false
    let isHigh = bound("maximum").map { number > $0 } ?? false
    return isLow || isHigh ? ["\(place) is \(text), outside of its bounds"] : []
  }

  private static func ofCount(_ count: Int, _ schema: JSONValue, _ what: String, _ place: String) -> [String] {
    func bound(_ name: String) -> Int? { schema.member(name + what).plainText.flatMap { Int($0) } }
    let isPossible = count >= bound("min") ?? 0 && count <= bound("max") ?? .max
    return isPossible ? [] : ["\(place) has \(count) \(what.lowercased())"]
  }
}

extension JSONValue {
  /// A header's value as its schema has it.
  fileprivate static func header(_ text: String, _ schema: JSONValue) -> JSONValue {
    schema.string("type") == "integer" ? .number(text) : .text(text)
  }
}
