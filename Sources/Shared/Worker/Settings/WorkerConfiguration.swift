public import Logging
import Payouts

/// What every program of the project reads, whatever its work.
///
/// ## Configuration keys
/// - `LUCID_ENV` (dev, staging, production; default dev). production is closed for now.
/// - `SERVICE_NAME` (text, default the program's name): the name in logs and health reports.
/// - `LOG_LEVEL` (trace, debug, info, notice, warning, error, critical; default info).
/// - `LOG_FORMAT` (json, text; default text where standard error is a terminal, else json).
/// - `METRICS_HOST` (address to listen on, default 127.0.0.1).
/// - `METRICS_PORT` (0 to 65535, default 0: a free port, which is logged).
/// - `CLOCK_OFFSET_PATH` (a file; dev and staging only): the program's time of day is moved by as many milliseconds as it
///   holds, and follows it while the program runs.
public struct WorkerConfiguration: Sendable {
  /// How much is at stake.
  public let stage: DeploymentStage
  /// The name in logs and health reports.
  public let serviceName: String
  /// The least level that is logged.
  public let logLevel: Logger.Level
  /// How a log line looks; nil: as it fits standard error.
  public let logFormat: LogFormat?
  /// Where the health endpoints listen.
  public let metricsHost: String
  /// 0 for any free port.
  public let metricsPort: Int
  /// The time: the machine's, or as a test moves it.
  public let clock: any WallClock
  /// Whether a test may move it.
  let isClockMoved: Bool

  /// Reads every key.
  /// - Parameter program: `ingest`, `scheduler`, `signer`, `monitor` …
  public init(program: String, from settings: inout Settings) {
    stage = settings.deploymentStage()
    serviceName = settings.text("SERVICE_NAME", default: program)
    logLevel = settings.choice("LOG_LEVEL", default: .info)
    logFormat = settings.optionalChoice("LOG_FORMAT")
    metricsHost = settings.text("METRICS_HOST", default: "127.0.0.1")
    metricsPort = Int(settings.integer("METRICS_PORT", default: 0, in: 0...65_535))
    let moved = Self.movedClock(from: &settings)
    isClockMoved = moved != nil
    clock = moved ?? SystemClock()
  }

  /// A wrong clock signs, judges and expires wrongly: no program that pays real money takes one from outside.
  private static func movedClock(from settings: inout Settings) -> (any WallClock)? {
    let key = "CLOCK_OFFSET_PATH"
    settings.allowOutsideProductionOnly([key], because: "a clock that is moved from outside is for tests")
    guard !settings.hasProblem(key) else { return nil }
    return settings.optional(
      key,
      expected: "a file that holds a whole number of milliseconds from \(ClockMovedByFile.offsets.lowerBound) to "
        + "\(ClockMovedByFile.offsets.upperBound)"
    ) { path throws(MalformedValue) in try ClockMovedByFile(path: path) }
  }
}
