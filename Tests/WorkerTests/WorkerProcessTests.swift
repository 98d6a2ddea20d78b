import AsyncHTTPClient
import Foundation
import NIOCore
import TestSupport
import Testing

@testable import Worker

/// A real process that lives by `WorkerProgram`: its settings, signals, exit codes and last words.
@Suite(.serialized)
struct WorkerProcessTests {
  /// A started probe whose standard error goes to a file.
  private final class Probe {
    let process = Process()
    private let file: URL

    init(_ environment: [String: String]) throws {
      file = FileManager.default.temporaryDirectory.appending(path: "probe-\(UUID().uuidString)")
      _ = FileManager.default.createFile(atPath: file.path, contents: nil)
      // The probe is built beside the test bundle that runs now.
      let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
      let candidates = [own, CommandLine.arguments[0]].map {
        URL(filePath: $0).deletingLastPathComponent().appending(path: "WorkerProbe")
      }
      process.executableURL = candidates.first { FileManager.default.isExecutableFile(atPath: $0.path) }
      process.environment = environment
      process.standardError = try FileHandle(forWritingTo: file)
      try process.run()
    }

    deinit {
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
      try? FileManager.default.removeItem(at: file)
    }

    var log: String { (try? String(contentsOf: file, encoding: .utf8)) ?? "" }
    var lines: [String] { log.split(separator: "\n").map(String.init) }

    var ticks: [String] { lines.filter { $0.contains("\"message\":\"Tick\"") } }

    /// By how many seconds the time of the last tick is ahead of now.
    var tickAhead: TimeInterval? {
      ticks.last?.firstMatch(of: /"time":"([^"]*)"/).flatMap { line in
        try? Date(String(line.output.1), strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
      }?.timeIntervalSinceNow
    }

    func exitCode() async throws -> Int32 {
      #expect(await eventually { !process.isRunning })
      #expect(process.terminationReason == .exit)
      return process.terminationStatus
    }

