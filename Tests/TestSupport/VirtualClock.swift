public import Payouts
import Synchronization
public import Worker

/// A clock that stands still until somebody moves it; a sleep moves it on at once.
///
/// For tests that drive the steps of workers themselves: an hour of waiting takes no time.
public final class VirtualClock: WallClock {
  private let time: Mutex<Timestamp>

  /// A clock that shows `start`.
  public init(_ start: Timestamp) { time = Mutex(start) }

  /// See `WallClock`.
  public func now() -> Timestamp { time.withLock { $0 } }

  /// Moves the time on and returns at once.
  public func sleep(milliseconds: Int64) async throws {
    try Task.checkCancellation()
    advance(byMilliseconds: max(0, milliseconds))
  }

  /// Moves the time, back where `milliseconds` is negative.
  public func advance(byMilliseconds milliseconds: Int64) {
    time.withLock { $0 = $0.advanced(byMilliseconds: milliseconds) }
  }

  /// Sets the time, as an operator can.
  public func set(_ moment: Timestamp) { time.withLock { $0 = moment } }
}
