import AsyncHTTPClient
import Ledger
import Logging
import NIOCore
import Payouts
import ServiceLifecycle
import Streams
import Synchronization
import TestSupport
import Testing

@testable import Ingest
@testable import Worker

/// A ledger in a fresh database of the real server, streams, and Ingest on them behind real HTTP on loopback.
struct IngestScene: Sendable {
  let server: PrivatePostgres
  let url: String
  let ledger: Ledger
  let streams = MemoryStreams(now: { SystemClock().now().milliseconds })
  let clock = MovableClock()
  let logs = LogMemory()

  static let jwtKey = "a secret of the tests, long enough for HS256"
  static let sealKey = "tests:" + String(repeating: "11", count: 32)
  static let genesis = String(repeating: "07", count: 32)
  static let token = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
  static let router = Address(account: [UInt8](repeating: 0x52, count: 20))
  static let recipient = Address(account: [UInt8](repeating: 0x77, count: 20))

  static let installation = Installation(
    environment: "dev", network: .devnet, genesis: BlockID(exactly: [UInt8](repeating: 7, count: 32)),
    maximumExpirationMilliseconds: 600_000, clockBoundMilliseconds: 60_000)

  /// - Parameter server: nil for the one that all tests share.
  init(server: PrivatePostgres? = nil) async throws {
    if let server {
      self.server = server
    } else {
      self.server = try await PrivatePostgres.shared()
    }
    url = try await self.server.createDatabase()
    let url = url
    ledger = Ledger(
      url: url, actor: "ingest/tests", logger: Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() }),
      // Those who stop a server of their own want to be told soon that it is away; others want their turn, however busy
      // the machine is.
      acquireTimeoutMilliseconds: server == nil ? 60_000 : 2_000)
    try await ledger.prepare(Self.installation)
  }

  /// A ledger for one more replica: on the same database, with a pool of its own.
  func replicaLedger() -> Ledger {
    Ledger(
      url: url, actor: "ingest/replica", logger: Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() }),
      acquireTimeoutMilliseconds: 60_000)
  }

  /// Runs Ingest while `body` runs, and drains it after.
  ///
  /// - Parameters:
  ///   - settings: environment variables besides the usual ones.
  ///   - ledger: nil for the real one.
  ///   - streams: nil for those in memory.
  ///   - intents: nil for the log in memory.
  ///   - queues: nil where operators find Redis away.
  ///   - desk: nil for the real ledger.
  ///   - rates: nil where nothing counts requests for all replicas; without settings there are no limits here.
  ///   - apiKeys: nil for those in the real ledger.
  func serving(
    _ settings: [String: String] = [:], ledger: (any IngestLedger)? = nil, streams: (any StreamTransport)? = nil,
    intents: (any IntentLog)? = nil, queues: (any StreamDesk)? = nil, apiKeys: (any APIKeyLedger)? = nil,
    desk: (any OperatorDesk)? = nil, rates: any SharedRates = AbsentRates(),
    bodyMilliseconds: Int64 = ReadBody.millisecondsMax,
    idleMilliseconds: Int64 = HTTPServer.idleMillisecondsMax,
    _ body: @Sendable @escaping (RunningIngest) async throws -> Void
  ) async throws {
    let configuration = try configuration(settings)
    let registry = PrometheusRegistry()
    let logs = logs
    let context = WorkerContext(
      configuration: try Settings.read(environment: [:]) { WorkerConfiguration(program: "ingest", from: &$0) },
      logger: Logger(label: "ingest", factory: { _ in LogMemory.Handler(memory: logs) }),
      instruments: Instruments(worker: "ingest", registry: registry),
      health: HealthRegistry(service: "ingest", clock: clock), clock: clock, random: SystemRandomSource())
    let parts = try await IngestParts(
      configuration, ledger: ledger ?? self.ledger, directory: self.ledger, desk: desk ?? self.ledger,
      apiKeys: apiKeys ?? self.ledger, audits: self.ledger, webhooks: self.ledger, kyc: self.ledger,
      streams: streams ?? self.streams,
      intents: intents ?? self.streams, queues: queues ?? AbsentQueues(), rates: rates, context: context,
      bodyMilliseconds: bodyMilliseconds)
    let (ports, port) = AsyncStream<Int>.makeStream()
    let services: [any Service] = [
      parts.audit, parts.enqueue, parts.commits, context.loop(parts.steps),
      parts.server(idleMilliseconds: idleMilliseconds) { number in
        port.yield(number)
        port.finish()
      },
    ]
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: services, logger: Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask {
        try await group.run()
        port.finish()
      }
      tasks.addTask {
        guard let number = await ports.first(where: { _ in true }) else { throw SceneError("Ingest did not listen") }
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 600
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let ingest = RunningIngest(
          port: number, client: client, clock: clock, registry: registry, health: context.health, group: group,
          parts: parts)
        do {
          try await body(ingest)
        } catch {
          try await client.shutdown()
          await group.triggerGracefulShutdown()
          throw error
        }
        try await client.shutdown()
        await group.triggerGracefulShutdown()
      }
      try await tasks.waitForAll()
    }
  }

  /// The configuration of an Ingest on this scene, with `LUCID_ENV=production` too: no program starts in production as
  /// yet, but what it will refuse there can be shown.
  private func configuration(_ settings: [String: String]) throws -> IngestConfiguration {
    var reading = Settings(environment: environment(settings))
    let configuration = IngestConfiguration(from: &reading)
    let problems = reading.problems.filter { $0.key != "LUCID_ENV" }
    guard problems.isEmpty else { throw ConfigurationError(problems) }
    return configuration
  }

  /// The environment of an Ingest on this scene.
  func environment(_ settings: [String: String] = [:]) -> [String: String] {
    [
      "LUCID_ENV": "dev", "DATABASE_URL": url, "REDIS_URL": "redis://127.0.0.1:1", "TRON_NETWORK": "devnet",
      "TRON_GENESIS_BLOCK_ID": Self.genesis, "PORT": "0", "JWT_SECRET_KEY": Self.jwtKey,
      "INTENT_SEAL_KEY": Self.sealKey, "RATE_LIMIT_BATCH_PER_MINUTE": "0", "RATE_LIMIT_WRITES_PER_MINUTE": "0",
      "RATE_LIMIT_READS_PER_MINUTE": "0", "PAYOUT_ROUTER_V0_ADDRESS": Self.router.description,
    ].merging(settings) { $1 }
  }

  /// The answer of the server's own client.
  @discardableResult
  func sql(_ text: String) async throws -> String {
    try await server.query(text, database: String(url.split(separator: "/").last ?? ""))
  }

  /// Takes the history for vouched for, as all Signers do in time.
  func vouch() async throws {
    try await sql(
      """
      INSERT INTO continuity (system_identifier, timeline, server_start, transactions_oid, transactions_file_node,
        vouched_by) SELECT s.*, 'test' FROM server_life() s
      """)
  }

  /// How many payouts are stored.
  func payoutCount() async throws -> Int { try #require(Int(try await sql("SELECT count(*) FROM payouts"))) }

  /// The ids that were told to a stream, left there.
  func enqueued(in stream: StreamName = .payoutsImmediate) async throws -> [String] {
    let entries = try await streams.read(
      [stream], group: ConsumerGroup("onlookers-\(PayoutID.random())"),
      consumer: ConsumerName("test"), count: 1_000, blockMilliseconds: 0)
    return entries.compactMap { $0.fields[StreamField.payoutID] }
  }
}

