import Crypto

/// Ingest's signature over a payout's terms, so that whoever can write to Redis or PostgreSQL can neither mint nor alter
/// a payout (DESIGN.md §3 "The seal").
public struct Seal: Hashable, Sendable {
  /// The layout of the encoding, 1.
  public let version: Int64
  /// Which key of Ingest signed.
  public let keyID: String
  /// Ed25519, 64 bytes.
  public let signature: [UInt8]

  /// The only layout so far.
  public static let currentVersion: Int64 = 1

  /// A seal as it was stored; whether it is good is `SealVerifier`'s to say.
  public init(version: Int64, keyID: String, signature: [UInt8]) {
    self.version = version
    self.keyID = keyID
    self.signature = signature
  }

  /// The bytes that are signed (DESIGN.md §7 "Encoding").
  static func encoding(of terms: PayoutTerms, version: Int64, keyID: String) -> [UInt8] {
    var encoding = CanonicalEncoding(tag: "tron-payouts/seal/v1")
    encoding.append(version)
    encoding.append(keyID)
    encoding.append(terms.id.bytes)
    encoding.append(terms.reference.bytes)
    encoding.append(terms.owner)
    encoding.append(terms.network.rawValue)
    encoding.append(terms.token.bytes)
    encoding.append(terms.asset)
    encoding.append(terms.recipient.bytes)
    encoding.append(terms.amount.microUSDT)
    encoding.append(terms.router.rawValue)
    encoding.append(terms.batchType.rawValue)
    encoding.append(terms.clientBatch?.bytes)
    encoding.append(terms.node)
    encoding.append(terms.kycHash)
    encoding.append(terms.createdAt.milliseconds)
    encoding.append(terms.expiresAt?.milliseconds)
    return encoding.bytes
  }
}

/// Ingest's half of the seal: holds the private key `INTENT_SEAL_KEY`.
public struct Sealer: Sendable {
  /// The key's name, stored with each seal so that keys can be changed.
  public let keyID: String
  private let key: Curve25519.Signing.PrivateKey

  /// - Parameter text: `id:hex`, hex being the 32 bytes of an Ed25519 private key.
  /// - Throws: `MalformedValue` that never repeats the text.
  public init(_ text: some StringProtocol) throws(MalformedValue) {
    let (keyID, bytes) = try parseSealKey(text)
    guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes) else {
      throw MalformedValue("seal key", "is no Ed25519 key")
    }
    self.keyID = keyID
    self.key = key
  }

  /// `id:hex` of the public half, as `INTENT_SEAL_PUBLIC_KEY` takes it.
  public var publicKeyText: String { "\(keyID):\(Hex.text(key.publicKey.rawRepresentation))" }

  /// The seal of these terms.
  /// - Throws: what swift-crypto throws where signing is impossible.
  public func seal(_ terms: PayoutTerms) throws -> Seal {
    let message = Seal.encoding(of: terms, version: Seal.currentVersion, keyID: keyID)
    return Seal(version: Seal.currentVersion, keyID: keyID, signature: [UInt8](try key.signature(for: message)))
  }

  /// The signature of a message that is no payout, 64 bytes; ``SealedMessage`` says why the two cannot be confused.
  /// - Throws: what swift-crypto throws where signing is impossible.
  public func sign(_ message: SealedMessage) throws -> [UInt8] {
    [UInt8](try key.signature(for: message.encoding(keyID: keyID)))
  }

  /// Whether this very key has signed exactly this message.
  public func hasSigned(_ message: SealedMessage, with signature: [UInt8]) -> Bool {
    key.publicKey.isValidSignature(signature, for: message.encoding(keyID: keyID))
  }
}

/// Signer's half of the seal: only public keys.
public struct SealVerifier: Sendable {
  private let keys: [String: Curve25519.Signing.PublicKey]

  /// - Parameter text: one or several `id:hex`, comma-separated (`INTENT_SEAL_PUBLIC_KEY`).
  /// - Throws: `MalformedValue` for a key that cannot be read, a name given twice, or no key at all.
  public init(_ text: some StringProtocol) throws(MalformedValue) {
    var keys: [String: Curve25519.Signing.PublicKey] = [:]
    for part in text.split(separator: ",") {
      let (keyID, bytes) = try parseSealKey(part)
      guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes) else {
        throw MalformedValue("seal public key", "\(keyID) is no Ed25519 public key")
      }
      guard keys.updateValue(key, forKey: keyID) == nil else {
        throw MalformedValue("seal public key", "the id \(keyID) is given twice")
      }
    }
    guard !keys.isEmpty else { throw MalformedValue("seal public key", "expected id:hex, comma-separated") }
    self.keys = keys
  }

  /// Whether this key is among the known ones: a seal of another one is neither good nor broken.
  public func knows(_ keyID: String) -> Bool { keys[keyID] != nil }

  /// Whether the seal was made by a known key over exactly these terms.
  public func isIntact(_ seal: Seal, on terms: PayoutTerms) -> Bool {
    guard seal.version == Seal.currentVersion, let key = keys[seal.keyID] else { return false }
    let message = Seal.encoding(of: terms, version: seal.version, keyID: seal.keyID)
    return key.isValidSignature(seal.signature, for: message)
  }
}

private func parseSealKey(_ text: some StringProtocol) throws(MalformedValue) -> (id: String, bytes: [UInt8]) {
  let parts = text.split(separator: ":", omittingEmptySubsequences: false)
  guard parts.count == 2, let id = parts.first, let hex = parts.last, (1...64).contains(id.utf8.count),
    let bytes = Hex.bytes(hex), bytes.count == 32
  else {
    throw MalformedValue("seal key", "expected id:hex with 64 hexadecimal digits")
  }
  return (String(id), bytes)
}
