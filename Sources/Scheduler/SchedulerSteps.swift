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

  /// All of them; they run beside one another, in no order.
  public var all: [Step] { [listen, schedule, expire] }

  /// - Parameters:
  ///   - consumer: this replica's name in the group; no other living replica has it.
  ///   - clock: names new batches by their time and spaces the claims.
  ///   - random: the rest of a new batch's name.
  ///   - metrics: nil in a simulator.
  /// - Throws: `StreamError` with code `invalidArgument` where a limit of the streams is broken.
  public init(
    ledger: any SchedulerLedger, streams: any StreamTransport, consumer: ConsumerName, clock: any WallClock,
    random: any RandomSource, metrics: SchedulerMetrics?, logger: Logger
  ) throws {
    let scheduling = SchedulePayouts(
      ledger: ledger, streams: streams, clock: clock, random: random, metrics: metrics, logger: logger)
    let listening = try ListenForPayouts(
      scheduling: scheduling, transport: streams, clock: clock, metrics: metrics, logger: logger
    ).consumer(named: consumer)
    let expiring = ExpirePayouts(ledger: ledger, metrics: metrics, logger: logger)
    listen = Step("listen") {
      try await listening.step() > 0 ? .worked : .idle(milliseconds: ListenForPayouts.idleMilliseconds)
    }
    schedule = Step("schedule", stateWhenFailing: .failed) { try await scheduling.run() }
    expire = Step("expire") { try await expiring.run() }
  }
}
