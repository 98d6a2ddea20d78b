import HTTPTypes

extension HTTPField.Name {
  /// `X-API-Key`: the text of an API key.
  static let apiKey = callerHeader("X-API-Key")
  /// `X-Gateway-Token`: by what the gateway is known.
  static let gatewayToken = callerHeader("X-Gateway-Token")
  /// `X-User-ID`: whom the gateway has found to call.
  static let userID = callerHeader("X-User-ID")
  /// `X-User-Role`: and in which role.
  static let userRole = callerHeader("X-User-Role")
  /// `X-User-Node-IDs`: a node operator's nodes, separated by commas.
  static let userNodeIDs = callerHeader("X-User-Node-IDs")

  private static func callerHeader(_ name: String) -> HTTPField.Name {
    guard let field = HTTPField.Name(name) else { preconditionFailure("\(name) is no header's name") }
    return field
  }
}

/// By what a request says that it can prove its caller; nothing of it is believed yet.
enum OfferedProof: Sendable, Hashable {
  /// The value of `Authorization`.
  case authorization(String)
  /// The value of `X-API-Key`.
  case apiKey(String)
  /// The values of `X-User-ID`, `X-User-Role` and `X-User-Node-IDs`; nil where one is not there.
  case user(id: String?, role: String?, nodeIDs: String?)

  /// The one proof in the headers of a request.
  ///
  /// Of two proofs, or of a header that stands twice, nobody could say which one counts: a gateway and this program
  /// might take different ones.
  /// - Throws: `Problem` of kind `unauthenticated`.
  init(in headers: HTTPFields) throws(Problem) {
    let authorization = try Self.value(.authorization, headers)
    let apiKey = try Self.value(.apiKey, headers)
    let (id, role) = (try Self.value(.userID, headers), try Self.value(.userRole, headers))
    let nodeIDs = try Self.value(.userNodeIDs, headers)
    let namesUser = id != nil || role != nil || nodeIDs != nil
    switch (authorization, apiKey, namesUser) {
    case (let value?, nil, false): self = .authorization(value)
    case (nil, let text?, false): self = .apiKey(text)
    case (nil, nil, true): self = .user(id: id, role: role, nodeIDs: nodeIDs)
    case (nil, nil, false): throw Problem(.unauthenticated, "Send a proof of who calls: \(Self.ways).")
    default: throw Problem(.unauthenticated, "Send one proof of who calls, not several: \(Self.ways).")
    }
  }

  /// The items of a list separated by commas, spaces and tabs around them dropped; none of an empty text.
  static func items(_ list: String) -> [String] {
    let items = list.split(separator: ",", omittingEmptySubsequences: false).map { item in
      String(item.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }
    return items == [""] ? [] : items
  }

  private static let ways =
    "a token, Authorization: Bearer <JWT>, or an X-API-Key, or from the gateway X-User-ID and X-User-Role"

  private static func value(_ name: HTTPField.Name, _ headers: HTTPFields) throws(Problem) -> String? {
    let values = headers[values: name]
    guard values.count <= 1 else {
      throw Problem(.unauthenticated, "Send one \(name.rawName) header, not \(values.count).")
    }
    // Bytes that are no UTF-8 come as this mark: two callers that differ in them alone would look like one.
    if let value = values.first, value.unicodeScalars.contains("\u{fffd}") {
      throw Problem(.unauthenticated, "The \(name.rawName) header must be UTF-8.")
    }
    return values.first
  }

  private static func isSpace(_ character: Character) -> Bool { character == " " || character == "\t" }
}
