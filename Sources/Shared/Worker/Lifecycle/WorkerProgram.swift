import CoreMetrics
import Glibc
import Logging
public import ServiceLifecycle

/// The life of a worker's process, from its settings to its exit code. Executables consist of one call of `main`.
///
/// | what happens | exit code | on standard error |
/// | --- | --- | --- |
/// | a setting is missing or wrong | 78 | every problem, one a line |
/// | `start` throws `WorkerError` or `ConfigurationError` | the error's (1 or 78) | its text on one line |
/// | `start` or a service throws anything else | 1 | its description on one line |
/// | SIGTERM or SIGINT, and all services end within 20 s | 0 | the log |
/// | they do not: they are cancelled | 1 | what was still running |
/// | they do not end 5 s after that either | 1 | that the process was cut off |
///
/// Cutting a process off is always safe: every step may die at any line. It only costs the next start some work.
public enum WorkerProgram {
  /// How long a graceful shutdown may take.
  public static let maximumDrainSeconds: Int64 = 20
  /// How long services may take to end after they were cancelled.
  public static let maximumCancellationSeconds: Int64 = 5

  /// Runs a worker and ends the process.
  ///
  /// - Parameters:
  ///   - name: `ingest`, `scheduler`, `signer`, `monitor`.
  ///   - configuration: what it reads besides what every worker reads.
  ///   - start: opens what it needs and returns its services in the order of their dependency: pools first, then what
  ///     uses them. They are shut down in the reverse order. None of them may end before it is told to.
  public static func main<Configuration: SettingsReadable & Sendable>(
    _ name: String, configuration: Configuration.Type,
    start: @escaping @Sendable (Configuration, WorkerContext) async throws -> [any Service]
  ) async -> Never {
    // A reader of our log or a peer that goes away must not end the process; write(2) tells by its result.
    signal(SIGPIPE, SIG_IGN)
    let output = StandardErrorOutput()
    let code = await run(name, configuration: configuration, output: output, start: start)
    output.flush()
    exit(code)
  }

  private static func run<Configuration: SettingsReadable & Sendable>(
    _ name: String, configuration: Configuration.Type, output: StandardErrorOutput,
    start: @escaping @Sendable (Configuration, WorkerContext) async throws -> [any Service]
  ) async -> Int32 {
    do {
      let (shared, own) = try Settings.read { settings in
        (WorkerConfiguration(program: name, from: &settings), Configuration(from: &settings))
      }
      let registry = PrometheusRegistry()
      let context = context(name, shared, registry: registry, output: output)
      if shared.isClockMoved {
        context.logger.warning("The time of day is not the machine's: it follows CLOCK_OFFSET_PATH")
      }
      let draining = StopSignal()
      var services: [any Service] = [
        HealthServer(
          host: shared.metricsHost, port: shared.metricsPort, health: context.health, metrics: registry,
          logger: context.logger)
      ]
      services += try await start(own, context)
      services.append(DrainMarker(health: context.health, logger: context.logger, draining: draining))
      try await run(services, draining: draining, context: context, output: output)
      context.logger.info("Stopped")
      return 0
    } catch {
      let (lines, code) = farewell(to: error)
      for line in lines { output.write([UInt8]("\(name): \(line)\n".utf8), isUrgent: true) }
      return code
    }
  }

  /// What the process says and returns when an error ends it: one line a problem, without stack traces.
  /// For programs that do not live by `main`, such as the operators' command line.
  public static func farewell(to error: any Error) -> (lines: [String], exitCode: Int32) {
    switch error {
    case let error as ConfigurationError: (error.problems.map(\.description), 78)
    case let error as WorkerError: ([oneLine(error.text)], error.exitCode)
    case is CancellationError: (["work was still running \(maximumDrainSeconds) s after shutdown began"], 1)
    default: ([oneLine("\(error)")], 1)
    }
  }

  private static func oneLine(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).joined(separator: " ")
  }

  private static func context(
    _ name: String, _ shared: WorkerConfiguration, registry: PrometheusRegistry, output: StandardErrorOutput
  ) -> WorkerContext {
    let clock = shared.clock
    let format = shared.logFormat ?? (isatty(STDERR_FILENO) == 1 ? .text : .json)
    // Libraries log and count by the global systems; what is ours gets its logger and instruments handed over.
    LoggingSystem.bootstrap { label in
      StructuredLogHandler(
        label: label, service: shared.serviceName, level: shared.logLevel, format: format, clock: clock,
        output: output)
    }
    MetricsSystem.bootstrap(registry)
    return WorkerContext(
      configuration: shared, logger: Logger(label: shared.serviceName),
      instruments: Instruments(worker: name, registry: registry),
      health: HealthRegistry(service: shared.serviceName, clock: clock), clock: clock, random: SystemRandomSource())
  }

  /// Runs the services until a signal, an error, or the end of patience.
  private static func run(
    _ services: [any Service], draining: StopSignal, context: WorkerContext, output: StandardErrorOutput
  ) async throws {
    // One service's error drains the others instead of cutting them off.
    var configuration = ServiceGroupConfiguration(
      services: services.map { service in
        let enduring = EnduringService(service: service)
        return .init(
          service: enduring, failureTerminationBehavior: .gracefullyShutdownGroup, serviceName: enduring.name)
      },
      gracefulShutdownSignals: [.sigterm, .sigint], logger: context.logger)
    configuration.maximumGracefulShutdownDuration = .seconds(maximumDrainSeconds)
    let group = ServiceGroup(configuration: configuration)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      tasks.addTask {
        await draining.wait()
        try await context.clock.sleep(milliseconds: (maximumDrainSeconds + maximumCancellationSeconds) * 1_000)
        context.logger.critical("Services did not end after they were cancelled; the process is cut off")
        output.flush()
        exit(1)
      }
      defer { tasks.cancelAll() }
      // The group ends first, or the process does.
      try await tasks.next()
    }
  }
}
