/// What keeps a program from starting or from stopping cleanly, in one sentence for its operator.
public struct WorkerError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What kind of trouble it is. Callers branch on it, never on the text.
  public enum Code: String, Sendable {
    /// The settings, or something they name, cannot work; starting again without a change is useless. Exit code 78.
    case configuration
    /// A dependency refused or could not be reached; starting again later may help. Exit code 1.
    case dependency
    /// The health endpoints could not listen. Exit code 1.
    case cannotListen
    /// A service ended although nobody had told it to: a mistake in the program. Exit code 1.
    case serviceEnded
    /// Work was still running when the time for it was over. Nothing is lost: every step may be cut off anywhere.
    /// Exit code 1.
    case drainTimedOut
  }

  /// What kind of trouble it is.
  public let code: Code
  /// What happened, what was expected, what to do; no secrets.
  public let text: String

  /// - Parameters:
  ///   - code: what kind of trouble it is.
  ///   - text: what happened, what was expected, what to do; no secrets.
  public init(_ code: Code, _ text: String) {
    self.code = code
    self.text = text
  }

  /// The text.
  public var description: String { text }

  /// The process's exit code: 78 (EX_CONFIG of sysexits.h) where only a change of the settings can help, else 1.
  public var exitCode: Int32 {
    switch code {
    case .configuration: 78
    case .dependency, .cannotListen, .serviceEnded, .drainTimedOut: 1
    }
  }
}
