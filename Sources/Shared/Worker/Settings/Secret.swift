/// Text that must never be shown: a token, a passphrase, an API key.
///
/// It prints as `<secret>` however it is printed (interpolation, `print`, `dump`, a mirror, a log's metadata), and is
/// read only inside a closure, so that each use can be found by searching for `withText` and `withBytes`.
///
/// It does not wipe its memory: what came through the environment lies in the process's memory anyhow. Private keys
/// are another matter and have their own type, in Keystore.
public struct Secret: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  private let bytes: [UInt8]

  /// Hides a text.
  public init(_ text: String) { bytes = [UInt8](text.utf8) }

  /// The number of UTF-8 bytes, for checks of strength.
  public var count: Int { bytes.count }

  /// Lends the text. The closure must not let it escape into an error, a log or a description.
  public func withText<Result, Failure: Error>(_ body: (String) throws(Failure) -> Result) throws(Failure) -> Result {
    try body(String(decoding: bytes, as: UTF8.self))
  }

  /// Lends the UTF-8 bytes, under the same condition.
  public func withBytes<Result, Failure: Error>(_ body: ([UInt8]) throws(Failure) -> Result) throws(Failure) -> Result {
    try body(bytes)
  }

  /// Always `<secret>`.
  public var description: String { "<secret>" }
  /// Always `<secret>`.
  public var debugDescription: String { "<secret>" }
  /// A mirror without children, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
