import Foundation

/// The file by which a test moves the wall clock of one worker while it runs (`CLOCK_OFFSET_PATH`). What the worker waits by
/// is not touched, as where an operator or NTP sets a machine's clock.
public struct ClockFile: Sendable {
  private let path: String

  /// A clock that is right.
  ///
  /// - Parameter path: a path of its own, which is made.
  public init(path: String) throws {
    self.path = path
    try set(secondsAhead: 0)
  }

  /// The variables of the process that sees it.
  public var environment: [String: String] { ["CLOCK_OFFSET_PATH": path] }

  /// Sets it: so many seconds ahead of the machine's, or behind.
  public func set(secondsAhead seconds: Int) throws {
    // Renamed into its place, so that no half of it is ever read.
    try Data("\(seconds * 1_000)\n".utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
  }
}
