/// A call that a node answers with `{"Error": …}` and status 200, as java-tron does for what it cannot read.
struct NodeError: Error, Equatable {
  /// The text after `"Error":`, beginning with the class of the node's exception.
  let text: String

  /// An error in the form `class <exception> : <reason>`.
  init(_ exception: String, _ reason: String) { text = "class \(exception) : \(reason)" }

  /// Exactly this text.
  init(verbatim text: String) { self.text = text }

  /// A field that is missing or of the wrong kind.
  static func field(_ name: String, _ expected: String) -> NodeError {
    NodeError("java.lang.IllegalArgumentException", "\(name): expected \(expected)")
  }
}

/// The parameters of one call: fields of a JSON body (POST) or of the query (GET). See tron-protocol.md §4.1.
struct NodeRequest: Sendable {
  private let fields: JSONObject
  /// `visible` of the query string, which is all that getnowblock looks at.
  let queryIsVisible: Bool

  /// A GET with these query parameters.
  init(query: [(name: String, value: String)]) {
    var fields = JSONObject()
    for (name, value) in query { fields.set(name, .string(value)) }
    self.fields = fields
    queryIsVisible = Self.flag(fields["visible"])
  }

  /// A POST with this body; an empty one has no fields.
  init(body: Bytes, query: [(name: String, value: String)]) throws(NodeError) {
    queryIsVisible = query.contains { $0.name == "visible" && $0.value == "true" }
    guard !body.isEmpty else {
      fields = JSONObject()
      return
    }
    let value: JSON
    do {
      value = try JSONParser.parse(body)
    } catch {
      throw NodeError("com.alibaba.fastjson.JSONException", error.reason)
    }
    guard case .object(let object) = value else {
      throw NodeError("com.alibaba.fastjson.JSONException", "expected an object")
    }
    fields = object
  }

  /// The whole body as an object.
  var object: JSON { .object(fields) }

  /// Whether addresses come and go in base58.
  var isVisible: Bool { Self.flag(fields["visible"]) }

  var rendering: Rendering { Rendering(isVisible: isVisible) }

  /// A flag, false when absent.
  func flag(_ name: String) -> Bool { Self.flag(fields[name]) }

  /// A text, or nil when absent or empty.
  func text(_ name: String) throws(NodeError) -> String? {
    switch fields[name] {
    case nil, .null: return nil
    case .string(let text): return text.isEmpty ? nil : text
    case .integer(let number): return String(number)
    default: throw .field(name, "a text")
    }
  }

  /// A number, or nil when absent; numbers in quotation marks count too.
  func integer(_ name: String) throws(NodeError) -> Int64? {
    switch fields[name] {
    case nil, .null: return nil
    case .integer(let number): return number
    case .string(let text):
      guard let number = Int64(text) else {
        throw NodeError("java.lang.NumberFormatException", "For input string: \"\(text)\"")
      }
      return number
    default: throw .field(name, "an integer")
    }
  }

  /// Bytes in hex, or nil when absent.
  func bytes(_ name: String) throws(NodeError) -> Bytes? {
    guard let text = try text(name) else { return nil }
    guard let bytes = Hex.decode(text) else {
      throw NodeError("org.bouncycastle.util.encoders.DecoderException", "\(name): exception decoding Hex string")
    }
    return bytes
  }

  /// A transaction or block id, or nil when it is not 64 hex characters: nothing has such an id.
  func hash(_ name: String) throws(NodeError) -> Hash32? { try bytes(name).flatMap(Hash32.init) }

  /// An address in hex, or in base58 when `visible`.
  func address(_ name: String) throws(NodeError) -> Address? {
    guard let text = try text(name) else { return nil }
    return Address(try Self.addressBytes(text, name: name, isVisible: isVisible))
  }

  /// The bytes of an address field, which need not be an address.
  static func addressBytes(_ text: String, name: String, isVisible: Bool) throws(NodeError) -> Bytes {
    guard let bytes = isVisible ? Base58Check.decode(text) : Hex.decode(text) else {
      throw .field(name, isVisible ? "an address in base58" : "an address in hex")
    }
    return bytes
  }

  private static func flag(_ value: JSON?) -> Bool { value == .bool(true) || value == .string("true") }
}
