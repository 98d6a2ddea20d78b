import COpenSSL

/// How a passphrase becomes a key (Web3 Secret Storage v3: `kdf` and `kdfparams`).
enum KeyDerivation: Equatable {
  case scrypt(ScryptCost, salt: [UInt8])
  /// HMAC-SHA-256; only read, never written.
  case pbkdf2(iterations: Int, salt: [UInt8])

  /// Bytes of the derived key: 16 for the cipher, 16 for the authentication code.
  static let derivedSize = 32
  /// More would only serve to keep a process busy.
  static let pbkdf2IterationsMax = 10_000_000
  /// The most of a salt that is read.
  static let saltSizeMax = 256

  /// Derives into locked memory. Takes about a second and, with scrypt, up to `ScryptCost.memoryBytesMax`: call it only
  /// off the cooperative threads.
  func derive(from passphrase: Passphrase) throws(KeystoreError) -> LockedMemory {
    try LockedMemory.filled(count: KeyDerivation.derivedSize) { derived throws(KeystoreError) in
      let isDerived = passphrase.withBytes { text in
        switch self {
        case .scrypt(let cost, let salt) where cost.isBeyondRFC7914:
          WideScrypt.derive(text, salt: salt, cost: cost, into: derived)
        case .scrypt(let cost, let salt):
          // OpenSSL counts a little more than the table itself against the bound.
          EVP_PBE_scrypt(
            text.bindMemory(to: CChar.self).baseAddress, text.count, salt, salt.count, UInt64(cost.n), UInt64(cost.r),
            UInt64(cost.p), UInt64(ScryptCost.memoryBytesMax) * 2, derived.bindMemory(to: UInt8.self).baseAddress,
            derived.count) == 1
        case .pbkdf2(let iterations, let salt):
          KeyDerivation.pbkdf2(text, salt: salt[...], iterations: iterations, into: derived)
        }
      }
      guard isDerived else { throw KeystoreError(.system, "OpenSSL could not derive a key: is memory short?") }
    }
  }

  /// PBKDF2 with HMAC-SHA-256 by OpenSSL.
  static func pbkdf2(
    _ passphrase: UnsafeRawBufferPointer, salt: some Collection<UInt8>, iterations: Int,
    into derived: UnsafeMutableRawBufferPointer
  ) -> Bool {
    let salt = [UInt8](salt)
    return PKCS5_PBKDF2_HMAC(
      passphrase.bindMemory(to: CChar.self).baseAddress, Int32(passphrase.count), salt, Int32(salt.count),
      Int32(iterations), EVP_sha256(), Int32(derived.count), derived.bindMemory(to: UInt8.self).baseAddress) == 1
  }
}

/// What opening a keystore costs, and therefore what guessing a passphrase costs (RFC 7914).
public struct ScryptCost: Sendable, Hashable {
  /// Steps, a power of two.
  public let n: Int
  /// Block size; memory is 128 · n · r bytes.
  public let r: Int
  /// Repetitions.
  public let p: Int

  /// Ethereum's standard: 256 MiB and about a second.
  public static let standard = ScryptCost(unchecked: 262_144, 8, 1)
  /// The most memory that a file may ask for.
  public static let memoryBytesMax = 512 << 20
  /// The most work n · r · p that a file may ask for, four times the standard's.
  public static let workMax = 8 << 20

  private init(unchecked n: Int, _ r: Int, _ p: Int) {
    self.n = n
    self.r = r
    self.p = p
  }

  /// RFC 7914 §6 wants n < 2^(128 · r / 8), and OpenSSL insists on it; Ethereum's clients never did, and the storage
  /// definition's own vector (n = 2^18 with r = 1) breaks it.
  var isBeyondRFC7914: Bool { r <= 3 && n >= 1 << (16 * r) }

  /// - Throws: `KeystoreError.unsupported` unless n is a power of two above 1, r and p are 1 or more, and memory and
  ///   work stay within their bounds.
  public init(n: Int, r: Int, p: Int) throws(KeystoreError) {
    let bounds = 1...1 << 24
    guard n > 1, bounds.contains(n), n.nonzeroBitCount == 1, bounds.contains(r), bounds.contains(p) else {
      throw KeystoreError(.unsupported, "scrypt needs n, a power of two above 1, and r and p of 1 or more")
    }
    let (memory, tooWide) = (128 * n).multipliedReportingOverflow(by: r)
    guard !tooWide, memory <= ScryptCost.memoryBytesMax else {
      throw KeystoreError(.unsupported, "scrypt asks for more than \(ScryptCost.memoryBytesMax >> 20) MiB")
    }
    let (work, tooLong) = (n * r).multipliedReportingOverflow(by: p)
    guard !tooLong, work <= ScryptCost.workMax else {
      throw KeystoreError(.unsupported, "scrypt asks for more work than n · r · p = \(ScryptCost.workMax)")
    }
    self.init(unchecked: n, r, p)
  }
}
