import Foundation

/// A program that a test runs: its output goes to files, so that no pipe can fill up and nothing blocks.
///
/// Ended by its own pid at the latest when this object goes away.
public final class TestProcess: Sendable {
  /// A program that could not be started, did not do what was waited for in time, or failed.
  public struct Failure: Error, CustomStringConvertible {
    /// What happened, with the tail of the program's output.
    public let description: String
  }

  /// What a finished program left.
  public struct Outcome: Sendable {
    /// The exit code, or minus the signal's number.
    public let exitCode: Int32
    /// All of stdout.
    public let output: String
    /// All of stderr.
    public let errors: String
  }

  /// How often a condition is looked at.
  private static let pollInterval = Duration.milliseconds(10)

  private let process: SpawnedProcess
  private let folder: URL
  private let name: String

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - environment: all its variables; those of this process when nil.
  public init(_ executable: String, _ arguments: [String] = [], environment: [String: String]? = nil) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("test-process-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    self.folder = folder
    name = (executable as NSString).lastPathComponent
    process = try SpawnedProcess(
      executable, arguments, environment: environment, output: Self.file("stdout", in: folder),
      errors: Self.file("stderr", in: folder))
  }

  deinit {
    process.signal(SIGKILL)
    _ = process.waitForEnd()
    do {
      try FileManager.default.removeItem(at: folder)
    } catch {
      // A temporary folder that stays behind harms nothing.
    }
  }

  private static func file(_ name: String, in folder: URL) -> String { folder.appendingPathComponent(name).path }

  /// The process's id, for a watcher that ends it when this process is gone.
  public var processIdentifier: Int32 { process.processIdentifier }

  /// The exit code, or minus the signal's number; nil while it runs.
  public var exitCode: Int32? { process.outcome }

  /// What stands on stdout by now.
  public var output: String { text("stdout") }

  /// What stands on stderr by now.
  public var errors: String { text("stderr") }

  private func text(_ name: String) -> String {
    guard let data = FileManager.default.contents(atPath: folder.appendingPathComponent(name).path) else { return "" }
    return String(decoding: data, as: UTF8.self)
  }

  /// Sends a signal, e.g. SIGTERM.
  public func signal(_ number: Int32) { process.signal(number) }

  /// Waits until `condition` finds something in the output; fails when the program ends or the time is over.
  public func waitForOutput<Value>(
    within limit: Duration, _ condition: (_ output: String) -> Value?
  ) async throws -> Value {
    let deadline = ContinuousClock.now + limit
    while true {
      let hasEnded = !process.isRunning
      if let value = condition(output) { return value }
      if hasEnded { throw Failure(description: "\(name) ended early.\(tail)") }
      if ContinuousClock.now > deadline { throw Failure(description: "\(name) did not get ready in \(limit).\(tail)") }
      try await Task.sleep(for: Self.pollInterval)
    }
  }

  /// Waits for the end; kills the program and fails when the time is over.
  public func waitForExit(within limit: Duration) async throws -> Outcome {
    let deadline = ContinuousClock.now + limit
    while true {
      if let exitCode = process.outcome { return Outcome(exitCode: exitCode, output: output, errors: errors) }
      if ContinuousClock.now > deadline {
        signal(SIGKILL)
        throw Failure(description: "\(name) did not end in \(limit).\(tail)")
      }
      try await Task.sleep(for: Self.pollInterval)
    }
  }

  /// Runs a program to its end.
  public static func run(
    _ executable: String, _ arguments: [String] = [], environment: [String: String]? = nil, within limit: Duration
  ) async throws -> Outcome {
    try await TestProcess(executable, arguments, environment: environment).waitForExit(within: limit)
  }

  /// The path of an executable of this package: it stands in the folder that `TRON_PAYOUTS_BIN` names, such as that of a
  /// release build, or else beside the test bundle.
  public static func builtExecutable(_ name: String) throws -> String {
    let bundle = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    let folder =
      ProcessInfo.processInfo.environment["TRON_PAYOUTS_BIN"].map { URL(fileURLWithPath: $0) }
      ?? bundle.deletingLastPathComponent()
    let path = folder.appendingPathComponent(name).path
    guard FileManager.default.isExecutableFile(atPath: path) else {
      throw Failure(description: "no executable at \(path): build the whole package first")
    }
    return path
  }

  private var tail: String { "\nstdout: …\(output.suffix(2_000))\nstderr: …\(errors.suffix(2_000))" }
}
