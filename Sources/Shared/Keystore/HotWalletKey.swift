public import Payouts
public import Tron

/// The key of a hot wallet, held in this process, that signs.
///
/// Sendable without reserve: everything in it is immutable, the key's memory is read-only, and libsecp256k1 signs on many
/// threads at once with one context (see `Secp256k1`).
public final class HotWalletKey: TransactionSigner, CustomStringConvertible, CustomReflectable {
  private let key: PrivateKey

  /// Takes the key over.
  public init(_ key: consuming PrivateKey) { self.key = key }

  /// The wallet's account.
  public var address: Address { key.address }

  /// 65 bytes r ‖ s ‖ v; whoever stores the transaction recovers and compares the address first
  /// (`UnsignedTransaction.signed`).
  public func sign(_ txid: TxID) throws(SigningError) -> [UInt8] {
    try key.withBytes { bytes throws(SigningError) in try Secp256k1.sign(txid, key: bytes) }
  }

  /// The key under a passphrase. Slow: see `KeyDerivation.derive`.
  func encrypted(passphrase: Passphrase, cost: ScryptCost) throws(KeystoreError) -> EncryptedKey {
    try EncryptedKey(key, passphrase: passphrase, cost: cost)
  }

  /// The address and nothing of the key.
  public var description: String { "hot wallet \(address)" }
  /// The address and nothing of the key.
  public var customMirror: Mirror { Mirror(self, children: ["address": address]) }
}
