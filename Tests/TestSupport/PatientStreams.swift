import Logging
import Redis
public import Streams

extension RedisStreams {
  /// Streams of a real server, for tests on a busy machine: a command may take a minute.
  public static func patient(at url: String) throws -> RedisStreams {
    var configuration = try RedisConfiguration(url: url)
    configuration.connectTimeoutMilliseconds = 60_000
    configuration.commandTimeoutMilliseconds = 60_000
    configuration.silenceLimitMilliseconds = 60_000
    let logger = Logger(label: "patient-streams")
    return RedisStreams(
      client: try RedisClient(configuration: configuration, logger: logger),
      blockingClient: try RedisClient(configuration: configuration.forBlockingReads, logger: logger))
  }
}
