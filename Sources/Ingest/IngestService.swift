import Hummingbird
import Ledger
import Logging
import NIOCore
import Payouts
import Queues
import ServiceLifecycle
import Streams
import Worker

/// Ingest: authenticates, validates, reserves limits, seals, stores, enqueues; answers all questions about payouts.
///
/// ```
/// request ─▶ ServeHTTP ─▶ AuthenticateCaller ─▶ AcceptPayout ─▶ GroupCommit ─▶ ledger ─▶ 201
///                                             │                               ├▶ RecordIntents ─▶ intents
///                                             └▶ ReadPayout ─▶ AnswerPayout   └▶ EnqueueAccepted ─▶ payouts.<type>
/// ```
///
/// 201 is sent only after the commit, and after what was committed stands in the log of intents or Redis is known to be
/// away. Replicas may run side by side: the ledger decides every race.
public enum IngestService {
  /// The process.
  public static func main() async -> Never {
    await WorkerProgram.main("ingest", configuration: IngestConfiguration.self) { configuration, context in
      try await start(configuration, context)
    }
  }

  /// How long a call waits for a connection to the database, in milliseconds: whoever waits here is a client.
  private static let acquireTimeoutMilliseconds = 2_000

  private static func start(
    _ configuration: IngestConfiguration, _ context: WorkerContext
  ) async throws -> [any Service] {
    let ledger = configuration.stores.databaseURL.withText {
      Ledger(
        url: $0, actor: "ingest/\(context.configuration.serviceName)", logger: context.logger,
        acquireTimeoutMilliseconds: acquireTimeoutMilliseconds)
    }
    do {
      try await ledger.prepare(configuration.tron.installation(stage: context.configuration.stage))
    } catch let error as LedgerError where error.code == .misconfigured {
      throw WorkerError(.configuration, error.message)
    }
    let streams = try configuration.stores.redisURL.withText { try RedisStreams(url: $0, logger: context.logger) }
    let parts = try await IngestParts(
      configuration, ledger: ledger, streams: streams, intents: streams, context: context)
    let measuring = MeasureQueues.step(ledger, streams, context.instruments)
    return [ledger.connections] + streams.connections
      + [
        parts.intents.recorder, parts.enqueue, parts.commits, context.loop(parts.steps + [measuring]), parts.server(),
      ]
  }
}

/// What Ingest is made of: the steps on their seams, so that tests and simulators run the same ones.
struct IngestParts: Sendable {
  let enqueue: EnqueueAccepted
  let commits: GroupCommit
  let watch: WatchDependencies
  let intents: RecordIntents
  let http: ServeHTTP
  private let host: String
  private let port: Int
  private let logger: Logger

  /// - Throws: `LedgerError` where the hot wallets cannot be read.
  init(
    _ configuration: IngestConfiguration, ledger: any IngestLedger, streams: any StreamTransport,
    intents: any IntentLog, context: WorkerContext, bodyMilliseconds: Int64 = ReadBody.millisecondsMax
  ) async throws {
    let (tron, logger, health) = (configuration.tron, context.logger, context.health)
    guard let sealer = configuration.sealer else { preconditionFailure("a configuration that was read has its sealer") }
    let metrics = IngestMetrics(context.instruments)
    let forbidden = ForbiddenRecipients(
      token: tron.usdtContract, routers: configuration.routers, wallets: try await ledger.wallets())
    let enqueue = EnqueueAccepted(streams: streams, health: health, metrics: metrics, logger: logger)
    let intents = RecordIntents(log: intents, health: health, metrics: metrics, logger: logger)
    self.intents = intents
    let commits = GroupCommit(
      ledger: ledger, limits: configuration.limits, metrics: metrics, record: { await intents.accepted($0) }
    ) { payouts in
      enqueue.enqueue(payouts)
    } failed: { error, count in
      logger.error("Payouts could not be stored", error: error, metadata: [LogKey.payoutCount: "\(count)"])
    }
    self.enqueue = enqueue
    self.commits = commits
    watch = WatchDependencies(ledger: ledger, streams: streams, forbidden: forbidden, health: health)
    let rules = AcceptanceRules(
      network: tron.network, token: tron.usdtContract, limits: configuration.maxima,
      requiresIdempotencyKey: configuration.requiresIdempotencyKey)
    http = ServeHTTP(
      authenticate: await AuthenticateCaller(key: configuration.jwtKey, clock: context.clock),
      acceptPayout: AcceptPayout(
        rules: rules, sealer: sealer, forbidden: forbidden, commits: commits, ledger: ledger,
        intents: intents, clock: context.clock, random: context.random),
      readPayout: ReadPayout(ledger: ledger),
      answerPayout: AnswerPayout(requiredConfirmations: tron.requiredConfirmations),
      answerTransaction: AnswerTransaction(
        network: tron.network, requiredConfirmations: tron.requiredConfirmations),
      readBody: ReadBody(clock: context.clock, timeLimit: bodyMilliseconds), health: IngestParts.healthRoutes(health),
      metrics: metrics, clock: context.clock, random: context.random, logger: logger)
    host = configuration.host
    port = configuration.port
    self.logger = logger
  }

  /// The steps that go round beside the server.
  var steps: [Step] { watch.steps + [intents.step] }

  /// The HTTP server as a service.
  func server(
    idleMilliseconds: Int64 = HTTPServer.idleMillisecondsMax, onListening: @escaping @Sendable (Int) -> Void = { _ in }
  ) -> HTTPServer {
    HTTPServer(
      responder: http, host: host, port: port, logger: logger, idleMilliseconds: idleMilliseconds,
      onListening: onListening)
  }

  private static func healthRoutes(_ health: HealthRegistry) -> any HTTPResponder<BasicRequestContext> {
    let router = Router()
    HealthRoutes(health).add(to: router)
    HealthRoutes(health).add(to: router.group(RouterPath(Route.prefix)))
    return router.buildResponder()
  }
}
