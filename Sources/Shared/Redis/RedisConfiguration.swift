/// How a ``RedisClient`` behaves: where it connects, and the named maximum of everything it keeps.
public struct RedisConfiguration: Sendable {
  /// The longest time that any command may take, in milliseconds: an hour.
  public static let maximumTimeoutMilliseconds = 3_600_000

  /// Where the server is and how to enter.
  public var endpoint: RedisEndpoint
  /// A PEM file with the authorities that may have signed the server's certificate; nil for those of the system.
  /// Only read for `rediss://`.
  public var certificateAuthorityFile: String?
  /// How long a command may take unless its caller says otherwise, in milliseconds, the wait for a connection included.
  public var commandTimeoutMilliseconds = 5_000
  /// How long connecting may take, and after it TLS and log-in, in milliseconds each.
  public var connectTimeoutMilliseconds = 3_000
  /// How long after its deadline the oldest command may stay unanswered before the connection is taken for dead, in
  /// milliseconds. After a cut cable TCP alone would notice only after many minutes.
  public var silenceLimitMilliseconds = 5_000
  /// How long a closing client waits for answers that are still to come, in milliseconds.
  public var closeLimitMilliseconds = 2_000
  /// The waits between attempts to connect.
  public var backoff = RedisBackoff()
  /// The most commands that wait to be sent or answered, over all callers.
  public var maximumPendingCommands = 100_000
  /// The most bytes of commands that wait to be sent or answered, over all callers.
  public var maximumPendingBytes = 64 << 20
  /// The most commands in one pipeline.
  public var maximumPipelineCommands = 10_000
  /// The most bytes that one reply may have on the wire; a longer one ends the connection.
  public var maximumReplyBytes = 64 << 20
  /// Whether cancelling a sent command closes the connection, instead of dropping its reply when it comes.
  ///
  /// False where many callers share the connection: one that gives up must not hurt its neighbours. True for blocking
  /// reads on a connection of their own: the server then stops waiting on our behalf and hands out nothing that nobody
  /// would see.
  public var closesOnCancellation = false

  /// The defaults with an endpoint from a URL; throws `invalidConfiguration`.
  public init(url: String) throws(RedisError) {
    endpoint = try RedisEndpoint(url: url)
  }

  /// The same configuration for a client that only makes blocking reads.
  public var forBlockingReads: RedisConfiguration {
    var copy = self
    copy.closesOnCancellation = true
    return copy
  }
}
