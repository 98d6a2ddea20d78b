/// What went wrong with a stream, and what is known about the effect.
///
/// A caller asks it one question: ``Outcome``. Calling again is always safe, since entries are only wake-ups and every
/// consumer re-reads the row: after `unknown` an entry may exist twice, or be delivered twice, which does nothing.
/// A cancelled call throws `CancellationError` instead.
public struct StreamError: Error, Sendable, CustomStringConvertible {
  /// The closed set of causes.
  public enum Code: String, Sendable, Hashable {
    /// The call broke a limit or a shape; calling again cannot help.
    case invalidArgument
    /// The server could not be reached, did not answer in time, or its queue is full; it may work later.
    case unavailable
    /// The server answered with an error: out of memory, no permission, another type under that key.
    case refused
    /// The server answered something that this version of the program cannot read.
    case unexpectedReply
  }

  /// What is known about the effect of the call.
  public enum Outcome: String, Sendable, Hashable {
    /// Nothing was changed.
    case notDone
    /// Something may have been changed: the call was sent, and its answer is missing or only partly good.
    case unknown
  }

  /// The cause.
  public let code: Code
  /// What is known about the effect.
  public let outcome: Outcome
  /// What happened, what was expected, what to do. Holds no values of fields.
  public let message: String

  /// An error with its cause and effect.
  public init(code: Code, outcome: Outcome, message: String) {
    self.code = code
    self.outcome = outcome
    self.message = message
  }

  /// A call that broke a limit: nothing was done.
  public static func invalidArgument(_ message: String) -> StreamError {
    StreamError(code: .invalidArgument, outcome: .notDone, message: message)
  }

  /// Cause, effect and message in one line.
  public var description: String { "streams: \(code.rawValue) (\(outcome.rawValue)): \(message)" }
}
