import FoundationEssentials
import JWTKit
import Payouts
import Worker

/// Who calls, as proven by a token.
struct Caller: Sendable, Hashable {
  /// The one canonical id, UTF-8 of `sub`: payouts are owned by it.
  let id: String
  /// What it may do.
  let role: Role
  /// The nodes for which a node operator acts.
  let nodeIDs: Set<String>

  /// What a role may do (api.md, "Who may call").
  enum Role: String, Sendable, CaseIterable {
    /// Everything of everyone.
    case admin
    /// Creates for its own nodes, reads its own.
    case nodeOperator = "node_operator"
    /// Reads its own.
    case endUser = "end_user"
    /// Creates and reads its own.
    case service
  }

  /// What a call needs.
  enum Permission: String, Sendable {
    /// To create payouts.
    case create = "payment:create"
    /// To read payouts.
    case read = "payment:read"
  }

  /// Whether the role has a permission at all; whose payouts it reaches is asked for each.
  func has(_ permission: Permission) -> Bool {
    switch (role, permission) {
    case (.admin, _), (.nodeOperator, _), (.service, _), (.endUser, .read): true
    case (.endUser, .create): false
    }
  }

  /// Whether this payout may be read: by its owner, the beneficiary it names, and admins.
  func mayRead(owner: String, beneficiary: String?) -> Bool {
    role == .admin || id == owner || id == beneficiary
  }

  /// Whether this payout may be cancelled: not by whom it only names.
  func mayCancel(owner: String) -> Bool { role == .admin || id == owner }

  /// Whether a payout may be created for this node. A node operator creates for its own nodes only, so that its payouts
  /// must name one of them.
  func mayCreate(forNode node: String?) -> Bool {
    guard role == .nodeOperator else { return true }
    return node.map(nodeIDs.contains) ?? false
  }
}

/// Proves who calls by a bearer token: a JWT signed with HS256 (RFC 7519, RFC 6750).
///
/// The algorithm is pinned, `exp` is required and judged by the injected clock, `nbf` is kept where it is given.
struct AuthenticateCaller: Sendable {
  /// The longest token that is looked at, in bytes.
  static let tokenBytesMax = 8_192
  /// The longest `sub`, in characters: it stands in every row.
  static let subjectCharactersMax = 255
  /// The most nodes a token may name.
  static let nodeIDsMax = 1_000

  private let keys: JWTKeyCollection
  private let clock: any WallClock

  /// - Parameters:
  ///   - key: `JWT_SECRET_KEY`, at least 32 bytes.
  ///   - clock: judges `exp` and `nbf`.
  init(key: Secret, clock: any WallClock) async {
    keys = JWTKeyCollection()
    await keys.add(hmac: key.withBytes { HMACKey(from: $0) }, digestAlgorithm: .sha256, parser: PinnedParser())
    self.clock = clock
  }

  /// The caller whom the `Authorization` header proves.
  /// - Throws: `Problem` of kind `unauthenticated`, which does not say more than its owner needs.
  func caller(authorization: String?) async throws(Problem) -> Caller {
    guard let authorization else {
      throw Problem(.unauthenticated, "Send a token: Authorization: Bearer <JWT signed with HS256>.")
    }
    let parts = authorization.split(separator: " ", omittingEmptySubsequences: true)
    guard parts.count == 2, parts[0].lowercased() == "bearer", parts[1].utf8.count <= Self.tokenBytesMax else {
      throw Problem(.unauthenticated, "The Authorization header is not of the form: Bearer <JWT signed with HS256>.")
    }
    let claims: Claims
    do {
      claims = try await keys.verify(String(parts[1]), as: Claims.self)
    } catch {
      // Why a token is bad helps who forges one more than who owns it.
      throw Problem(.unauthenticated, "The token is not valid: it must be a JWT signed with HS256 by the agreed key.")
    }
    return try caller(claims)
  }

  private func caller(_ claims: Claims) throws(Problem) -> Caller {
    let now = Double(clock.now().milliseconds) / 1_000
    guard let expiry = claims.exp else { throw Problem(.unauthenticated, "The token has no exp.") }
    guard expiry > now else { throw Problem(.unauthenticated, "The token has expired.") }
    if let notBefore = claims.nbf, notBefore > now { throw Problem(.unauthenticated, "The token is not valid yet.") }
    guard let subject = claims.sub, (1...Self.subjectCharactersMax).contains(subject.count),
      subject.utf8.count <= 4 * Self.subjectCharactersMax, subject.unicodeScalars.allSatisfy({ !$0.isControl })
    else {
      throw Problem(
        .unauthenticated, "The token's sub must have 1 to \(Self.subjectCharactersMax) characters, none of control.")
    }
    guard let role = claims.role.flatMap(Caller.Role.init) else {
      let roles = Caller.Role.allCases.map(\.rawValue).joined(separator: ", ")
      throw Problem(.unauthenticated, "The token's role must be one of \(roles).")
    }
    guard claims.nodeIDs.count <= Self.nodeIDsMax else {
      throw Problem(.unauthenticated, "The token names more than \(Self.nodeIDsMax) nodes.")
    }
    return Caller(id: subject, role: role, nodeIDs: Set(claims.nodeIDs))
  }
}

extension Unicode.Scalar {
  /// Whether it is one of the control characters of Unicode (general category Cc), NUL included.
  var isControl: Bool { value < 0x20 || (0x7f...0x9f).contains(value) }
}

/// What a token claims. Times are NumericDates (RFC 7519 §2): seconds, possibly with a fraction.
private struct Claims: JWTPayload {
  let sub: String?
  let role: String?
  let exp: Double?
  let nbf: Double?
  let nodeIDs: [String]

  enum CodingKeys: String, CodingKey {
    case sub, role, exp, nbf
    case nodeIDs = "node_ids"
  }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    sub = try values.decodeIfPresent(String.self, forKey: .sub)
    role = try values.decodeIfPresent(String.self, forKey: .role)
    exp = try values.decodeIfPresent(Double.self, forKey: .exp)
    nbf = try values.decodeIfPresent(Double.self, forKey: .nbf)
    nodeIDs = try values.decodeIfPresent([String].self, forKey: .nodeIDs) ?? []
  }

  func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeIfPresent(sub, forKey: .sub)
    try values.encodeIfPresent(role, forKey: .role)
    try values.encodeIfPresent(exp, forKey: .exp)
    try values.encodeIfPresent(nbf, forKey: .nbf)
    try values.encode(nodeIDs, forKey: .nodeIDs)
  }

  /// The times are judged by the injected clock, after this.
  func verify(using algorithm: some JWTAlgorithm) async throws {}
}

/// Reads a token whose signature is good already, and insists on its header: `alg` HS256 and nothing that must be
/// understood besides (`crit`, RFC 7515 §4.1.11).
private struct PinnedParser: JWTParser {
  var jsonDecoder: any JWTJSONDecoder = .defaultForJWT

  func parse<Payload: JWTPayload>(
    _ token: some DataProtocol, as type: Payload.Type
  ) throws -> (header: JWTHeader, payload: Payload, signature: Data) {
    let parsed = try DefaultJWTParser(jsonDecoder: jsonDecoder).parse(token, as: type)
    guard parsed.header.fields["alg"] == .string("HS256"), parsed.header.fields["crit"] == nil else {
      throw JWTError.malformedToken(reason: "alg must be HS256, without crit")
    }
    return parsed
  }
}
