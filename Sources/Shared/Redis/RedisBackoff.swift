/// How long to wait before another attempt to connect: doubling from a base up to a maximum, with jitter.
///
/// The jitter takes between half and all of the step, so that many workers which lost one server together do not come
/// back together.
public struct RedisBackoff: Hashable, Sendable {
  /// The first step, in milliseconds.
  public var baseMilliseconds: Int
  /// The longest step, in milliseconds; shorter than a command's time-out, so that a waiting command lives to see the
  /// server come back.
  public var maximumMilliseconds: Int

  /// Steps from 50 ms up to 2 s unless told otherwise; both at least 1.
  public init(baseMilliseconds: Int = 50, maximumMilliseconds: Int = 2_000) {
    precondition(
      baseMilliseconds >= 1 && maximumMilliseconds >= baseMilliseconds, "a back-off grows from at least 1 ms")
    self.baseMilliseconds = baseMilliseconds
    self.maximumMilliseconds = maximumMilliseconds
  }

  /// The wait in milliseconds after `attempt` attempts in a row have failed (1 or more).
  func delayMilliseconds(attempt: Int, using generator: inout some RandomNumberGenerator) -> Int {
    var step = baseMilliseconds
    var doublings = max(attempt, 1) - 1
    while doublings > 0, step < maximumMilliseconds {
      step *= 2
      doublings -= 1
    }
    step = min(step, maximumMilliseconds)
    return Int.random(in: (step + 1) / 2...step, using: &generator)
  }
}
