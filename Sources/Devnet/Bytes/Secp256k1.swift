import CSecp256k1

/// A signature as TRON writes it: r (32 bytes), s (32), v (1). See tron-protocol.md §1.5.
enum Secp256k1 {
  /// One context for all threads.
  ///
  /// Safe to share without a lock: secp256k1.h says that a context may be used by several threads at once as long as
  /// the calls take it as a pointer to const, and every call made here does.
  nonisolated(unsafe) private static let context: OpaquePointer = {
    guard let context = secp256k1_context_create(UInt32(SECP256K1_CONTEXT_NONE)) else {
      preconditionFailure("secp256k1 could not create its context: out of memory")
    }
    return context
  }()

  /// What is wrong with a signature; the texts are the node's own.
  struct Failure: Error, Equatable, Sendable {
    let message: String
  }

  /// The address whose key made `signature` over `digest`.
  ///
  /// Accepts v of 0–7 and 27–34 and ignores bytes after the 65th, as a node does. There is no low-s rule: the twin
  /// with s → n − s and v flipped recovers the same address.
  static func recover(_ signature: Bytes, over digest: Hash32) throws(Failure) -> Address {
    guard signature.count >= 65 else { throw Failure(message: "Signature size is \(signature.count)") }
    var header = Int(signature[64])
    if header < 27 { header += 27 }
    guard (27...34).contains(header) else { throw Failure(message: "Header byte out of range: \(header)") }
    if header >= 31 { header -= 4 }
    var parsed = secp256k1_ecdsa_recoverable_signature()
    guard
      secp256k1_ecdsa_recoverable_signature_parse_compact(context, &parsed, signature, Int32(header - 27)) == 1
    else { throw Failure(message: "Could not recover public key from signature") }
    var key = secp256k1_pubkey()
    guard secp256k1_ecdsa_recover(context, &key, &parsed, digest.bytes) == 1 else {
      throw Failure(message: "Could not recover public key from signature")
    }
    return address(of: &key)
  }

  /// The signature of `digest` by `privateKey` (32 bytes): RFC 6979, low s, v = 0 or 1, as java-tron signs blocks.
  static func sign(_ digest: Hash32, with privateKey: Bytes) -> Bytes {
    precondition(privateKey.count == 32, "a private key has 32 bytes")
    var signature = secp256k1_ecdsa_recoverable_signature()
    precondition(
      secp256k1_ecdsa_sign_recoverable(context, &signature, digest.bytes, privateKey, nil, nil) == 1,
      "the private key is zero or not below the group order")
    var bytes = Bytes(repeating: 0, count: 65)
    var recoveryID: Int32 = 0
    secp256k1_ecdsa_recoverable_signature_serialize_compact(context, &bytes, &recoveryID, &signature)
    bytes[64] = UInt8(recoveryID)
    return bytes
  }

  /// The address of `privateKey` (32 bytes), or nil where that is zero or not below the group order.
  static func address(ofPrivateKey privateKey: Bytes) -> Address? {
    guard privateKey.count == 32 else { return nil }
    var key = secp256k1_pubkey()
    guard secp256k1_ec_pubkey_create(context, &key, privateKey) == 1 else { return nil }
    return address(of: &key)
  }

  private static func address(of key: inout secp256k1_pubkey) -> Address {
    var bytes = Bytes(repeating: 0, count: 65)
    var count = bytes.count
    secp256k1_ec_pubkey_serialize(context, &bytes, &count, &key, UInt32(SECP256K1_EC_UNCOMPRESSED))
    return Address(publicKey: Bytes(bytes[1...]))
  }
}
