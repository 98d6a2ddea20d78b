import Crypto

/// Compares what a caller sent with what it should be.
///
/// Both become codes of 32 bytes (HMAC-SHA256) under a key that was drawn when the process started and that nobody
/// knows, and the codes are compared to their ends. The time hangs on the length of what was sent, which its sender
/// knows, and on nothing else: a byte more that is right changes all of a code in a way that cannot be foreseen, and
/// two lengths make two codes of one length.
enum CompareSecrets {
  private static let key = SymmetricKey(size: .bits256)

  /// Whether both are the same bytes.
  static func areSame(_ sent: [UInt8], _ expected: [UInt8]) -> Bool {
    let code = HMAC<SHA256>.authenticationCode(for: expected, using: key)
    return HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: sent, using: key)
  }
}
