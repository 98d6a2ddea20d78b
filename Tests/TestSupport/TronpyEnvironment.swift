import Foundation

/// A Python with the library tronpy, the outside word on what TRON's bytes are.
///
/// `TRONPY_PYTHON` names one that is there already. Else a virtual environment is made once under `.venv` in the
/// package's folder; tests and processes that ask at the same time wait for one another. Where tronpy cannot be
/// installed the test fails: it never skips.
public enum TronpyEnvironment {
  /// The version that is installed, with what it needs to build transactions without a node.
  public static let version = "0.6.2"

  /// How long making the environment may take, waiting for another process that makes it included.
  private static let limit = Duration.seconds(420)

  /// The path of a Python that can import tronpy.
  public static func python() async throws -> String {
    if let given = ProcessInfo.processInfo.environment["TRONPY_PYTHON"], !given.isEmpty {
      try await check(given)
      return given
    }
    let folder = packageFolder.appendingPathComponent(".venv")
    let python = folder.appendingPathComponent("bin/python3").path
    let marker = folder.appendingPathComponent("tronpy-\(version).ready").path
    if FileManager.default.fileExists(atPath: marker) { return python }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let lock = try await FileLock(folder.appendingPathComponent("lock").path, within: limit)
    defer { lock.release() }
    if FileManager.default.fileExists(atPath: marker) { return python }
    try await step("/usr/bin/env", ["python3", "-m", "venv", folder.path])
    try await step(
      python,
      [
        "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "5",
        "tronpy[offline]==\(version)",
      ])
    try await check(python)
    guard FileManager.default.createFile(atPath: marker, contents: nil) else {
      throw TestProcess.Failure(description: "cannot write \(marker)")
    }
    return python
  }

  private static func check(_ python: String) async throws {
    try await step(python, ["-c", "import tronpy, tronpy.proto"])
  }

  private static func step(_ executable: String, _ arguments: [String]) async throws {
    let outcome = try await TestProcess.run(executable, arguments, within: limit)
    guard outcome.exitCode == 0 else {
      throw TestProcess.Failure(
        description: """
          \(executable) \(arguments.joined(separator: " ")) ended with \(outcome.exitCode); tests need tronpy \(version), \
          from PyPI or by TRONPY_PYTHON.
          \(outcome.output.suffix(2_000))\(outcome.errors.suffix(2_000))
          """)
    }
  }

  private static var packageFolder: URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  }
}

/// An exclusive lock on a file, given back by the system when its holder dies.
private struct FileLock {
  private let descriptor: Int32

  /// Takes the lock, looking again and again until `limit` is over.
  init(_ path: String, within limit: Duration) async throws {
    let descriptor = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw TestProcess.Failure(description: "cannot open \(path): errno \(errno)") }
    let deadline = ContinuousClock.now + limit
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard ContinuousClock.now < deadline else {
        close(descriptor)
        throw TestProcess.Failure(description: "another process has held \(path) for \(limit)")
      }
      do {
        try await Task.sleep(for: .milliseconds(100))
      } catch {
        close(descriptor)
        throw error
      }
    }
    self.descriptor = descriptor
  }

  /// Gives the lock back; to be called once.
  func release() { close(descriptor) }
}