    /// The port that the probe says it listens on.
    func port() async throws -> Int {
      var found: Int?
      _ = await eventually {
        found = lines.first { $0.contains("\"listen.port\"") }.flatMap { line in
          line.firstMatch(of: /"listen.port":"(\d+)"/).flatMap { Int($0.output.1) }
        }
        return found != nil
      }
      return try #require(found, "\(log)")
    }
  }

  private let good = [
    "DATABASE_URL": "postgresql://u:hunter2@127.0.0.1/x", "REDIS_URL": "redis://127.0.0.1",
    "PROBE_TOKEN": "hunter2hunter2",
    "METRICS_PORT": "0", "LOG_FORMAT": "json",
  ]

  private func probe(_ behaviour: String, _ change: [String: String] = [:]) throws -> Probe {
    try Probe(good.merging(change) { _, new in new }.merging(["PROBE_BEHAVIOUR": behaviour]) { _, new in new })
  }

  /// Proves that wrong settings end the process with 78 and one line for each problem, nothing else, and no secret.
  @Test func `wrong settings exit with 78 and name everything`() async throws {
    let probe = try probe(
      "dance", ["LUCID_ENV": "production", "METRICS_PORT": "x", "REDIS_URL": "", "PROBE_TOKEN": "hunter2"])
    #expect(try await probe.exitCode() == 78)
    let keys = probe.lines.map { $0.split(separator: " ").prefix(2).joined(separator: " ") }
    let expected = ["LUCID_ENV", "METRICS_PORT", "PROBE_BEHAVIOUR", "REDIS_URL", "PROBE_TOKEN"]
    #expect(keys == expected.map { "probe: \($0):" })
    #expect(!probe.log.contains("hunter2"))
  }

  /// Proves the exit codes and the single last line of a start that fails.
  @Test(arguments: [
    ("refuse", Int32(1), "probe: PostgreSQL refused the connection: check DATABASE_URL"),
    ("misconfigured", 78, "probe: the keystore has another network"),
    ("surprise", 1, "probe: the moon is in the wrong house and a second line"),
  ])
  func `a failed start says why on one line`(_ behaviour: String, _ code: Int32, _ text: String) async throws {
    let probe = try probe(behaviour)
    #expect(try await probe.exitCode() == code)
    #expect(probe.lines == [text])
  }

  /// Proves that a worker serves its health endpoints and ends with 0 on either signal, and that its log holds JSON
  /// lines only, without the secret it tried to log.
  @Test(arguments: [SIGTERM, SIGINT])
  func `a signal drains the worker and exits with 0`(_ signal: Int32) async throws {
    let probe = try probe("idle")
    _ = try await probe.port()
    #expect(await eventually { probe.log.contains("\"message\":\"Probe\"") })
    kill(probe.process.processIdentifier, signal)
    #expect(try await probe.exitCode() == 0)
    for line in probe.lines {
      #expect(throws: Never.self, "\(line)") { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
    }
    #expect(probe.log.contains("\"probe.token\":\"<secret>\"") && !probe.log.contains("hunter2"))
    #expect(probe.lines.last?.contains("\"message\":\"Stopped\"") == true)
  }

  /// Proves that the time of day of a worker that runs jumps, forth and back, while what it waits by goes on: by a shifted timer
  /// the next tick would come in ten minutes, or the last wait begun meanwhile end ten minutes late.
  @Test(arguments: [("dev", 600), ("dev", -600), ("staging", 600)])
  func `a worker's clock jumps, and its timers go on`(_ stage: String, _ seconds: Int) async throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "clock-\(UUID().uuidString)").path
    let clock = try ClockFile(path: path)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let probe = try probe("ticking", clock.environment.merging(["LUCID_ENV": stage]) { $1 })
    for ahead in [0, seconds, 0] {
      try clock.set(secondsAhead: ahead)
      #expect(await eventually { probe.tickAhead.map { abs($0 - Double(ahead)) < 60 } == true }, "\(probe.log)")
      let ticks = probe.ticks.count
      #expect(await eventually { probe.ticks.count >= ticks + 5 }, "no more ticks with the clock \(ahead) s ahead")
    }
    #expect(probe.log.contains("The time of day is not the machine's"))
    kill(probe.process.processIdentifier, SIGTERM)
    #expect(try await probe.exitCode() == 0)
  }

  private func status(_ url: String) async throws -> UInt {
    try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(20)).status.code
  }

  /// Proves that after the signal the worker is seen as draining while a round is under way, that this round is
  /// finished, and that none begins after it.
  @Test func `a running round finishes after the signal, and the worker is unready meanwhile`() async throws {
    let gate = FileManager.default.temporaryDirectory.appending(path: "gate-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: gate) }
    let probe = try probe("patient", ["PROBE_GATE": gate])
    let base = "http://127.0.0.1:\(try await probe.port())"
    #expect(await eventually { probe.log.contains("Round began") })
    kill(probe.process.processIdentifier, SIGTERM)
    #expect(await eventually { probe.log.contains("Shutdown began") })
    let ready = try await HTTPClient.shared.execute(HTTPClientRequest(url: "\(base)/ready"), timeout: .seconds(20))
    #expect(ready.status.code == 503)
    #expect(String(buffer: try await ready.body.collect(upTo: 1_024)).contains("\"draining\""))
    #expect(try await status("\(base)/live") == 200)
    #expect(!probe.log.contains("Round finished"))
    #expect(FileManager.default.createFile(atPath: gate, contents: nil))
    #expect(try await probe.exitCode() == 0)
    let messages = probe.lines.compactMap { $0.firstMatch(of: /"message":"([^"]*)"/).map { String($0.output.1) } }
    #expect(messages.filter { $0.hasPrefix("Round") } == ["Round began", "Round finished"])
    #expect(messages.last == "Stopped")
  }

  /// Proves that a fatal error drains the rest and ends the process with 1, with the reason as the last line.
  @Test func `a fatal step exits with 1`() async throws {
    let probe = try probe("fatal")
    #expect(try await probe.exitCode() == 1)
    #expect(
      probe.lines.last == "probe: the journal cannot be written (the moon is in the wrong house and a second line)")
    #expect(probe.log.contains("\"level\":\"critical\""))
  }

  /// Proves that a service that ends by itself ends the process, loudly.
  @Test func `a service that ends by itself exits with 1`() async throws {
    let probe = try probe("early")
    #expect(try await probe.exitCode() == 1)
    #expect(
      probe.lines.last == "probe: the service EarlyService ended although nobody had told it to", "\(probe.log)")
  }

  /// Proves that a port in use is one clear line.
  @Test func `a taken metrics port exits with 1`() async throws {
    let first = try probe("idle")
    let port = try await first.port()
    let second = try probe("idle", ["METRICS_PORT": "\(port)"])
    #expect(try await second.exitCode() == 1)
    #expect(second.lines.last?.contains("cannot listen on 127.0.0.1 port \(port)") == true)
    kill(first.process.processIdentifier, SIGTERM)
    #expect(try await first.exitCode() == 0)
  }

  /// Proves the texts of the ways to end that take too long to be waited for here.
  @Test func `the last words name the cause`() {
    #expect(
      WorkerProgram.farewell(to: CancellationError()).lines == ["work was still running 20 s after shutdown began"])
    #expect(WorkerProgram.farewell(to: CancellationError()).exitCode == 1)
    #expect(WorkerProgram.farewell(to: WorkerError(.drainTimedOut, "x")).exitCode == 1)
  }
}
