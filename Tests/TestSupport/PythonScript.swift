import Foundation

/// A Python program that a test asks for an independent word: one process, one line in and one line out for each case.
public enum PythonScript {
  /// Runs a script over all lines of input.
  ///
  /// - Parameters:
  ///   - script: reads stdin by lines, prints one line for each.
  ///   - packages: from PyPI, with versions, beyond what `TronpyEnvironment` brings. Installed once beside it; where they
  ///     cannot be, the test fails.
  ///   - lines: the input.
  ///   - limit: for the run; installing has its own.
  /// - Returns: as many lines as went in.
  public static func run(
    _ script: String, packages: [String] = [], lines: [String], within limit: Duration = .seconds(240)
  ) async throws -> [String] {
    let python = try await TronpyEnvironment.python()
    var environment = ProcessInfo.processInfo.environment
    if !packages.isEmpty { environment["PYTHONPATH"] = try await installed(packages, by: python) }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("python-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { remove(folder) }
    let program = folder.appendingPathComponent("script.py")
    let input = folder.appendingPathComponent("input")
    try script.write(to: program, atomically: false, encoding: .utf8)
    try (lines.joined(separator: "\n") + "\n").write(to: input, atomically: false, encoding: .utf8)
    let outcome = try await TestProcess.run(
      "/bin/sh", ["-c", "exec \"$0\" \"$1\" < \"$2\"", python, program.path, input.path], environment: environment,
      within: limit)
    let output = outcome.output.split(separator: "\n").map(String.init)
    guard outcome.exitCode == 0, output.count == lines.count else {
      throw TestProcess.Failure(
        description: "the script ended with \(outcome.exitCode) after \(output.count) of \(lines.count) lines: "
          + outcome.errors.suffix(2_000))
    }
    return output
  }

  /// A folder with the packages. Two processes may make it at once: the first to give it its name wins.
  private static func installed(_ packages: [String], by python: String) async throws -> String {
    let name = packages.joined(separator: "+").replacingOccurrences(of: "==", with: "-")
    let parent = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent(".venv/extra")
    let folder = parent.appendingPathComponent(name)
    if FileManager.default.fileExists(atPath: folder.path) { return folder.path }
    try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
    let draft = parent.appendingPathComponent(UUID().uuidString)
    defer { remove(draft) }
    let outcome = try await TestProcess.run(
      python,
      ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "5", "--target", draft.path]
        + packages,
      within: .seconds(300))
    guard outcome.exitCode == 0 else {
      throw TestProcess.Failure(
        description:
          "tests need \(packages) from PyPI: pip ended with \(outcome.exitCode). \(outcome.errors.suffix(2_000))")
    }
    guard rename(draft.path, folder.path) == 0 || FileManager.default.fileExists(atPath: folder.path) else {
      throw TestProcess.Failure(description: "cannot name \(folder.path): errno \(errno)")
    }
    return folder.path
  }

  private static func remove(_ folder: URL) {
    do {
      try FileManager.default.removeItem(at: folder)
    } catch {
      // A temporary folder that stays behind, or was renamed, harms nothing.
    }
  }
}
