/// Everything that is wrong with the settings a program was started with, all of it at once.
///
/// The program prints one line a problem and ends with exit code 78 (EX_CONFIG of sysexits.h): starting it again
/// without a change cannot help.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// One thing to be changed before the program can start.
  public struct Problem: Hashable, Sendable, CustomStringConvertible {
    /// The environment variable, as in DESIGN.md §6.
    public let key: String
    /// What was found, what was expected, what to do. One line; never the value of a secret.
    public let text: String

    /// - Parameters:
    ///   - key: the environment variable.
    ///   - text: one line without secrets.
    public init(key: String, text: String) {
      self.key = key
      self.text = text
    }

    /// `KEY: text`.
    public var description: String { "\(key): \(text)" }
  }

  /// At least one, in the order in which the keys were read.
  public let problems: [Problem]

  /// - Precondition: there is at least one problem.
  public init(_ problems: [Problem]) {
    precondition(!problems.isEmpty, "a configuration without problems is no error")
    self.problems = problems
  }

  /// One line a problem.
  public var description: String { problems.map(\.description).joined(separator: "\n") }
}
