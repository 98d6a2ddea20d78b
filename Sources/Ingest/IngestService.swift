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
    let rates = try configuration.stores.redisURL.withText { try RedisRates(url: $0, logger: context.logger) }
    let auditLog = try configuration.auditLogPath.map {
      try AuditLog(path: $0, clock: context.clock, logger: context.logger)
    }
    let parts = try await IngestParts(
      configuration, ledger: ledger, directory: ledger, desk: ledger, apiKeys: ledger, audits: ledger, webhooks: ledger,
      kyc: ledger, auditLog: auditLog, streams: streams, intents: streams, queues: streams, rates: rates,
      context: context)
    let measuring = MeasureQueues.step(ledger, streams, context.instruments)
    // What is stopped first stands last: nothing is audited any more once the server and the commits have stopped.
    return [ledger.connections] + streams.connections + [rates.connection] + (auditLog.map { [$0] } ?? [])
      + [
        parts.intents.recorder, parts.audit, parts.enqueue, parts.commits, context.loop(parts.steps + [measuring]),
        parts.server(),
      ]
  }
}

/// What Ingest is made of: the steps on their seams, so that tests and simulators run the same ones.
struct IngestParts: Sendable {
  let enqueue: EnqueueAccepted
  let commits: GroupCommit
  let watch: WatchDependencies
  let intents: RecordIntents
  /// The public keys of tokens; nil where there is no key set.
  let keySet: WatchKeySet?
  let audit: RecordAudit
  private let linkAudits: LinkAudits
  private let limitRates: LimitRates
  private let recordLimited: Step
  let http: ServeHTTP
  private let host: String
  private let port: Int
  private let logger: Logger

  /// - Throws: `LedgerError` where the hot wallets cannot be read.
  init(
    _ configuration: IngestConfiguration, ledger: any IngestLedger, directory: any PayoutDirectory,
    desk: any OperatorDesk, apiKeys: any APIKeyLedger, audits: any AuditLedger, webhooks: any WebhookEndpointLedger,
    kyc: any KYCLedger, auditLog: AuditLog? = nil, streams: any StreamTransport, intents: any IntentLog,
    queues: any StreamDesk, rates: any SharedRates, context: WorkerContext,
    bodyMilliseconds: Int64 = ReadBody.millisecondsMax
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
    let audit = RecordAudit(
      ledger: audits, clock: context.clock, random: context.random, health: health, metrics: metrics.audit,
      logger: logger)
    self.audit = audit
    linkAudits = LinkAudits(ledger: audits, log: auditLog, health: health, metrics: metrics.audit)
    let callers = configuration.callers
    let keySet: WatchKeySet? =
      if let file = callers.keySet { try await WatchKeySet(file, health: health, logger: logger) } else { nil }
    self.keySet = keySet
    let limitRates = LimitRates(
      configuration.rateLimits, shared: rates, clock: context.clock, health: health,
      metrics: RateMetrics(context.instruments), logger: logger)
    self.limitRates = limitRates
    let limited = LimitedAllowance()
    recordLimited = limited.step(context.clock, noting: audit)
    http = ServeHTTP(
      authenticate: AuthenticateCaller(
        callers, keySet: keySet, apiKeys: apiKeys, sealer: sealer, clock: context.clock,
        metrics: CallerMetrics(context.instruments), logger: logger), limitRates: limitRates,
      origins: configuration.origins,
      acceptPayout: AcceptPayout(
        rules: rules, sealer: sealer, forbidden: forbidden, commits: commits, ledger: ledger,
        intents: intents, clock: context.clock, random: context.random),
      readPayout: ReadPayout(ledger: ledger), listPayouts: ListPayouts(ledger: directory),
      cancelPayout: CancelPayout(ledger: ledger, intents: intents, metrics: metrics, logger: logger),
      steerPayments: SteerPayments(desk: desk, logger: logger),
      decideHeld: DecideHeld(
        desk: desk, intents: intents, requiredConfirmations: tron.requiredConfirmations, logger: logger),
      inspectQueues: InspectQueues(desk: desk, streams: queues, logger: logger),
      readStats: ReadStats(desk: desk, limits: configuration.limits),
      quotePayouts: QuotePayouts(
        rules: rules, windows: configuration.limits, requiredConfirmations: tron.requiredConfirmations,
        forbidden: forbidden, ledger: directory, clock: context.clock),
      manageAPIKeys: ManageAPIKeys(ledger: apiKeys, sealer: sealer, random: context.random, logger: logger),
      listAudits: ListAudits(ledger: audits),
      manageWebhooks: ManageWebhooks(
        ledger: webhooks, clock: context.clock, random: context.random, logger: logger),
      manageKYC: ManageKYC(
        ledger: kyc, authority: configuration.complianceAuthority, forbidden: forbidden, logger: logger),
      answerPayout: AnswerPayout(requiredConfirmations: tron.requiredConfirmations),
      answerTransaction: AnswerTransaction(
        network: tron.network, requiredConfirmations: tron.requiredConfirmations),
      readBody: ReadBody(clock: context.clock, timeLimit: bodyMilliseconds), health: IngestParts.healthRoutes(health),
      audit: audit, limited: limited, service: context.configuration.serviceName, metrics: metrics,
      clock: context.clock, random: context.random, logger: logger)
    host = configuration.host
    port = configuration.port
    self.logger = logger
  }

  /// The steps that go round beside the server.
  var steps: [Step] {
    watch.steps + [intents.step, linkAudits.step, recordLimited] + limitRates.steps
      + (keySet.map { [$0.step] } ?? [])
  }

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
    HealthRoutes(health).add(to: router.group(RouterPath(Operation.prefix)))
    return router.buildResponder()
  }
}
