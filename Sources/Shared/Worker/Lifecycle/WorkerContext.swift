public import Logging

/// What a worker is given to run with: everything that all workers share.
public struct WorkerContext: Sendable {
  /// The settings that every program reads.
  public let configuration: WorkerConfiguration
  /// The root logger; bind ids to copies of it.
  public let logger: Logger
  /// Makes the worker's metrics.
  public let instruments: Instruments
  /// Where its parts report how they do.
  public let health: HealthRegistry
  /// The time.
  public let clock: any WallClock
  /// The randomness.
  public let random: any RandomSource

  /// A context of the given parts.
  public init(
    configuration: WorkerConfiguration, logger: Logger, instruments: Instruments, health: HealthRegistry,
    clock: any WallClock, random: any RandomSource
  ) {
    self.configuration = configuration
    self.logger = logger
    self.instruments = instruments
    self.health = health
    self.clock = clock
    self.random = random
  }

  /// The run loop of these steps with this context's clock, randomness, health, log and metrics.
  public func loop(_ steps: [Step]) -> StepLoop {
    StepLoop(
      steps, clock: clock, random: random, health: health, logger: logger, instruments: instruments)
  }
}
