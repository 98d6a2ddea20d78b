public import Logging
public import ServiceLifecycle

/// The run loop that all workers share: every step goes round by itself until the worker stops.
///
/// - A step that worked goes again at once; an idle one waits by the injected clock.
/// - A step that failed is logged, reported in the health registry and tried again after a growing wait. It never ends
///   the process, except by an error that is marked as fatal; then the other steps finish their rounds first.
/// - On graceful shutdown no round begins; rounds that run may finish, for at most `drainMilliseconds`, after which
///   they are cancelled and `run()` throws.
///
/// Steps of one loop run beside one another; the rounds of one step never overlap.
public struct StepLoop: Service {
  /// The longest time for which a step may stay idle: 5 minutes. A longer wish is cut.
  public static let maximumIdleMilliseconds: Int64 = 300_000
  /// The failures in a row from which on a step's trouble is logged as an error, for somebody to look at.
  public static let failuresUntilError = 5

  private let steps: [Step]
  private let clock: any WallClock
  private let random: any RandomSource
  private let health: HealthRegistry
  private let logger: Logger
  private let instruments: StepInstruments?
  private let backOff: BackOff
  private let drainMilliseconds: Int64

  /// - Parameters:
  ///   - steps: at least one, each name once. Each is declared in the health registry: the worker is ready only after
  ///     every step has done one round.
  ///   - instruments: where rounds are counted and timed; nil in a simulator.
  ///   - drainMilliseconds: how long a running round may go on after shutdown began; below the 20 s of the whole group.
  public init(
    _ steps: [Step], clock: any WallClock, random: any RandomSource, health: HealthRegistry, logger: Logger,
    instruments: Instruments? = nil, backOff: BackOff = .standard, drainMilliseconds: Int64 = 15_000
  ) {
    precondition(!steps.isEmpty && Set(steps.map(\.name)).count == steps.count, "steps need names of their own")
    self.steps = steps
    self.clock = clock
    self.random = random
    self.health = health
    self.logger = logger
    self.instruments = instruments.map { StepInstruments($0, steps: steps.map(\.name)) }
    self.backOff = backOff
    self.drainMilliseconds = drainMilliseconds
    for step in steps { health.declare(StepLoop.component(of: step)) }
  }

  /// Runs until the lifecycle's graceful shutdown.
  public func run() async throws {
    let stop = StopSignal()
    try await withGracefulShutdownHandler {
      try await run(until: stop)
    } onGracefulShutdown: {
      stop.raise()
    }
  }

  /// Runs until the signal is raised: what `run()` does, without the lifecycle package. A fatal error of one step raises
  /// the signal, so that the others finish their rounds.
  ///
  /// - Throws: the first fatal error of a step; `WorkerError` with code `drainTimedOut` where a round went on for too
  ///   long; `CancellationError` where the task was cancelled.
  public func run(until stop: StopSignal) async throws {
    enum Ended {
      case step
      case broken(any Error)
      case drainLimit
    }
    try await withThrowingTaskGroup(of: Ended.self) { group in
      for step in steps {
        group.addTask {
          do {
            try await turn(step, until: stop)
            return .step
          } catch {
            return .broken(error)
          }
        }
      }
      group.addTask {
        await stop.wait()
        try await clock.sleep(milliseconds: drainMilliseconds)
        return .drainLimit
      }
      defer { group.cancelAll() }
      var running = steps.count
      var failure: (any Error)?
      while running > 0, let ended = try await group.next() {
        switch ended {
        case .step: running -= 1
        case .broken(let error):
          running -= 1
          failure = failure ?? error
          stop.raise()
        case .drainLimit:
          throw failure
            ?? WorkerError(
              .drainTimedOut,
              "\(running) of \(steps.count) steps were still running \(drainMilliseconds) ms after shutdown began")
        }
      }
      if let failure { throw failure }
    }
  }

  /// The name of a step in the health report.
  static func component(of step: Step) -> String { "step.\(step.name)" }

  private func turn(_ step: Step, until stop: StopSignal) async throws {
    var logger = logger
    logger[metadataKey: LogKey.stepName] = "\(step.name)"
    var failures = 0
    while !stop.isRaised {
      try Task.checkCancellation()
      switch try await round(of: step, failures: &failures, logger: logger) {
      case .worked: await Task.yield()
      case .idle(let milliseconds):
        try await stop.pause(milliseconds: min(max(milliseconds, 1), StepLoop.maximumIdleMilliseconds), by: clock)
      }
    }
  }

  /// One round, and what to do next: a failure becomes a wait.
  private func round(of step: Step, failures: inout Int, logger: Logger) async throws -> StepOutcome {
    let began = clock.now()
    let beganInstant = ContinuousClock.now
    do {
      let outcome = try await step.run()
      instruments?.record(step.name, outcome == .worked ? .worked : .idle, since: beganInstant)
      if failures > 0 {
        logger.info("Step works again", metadata: [LogKey.failureCount: "\(failures)"])
      }
      failures = 0
      health.report(StepLoop.component(of: step), .ok)
      return outcome
    } catch {
      // A round that was cancelled did not fail: the process is told to stop now.
      try Task.checkCancellation()
      instruments?.record(step.name, .failed, since: beganInstant)
      failures += 1
      health.report(StepLoop.component(of: step), step.stateWhenFailing, detail: "\(error)")
      if step.isFatal(error) {
        logger.critical("Step failed in a way that forbids to go on", error: error)
        throw error
      }
      let delay = (step.backOff ?? backOff).delay(afterFailures: failures, random: random)
      logger.log(
        level: failures < StepLoop.failuresUntilError ? .warning : .error, "Step failed and will be tried again",
        error: error,
        metadata: [
          LogKey.failureCount: "\(failures)", LogKey.retryDelayMilliseconds: "\(delay)",
          LogKey.durationMilliseconds: "\(clock.now().milliseconds(since: began))",
        ])
      return .idle(milliseconds: delay)
    }
  }
}
