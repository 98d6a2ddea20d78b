/// A text or a byte string that is not what it claims to be, found where it entered the program.
public struct MalformedValue: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was being read, in the words of the API: `address`, `amount`, `txid` …
  public let kind: String
  /// What is wrong and what was expected, fit to be shown to the caller who sent it.
  public let reason: String

  /// - Parameters:
  ///   - kind: what was being read.
  ///   - reason: what is wrong and what was expected; holds no secret.
  public init(_ kind: String, _ reason: String) {
    self.kind = kind
    self.reason = reason
  }

  /// `kind: reason`.
  public var description: String { "\(kind): \(reason)" }
}
