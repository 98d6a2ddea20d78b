import Crypto
import Foundation
import Keystore
import Payouts
import TestSupport
import Worker

/// The whole system as real processes on this machine: Redis, PostgreSQL, devnet, the four workers.
///
/// Nothing outlives the test: the servers watch this process themselves, and a small shell process ends the others.
actor Stack {
  /// The four workers.
  enum Role: String, CaseIterable, Sendable { case ingest, scheduler, signer, monitor }

  static let patience = Duration.seconds(60)
  private static let jwtKey = "a key of forty bytes for these tests only"

  let redis: PrivateRedis
  let postgres: PrivatePostgres
  let database: String
  let wallet: Address
  let chain: DevnetOracle
  private let devnet: TestProcess
  private let folder: URL
  private let environment: [String: String]
  private let ports: [Role: (api: Int, health: Int)]
  private var workers: [Role: TestProcess] = [:]

  /// Everything up to a declared Signer; no worker runs yet.
  init() async throws {
    redis = try await PrivateRedis.start()
    postgres = try await PrivatePostgres.start()
    let url = try await postgres.createDatabase()
    database = String(url.split(separator: "/").last ?? "")
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("stack-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    _ = try TestProcess("/bin/sh", ["-c", Self.watcher, "sh", "\(getpid())", folder.path])

    var environment = [
      "PATH": "/usr/bin:/bin", "LUCID_ENV": "dev", "TRON_NETWORK": "devnet", "DATABASE_URL": url,
      "REDIS_URL": redis.url, "TRON_KEYSTORE_FILE": folder.appendingPathComponent("wallet.json").path,
      "TRON_KEYSTORE_PASSPHRASE": "correct horse battery staple", "JWT_SECRET_KEY": Self.jwtKey, "LOG_FORMAT": "json",
      "SIGNER_STATE_DIR": folder.appendingPathComponent("signer").path, "TRANSACTION_EXPIRATION_SECONDS": "30",
      "PAYOUT_RETRY_DELAY_SECONDS": "1",
    ]
    let seal = Hex.text(SystemRandomSource().bytes(32))
    environment["INTENT_SEAL_KEY"] = "test:\(seal)"
    environment["INTENT_SEAL_PUBLIC_KEY"] = try Sealer("test:\(seal)").publicKeyText
    let created = try await Self.payoutctl(["keystore", "create"], environment)
    wallet = try Self.address(in: created)
    devnet = try TestProcess(
      "/usr/bin/env", ["--default-signal", TestProcess.builtExecutable("devnet")],
      environment: [
        "DEVNET_PORT": "0", "DEVNET_BLOCK_MS": "250", "DEVNET_FUND": "\(wallet):100000:1000000", "LOG_LEVEL": "error",
      ])
    try Self.remember(devnet, in: folder)
    let values = try await devnet.waitForOutput(within: Self.patience) { output -> [String: String]? in
      let pairs = output.split(separator: "\n").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
      let values = Dictionary(pairs.filter { $0.count == 2 }.map { ($0[0], $0[1]) }) { first, _ in first }
      return values["TRON_RPC_URL"] == nil || !output.hasSuffix("\n") ? nil : values
    }
    environment.merge(values) { _, new in new }
    chain = DevnetOracle(url: values["TRON_RPC_URL"] ?? "")
    _ = try await Self.payoutctl(["signer", "init"], environment)
    self.environment = environment
    ports = try Dictionary(
      uniqueKeysWithValues: Role.allCases.map { ($0, (api: try FreePort.choose(), health: try FreePort.choose())) })
  }

  /// Where clients send payouts.
  var apiURL: String { "http://127.0.0.1:\(ports[.ingest]?.api ?? 0)" }

  /// Starts workers and returns when each says that it is ready.
  func start(_ roles: [Role] = Role.allCases) async throws {
    for role in roles {
      let process = try TestProcess(
        "/usr/bin/env", ["--default-signal", TestProcess.builtExecutable(role.rawValue)],
        environment: environment(of: role))
      try Self.remember(process, in: folder)
      workers[role] = process
    }
    for role in roles {
      try await eventually("\(role) is ready") {
        await DevnetOracle.status("http://127.0.0.1:\(self.ports[role]?.health ?? 0)/ready") == 200
      }
    }
  }

  /// Runs a worker, with some variables changed, up to its own end.
  func run(_ role: Role, changing variables: [String: String]) async throws -> TestProcess.Outcome {
    try await TestProcess.run(
      TestProcess.builtExecutable(role.rawValue), environment: environment(of: role).merging(variables) { $1 },
      within: Self.patience)
  }

  private func environment(of role: Role) -> [String: String] {
    var environment = environment
    environment["SERVICE_NAME"] = role.rawValue
    environment["PORT"] = "\(ports[role]?.api ?? 0)"
    environment["METRICS_PORT"] = "\(ports[role]?.health ?? 0)"
    return environment
  }

  /// Sends a signal to a worker: SIGSTOP freezes it at whatever instruction it is.
  func signal(_ number: Int32, to role: Role) { workers[role]?.signal(number) }

  /// Freezes a worker, at whatever instruction it is, at a moment when the condition holds; it goes on between looks.
  func freeze(_ role: Role, when condition: @Sendable () async throws -> Bool) async throws {
    try await eventually("\(role) is frozen with work in its stage") {
      await self.signal(SIGSTOP, to: role)
      if try await condition() { return true }
      await self.signal(SIGCONT, to: role)
      return false
    }
  }

  /// Whether the ledger has such rows.
  func has(_ rows: String) async throws -> Bool { try await sql("SELECT count(*) > 0 FROM \(rows)") == "t" }

  /// How many entries a group's consumers took from a stream and have not acknowledged.
  func pendingEntries(_ stream: String, group: String) async throws -> Int {
    let answer = try await ChildProcess.require(
      "/usr/bin/env", ["redis-cli", "-p", "\(redis.port)", "XPENDING", stream, group])
    return answer.split(separator: "\n").first.flatMap { Int($0) } ?? 0
  }

  /// Kills a worker as a power cut would, and starts it again.
  func killAndRestart(_ role: Role) async throws {
    signal(SIGKILL, to: role)
    _ = try await workers[role]?.waitForExit(within: Self.patience)
    try await start([role])
  }

  /// Asks workers to end and returns their exit codes.
  func end(_ roles: [Role] = Role.allCases) async throws -> [Role: Int32] {
    var codes: [Role: Int32] = [:]
    for role in roles { signal(SIGTERM, to: role) }
    for role in roles { codes[role] = try await workers[role]?.waitForExit(within: Self.patience).exitCode }
    return codes
  }

  /// What a worker wrote, for a failed expectation.
  func log(of role: Role) -> String { String((workers[role]?.errors ?? "").suffix(3_000)) }

  /// The answer of PostgreSQL's own client.
  @discardableResult
  func sql(_ text: String) async throws -> String {
    try await postgres.query(text, database: database).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Ends everything.
  func stop() async throws {
    for process in workers.values { process.signal(SIGKILL) }
    devnet.signal(SIGKILL)
    await redis.stop()
    try await postgres.stop()
    try FileManager.default.removeItem(at: folder)
  }

  /// A bearer token by HS256, good for an hour.
  static func token(subject: String = "gateway", role: String = "service") -> String {
    func part(_ bytes: some Sequence<UInt8>) -> String {
      Data(bytes).base64EncodedString().replacingOccurrences(of: "+", with: "-")
        .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
    }
    let expiry = Int64(Date().timeIntervalSince1970) + 3_600
    let text =
      part(#"{"alg":"HS256","typ":"JWT"}"#.utf8) + "."
      + part(#"{"sub":"\#(subject)","role":"\#(role)","exp":\#(expiry)}"#.utf8)
    let code = HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: SymmetricKey(data: Data(jwtKey.utf8)))
    return text + "." + part(code)
  }

  private static func payoutctl(_ arguments: [String], _ environment: [String: String]) async throws -> String {
    let outcome = try await TestProcess.run(
      "/usr/bin/setsid", ["--wait", TestProcess.builtExecutable("payoutctl")] + arguments, environment: environment,
      within: patience)
    guard outcome.exitCode == 0 else { throw Failure("payoutctl \(arguments): \(outcome.errors)") }
    return outcome.output
  }

  private static func address(in text: String) throws -> Address {
    for word in text.split(whereSeparator: \.isWhitespace) {
      if let address = try? Address(word) { return address }
    }
    throw Failure("no address in: \(text)")
  }

  private static func remember(_ process: TestProcess, in folder: URL) throws {
    let file = folder.appendingPathComponent("pids").path
    let known = FileManager.default.contents(atPath: file) ?? Data()
    try (known + Data("\(process.processIdentifier)\n".utf8)).write(to: URL(fileURLWithPath: file))
  }

  /// Waits until the test process is gone, then ends what it had started. A pid counts only while its process has this
  /// stack's folder or devnet's variables in its environment.
  private static let watcher = """
    while kill -0 "$1" 2>/dev/null && [ -d "$2" ]; do sleep 0.5; done
    [ -d "$2" ] || exit 0
    for pid in $(cat "$2/pids"); do
      tr '\\0' '\\n' <"/proc/$pid/environ" 2>/dev/null | grep -q -e "$2" -e '^DEVNET_BLOCK_MS=250$' && kill -KILL "$pid"
    done
    rm -rf "$2"
    """

  /// What went wrong.
  struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
  }
}

/// Polls until the condition holds, or fails by name.
func eventually(
  _ what: String, within limit: Duration = Stack.patience, _ condition: @Sendable () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  while try await !condition() {
    guard ContinuousClock.now < deadline else { throw Stack.Failure("waited \(limit) in vain until \(what)") }
    try await Task.sleep(for: .milliseconds(25))
  }
}
