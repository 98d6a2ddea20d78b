import Ledger
import Logging
import Nodes
import Payouts
import Queues
import ServiceLifecycle
import Streams
import Tron
import Worker

/// Monitor: follows the chain, confirms, undoes what forks undid, frees what never was, keeps the fence, tells payouts'
/// owners by webhook, and gives audit records away.
///
/// Its steps go round beside one another. Replicas may run side by side: each change is a compare-and-set in the ledger.
public enum MonitorService {
  /// The process.
  public static func main() async -> Never {
    await WorkerProgram.main("monitor", configuration: MonitorConfiguration.self) { configuration, context in
      try await start(configuration, context)
    }
  }

  private static func start(
    _ configuration: MonitorConfiguration, _ context: WorkerContext
  ) async throws -> [any Service] {
    let name = context.configuration.serviceName
    let ledger = configuration.stores.databaseURL.withText {
      Ledger(url: $0, actor: "monitor/\(name)", logger: context.logger)
    }
    do {
      try await ledger.prepare(configuration.tron.installation(stage: context.configuration.stage))
    } catch let error as LedgerError where error.code == .misconfigured {
      throw WorkerError(.configuration, error.message)
    }
    let streams = try configuration.stores.redisURL.withText { try RedisStreams(url: $0, logger: context.logger) }
    let connection = try configuration.nodes.connection(
      genesis: configuration.tron.genesisBlockID, now: { context.clock.now() })
    let policy = MonitorPolicy(
      name: name, token: configuration.tron.usdtContract,
      requiredConfirmations: configuration.tron.requiredConfirmations,
      retryDelayMilliseconds: configuration.retryDelaySeconds * 1_000,
      maximumOwnFailures: configuration.maximumOwnFailures,
      knownProducers: configuration.tron.network.producers, routers: configuration.routers)
    let proxy = configuration.nodes.proxy.server
    let alarms = configuration.alarmURL.map { AlarmWebhook($0, proxy: proxy) }
    let sink = configuration.auditURL.map { AuditWebhook($0, proxy: proxy) }
    let steps = try MonitorSteps(
      MonitorParts(
        ledger: ledger, streams: streams, intents: streams, node: connection.nodes, clock: context.clock,
        random: context.random, alarms: alarms,
        out: PinnedHTTPOut(
          resolver: SystemHostResolver(), callable: CallableAddresses(allowed: configuration.webhookAllowedNetworks),
          proxy: proxy)),
      policy: policy, metrics: MonitorMetrics(context.instruments), logger: context.logger)
    let watching = WatchNodes(connection.nodes, context)
    var services: [any Service] = [ledger.connections] + streams.connections + [connection, steps.recorder]
    if let alarms { services.append(alarms) }
    if let sink { services.append(sink) }
    let measuring = MeasureQueues.step(ledger, streams, context.instruments)
    let auditing = sink.map { sink in
      DeliverAudits(
        ledger: ledger, receiver: sink, metrics: AuditSinkMetrics(context.instruments), logger: context.logger
      ).step
    }
    return services + [context.loop(steps.all + [watching.step, measuring] + [auditing].compactMap { $0 })]
  }
}
