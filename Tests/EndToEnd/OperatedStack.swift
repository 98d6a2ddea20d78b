import Foundation
import TestSupport

/// What `ops/up` and `ops/down` make of Redis and PostgreSQL servers, and maybe a node, that are not theirs; in a run folder
/// that no developer's stack uses, with the built programs.
///
/// Nothing outlives the test: the servers watch this process themselves, and a small shell process ends the others.
struct OperatedStack: Sendable {
  /// What the file that `ops/up` prints tells a shell.
  struct Up: Sendable {
    let wallet: String
    let chain: DevnetOracle
    let client: PayoutClient
    /// Where the four workers tell how they are.
    let healthURLs: [String]
  }

  private static let patience = Duration.seconds(180)
  private static let blocks = ["DEVNET_BLOCK_MS": "100"]
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  let redis: PrivateRedis
  let postgres: PrivatePostgres
  /// The outside node; nil where `ops/up` has a simulated network of its own.
  let devnet: TestProcess?
  private let environment: [String: String]
  private let folder: URL
  private let watcher: TestProcess

  /// The servers run; of the rest nothing does.
  init(withNode hasNode: Bool) async throws {
    redis = try await PrivateRedis.start()
    postgres = try await PrivatePostgres.start()
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("operated-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let programs = URL(fileURLWithPath: try TestProcess.builtExecutable("devnet")).deletingLastPathComponent().path
    var environment = [
      "TRON_PAYOUTS_RUN": folder.appendingPathComponent("run").path, "TRON_PAYOUTS_BIN": programs,
      "REDIS_URL": redis.url, "DATABASE_URL": try await postgres.createDatabase(), "LOG_LEVEL": "warning",
    ]
    for key in ["PATH", "HOME", "TMPDIR"] { environment[key] = ProcessInfo.processInfo.environment[key] }
    var devnet: TestProcess?
    if hasNode {
      let process = try TestProcess(
        "\(programs)/devnet", environment: ["DEVNET_PORT": "0", "OPERATED": folder.path].merging(Self.blocks) { $1 })
      let printed = try await process.waitForOutput(within: Self.patience) { output -> String? in
        output.contains("TRON_RPC_URL=") && output.hasSuffix("\n") ? output : nil
      }
      for line in printed.split(separator: "\n") {
        let pair = line.split(separator: "=", maxSplits: 1).map(String.init)
        environment[pair[0]] = pair[1]
      }
      environment["TRON_NETWORK"] = "devnet"
      devnet = process
    } else {
      environment.merge(Self.blocks) { $1 }
    }
    self.devnet = devnet
    self.environment = environment
    watcher = try TestProcess(
      "/bin/sh",
      [
        "-c", Self.watch, "sh", "\(getpid())", folder.path, Self.root.appendingPathComponent("ops/down").path,
        devnet.map { "\($0.processIdentifier)" } ?? "",
      ], environment: environment)
  }

  /// Lends one and ends it whatever happens; where it fails, what the workers had to say is shown.
  static func with(node hasNode: Bool, _ body: @Sendable (OperatedStack) async throws -> Void) async throws {
    let stack = try await OperatedStack(withNode: hasNode)
    let outcome: Result<Void, any Error>
    do {
      outcome = .success(try await body(stack))
    } catch {
      print(try await ChildProcess.require("/bin/sh", ["-c", "tail -n 20 \"$0\"/run/*/log/*", stack.folder.path]))
      outcome = .failure(error)
    }
    try await stack.stop()
    try outcome.get()
  }

  /// Starts the installation, and reads the file that `ops/up` prints as a person's shell does.
  func up() async throws -> Up {
    let file = try await run("ops/up").trimmingCharacters(in: .whitespacesAndNewlines)
    let script = """
      set -eu
      . "$1"
      printf '%s\\n' "$WALLET_ADDRESS" "$TRON_RPC_URL" "$API_URL" "$API_TOKEN" \
        "$INGEST_HEALTH_URL" "$SCHEDULER_HEALTH_URL" "$SIGNER_HEALTH_URL" "$MONITOR_HEALTH_URL"
      """
    let outcome = try await TestProcess.run(
      "/bin/bash", ["-c", script, "bash", file], environment: [:], within: Self.patience)
    let values = outcome.output.split(separator: "\n").map(String.init)
    guard outcome.exitCode == 0, values.count == 8 else { throw Stack.Failure("\(file): \(outcome)") }
    return Up(
      wallet: values[0], chain: DevnetOracle(url: values[1]), client: PayoutClient(urls: [values[2]], token: values[3]),
      healthURLs: Array(values[4...]))
  }

  /// Ends the installation.
  func down() async throws { _ = try await run("ops/down") }

  private func run(_ command: String) async throws -> String {
    let path = Self.root.appendingPathComponent(command).path
    let outcome = try await TestProcess.run(path, environment: environment, within: Self.patience)
    guard outcome.exitCode == 0 else { throw Stack.Failure("\(command): \(outcome.exitCode)\n\(outcome.errors)") }
    return outcome.output
  }

  private func stop() async throws {
    try await down()
    devnet?.signal(SIGKILL)
    await redis.stop()
    try await postgres.stop()
    try FileManager.default.removeItem(at: folder)
  }

  /// Waits until the test process is gone, then ends what it had started. The node's pid counts only while its process has
  /// this stack's folder in its environment.
  private static let watch = """
    while kill -0 "$1" 2>/dev/null && [ -d "$2" ]; do sleep 0.5; done
    [ -d "$2" ] || exit 0
    "$3"
    [ -z "$4" ] || ! tr '\\0' '\\n' <"/proc/$4/environ" 2>/dev/null | grep -q -e "$2" || kill -KILL "$4"
    rm -rf "$2"
    """
}
