import Crypto
import JWTKit

/// Tells whether a key's owner has signed something, under the one algorithm that belongs to the key's type.
enum VerifyingKey: Sendable {
  /// JWTKit's RS256, bound to one key.
  case rs256(any JWTAlgorithm)
  /// A key on P-256.
  case es256(P256.Signing.PublicKey)
  /// A key of Ed25519.
  case edDSA(Curve25519.Signing.PublicKey)

  /// The key, ready to verify.
  ///
  /// JWTKit lends its RSA out of a collection of keys only. Of such a collection nothing else is used: it would take
  /// its first key for an unknown `kid`, and the algorithm that a token asks for.
  init(_ key: PublicKey) async throws {
    switch key.material {
    case .rsa(let key):
      let keys = JWTKeyCollection()
      await keys.add(rsa: key, digestAlgorithm: .sha256)
      self = .rs256(try await keys.getKey())
    case .p256(let key): self = .es256(key)
    case .ed25519(let key): self = .edDSA(key)
    }
  }

  /// The only algorithm that it takes.
  var algorithm: SignatureAlgorithm {
    switch self {
    case .rs256: .rs256
    case .es256: .es256
    case .edDSA: .edDSA
    }
  }

  /// Whether the key's owner has signed these bytes.
  /// - Parameter signature: as RFC 7515 has it for the algorithm: of ES256 r and s, 32 bytes each.
  func hasSigned(_ bytes: [UInt8], with signature: [UInt8]) -> Bool {
    switch self {
    case .rs256(let algorithm):
      do {
        return try algorithm.verify(signature, signs: bytes)
      } catch {
        return false
      }
    case .es256(let key):
      do {
        let signature = try P256.Signing.ECDSASignature(rawRepresentation: signature)
        return key.isValidSignature(signature, for: bytes)
      } catch {
        // It has not the length of one.
        return false
      }
    case .edDSA(let key): return key.isValidSignature(signature, for: bytes)
    }
  }
}
