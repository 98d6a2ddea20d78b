import Ledger

/// What a proof says of a caller, before it is held against the rules.
struct CallerClaims: Sendable {
  /// What the parts are called where they came from, for messages.
  enum Source: Sendable {
    case token
    case headers

    fileprivate var id: String { self == .token ? "The token's sub" : "X-User-ID" }
    fileprivate var role: String { self == .token ? "The token's role" : "X-User-Role" }
    fileprivate var nodeIDs: String { self == .token ? "The token's node_ids" : "X-User-Node-IDs" }
  }

  /// The most nodes that a caller may name.
  static let nodeIDsMax = 1_000
  /// The longest name of a node, in characters, as a payout may have it.
  static let nodeIDCharactersMax = ParsePayoutRequest.idCharactersMax

  let source: Source
  let id: String?
  let role: String?
  let nodeIDs: [String]

  /// The caller, where all of it is as it must be.
  /// - Throws: `Problem` of kind `unauthenticated` with the first thing that is wrong.
  func caller(_ proof: Caller.Proof) throws(Problem) -> Caller {
    guard let id, Caller.isID(id) else {
      throw Problem(
        .unauthenticated, "\(source.id) must have 1 to \(Caller.idCharactersMax) characters, none of control.")
    }
    guard let role = role.flatMap(Caller.Role.init) else {
      let roles = Caller.Role.allCases.map(\.rawValue).joined(separator: ", ")
      throw Problem(.unauthenticated, "\(source.role) must be one of \(roles).")
    }
    guard nodeIDs.count <= Self.nodeIDsMax else {
      throw Problem(.unauthenticated, "\(source.nodeIDs) names more than \(Self.nodeIDsMax) nodes.")
    }
    guard nodeIDs.allSatisfy(Self.isNodeID) else {
      throw Problem(
        .unauthenticated,
        "\(source.nodeIDs) must name nodes of 1 to \(Self.nodeIDCharactersMax) characters, none of control.")
    }
    return Caller(id: id, role: role, nodeIDs: nodeIDs, proof: proof)
  }

  /// Whether a text can name a node.
  static func isNodeID(_ text: String) -> Bool {
    (1...nodeIDCharactersMax).contains(text.unicodeScalars.count) && !text.unicodeScalars.contains(where: \.isControl)
  }
}
