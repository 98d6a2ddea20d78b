import Crypto
import JWTKit
import Payouts

/// A public key of whoever signs tokens, as a JWK tells it.
struct PublicKey: Sendable {
  /// What tokens name it by: its `kid`.
  let id: String
  /// The key itself; its type says which algorithm its signatures have.
  let material: Material

  /// The types of keys that are read.
  enum Material: Sendable {
    /// RSA of at least 2048 bits, for RS256.
    case rsa(JWTKit.Insecure.RSA.PublicKey)
    /// On P-256, for ES256.
    case p256(P256.Signing.PublicKey)
    /// Ed25519, for EdDSA.
    case ed25519(Curve25519.Signing.PublicKey)

    /// The one algorithm of its signatures.
    var algorithm: SignatureAlgorithm {
      switch self {
      case .rsa: .rs256
      case .p256: .es256
      case .ed25519: .edDSA
      }
    }
  }
}

/// Reads a JWK set (RFC 7517 §5) of public keys.
///
/// | `kty` | `crv` | members | algorithm |
/// | --- | --- | --- | --- |
/// | RSA | | `n` (at least 2048 bits), `e` | RS256 |
/// | EC | P-256 | `x`, `y` (32 bytes each, a point of the curve) | ES256 |
/// | OKP | Ed25519 | `x` (32 bytes) | EdDSA |
///
/// Each of these has a `kid` of its own. A key that is for something else is passed by (RFC 7517 §5), as sets of others
/// hold some: of another `kty` or `crv`, or by its `use`, `alg` or `key_ops` not to verify what is verified here. Other
/// members count for nothing. A key of ours that is malformed, and any with a private or symmetric member, makes the
/// whole set wrong: somebody meant something by it.
enum ReadKeySet {
  /// The longest set, in bytes.
  static let bytesMax = 262_144
  /// The most keys of a set.
  static let keysMax = 100
  /// The longest `kid`, in characters.
  static let keyIDCharactersMax = 256
  /// The shortest modulus of an RSA key, in bits (RFC 7518 §3.3).
  static let rsaBitsMin = 2_048

  /// The keys of a set that are for us, possibly none.
  /// - Throws: `MalformedValue` that says which key is wrong in what, and repeats no value of the text.
  static func keys(in text: [UInt8]) throws(MalformedValue) -> [PublicKey] {
    let whole: JSONValue
    do {
      whole = try ReadJSON.value(of: text)
    } catch {
      throw malformed("it is no JSON text that is read here, \(error)")
    }
    guard case .object(let members) = whole,
      case .array(let items)? = members.first(where: { $0.name == "keys" })?.value
    else { throw malformed("it is no object with an array of keys, as RFC 7517 §5 has it") }
    guard items.count <= keysMax else {
      throw malformed("it has \(items.count) keys, at most \(keysMax) are read")
    }
    var keys: [PublicKey] = []
    for (index, item) in items.enumerated() {
      guard let key = try WebKey(item, name: "key \(index + 1)").publicKey else { continue }
      guard !keys.contains(where: { $0.id == key.id }) else {
        throw malformed("key \(index + 1) has the kid of an earlier one: give each a kid of its own")
      }
      keys.append(key)
    }
    return keys
  }

  fileprivate static func malformed(_ reason: String) -> MalformedValue { MalformedValue("key set", reason) }
}

/// One JWK (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).
private struct WebKey {
  /// What belongs to private and symmetric keys (RFC 7518 §6.2.2, §6.3.2, §6.4).
  private static let privateMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"]

  /// What messages call it: by its place, from 1.
  private let name: String
  private let members: [String: JSONValue]

  init(_ value: JSONValue, name: String) throws(MalformedValue) {
    guard case .object(let members) = value else { throw ReadKeySet.malformed("\(name) is no object") }
    self.name = name
    self.members = Dictionary(members.map { ($0.name, $0.value) }) { first, _ in first }
    // Whoever can read this file could sign tokens.
    if let member = Self.privateMembers.first(where: { self.members[$0] != nil }) {
      throw wrong("has the member \(member), which only a private or symmetric key has: give the public key alone")
    }
  }

