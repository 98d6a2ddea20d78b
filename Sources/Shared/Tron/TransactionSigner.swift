public import Payouts

/// Whatever holds a key: encrypted file, PKCS#11, cloud (DESIGN.md §3 "The key").
public protocol TransactionSigner: Sendable {
  /// The account of the key.
  var address: Address { get }
  /// Signs a txid.
  /// - Returns: 65 bytes r ‖ s ‖ v by RFC 6979, low s, v 0 or 1 (reference §1.5).
  func sign(_ txid: TxID) throws(SigningError) -> [UInt8]
}

/// Why there is no signature. Nothing was signed in any of these cases.
public enum SigningError: Error, Sendable, Hashable {
  /// The key is zero or not below the curve's order, or has not 32 bytes.
  case invalidKey
  /// The signature is not 65 bytes with a recovery id of 0 to 3.
  case malformedSignature
  /// The signature recovers another address than the signer's: broken memory, a wrong backend, or a fault attack.
  case addressDiffers(expected: Address, recovered: Address)
  /// The holder of the key refused or could not be reached; the text holds no secret.
  case unavailable(String)
}

extension SigningError: CustomStringConvertible {
  /// What happened and what to do; never a key.
  public var description: String {
    switch self {
    case .invalidKey: "the key is no private key of secp256k1: check where it comes from"
    case .malformedSignature: "the signer gave no signature of 65 bytes with v 0 or 1: nothing was stored or sent"
    case .addressDiffers(let expected, let recovered):
      "the signature is that of \(recovered), expected \(expected): check the signer's key and this machine's memory"
    case .unavailable(let reason): "the signer is not available: \(reason)"
    }
  }
}