/// What operators find while Redis is away.
private struct AbsentQueues: StreamDesk {
  private let error = StreamError(code: .unavailable, outcome: .notDone, message: "there is no Redis here")

  func depths(of stages: [(stream: StreamName, group: ConsumerGroup)]) async throws -> [StreamDepth] { throw error }
  func deadLetters(of stream: StreamName, atMost count: Int) async throws -> [DeadLetter] { throw error }
  func retry(_ id: StreamEntryID, deadLetterOf stream: StreamName) async throws -> DeadLetterRetry { throw error }
}

/// What counts requests while Redis is away.
struct AbsentRates: SharedRates {
  func take(_ key: String, of limit: RateLimit) async throws -> RateVerdict {
    throw StreamError(code: .unavailable, outcome: .notDone, message: "there is no Redis here")
  }
}

extension PayoutID {
  /// Some id.
  static func random() -> PayoutID { PayoutID(at: SystemClock().now(), randomness: SystemRandomSource().bytes(10)) }
}

/// Why a scene could not be set, or what was waited for in vain.
struct SceneError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// The machine's clock, moved by hand.
final class MovableClock: WallClock {
  private let offset = Mutex<Int64>(0)

  func now() -> Timestamp { SystemClock().now().advanced(byMilliseconds: offset.withLock { $0 }) }

  func sleep(milliseconds: Int64) async throws { try await SystemClock().sleep(milliseconds: milliseconds) }

  func advance(milliseconds change: Int64) { offset.withLock { $0 += change } }
}

/// Keeps log lines, so that a test can read what operators would.
final class LogMemory: Sendable {
  private let kept = Mutex<[String]>([])

  var lines: [String] { kept.withLock { $0 } }

  struct Handler: LogHandler {
    let memory: LogMemory
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let all = metadata.merging(event.metadata ?? [:]) { $1 }
      let words = all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
      let line = "\(event.level) \(event.message) \(words) \(event.error.map { "error=\($0)" } ?? "")"
      memory.kept.withLock { $0.append(line) }
    }
  }
}

/// Waits for a condition, at most two minutes.
func until(_ what: String, _ condition: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(120)
  while try await !condition() {
    guard ContinuousClock.now < deadline else { throw SceneError("waited in vain until \(what)") }
    try await Task.sleep(for: .milliseconds(10))
  }
}
