import Foundation

/// A program run to its end, without blocking a thread of the cooperative pool.
public enum ChildProcess {
  /// How a program ended and what it wrote.
  public struct Outcome: Sendable {
    /// The exit code, or minus the number of the signal that ended it.
    public let status: Int32
    /// What it wrote to standard output.
    public let standardOutput: String
    /// What it wrote to standard error.
    public let standardError: String
  }

  /// A program could not be started, or did not end as it should.
  public struct Failure: Error, CustomStringConvertible {
    /// The program and its arguments.
    public let command: String
    /// What went wrong.
    public let reason: String

    /// Command and reason in one line.
    public var description: String { "\(command): \(reason)" }
  }

  /// Runs a program to its end.
  ///
  /// Its output goes through temporary files, so that neither much output nor a background process that keeps
  /// a descriptor open can hold it up. If the calling task is cancelled, the program gets SIGTERM.
  ///
  /// - Parameters:
  ///   - executable: a path, or a name looked up in PATH.
  ///   - environment: all variables of the program; nil for those of this process.
  ///   - currentDirectory: where it runs; nil for the directory of this process.
  /// - Returns: the outcome, also where the status is not 0.
  public static func run(
    _ executable: String, _ arguments: [String] = [], environment: [String: String]? = nil,
    currentDirectory: String? = nil
  ) async throws -> Outcome {
    let command = ([executable] + arguments).joined(separator: " ")
    guard let path = path(of: executable) else {
      throw Failure(command: command, reason: "there is no such program")
    }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("child-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let output = folder.appendingPathComponent("stdout")
    let errors = folder.appendingPathComponent("stderr")
    let process = try SpawnedProcess(
      path, arguments, environment: environment, currentDirectory: currentDirectory, output: output.path,
      errors: errors.path)
    // A thread of its own waits: no other is blocked.
    let status = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        Thread.detachNewThread { continuation.resume(returning: process.waitForEnd()) }
      }
    } onCancel: {
      process.signal(SIGTERM)
    }
    return Outcome(
      status: status,
      standardOutput: String(decoding: try Data(contentsOf: output), as: UTF8.self),
      standardError: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
  }

  /// Runs a program that must succeed.
  ///
  /// - Returns: its standard output without white space at the ends.
  /// - Throws: ``Failure`` with its standard error where the status is not 0.
  @discardableResult
  public static func require(
    _ executable: String, _ arguments: [String] = [], environment: [String: String]? = nil,
    currentDirectory: String? = nil
  ) async throws -> String {
    let outcome = try await run(
      executable, arguments, environment: environment, currentDirectory: currentDirectory)
    guard outcome.status == 0 else {
      throw Failure(
        command: ([executable] + arguments).joined(separator: " "),
        reason: "status \(outcome.status): \(outcome.standardError) \(outcome.standardOutput)")
    }
    return outcome.standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// The path of a program: itself where it is a path, else the first one in PATH or in `folders`.
  public static func path(of executable: String, also folders: [String] = []) -> String? {
    if executable.contains("/") { return executable }
    let search = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init) + folders
    return search.map { "\($0)/\(executable)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }
}
