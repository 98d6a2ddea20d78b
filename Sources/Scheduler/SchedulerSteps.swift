public import Ledger
public import Logging
public import Streams
public import Worker

/// The steps of Scheduler on given parts: the real ones, or a simulator's.
public struct SchedulerSteps: Sendable {
  /// See `SchedulePayouts`.
  public let schedule: Step
  /// See `SweepQueued`.
  public let sweep: Step
  /// See `ExpirePayouts`.
  public let expire: Step
  /// See `TrimIntents`.
  public let trimIntents: Step

  /// All of them; they run beside one another, in no order.
  public var all: [Step] { [schedule, sweep, expire, trimIntents] }

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
    let reading = try scheduling.consumer(named: consumer)
    let sweeping = SweepQueued(ledger: ledger, streams: streams, metrics: metrics, logger: logger)
    let recorder = IntentRecorder(intents, logger: logger)
    let expiring = ExpirePayouts(ledger: ledger, intents: recorder, metrics: metrics, logger: logger)
    let trimming = TrimIntents(
      ledger: ledger, log: intents, recorder: recorder, ageMilliseconds: intentLogHours * 3_600_000,
      bytesMax: IntentLogBounds.bytesMax, metrics: metrics, logger: logger)
    schedule = Step("schedule", stateWhenFailing: .failed) {
      try await reading.step() > 0 ? .worked : .idle(milliseconds: SchedulePayouts.idleMilliseconds)
    }
    sweep = Step("sweep") { try await sweeping.run() }
    expire = Step("expire") { try await expiring.run() }
    trimIntents = Step("trim_intents") { try await trimming.run() }
  }
}
