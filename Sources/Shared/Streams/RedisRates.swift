public import Logging
public import Redis
public import ServiceLifecycle

/// Rate limits on a real Redis server: one script and one round trip a request, on a connection of its own, so that nobody
/// waits behind long pipelines.
///
/// The time is the server's, so that the clocks of replicas do not matter. A key ends by itself once its allowance is full:
/// no key and a full allowance are the same.
public struct RedisRates: SharedRates {
  /// How long an answer may take, in milliseconds: a request waits for it.
  public static let deadlineMilliseconds = 50
  /// Before every key; no stream's name begins so.
  static let keyPrefix = "rates:"
  /// The longest wait between attempts to connect, in milliseconds.
  private static let backoffMillisecondsMax = 500

  private let client: RedisClient
  private let deadlineMilliseconds: Int

  /// - Parameters:
  ///   - url: a Redis URL, a secret.
  ///   - deadlineMilliseconds: how long an answer may take.
  /// - Throws: `RedisError` where the URL cannot be used. Nothing is connected yet.
  public init(
    url: String, logger: Logger, deadlineMilliseconds: Int = Self.deadlineMilliseconds
  ) throws(RedisError) {
    var configuration = try RedisConfiguration(url: url)
    configuration.backoff = RedisBackoff(maximumMilliseconds: Self.backoffMillisecondsMax)
    client = try RedisClient(configuration: configuration, logger: logger)
    self.deadlineMilliseconds = deadlineMilliseconds
  }

  /// Its connection, to be run as a service and closed after what uses it.
  public var connection: any Service { client }

  /// Closes the connection, where no service does.
  public func close() async { await client.close() }

  /// By ``RateScript``; see ``SharedRates/take(_:of:)``.
  public func take(_ key: String, of limit: RateLimit) async throws -> RateVerdict {
    let reply: RedisValue
    do throws(RedisError) {
      reply = try await client.send(
        [
          "EVAL", .text(RateScript.text), 1, .text(Self.keyPrefix + key), .text("\(limit.intervalMicroseconds)"),
          .text("\(limit.burstMicroseconds)"),
        ], timeoutMilliseconds: deadlineMilliseconds)
    } catch {
      throw RedisStreams.translated(error)
    }
    guard let numbers = reply.array?.compactMap(\.integer), numbers.count == 2 else {
      throw RedisStreamReplies.unexpected("EVAL", expected: "two integers")
    }
    return RateVerdict(limit: limit, isTaken: numbers[0] == 1, fullAfterMicroseconds: numbers[1])
  }
}

/// Counts one request, in one atomic step of the server: ``RateLimit/verdict(fullAt:now:)`` by the server's clock.
///
/// - KEYS: 1 the allowance.
/// - ARGV: 1 how long one request takes to come anew, 2 how long an empty allowance takes to be full, in microseconds.
/// - Returns: 1 where the request is taken, else 0; and after how many microseconds the allowance will be full.
/// - Numbers are Lua's, exact to 2^53: microseconds since 1970 stay below for two centuries more.
enum RateScript {
  /// The script itself.
  static let text = """
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
    local stored = tonumber(redis.call('GET', KEYS[1]) or '') or now
    local full = math.min(math.max(stored, now), now + burst)
    local taken = full + interval <= now + burst
    if taken then full = full + interval end
    if taken or full < stored then
      redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
    end
    return {taken and 1 or 0, full - now}
    """
}
