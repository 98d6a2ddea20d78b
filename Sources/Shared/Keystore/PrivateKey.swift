import Glibc
public import Payouts
import Tron

/// A private key of secp256k1: 32 bytes in locked memory.
///
/// It can be moved but not copied, wipes itself where its life ends, has no description, and its bytes are reachable
/// only inside a borrowing closure.
public struct PrivateKey: ~Copyable, Sendable {
  private let memory: LockedMemory
  /// The account that the key controls.
  public let address: Address

  /// A new key from the kernel's random generator.
  /// - Throws: `KeystoreError.memory`.
  public static func random() throws(KeystoreError) -> PrivateKey {
    // One in 2^128 draws is no key; it throws then, and nothing is lost.
    try PrivateKey { bytes in Randomness.fill(bytes) }
  }

  /// The key of 64 hexadecimal digits, with or without `0x`.
  ///
  /// For development: the text itself stays behind in ordinary memory and wherever it came from.
  /// - Throws: `KeystoreError.invalidKey`, which never repeats the text.
  public init(hex text: some StringProtocol) throws(KeystoreError) {
    let digits = text.hasPrefix("0x") ? text.dropFirst(2) : text[...]
    guard let bytes = Hex.bytes(digits), bytes.count == Secp256k1.keySize else {
      throw KeystoreError(.invalidKey, "expected 64 hexadecimal digits")
    }
    try self.init { memory in memory.copyBytes(from: bytes) }
  }

  /// - Parameter fill: writes the 32 bytes.
  init(
    filledBy fill: (UnsafeMutableRawBufferPointer) throws(KeystoreError) -> Void
  ) throws(KeystoreError) {
    let memory = try LockedMemory.filled(count: Secp256k1.keySize, by: fill)
    do {
      address = try memory.withBytes { bytes throws(SigningError) in
        try Secp256k1.address(ofKey: bytes.bytes)
      }
    } catch {
      throw KeystoreError(.invalidKey, "the 32 bytes are no private key: zero, or not below the curve's order")
    }
    self.memory = memory
  }

  /// Lends the 32 bytes for the time of a call. Copy them nowhere.
  public borrowing func withBytes<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try memory.withBytes { bytes throws(Failure) in try body(bytes.bytes) }
  }
}

/// Random bytes of the kernel (getrandom), fit for keys.
enum Randomness {
  /// Fills memory that is not to be copied.
  static func fill(_ bytes: UnsafeMutableRawBufferPointer) {
    var generator = SystemRandomNumberGenerator()
    for index in bytes.indices { bytes[index] = UInt8.random(in: .min ... .max, using: &generator) }
  }

  /// Salts, initial vectors and ids, which are no secrets.
  static func bytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
  }
}
