import Ledger

/// Who calls, as `AuthenticateCaller` has found out.
struct Caller: Sendable, Hashable {
  typealias Role = CallerRole
  typealias Permission = CallerPermission

  /// By what a caller has proven who it is.
  enum Proof: Sendable, Hashable, CustomStringConvertible {
    /// A signed token.
    case jwt
    /// The API key of this name.
    case apiKey(APIKeyID)
    /// The word of the gateway.
    case gateway

    /// As audit records have it.
    var description: String {
      switch self {
      case .jwt: "jwt"
      case .apiKey(let id): "api_key:\(id)"
      case .gateway: "gateway"
      }
    }
  }

  /// The longest id, in characters (Unicode scalars, as everywhere here): it stands in every row.
  static let idCharactersMax = 255

  /// The one canonical id, the same by token, API key and gateway: payouts are owned by it. For a token the UTF-8 of
  /// `sub`.
  let id: String
  /// What it is.
  let role: Role
  /// The nodes for which a node operator acts, as its proof names them.
  let nodeIDs: [String]
  /// What it may do at all; whose payouts it reaches is asked for each.
  let permissions: Set<Permission>
  /// By what it has proven who it is.
  let proof: Proof

  /// A caller of its parts.
  /// - Parameter permissions: to what its proof narrows the role's; nil: to no less. More than the role has is
  ///   nobody's.
  init(
    id: String, role: Role, nodeIDs: [String], permissions: Set<Permission>? = nil, proof: Proof = .jwt
  ) {
    self.id = id
    self.role = role
    self.nodeIDs = nodeIDs
    self.permissions = permissions.map { role.permissions.intersection($0) } ?? role.permissions
    self.proof = proof
  }

  /// Whether a text can be a caller's id: 1 to 255 characters, none of control.
  static func isID(_ text: String) -> Bool {
    (1...idCharactersMax).contains(text.unicodeScalars.count) && !text.unicodeScalars.contains(where: \.isControl)
  }

  /// Whether it has a permission at all.
  func has(_ permission: Permission) -> Bool { permissions.contains(permission) }

  /// What it is told where it has not.
  func lacks(_ permission: Permission) -> Problem {
    let who = role.permissions.contains(permission) ? "This API key" : "The role \(role.rawValue)"
    return Problem(.forbidden, "\(who) may not do this: it takes \(permission.rawValue).")
  }

  /// Whether this payout may be read: by its owner, the beneficiary it names, and admins. That reading is allowed at
  /// all is asked before, of the call.
  func mayRead(owner: String, beneficiary: String?) -> Bool {
    role == .admin || isSame(owner) || beneficiary.map(isSame) ?? false
  }

  /// Whether what belongs to this owner alone, such as a webhook, is in reach: of its owner and of admins.
  func reaches(owner: String) -> Bool { role == .admin || isSame(owner) }

  /// Whether this payout may be cancelled: not by whom it only names, and not with a proof that allows to look alone.
  func mayCancel(owner: String) -> Bool { has(.create) && (role == .admin || isSame(owner)) }

  /// Whether a payout may be created for this node. A node operator creates for its own nodes only, so that its payouts
  /// must name one of them.
  func mayCreate(forNode node: String?) -> Bool {
    guard role == .nodeOperator else { return true }
    guard let node else { return false }
    return nodeIDs.contains { Self.areSame($0, node) }
  }

  private func isSame(_ other: String) -> Bool { Self.areSame(id, other) }

  /// By their bytes, as the database and references tell ids apart: Swift takes texts for equal that only look alike.
  private static func areSame(_ one: String, _ other: String) -> Bool { one.utf8.elementsEqual(other.utf8) }
}
