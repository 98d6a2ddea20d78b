public import Ledger
public import Logging
public import Streams
public import Worker

/// The steps of Scheduler on given parts: the real ones, or a simulator's.
public struct SchedulerSteps: Sendable {
  /// See `ListenForPayouts`.
  public let listen: Step
  /// See `SchedulePayouts`.
  public let schedule: Step
  /// See `ExpirePayouts`.
  public let expire: Step
  /// See `TrimIntents`.
  public let trimIntents: Step
  /// Writes ends to the log of intents that it could not take before.
  public let recordIntents: Step
  /// The writer of that log; a service that writes what it still keeps when the process stops.
  public let recorder: IntentRecorder

  /// All of them; they run beside one another, in no order.
  public var all: [Step] { [listen, schedule, expire, trimIntents, recordIntents] }

  /// - Parameters:
  ///   - intents: the log of what was committed.
  ///   - intentLogHours: `INTENT_LOG_HOURS`.
  ///   - consumer: this replica's name in the group; no other living replica has it.
  ///   - clock: names new batches by their time and spaces the claims.
  ///   - random: the rest of a new batch's name.
  ///   - metrics: nil in a simulator.
  /// - Throws: `StreamError` with code `invalidArgument` where a limit of the streams is broken.
  public init(
    ledger: any SchedulerLedger, streams: any StreamTransport, intents: any IntentLog, intentLogHours: Int64 = 72,
    consumer: ConsumerName, clock: any WallClock, random: any RandomSource, metrics: SchedulerMetrics?, logger: Logger
  ) throws {
    let scheduling = SchedulePayouts(
      ledger: ledger, streams: streams, clock: clock, random: random, metrics: metrics, logger: logger)
    let listening = try ListenForPayouts(
      scheduling: scheduling, transport: streams, clock: clock, metrics: metrics, logger: logger
    ).consumer(named: consumer)
    let recorder = IntentRecorder(intents, logger: logger)
    self.recorder = recorder
    let expiring = ExpirePayouts(ledger: ledger, intents: recorder, metrics: metrics, logger: logger)
    let trimming = TrimIntents(
      ledger: ledger, log: intents, ageMilliseconds: intentLogHours * 3_600_000, bytesMax: IntentLogBounds.bytesMax,
      metrics: metrics, logger: logger)
    listen = Step("listen") {
      try await listening.step() > 0 ? .worked : .idle(milliseconds: ListenForPayouts.idleMilliseconds)
    }
    schedule = Step("schedule", stateWhenFailing: .failed) { try await scheduling.run() }
    expire = Step("expire") { try await expiring.run() }
    trimIntents = Step("trim_intents") { try await trimming.run() }
    recordIntents = Step("record_intents") {
      await recorder.retry() ? .worked : .idle(milliseconds: IntentLogBounds.retryMilliseconds)
    }
  }
}
