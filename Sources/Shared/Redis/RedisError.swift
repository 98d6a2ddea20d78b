/// Why a command brought no result, and what is known about its effect.
///
/// A caller asks it one question, ``outcome``: only `notSent` says that nothing happened, `answered` that the server
/// refused, and `unknown` that the command was sent and may have been executed, or not. An unknown outcome is resolved
/// by looking or by a command that is harmless when repeated; this client never sends anything twice by itself.
public struct RedisError: Error, Sendable, CustomStringConvertible {
  /// The closed set of causes.
  public enum Code: String, Sendable, Hashable {
    /// The URL or another setting cannot be used. Outcome `notSent`.
    case invalidConfiguration
    /// The command is empty, too long, or the pipeline has too many. Outcome `notSent`.
    case invalidCommand
    /// As many commands or bytes as allowed are waiting already. Outcome `notSent`.
    case queueFull
    /// No connection came about before the command's deadline. Outcome `notSent`.
    case notConnected
    /// The server takes no commands from us: wrong user or password, no such database. Outcome `notSent`.
    case connectionRefused
    /// The client was closed. Outcome `notSent`.
    case closed
    /// The calling task was cancelled. Outcome `notSent` or `unknown`.
    case cancelled
    /// The command was sent and no answer came before its deadline. Outcome `unknown`.
    case timedOut
    /// The command was sent and the connection ended before its answer. Outcome `unknown`.
    case connectionLost
    /// The server answered with an error; see ``RedisError/serverError``. Outcome `answered`.
    case server
  }

  /// What is known about the command's effect.
  public enum Outcome: String, Sendable, Hashable {
    /// The server never saw it.
    case notSent
    /// The server answered with an error.
    case answered
    /// The server may have executed it, or not.
    case unknown
  }

  /// The cause.
  public let code: Code
  /// What is known about the effect.
  public let outcome: Outcome
  /// What happened, what was expected, what to do. Never holds a password or a command's words.
  public let message: String
  /// The server's refusal, where the code is `server`.
  public let serverError: RedisServerError?

  init(_ code: Code, _ outcome: Outcome, _ message: String, serverError: RedisServerError? = nil) {
    self.code = code
    self.outcome = outcome
    self.message = message
    self.serverError = serverError
  }

  /// The error of a command that the server refused.
  static func server(_ error: RedisServerError) -> RedisError {
    RedisError(.server, .answered, "the server refused the command with \(error.word)", serverError: error)
  }

  /// Cause, effect and message in one line.
  public var description: String {
    "redis: \(code.rawValue) (\(outcome.rawValue)): \(message)"
  }
}
