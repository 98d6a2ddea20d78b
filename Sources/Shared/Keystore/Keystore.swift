import Dispatch
public import Payouts

/// Keystore files: the default backend of the hot wallet's key (DESIGN.md §3 "The key").
public enum Keystore {
  /// Makes a new random key and stores it encrypted.
  ///
  /// - Parameters:
  ///   - path: must not exist yet; its folder must.
  ///   - passphrase: not empty.
  ///   - cost: `.standard` outside of tests.
  /// - Returns: the key's account.
  /// - Throws: `KeystoreError`; nothing is left behind then.
  public static func create(
    at path: String, passphrase: Passphrase, cost: ScryptCost = .standard
  ) async throws(KeystoreError) -> Address {
    try await store(try PrivateKey.random(), at: path, passphrase: passphrase, cost: cost)
  }

  /// Stores a key that exists already; parameters as `create`.
  public static func store(
    _ key: consuming PrivateKey, at path: String, passphrase: Passphrase, cost: ScryptCost = .standard
  ) async throws(KeystoreError) -> Address {
    guard !passphrase.isEmpty else { throw KeystoreError(.unsupported, "a keystore needs a passphrase") }
    // Early and cheap; the file itself refuses again, atomically.
    guard !KeystoreFile.exists(path) else { throw KeystoreFile.refusal(path) }
    let holder = HotWalletKey(key)
    let address = holder.address
    try await offCooperativeThreads { () throws(KeystoreError) in
      let encrypted = try holder.encrypted(passphrase: passphrase, cost: cost)
      try KeystoreFile.create(path, contents: try encrypted.json())
    }
    return address
  }

  /// Opens a keystore, ready to sign.
  /// - Throws: `KeystoreError`: `notFound`, `malformed`, `unsupported`, `wrongPassphrase`, `addressDiffers` …
  public static func open(_ path: String, passphrase: Passphrase) async throws(KeystoreError) -> HotWalletKey {
    try await offCooperativeThreads { () throws(KeystoreError) in
      let encrypted = try EncryptedKey(json: try KeystoreFile.read(path))
      return HotWalletKey(try encrypted.decrypted(with: passphrase))
    }
  }

  /// Key derivation keeps a core busy for about a second and files block: neither may hold a cooperative thread.
  private static func offCooperativeThreads<Value: Sendable>(
    _ work: @escaping @Sendable () throws(KeystoreError) -> Value
  ) async throws(KeystoreError) -> Value {
    let result: Result<Value, KeystoreError> = await withCheckedContinuation { continuation in
      DispatchQueue.global(qos: .userInitiated).async {
        do throws(KeystoreError) {
          continuation.resume(returning: .success(try work()))
        } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    }
    return try result.get()
  }
}
