import COpenSSL
import Payouts
import Tron

/// A key as it rests: Web3 Secret Storage, version 3.
///
/// Source: "Web3 Secret Storage Definition" of Ethereum. Cipher AES-128-CTR under the first 16 bytes of the derived key;
/// mac = keccak-256(derived[16..<32] ‖ ciphertext).
struct EncryptedKey: Equatable {
  let derivation: KeyDerivation
  /// 16 bytes.
  let iv: [UInt8]
  /// 32 bytes.
  let ciphertext: [UInt8]
  /// 32 bytes.
  let mac: [UInt8]
  /// The account it claims to be of; nil where the file does not say.
  let address: Address?

  /// Encrypts a key under a passphrase, with new salt and initial vector. Slow: see `KeyDerivation.derive`.
  init(
    _ key: borrowing PrivateKey, passphrase: Passphrase, cost: ScryptCost
  ) throws(KeystoreError) {
    let derivation = KeyDerivation.scrypt(cost, salt: Randomness.bytes(32))
    let iv = Randomness.bytes(AES128CTR.blockSize)
    let derived = try derivation.derive(from: passphrase)
    var ciphertext = [UInt8](repeating: 0, count: Secp256k1.keySize)
    let isEncrypted = key.withBytes { bytes in
      bytes.withUnsafeBytes { plain in
        derived.withBytes { secret in
          ciphertext.withUnsafeMutableBytes { output in
            AES128CTR.apply(key: .init(rebasing: secret[..<16]), iv: iv, input: plain, output: output)
          }
        }
      }
    }
    guard isEncrypted else { throw KeystoreError(.system, "OpenSSL could not run AES-128-CTR") }
    self.derivation = derivation
    self.iv = iv
    self.ciphertext = ciphertext
    self.mac = EncryptedKey.mac(derived, ciphertext)
    self.address = key.address
  }

  /// As read from a file, its fields checked by the reader.
  init(derivation: KeyDerivation, iv: [UInt8], ciphertext: [UInt8], mac: [UInt8], address: Address?) {
    self.derivation = derivation
    self.iv = iv
    self.ciphertext = ciphertext
    self.mac = mac
    self.address = address
  }

  /// Opens it. Slow: see `KeyDerivation.derive`.
  /// - Throws: `KeystoreError.wrongPassphrase`, and `.addressDiffers` where the key is not that of the named account.
  func decrypted(with passphrase: Passphrase) throws(KeystoreError) -> PrivateKey {
    let derived = try derivation.derive(from: passphrase)
    let expected = EncryptedKey.mac(derived, ciphertext)
    guard expected.count == mac.count, CRYPTO_memcmp(expected, mac, mac.count) == 0 else {
      throw KeystoreError(.wrongPassphrase, "the passphrase does not fit this keystore, or the file was altered")
    }
    let key = try PrivateKey { plain throws(KeystoreError) in
      let isDecrypted = derived.withBytes { secret in
        ciphertext.withUnsafeBytes { input in
          AES128CTR.apply(key: .init(rebasing: secret[..<16]), iv: iv, input: input, output: plain)
        }
      }
      guard isDecrypted else { throw KeystoreError(.system, "OpenSSL could not run AES-128-CTR") }
    }
    if let address, address != key.address {
      throw KeystoreError(.addressDiffers, "the file says \(address), its key is that of \(key.address)")
    }
    return key
  }

  /// The half of the derived key that goes through ordinary memory here opens nothing: it only lets a passphrase be
  /// recognized, which the file itself does as well.
  private static func mac(_ derived: borrowing LockedMemory, _ ciphertext: [UInt8]) -> [UInt8] {
    derived.withBytes { secret in Keccak256.hash(secret[16..<32] + ciphertext) }
  }
}
