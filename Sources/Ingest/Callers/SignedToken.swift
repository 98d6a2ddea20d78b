/// The algorithms by which tokens may be signed (RFC 7518 §3.1, RFC 8037 §3.1). What is not here, `none` above all, is
/// no signature.
enum SignatureAlgorithm: String, Sendable, CaseIterable {
  /// HMAC-SHA256 under a shared secret.
  case hs256 = "HS256"
  /// RSASSA-PKCS1-v1_5 with SHA-256.
  case rs256 = "RS256"
  /// ECDSA on P-256 with SHA-256.
  case es256 = "ES256"
  /// Ed25519.
  case edDSA = "EdDSA"
}

/// A token as it came: a JWT in the compact form of a signature (RFC 7515 §7.1). Nothing of it is believed yet.
///
/// Its header is read strictly, so that two readers of it cannot see two things: no name twice, each value of its own
/// type, and nothing that must be understood besides (`crit`, RFC 7515 §4.1.11).
struct SignedToken: Sendable {
  /// What its header says of its signature; nil where it names no algorithm of ours.
  let algorithm: SignatureAlgorithm?
  /// The key that its header names.
  let keyID: String?
  /// What is signed: the first two parts as they came.
  let signedBytes: [UInt8]
  /// What it claims, as JSON text.
  let payload: [UInt8]
  /// As long as its algorithm has it, or not.
  let signature: [UInt8]

  /// Nil where a text is none.
  init?(_ text: some StringProtocol) {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3, let header = Base64URL.bytes(parts[0]), let payload = Base64URL.bytes(parts[1]),
      let signature = Base64URL.bytes(parts[2]), let fields = try? ReadJSON.value(of: header),
      case .object(let members) = fields
    else { return nil }
    let named = Dictionary(members.map { ($0.name, $0.value) }) { first, _ in first }
    guard named["crit"] == nil, case .text(let algorithm)? = named["alg"] else { return nil }
    switch named["kid"] {
    case nil: keyID = nil
    case .text(let id)?: keyID = id
    case .null?, .flag?, .number?, .array?, .object?: return nil
    }
    self.algorithm = SignatureAlgorithm(rawValue: algorithm)
    signedBytes = Array(text.utf8.prefix(parts[0].count + 1 + parts[1].count))
    self.payload = payload
    self.signature = signature
  }
}
