import Foundation
import TestSupport
import Testing

/// The test server itself.
@Suite struct PrivatePostgresTests {
  // Proves that a server whose owner was killed is stopped and its folder removed, by the watcher alone. The
  // owner is another process here, killed by SIGKILL, since this one has to live on to look.
  @Test func `a server goes when its owner is killed`() async throws {
    let ownerID = Int32(try await ChildProcess.require("sh", ["-c", "sleep 600 >/dev/null 2>&1 & echo $!"])) ?? 0
    #expect(ownerID > 1)
    let server = try await PrivatePostgres.start(ownerProcessID: ownerID)
    #expect(try await server.query("SELECT 1") == "1")
    let serverID = try await ChildProcess.require("head", ["-n", "1", "\(server.folder)/data/postmaster.pid"])
    #expect(kill(ownerID, SIGKILL) == 0)
    try await eventually("the server ends") { !FileManager.default.fileExists(atPath: "/proc/\(serverID)") }
    try await eventually("its folder is removed") { !FileManager.default.fileExists(atPath: server.folder) }
  }

  // Proves that fsync is on and that databases are fresh, apart, and copies where asked for.
  @Test func `databases are apart and durable, and copy their template`() async throws {
    let server = try await PrivatePostgres.shared()
    #expect(try await server.query("SHOW fsync") == "on")
    func name(_ url: String) -> String { url.split(separator: "/").last.map(String.init) ?? "" }
    let first = name(try await server.createDatabase())
    try await server.query("CREATE TABLE t (n int4)", database: first)
    let copy = name(try await server.createDatabase(template: first))
    #expect(try await server.query("SELECT count(*) FROM t", database: copy) == "0")
    let other = name(try await server.createDatabase())
    #expect(try await server.query("SELECT to_regclass('t') IS NULL", database: other) == "t")
  }

  // Proves what a child's end tells: output of both kinds, code, signal; and that cancelling ends it.
  @Test func `a child process tells how it ended`() async throws {
    let outcome = try await ChildProcess.run("sh", ["-c", "echo out; echo err >&2; exit 3"])
    #expect(outcome.status == 3 && outcome.standardOutput == "out\n" && outcome.standardError == "err\n")
    #expect(try await ChildProcess.run("sh", ["-c", "kill -KILL $$"]).status == -9)
    #expect(try await ChildProcess.require("pwd", currentDirectory: "/usr") == "/usr")
    #expect(try await ChildProcess.require("sh", ["-c", "echo $A"], environment: ["A": "b"]) == "b")
    await #expect(throws: ChildProcess.Failure.self) { try await ChildProcess.require("false") }
    await #expect(throws: ChildProcess.Failure.self) { try await ChildProcess.run("no-such-program") }
    let cancelled = try await withThrowingTaskGroup(of: Int32.self) { group in
      group.addTask { try await ChildProcess.run("sleep", ["600"]).status }
      group.cancelAll()
      return try await group.next()
    }
    #expect(cancelled == -15)
    // What a program leaves running in the background does not hold up its end.
    let began = ContinuousClock.now
    try await ChildProcess.require("sh", ["-c", "sleep 30 >/dev/null 2>&1 &"])
    #expect(ContinuousClock.now - began < .seconds(20))
  }
}
