import Foundation
import Synchronization

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
    let status = try await end(
      of: Launch(
        command: command, path: path, arguments: arguments, environment: environment,
        currentDirectory: currentDirectory, output: output.path, errors: errors.path))
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

  /// All that is needed to start a program.
  private struct Launch {
    let command: String
    let path: String
    let arguments: [String]
    let environment: [String: String]?
    let currentDirectory: String?
    let output: String
    let errors: String
  }

  /// Starts a program and waits for its end, on a thread of its own.
  ///
  /// Not by Foundation's `Process`: on Linux that takes a program for running as long as anything it started
  /// keeps a certain descriptor open, and so never sees the end of one that leaves a server behind.
  private static func end(of launch: Launch) async throws -> Int32 {
    // The id of the running process; nil before its start and after its end, when it may belong to another.
    let running = RunningProcess()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        do {
          let id = try spawn(launch)
          running.started(id)
          if Task.isCancelled { running.terminate() }
          Thread.detachNewThread {
            continuation.resume(returning: running.waitForEnd())
          }
        } catch {
          continuation.resume(throwing: error)
        }
      }
    } onCancel: {
      running.terminate()
    }
  }

  /// Starts a program in a process group of its own, so that a terminal's Ctrl-C reaches only the tests.
  private static func spawn(_ launch: Launch) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, launch.output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, launch.errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setpgroup(&attributes, 0)
    // Foundation and the runtime may have blocked signals in this thread; a program starts with none blocked.
    var noSignals = sigset_t()
    sigemptyset(&noSignals)
    posix_spawnattr_setsigmask(&attributes, &noSignals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))

    let environment = launch.environment ?? ProcessInfo.processInfo.environment
    // Only a shell can change the folder between fork and exec in a way that every C library offers.
    let changingFolder = launch.currentDirectory.map { ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", $0] } ?? []
    let command = changingFolder + [launch.path] + launch.arguments
    let words = command.map { strdup($0) } + [nil]
    let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in words + variables { free(text) } }
    var id: pid_t = 0
    let problem = posix_spawn(&id, command[0], &actions, &attributes, words, variables)
    guard problem == 0 else {
      throw Failure(command: launch.command, reason: "cannot be started: \(String(cString: strerror(problem)))")
    }
    return id
  }
}

/// A child of this process, whose id is used only while it belongs to it.
private final class RunningProcess: Sendable {
  private let id = Mutex<pid_t?>(nil)

  /// Notes the start.
  func started(_ id: pid_t) {
    self.id.withLock { $0 = id }
  }

  /// Sends SIGTERM, if it runs.
  func terminate() {
    id.withLock { id in
      if let id { _ = kill(id, SIGTERM) }
    }
  }

  /// Blocks until it has ended.
  ///
  /// - Returns: the exit code, or minus the number of the signal that ended it.
  func waitForEnd() -> Int32 {
    guard let process = id.withLock({ $0 }) else { preconditionFailure("the process was not started") }
    // Wait without taking its id away, which another process could get; then take it away under the lock.
    var information = siginfo_t()
    while waitid(P_PID, id_t(process), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
    return id.withLock { id in
      id = nil
      var status: Int32 = 0
      while waitpid(process, &status, 0) < 0 && errno == EINTR {}
      let signal = status & 0x7F
      return signal == 0 ? (status >> 8) & 0xFF : -signal
    }
  }
}
