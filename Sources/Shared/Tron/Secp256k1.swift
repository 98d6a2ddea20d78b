import CSecp256k1
public import Payouts

/// Signatures over secp256k1 by libsecp256k1, with a key that is only borrowed (reference §1.5).
public enum Secp256k1 {
  /// Bytes of a private key.
  public static let keySize = 32
  /// r, s and v.
  public static let signatureSize = 65

  /// One context for the whole process, randomized once against side channels before anybody else sees it.
  ///
  /// Sound to share, says secp256k1.h: "A constructed context can safely be used from multiple threads simultaneously,
  /// but API calls that take a non-const pointer to a context need exclusive access to it", and "Regarding
  /// randomization, either do it once at creation time (in which case you do not need any locking for the other
  /// calls)". No call below takes a non-const context.
  private nonisolated(unsafe) static let context: OpaquePointer = {
    guard let context = secp256k1_context_create(UInt32(SECP256K1_CONTEXT_NONE)) else {
      preconditionFailure("libsecp256k1 could not allocate its context")
    }
    var generator = SystemRandomNumberGenerator()
    let seed = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    guard secp256k1_context_randomize(context, seed) == 1 else {
      preconditionFailure("libsecp256k1 could not randomize its context")
    }
    return context
  }()

  /// The address of a private key.
  /// - Throws: `SigningError.invalidKey` for zero, a number not below the curve's order, or another length.
  public static func address(ofKey key: RawSpan) throws(SigningError) -> Address {
    var publicKey = secp256k1_pubkey()
    let isValid = key.withUnsafeBytes { bytes in
      bytes.count == keySize
        && withUnsafeBytesBound(bytes) { secp256k1_ec_pubkey_create(context, &publicKey, $0) == 1 }
    }
    guard isValid else { throw .invalidKey }
    return address(of: publicKey)
  }

  /// Signs a txid: RFC 6979 nonce, low s, v 0 or 1.
  /// - Throws: `SigningError.invalidKey`.
  public static func sign(_ txid: TxID, key: RawSpan) throws(SigningError) -> [UInt8] {
    var recoverable = secp256k1_ecdsa_recoverable_signature()
    let isSigned = key.withUnsafeBytes { bytes in
      bytes.count == keySize
        && withUnsafeBytesBound(bytes) {
          secp256k1_ecdsa_sign_recoverable(context, &recoverable, txid.bytes, $0, nil, nil) == 1
        }
    }
    guard isSigned else { throw .invalidKey }
    var signature = [UInt8](repeating: 0, count: 64)
    var recoveryID: Int32 = 0
    // Always returns 1, says secp256k1_recovery.h.
    _ = secp256k1_ecdsa_recoverable_signature_serialize_compact(context, &signature, &recoveryID, &recoverable)
    return signature + [UInt8(truncatingIfNeeded: recoveryID)]
  }

  /// The address whose key made this signature over 32 bytes; nil where there is none.
  ///
  /// Every signature has a twin (s negated, v flipped) that recovers the same address: an address is proven, the bytes
  /// of a signature identify nothing.
  /// - Parameters:
  ///   - digest: 32 bytes.
  ///   - signature: 65 bytes r ‖ s ‖ v, v 0 to 3 or 27 to 30.
  public static func recoverAddress(digest: [UInt8], signature: [UInt8]) -> Address? {
    guard digest.count == 32, signature.count == signatureSize else { return nil }
    let v = signature[64] >= 27 ? signature[64] - 27 : signature[64]
    guard v <= 3 else { return nil }
    var recoverable = secp256k1_ecdsa_recoverable_signature()
    var publicKey = secp256k1_pubkey()
    guard
      secp256k1_ecdsa_recoverable_signature_parse_compact(context, &recoverable, signature, Int32(v)) == 1,
      secp256k1_ecdsa_recover(context, &publicKey, &recoverable, digest) == 1
    else { return nil }
    return address(of: publicKey)
  }

  private static func address(of publicKey: secp256k1_pubkey) -> Address {
    var publicKey = publicKey
    var size = 65
    var bytes = [UInt8](repeating: 0, count: size)
    // Always returns 1, says secp256k1.h.
    _ = secp256k1_ec_pubkey_serialize(context, &bytes, &size, &publicKey, UInt32(SECP256K1_EC_UNCOMPRESSED))
    return Address(account: Keccak256.hash(bytes.dropFirst()).suffix(20))
  }

  private static func withUnsafeBytesBound(
    _ bytes: UnsafeRawBufferPointer, _ body: (UnsafePointer<UInt8>) -> Bool
  ) -> Bool {
    bytes.withMemoryRebound(to: UInt8.self) { $0.baseAddress.map(body) ?? false }
  }
}
