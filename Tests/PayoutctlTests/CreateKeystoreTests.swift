import Foundation
import Keystore
import TestSupport
import Testing

/// `payoutctl keystore create`.
struct CreateKeystoreTests {
  @Test func `a keystore is made once, readable by its owner alone, and opens with its passphrase`() async throws {
    // Proves that what was printed is the wallet that the file holds, and that no second call can destroy it.
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/wallet.json"
    let passphraseFile = "\(folder.path)/passphrase"
    try "correct horse\n".write(toFile: passphraseFile, atomically: true, encoding: .utf8)
    let environment = ["TRON_KEYSTORE_PASSPHRASE_FILE": passphraseFile, "TRON_KEYSTORE_FILE": path]
    let outcome = try await CommandLineScene.payoutctl(["keystore", "create"], environment)
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    let key = try await Keystore.open(path, passphrase: Passphrase("correct horse"))
    #expect(outcome.output == "address \(key.address)\nfile    \(path)\n")
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    #expect(attributes[.posixPermissions] as? Int == 0o600)

    let before = try Data(contentsOf: URL(fileURLWithPath: path))
    let again = try await CommandLineScene.payoutctl(["keystore", "create", "--file", path], environment)
    #expect(again.exitCode == 1)
    #expect(again.errors.contains("exists") && again.output.isEmpty)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
  }

  @Test func `without passphrase and terminal it says what to set`() async throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/wallet.json"
    let outcome = try await CommandLineScene.payoutctl(["keystore", "create", "--file", path])
    #expect(outcome.exitCode == 78)
    #expect(outcome.errors.contains("TRON_KEYSTORE_PASSPHRASE_FILE"))
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test(arguments: [
    (["correct horse", "correct horse"], 0), (["correct horse", "correct house"], 1), (["", ""], 1),
    (["corr\u{3}", ""], 1), (["correx\u{7f}ct horse", "correct horse"], 0),
  ])
  func `at a terminal the passphrase is asked twice and never shown`(answers: [String], exitCode: Int) async throws {
    // Proves the dialogue on a real pseudo-terminal: equal answers make the file, different or empty ones and Ctrl-C do
    // not; nothing that is typed comes back, and the echo is on again afterwards.
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/wallet.json"
    let script = "\(folder.path)/dialogue.py"
    try Self.dialogue.write(toFile: script, atomically: true, encoding: .utf8)
    let outcome = try await TestProcess.run(
      "/usr/bin/env", ["python3", script, try TestProcess.builtExecutable("payoutctl"), path] + answers,
      environment: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"], within: .seconds(60))
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    let lines = outcome.output.split(separator: "\n").map(String.init)
    #expect(lines.first == "exit \(exitCode) echo on", "\(outcome.output)")
    #expect(!lines.dropFirst().contains { $0.contains("corr") || $0.contains("hors") }, "\(outcome.output)")
    #expect(FileManager.default.fileExists(atPath: path) == (exitCode == 0))
    if exitCode == 0 { _ = try await Keystore.open(path, passphrase: Passphrase("correct horse")) }
  }

  /// Plays a person at a terminal: answers each question once it is asked, then prints the exit code, whether the
  /// terminal echoes, and all that was shown.
  private static let dialogue = """
    import os, pty, select, sys, termios
    program, path, answers = sys.argv[1], sys.argv[2], sys.argv[3:]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(program, [program, "keystore", "create", "--file", path], {"PATH": "/usr/bin:/bin"})
    shown, asked, echo = b"", 0, "unknown"
    while True:
        ready, _, _ = select.select([terminal], [], [], 40)
        if not ready:
            sys.exit("the program said nothing for 40 s after: " + repr(shown))
        try:
            echo = "on" if termios.tcgetattr(terminal)[3] & termios.ECHO else "off"
            piece = os.read(terminal, 1024)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        questions = shown.count(b"keystore: ") + shown.count(b"same again: ")
        while asked < questions and asked < len(answers):
            os.write(terminal, answers[asked].encode() + b"\\r")
            asked += 1
    _, status = os.waitpid(pid, 0)
    print("exit", os.waitstatus_to_exitcode(status), "echo", echo)
    print(shown.decode())
    """
}
