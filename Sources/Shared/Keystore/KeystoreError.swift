/// Why a key could not be made, stored or opened. Never holds key, passphrase, or bytes of the file.
public struct KeystoreError: Error, Sendable, Hashable {
  /// The closed set of causes.
  public enum Code: String, Sendable, Hashable, CaseIterable {
    /// The passphrase does not fit the file, or the file was altered: its authentication code tells no more.
    case wrongPassphrase = "wrong_passphrase"
    /// The file is not Web3 Secret Storage, version 3.
    case malformed
    /// A cipher, key derivation or cost that this program does not take.
    case unsupported
    /// The file names another address than its key has.
    case addressDiffers = "address_differs"
    /// There is a file already; it may hold the only copy of a key.
    case alreadyExists = "already_exists"
    /// There is no such file.
    case notFound = "not_found"
    /// The file system refused.
    case fileSystem = "file_system"
    /// The bytes are no private key.
    case invalidKey = "invalid_key"
    /// Memory could not be locked.
    case memory
    /// OpenSSL or the kernel refused what it always grants.
    case system
  }

  /// What callers branch on.
  public let code: Code
  /// What happened, what was expected, what to do.
  public let reason: String

  /// - Parameters:
  ///   - code: what callers branch on.
  ///   - reason: what happened; holds no secret.
  public init(_ code: Code, _ reason: String) {
    self.code = code
    self.reason = reason
  }
}

extension KeystoreError: CustomStringConvertible {
  /// `code: reason`.
  public var description: String { "\(code.rawValue): \(reason)" }
}
