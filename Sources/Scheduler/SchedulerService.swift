import Ledger
import Logging
import Payouts
import Queues
import ServiceLifecycle
import Streams
import Worker

/// Scheduler: puts accepted payouts into settlement batches when their window ends, and hands these to the Signers.
///
/// ```
/// payouts.<type> ──▶ ListenForPayouts ──"look"──▶ SchedulePayouts ──commit──▶ settlement_batches ──▶ batches.ready
///                                                       ▲                        (PostgreSQL)
///                      the ledger's clock: a window ends┘      ExpirePayouts: what nobody may pay any more
///                                                              TrimIntents: bounds the stream `intents`
/// ```
///
/// Any number of replicas may run: a payout enters a batch by one guarded change in PostgreSQL, whoever was told of it,
/// and however often. Each step may die at any line; the next round, or another replica, finds the rest.
public enum SchedulerService {
  /// The process.
  public static func main() async -> Never {
    await WorkerProgram.main("scheduler", configuration: SchedulerConfiguration.self) { configuration, context in
      try await start(configuration, context)
    }
  }

  /// Opens the real parts; the services come in the order of their dependency.
  private static func start(
    _ configuration: SchedulerConfiguration, _ context: WorkerContext
  ) async throws -> [any Service] {
    let name = context.configuration.serviceName
    let ledger = configuration.stores.databaseURL.withText {
      Ledger(url: $0, actor: "scheduler/\(name)", logger: context.logger)
    }
    do {
      try await ledger.prepare(configuration.tron.installation(stage: context.configuration.stage))
    } catch let error as LedgerError where error.code == .misconfigured {
      throw WorkerError(.configuration, "\(error)")
    }
    if try await ledger.setWindows(configuration.windows) {
      context.logger.warning("Windows have another length from now on, for all replicas")
    }
    let streams = try configuration.stores.redisURL.withText { try RedisStreams(url: $0, logger: context.logger) }
    let steps = try SchedulerSteps(
      ledger: ledger, streams: streams, intents: streams, intentLogHours: configuration.intentLogHours,
      consumer: ConsumerName(name), clock: context.clock, random: context.random,
      metrics: SchedulerMetrics(context.instruments), logger: context.logger)
    let measuring = MeasureQueues.step(ledger, streams, context.instruments)
    return [ledger.connections] + streams.connections + [steps.recorder, context.loop(steps.all + [measuring])]
  }
}
