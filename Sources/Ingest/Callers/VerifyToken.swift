import Crypto
import Payouts
import Worker

/// Proves who calls by a bearer token: a JWT (RFC 7519, RFC 6750, RFC 8725).
///
/// The token's header decides nothing. `alg` HS256 is judged by the secret alone; of any other one `kid` must name a
/// key whose own algorithm it is, so that a public key is never taken for a secret, nor one key for another. `exp` is
/// required, `nbf` and `iat` are kept where they are given, and so is `aud`: a token that is for somebody is for
/// whoever it names alone, so that without `JWT_AUDIENCE` it is for none here (RFC 7519 §4.1.3).
struct VerifyToken: Sendable {
  /// The longest token that is looked at, in bytes.
  static let tokenBytesMax = 8_192
  /// How far the clock of whoever signs tokens may be from ours, in seconds: so long a token is taken before its time
  /// and after it.
  static let leewaySeconds = 30.0
  /// What a NumericDate may say (RFC 7519 §2), in seconds since 1970: up to the end of the year 9999.
  static let dates: ClosedRange<Double> = 0...253_402_300_799

  private let secret: SymmetricKey?
  private let keySet: WatchKeySet?
  private let audience: String?
  private let clock: any WallClock

  /// - Parameters:
  ///   - secret: `JWT_SECRET_KEY`; nil: no token signed with HS256 is good.
  ///   - keySet: the keys of `JWT_JWKS_FILE`; nil: no other token is.
  ///   - audience: `JWT_AUDIENCE`, which `aud` must contain; nil: a token with an `aud` is not good.
  ///   - clock: judges the times.
  init(secret: Secret?, keySet: WatchKeySet?, audience: String?, clock: any WallClock) {
    self.secret = secret.map { $0.withBytes { SymmetricKey(data: $0) } }
    self.keySet = keySet
    self.audience = audience
    self.clock = clock
  }

  /// The caller whom the value of an `Authorization` header proves.
  /// - Throws: `Problem` of kind `unauthenticated`.
  func caller(authorization: String) throws(Problem) -> Caller {
    let parts = authorization.split(separator: " ", omittingEmptySubsequences: true)
    guard parts.count == 2, parts[0].lowercased() == "bearer", parts[1].utf8.count <= Self.tokenBytesMax else {
      throw Problem(.unauthenticated, "The Authorization header is not of the form: Bearer <JWT>.")
    }
    // Why a token is bad helps who forges one more than who owns it.
    guard let token = SignedToken(parts[1]), isSigned(token) else {
      throw Problem(
        .unauthenticated,
        "The token is not valid: it must be a JWT signed with HS256 by the agreed secret, or with RS256, ES256 or "
          + "EdDSA by a key of the agreed set, which its kid names.")
    }
    return try caller(TokenClaims(token.payload))
  }

  private func isSigned(_ token: SignedToken) -> Bool {
    switch token.algorithm {
    case nil: return false
    case .hs256?:
      guard let secret else { return false }
      return HMAC<SHA256>.isValidAuthenticationCode(token.signature, authenticating: token.signedBytes, using: secret)
    case .rs256?, .es256?, .edDSA?:
      guard let id = token.keyID, let key = keySet?.key(id), key.algorithm == token.algorithm else { return false }
      return key.hasSigned(token.signedBytes, with: token.signature)
    }
  }

  private func caller(_ claims: TokenClaims) throws(Problem) -> Caller {
    let now = Double(clock.now().milliseconds) / 1_000
    guard let expiry = try claims.date("exp") else { throw Problem(.unauthenticated, "The token has no exp.") }
    guard now < expiry + Self.leewaySeconds else { throw Problem(.unauthenticated, "The token has expired.") }
    if let notBefore = try claims.date("nbf"), notBefore - Self.leewaySeconds > now {
      throw Problem(.unauthenticated, "The token is not valid yet.")
    }
    if let issuedAt = try claims.date("iat"), issuedAt - Self.leewaySeconds > now {
      throw Problem(.unauthenticated, "The token was issued in the future: its iat is ahead of our clock.")
    }
    try checkAudience(of: claims)
    let found = CallerClaims(
      source: .token, id: try claims.text("sub"), role: try claims.text("role"), nodeIDs: try claims.texts("node_ids"))
    return try found.caller(.jwt)
  }

  private func checkAudience(of claims: TokenClaims) throws(Problem) {
    let named = try claims.audiences
    if let audience {
      guard let named, named.contains(where: { $0.utf8.elementsEqual(audience.utf8) }) else {
        throw Problem(.unauthenticated, "The token is for others: its aud must contain \(audience).")
      }
    } else if named != nil {
      throw Problem(
        .unauthenticated, "The token is for others: it has an aud, and no name that could stand there is set up here.")
    }
  }
}

/// What a token claims, once its signature is known to be good. A claim that is null counts as absent.
private struct TokenClaims {
  private let claims: [String: JSONValue]

  /// - Parameter payload: as it was signed.
  init(_ payload: [UInt8]) throws(Problem) {
    guard let value = try? ReadJSON.value(of: payload), case .object(let members) = value else {
      throw Problem(.unauthenticated, "The token's claims are no JSON object that is read here.")
    }
    claims = Dictionary(members.map { ($0.name, $0.value) }) { first, _ in first }
  }

  /// A NumericDate: seconds, possibly with a fraction; nil where there is none.
  func date(_ name: String) throws(Problem) -> Double? {
    guard let claim = claim(name) else { return nil }
    guard case .number(let text) = claim, let seconds = Double(text), VerifyToken.dates.contains(seconds) else {
      throw Problem(
        .unauthenticated, "The token's \(name) must be a number: seconds since 1970, up to the year 9999.")
    }
    return seconds
  }

  /// A text; nil where there is none.
  func text(_ name: String) throws(Problem) -> String? {
    guard let claim = claim(name) else { return nil }
    guard case .text(let text) = claim else { throw Problem(.unauthenticated, "The token's \(name) must be a text.") }
    return text
  }

  /// A list of texts; empty where there is none.
  func texts(_ name: String) throws(Problem) -> [String] {
    guard let claim = claim(name) else { return [] }
    guard case .array(let items) = claim else {
      throw Problem(.unauthenticated, "The token's \(name) must be an array of texts.")
    }
    var texts: [String] = []
    for item in items {
      guard case .text(let text) = item else {
        throw Problem(.unauthenticated, "The token's \(name) must be an array of texts.")
      }
      texts.append(text)
    }
    return texts
  }

  /// For whom it is: `aud` is a text, or several (RFC 7519 §4.1.3); nil where it does not say.
  var audiences: [String]? {
    get throws(Problem) {
      guard let claim = claim("aud") else { return nil }
      if case .text(let text) = claim { return [text] }
      return try texts("aud")
    }
  }

  private func claim(_ name: String) -> JSONValue? { claims[name].flatMap { $0 == .null ? nil : $0 } }
}
