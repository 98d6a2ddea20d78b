public import Logging
public import Redis
public import ServiceLifecycle

extension RedisStreams {
  /// Streams on connections of their own: one that is shared, one for blocking reads.
  ///
  /// - Parameter url: a Redis URL, a secret.
  /// - Throws: `RedisError` where the URL cannot be used. Nothing is connected yet.
  public init(url: String, logger: Logger, prefix: String = "") throws(RedisError) {
    let configuration = try RedisConfiguration(url: url)
    self.init(
      client: try RedisClient(configuration: configuration, logger: logger),
      blockingClient: try RedisClient(configuration: configuration.forBlockingReads, logger: logger), prefix: prefix)
  }

  /// Its connections, to be run as services and closed after what uses them.
  public var connections: [any Service] { [client, blockingClient] }
}
