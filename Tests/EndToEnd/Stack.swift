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

  /// One process of a worker's kind, counted from 1.
  struct Replica: Hashable, Sendable, CustomStringConvertible {
    let role: Role
    let number: Int

    static let ingest = Replica(role: .ingest, number: 1)
    static let scheduler = Replica(role: .scheduler, number: 1)
    static let signer = Replica(role: .signer, number: 1)
    static let monitor = Replica(role: .monitor, number: 1)

    /// Its name in logs and consumer groups.
    var description: String { "\(role.rawValue)-\(number)" }
  }

  static let patience = Duration.seconds(60)
  /// What the wallet holds at first, in TRX: a transfer burns some 7.
  private static let fundsTRX = 100_000_000
  private static let jwtKey = "a key of forty bytes for these tests only"

  let redis: PrivateRedis
  let postgres: PrivatePostgres
  let database: String
  /// The day, counted from 1970 in UTC, on which it began.
  let began = Int(Date().timeIntervalSince1970) / 86_400
  let wallet: Address
  let chain: DevnetOracle
  /// What the wallet holds at first, in USDT.
  let funds: Int
  let devnet: TestProcess
  private let folder: URL
  /// Ends what was started where this test process cannot any more. It lives as long as this does.
  private let watching: TestProcess
  private var environment: [String: String]
  private let ports: [Replica: (api: Int, health: Int)]
  private(set) var workers: [Replica: TestProcess] = [:]
  private var clocks: [Replica: ClockFile] = [:]

  /// All of them: first every role's first one, then the second ones.
  let replicas: [Replica]

  /// Everything up to declared Signers; no worker runs yet.
  ///
  /// - Parameters:
  ///   - funds: what the wallet holds, in USDT.
  ///   - expirationSeconds: how long a transaction lives. It is broadcast about every 15 s.
  ///   - faces: how many nodes show the network; the workers know all of them.
  ///   - disk: where PostgreSQL has its data; nil for memory.
  ///   - changing: variables of workers and devnet that are other than this stack's own.
  init(
    replicasOfEach count: Int = 1, funds: Int = 1_000_000, expirationSeconds: Int = 30, faces: Int = 1,
    disk: SmallDisk? = nil, changing variables: [String: String] = [:]
  ) async throws {
    self.funds = funds
    replicas = (1...count).flatMap { number in Role.allCases.map { Replica(role: $0, number: number) } }
    redis = try await PrivateRedis.start()
    // Segments of the log are made anew, so that a full disk is met by the log, too.
    postgres = try await PrivatePostgres.start(settings: disk == nil ? [:] : ["wal_recycle": "off"], in: disk?.folder)
    let url = try await postgres.createDatabase()
    database = String(url.split(separator: "/").last ?? "")
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("stack-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    watching = try TestProcess("/bin/sh", ["-c", Self.watcher, "sh", "\(getpid())", folder.path])

    var environment = [
      "PATH": "/usr/bin:/bin", "LUCID_ENV": "dev", "TRON_NETWORK": "devnet", "DATABASE_URL": url,
      "REDIS_URL": redis.url, "TRON_KEYSTORE_FILE": folder.appendingPathComponent("wallet.json").path,
      "TRON_KEYSTORE_PASSPHRASE": "correct horse battery staple", "JWT_SECRET_KEY": Self.jwtKey, "LOG_FORMAT": "json",
      "SIGNER_NAMES": replicas.filter { $0.role == .signer }.map(\.description).joined(separator: ","),
      "TRANSACTION_EXPIRATION_SECONDS": "\(expirationSeconds)", "PAYOUT_RETRY_DELAY_SECONDS": "1",
      "BATCH_HOURLY_SECONDS": "5", "RATE_LIMIT_WRITES_PER_MINUTE": "0", "RATE_LIMIT_BATCH_PER_MINUTE": "0",
      "RATE_LIMIT_READS_PER_MINUTE": "0",
      "BATCH_DAILY_SECONDS": "7", "BATCH_WEEKLY_SECONDS": "9", "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    ]
    let seal = Hex.text(SystemRandomSource().bytes(32))
    environment["INTENT_SEAL_KEY"] = "test:\(seal)"
    environment["INTENT_SEAL_PUBLIC_KEY"] = try Sealer("test:\(seal)").publicKeyText
    environment.merge(variables) { _, new in new }
    let created = try await Self.payoutctl(["keystore", "create"], environment)
    wallet = try Self.address(in: created)
    devnet = try TestProcess(
      "/usr/bin/env", ["--default-signal", TestProcess.builtExecutable("devnet")],
      environment: [
        "DEVNET_PORT": "0", "DEVNET_BLOCK_MS": "250", "DEVNET_FUND": "\(wallet):\(Self.fundsTRX):\(funds)",
        "LOG_LEVEL": "error", "STACK_FOLDER": folder.path, "DEVNET_FACES": "\(faces)",
      ].merging(variables.filter { $0.key.hasPrefix("DEVNET_") }) { _, new in new })
    try Self.remember(devnet, in: folder)
    let values = try await devnet.waitForOutput(within: Self.patience) { output -> [String: String]? in
      let pairs = output.split(separator: "\n").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
      let values = Dictionary(pairs.filter { $0.count == 2 }.map { ($0[0], $0[1]) }) { first, _ in first }
      return values.count <= faces || !output.hasSuffix("\n") ? nil : values
    }
    let nodes = (1...faces).compactMap { values[$0 == 1 ? "TRON_RPC_URL" : "TRON_RPC_URL_\($0)"] }
    environment["TRON_GENESIS_BLOCK_ID"] = values["TRON_GENESIS_BLOCK_ID"]
    environment["TRON_RPC_URL"] = nodes.joined(separator: ",")
    chain = DevnetOracle(url: nodes.first ?? "")
    self.environment = environment
    ports = try Dictionary(
      uniqueKeysWithValues: replicas.map { ($0, (api: try FreePort.choose(), health: try FreePort.choose())) })
    for signer in replicas where signer.role == .signer {
      _ = try await Self.payoutctl(["signer", "init"], Self.environment(of: signer, environment, folder))
    }
  }

  /// Where clients send payouts: the address of each Ingest.
  var apiURLs: [String] {
    replicas.filter { $0.role == .ingest }.map { "http://127.0.0.1:\(ports[$0]?.api ?? 0)" }
  }

  /// Starts workers, all by default, and returns when each says that it is ready.
  func start(_ chosen: [Replica]? = nil) async throws {
    let chosen = chosen ?? replicas
    for replica in chosen { try launch(replica) }
    for replica in chosen {
      try await eventually("\(replica) is ready") { await self.says(replica, "ready") == 200 }
    }
  }

  /// Starts a worker and returns at once.
  func launch(_ replica: Replica) throws {
    let process = try TestProcess(
      "/usr/bin/env", ["--default-signal", TestProcess.builtExecutable(replica.role.rawValue)],
      environment: environment(of: replica))
    try Self.remember(process, in: folder)
    workers[replica] = process
  }

  /// The status that a worker answers with on its health port; 0 where there is no answer.
  ///
  /// - Parameter path: `ready`, `health`, `live`.
  func says(_ replica: Replica, _ path: String) async -> UInt {
    await DevnetOracle.status("\(healthURL(of: replica))/\(path)")
  }

  /// Where a worker tells how it is.
  func healthURL(of replica: Replica) -> String { "http://127.0.0.1:\(ports[replica]?.health ?? 0)" }

  /// Changes variables of the workers that start from now on.
  func change(_ variables: [String: String]) { environment.merge(variables) { _, new in new } }

  /// Lets the workers that start from now on ask this node first, by its number from 1.
  func askFirst(_ face: Int) {
    var urls = environment["TRON_RPC_URL", default: ""].split(separator: ",")
    urls.insert(urls.remove(at: face - 1), at: 0)
    change(["TRON_RPC_URL": urls.joined(separator: ",")])
  }

  /// Gives one worker a time of day of its own, from its next start on.
  func makeClock(of replica: Replica) throws -> ClockFile {
    let clock = try ClockFile(path: folder.appendingPathComponent("clock-\(replica)").path)
    clocks[replica] = clock
    return clock
  }

  /// How far a worker's time of day is ahead of the machine's, as its health report tells; nil where there is no answer.
  func secondsAhead(_ replica: Replica) async -> Double? {
    guard let text = try? await DevnetOracle.text("\(healthURL(of: replica))/health"),
      let fields = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any],
      let time = fields["timestamp"] as? String,
      let date = try? Date(time, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    else { return nil }
    return date.timeIntervalSinceNow
  }

  /// Runs the operator's command and returns what it prints.
  @discardableResult
  func payoutctl(_ arguments: String...) async throws -> String { try await Self.payoutctl(arguments, environment) }

  /// Runs the operator's command where a Signer runs, with its settings.
  @discardableResult
  func payoutctl(on signer: Replica, _ arguments: String...) async throws -> String {
    try await Self.payoutctl(arguments, environment(of: signer))
  }

  /// Runs a worker, with some variables changed, up to its own end.
  func run(_ replica: Replica, changing variables: [String: String]) async throws -> TestProcess.Outcome {
    try await TestProcess.run(
      TestProcess.builtExecutable(replica.role.rawValue),
      environment: environment(of: replica).merging(variables) { $1 }, within: Self.patience)
  }

  private func environment(of replica: Replica) -> [String: String] {
    var environment = Self.environment(of: replica, environment, folder)
    environment["PORT"] = "\(ports[replica]?.api ?? 0)"
    environment["METRICS_PORT"] = "\(ports[replica]?.health ?? 0)"
    return environment.merging(clocks[replica]?.environment ?? [:]) { _, new in new }
  }

  /// What is its own: its name, and a Signer's journal.
  private static func environment(
    of replica: Replica, _ shared: [String: String], _ folder: URL
  ) -> [String: String] {
    var environment = shared
    environment["SERVICE_NAME"] = "\(replica)"
    environment["SIGNER_NAME"] = "\(replica)"
    environment["SIGNER_STATE_DIR"] = folder.appendingPathComponent("\(replica)").path
    return environment
  }

  /// Waits until a worker has ended, and returns its exit code.
  func waitForExit(of replica: Replica) async throws -> Int32? {
    try await workers[replica]?.waitForExit(within: Self.patience).exitCode
  }

  /// How a worker ended; nil while it runs.
  func exitCode(of replica: Replica) -> Int32? { workers[replica]?.exitCode }

  /// Sends a signal to a worker: SIGSTOP freezes it at whatever instruction it is.
  func signal(_ number: Int32, to replica: Replica) { workers[replica]?.signal(number) }

  /// Freezes a worker, at whatever instruction it is, at a moment when the condition holds; it goes on between looks.
  func freeze(_ replica: Replica, when condition: @Sendable () async throws -> Bool) async throws {
    try await eventually("\(replica) is frozen with work in its stage") {
      await self.signal(SIGSTOP, to: replica)
      if try await condition() { return true }
      await self.signal(SIGCONT, to: replica)
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
  func killAndRestart(_ replica: Replica) async throws {
    signal(SIGKILL, to: replica)
    _ = try await workers[replica]?.waitForExit(within: Self.patience)
    try await start([replica])
  }

  /// Asks workers, all by default, to end and returns their exit codes.
  func end(_ chosen: [Replica]? = nil) async throws -> [Replica: Int32] {
    let chosen = chosen ?? replicas
    var codes: [Replica: Int32] = [:]
    for replica in chosen { signal(SIGTERM, to: replica) }
    for replica in chosen { codes[replica] = try await workers[replica]?.waitForExit(within: Self.patience).exitCode }
    return codes
  }

  /// What a worker wrote, for a failed expectation.
  func log(of replica: Replica) -> String { String((workers[replica]?.errors ?? "").suffix(3_000)) }

  /// Starts a receiver that verifies webhooks by another hand than Monitor's, and returns it with its URL.
  func startReceiver(of owner: String) async throws -> (process: TestProcess, url: String) {
    let secret = try await Self.payoutctl(["webhook-secret", owner], environment)
    let file = folder.appendingPathComponent("webhook-secret")
    try Data(secret.utf8).write(to: file)
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("ops/lib/receiver.py").path
    let process = try TestProcess(
      "/usr/bin/env", ["python3", script], environment: ["PATH": "/usr/bin:/bin", "WEBHOOK_SECRET_FILE": file.path])
    try Self.remember(process, in: folder)
    let url = try await process.waitForOutput(within: Self.patience) { output -> String? in
      guard let line = output.split(separator: "\n").first, output.contains("\n") else { return nil }
      return line.split(separator: "=").last.map(String.init)
    }
    return (process, url)
  }

  /// What a worker shows on its metrics port.
  func metrics(of replica: Replica) async throws -> String {
    try await DevnetOracle.text("\(healthURL(of: replica))/metrics")
  }

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

  /// A bearer token by HS256, good for three hours: longer than any run.
  static func token(subject: String = "gateway", role: String = "service") -> String {
    func part(_ bytes: some Sequence<UInt8>) -> String {
      Data(bytes).base64EncodedString().replacingOccurrences(of: "+", with: "-")
        .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
    }
    let expiry = Int64(Date().timeIntervalSince1970) + 3 * 3_600
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
  /// stack's folder in its environment.
  private static let watcher = """
    while kill -0 "$1" 2>/dev/null && [ -d "$2" ]; do sleep 0.5; done
    [ -d "$2" ] || exit 0
    for pid in $(cat "$2/pids"); do
      tr '\\0' '\\n' <"/proc/$pid/environ" 2>/dev/null | grep -q -e "$2" && kill -KILL "$pid"
    done
    rm -rf "$2"
    """

  /// What went wrong.
  struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
  }
}
