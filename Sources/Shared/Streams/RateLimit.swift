/// A rate limit as a pure value: the generic cell rate algorithm.
///
/// A caller has an allowance of `count` requests, which fills again evenly within the window. All that is kept of it is one
/// moment: when it will be full again. So no counter jumps at the turn of a minute, and when the next request will be taken is
/// known exactly. Within one window from a full allowance at most twice `count` are taken: those that were saved up, and those
/// that came anew.
///
/// - Source: ITU-T I.371, "generic cell rate algorithm", as virtual scheduling.
public struct RateLimit: Sendable, Hashable {
  /// The largest count, in requests a window.
  public static let countMax = 1_000_000

  /// How many requests a full allowance has: 1 or more.
  public let count: Int
  /// Within which time an empty one is full again, in seconds.
  public let windowSeconds: Int

  /// A limit. Traps on what no configuration can say.
  public init(count: Int, windowSeconds: Int = 60) {
    precondition((1...Self.countMax).contains(count), "a limit is 1 to \(Self.countMax) requests")
    precondition((1...86_400).contains(windowSeconds), "a window is 1 second to a day")
    self.count = count
    self.windowSeconds = windowSeconds
  }

  /// How long one request takes to come anew, in microseconds.
  var intervalMicroseconds: Int64 { Int64(windowSeconds) * 1_000_000 / Int64(count) }

  /// How long an empty allowance takes to be full, in microseconds.
  var burstMicroseconds: Int64 { intervalMicroseconds * Int64(count) }

  /// What becomes of one request. The allowance is full `fullAfterMicroseconds` of the verdict later.
  ///
  /// - Parameters:
  ///   - fullAt: when the caller's allowance is full, in Unix microseconds; nil: it is.
  ///   - now: the present moment. A clock that was set back makes nobody wait for longer than a window.
  public func verdict(fullAt: Int64?, now: Int64) -> RateVerdict {
    let missing = min(max(0, (fullAt ?? now) - now), burstMicroseconds)
    let isTaken = missing + intervalMicroseconds <= burstMicroseconds
    return RateVerdict(
      limit: self, isTaken: isTaken, fullAfterMicroseconds: isTaken ? missing + intervalMicroseconds : missing)
  }
}

/// What a rate limit says of one request.
public struct RateVerdict: Sendable, Hashable {
  /// The limit.
  public let limit: RateLimit
  /// Whether the request is within it, and was counted; nothing is counted of one that is not.
  public let isTaken: Bool
  /// After how many microseconds the allowance will be full.
  public let fullAfterMicroseconds: Int64

  /// A verdict of its parts.
  public init(limit: RateLimit, isTaken: Bool, fullAfterMicroseconds: Int64) {
    self.limit = limit
    self.isTaken = isTaken
    self.fullAfterMicroseconds = fullAfterMicroseconds
  }

  /// How many more would be taken at once.
  public var remaining: Int {
    Int(max(0, limit.burstMicroseconds - fullAfterMicroseconds) / limit.intervalMicroseconds)
  }

  /// After how many seconds the allowance will be full, rounded up.
  public var fullAfterSeconds: Int { Self.seconds(fullAfterMicroseconds) }

  /// After how many seconds a request will be taken, rounded up; 0 where one would be at once.
  public var retryAfterSeconds: Int {
    Self.seconds(max(0, fullAfterMicroseconds + limit.intervalMicroseconds - limit.burstMicroseconds))
  }

  private static func seconds(_ microseconds: Int64) -> Int { Int((microseconds + 999_999) / 1_000_000) }
}