  /// The key; nil where it is not for us.
  var publicKey: PublicKey? {
    get throws(MalformedValue) {
      guard let family = try family, try isToVerify(family.algorithm) else { return nil }
      let id = try text("kid")
      guard (1...ReadKeySet.keyIDCharactersMax).contains(id.unicodeScalars.count),
        !id.unicodeScalars.contains(where: \.isControl)
      else { throw wrong("must have a kid of 1 to \(ReadKeySet.keyIDCharactersMax) characters, none of control") }
      switch family {
      case .rsa: return PublicKey(id: id, material: .rsa(try rsa()))
      case .p256: return PublicKey(id: id, material: .p256(try p256()))
      case .ed25519: return PublicKey(id: id, material: .ed25519(try ed25519()))
      }
    }
  }

  /// The types of keys that are read, by `kty` and `crv`.
  private enum Family {
    case rsa
    case p256
    case ed25519

    var algorithm: SignatureAlgorithm {
      switch self {
      case .rsa: .rs256
      case .p256: .es256
      case .ed25519: .edDSA
      }
    }
  }

  /// Nil for a type that is not read here.
  private var family: Family? {
    get throws(MalformedValue) {
      switch try text("kty") {
      case "RSA": return .rsa
      case "EC": return try text("crv") == "P-256" ? .p256 : nil
      case "OKP": return try text("crv") == "Ed25519" ? .ed25519 : nil
      default: return nil
      }
    }
  }

  /// Whether the key says of itself that it is to verify by this algorithm, or does not say what it is for.
  private func isToVerify(_ algorithm: SignatureAlgorithm) throws(MalformedValue) -> Bool {
    if members["use"] != nil, try text("use") != "sig" { return false }
    if members["alg"] != nil, try text("alg") != algorithm.rawValue { return false }
    guard let operations = members["key_ops"] else { return true }
    guard case .array(let items) = operations else { throw wrong("must have an array key_ops, or none") }
    return items.contains(.text("verify"))
  }

  private func rsa() throws(MalformedValue) -> JWTKit.Insecure.RSA.PublicKey {
    let (modulus, exponent) = (try bytes("n"), try bytes("e"))
    let significant = modulus.drop { $0 == 0 }
    let bits = significant.count * 8 - (significant.first?.leadingZeroBitCount ?? 0)
    guard bits >= ReadKeySet.rsaBitsMin else {
      throw wrong("has an n of \(bits) bits, expected at least \(ReadKeySet.rsaBitsMin)")
    }
    do {
      return try JWTKit.Insecure.RSA.PublicKey(modulus: Base64URL.text(modulus), exponent: Base64URL.text(exponent))
    } catch {
      throw wrong("has an n and an e that are no public key of RSA")
    }
  }

  private func p256() throws(MalformedValue) -> P256.Signing.PublicKey {
    let (x, y) = (try bytes("x"), try bytes("y"))
    guard x.count == 32, y.count == 32 else { throw wrong("must have an x and a y of 32 bytes each") }
    // Uncompressed (SEC 1 §2.3.3).
    let point: [UInt8] = [0x04] + x + y
    do {
      return try P256.Signing.PublicKey(x963Representation: point)
    } catch {
      throw wrong("has an x and a y that are no point of P-256")
    }
  }

  private func ed25519() throws(MalformedValue) -> Curve25519.Signing.PublicKey {
    let x = try bytes("x")
    guard x.count == 32 else { throw wrong("must have an x of 32 bytes") }
    do {
      return try Curve25519.Signing.PublicKey(rawRepresentation: x)
    } catch {
      throw wrong("has an x that is no key of Ed25519")
    }
  }

  private func text(_ member: String) throws(MalformedValue) -> String {
    guard case .text(let text)? = members[member] else { throw wrong("must have a text \(member)") }
    return text
  }

  private func bytes(_ member: String) throws(MalformedValue) -> [UInt8] {
    guard let bytes = Base64URL.bytes(try text(member).utf8), !bytes.isEmpty else {
      throw wrong("must have a \(member) in base64url without padding")
    }
    return bytes
  }

  private func wrong(_ what: String) -> MalformedValue { ReadKeySet.malformed("\(name) \(what)") }
}
