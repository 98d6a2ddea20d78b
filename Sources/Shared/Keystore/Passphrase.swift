/// What opens a keystore: UTF-8 bytes in locked memory, shared by reference, wiped with the last reference.
///
/// The text it is made from stays behind in ordinary memory: hand it over early and drop it.
public final class Passphrase: Sendable, CustomStringConvertible, CustomReflectable {
  private let memory: LockedMemory

  /// - Parameter text: taken as it is; a line's end is for the caller to cut.
  /// - Throws: `KeystoreError.memory`.
  public init(_ text: some StringProtocol) throws(KeystoreError) {
    let utf8 = Array(text.utf8)
    memory = try LockedMemory.filled(count: utf8.count) { bytes in bytes.copyBytes(from: utf8) }
  }

  /// Whether there is none.
  public var isEmpty: Bool { memory.count == 0 }

  func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try memory.withBytes(body)
  }

  /// Nothing of it.
  public var description: String { "<redacted>" }
  /// Nothing of it.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
