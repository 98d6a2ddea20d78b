import Glibc
public import Payouts

/// The time of day and the waiting of one program: the only door through which business logic sees either.
///
/// Real workers get `SystemClock`. A simulator gives a virtual clock whose `sleep` ends when virtual time reaches it,
/// so that a run of weeks takes milliseconds and replays identically.
public protocol WallClock: Sendable {
  /// The present moment in Unix milliseconds. It may step back where an operator or NTP sets the machine's clock,
  /// so nobody derives an order of events from it.
  func now() -> Timestamp

  /// Returns after at least that many milliseconds; at once for 0 or less.
  /// - Throws: `CancellationError` as soon as the task is cancelled, and nothing else.
  func sleep(milliseconds: Int64) async throws
}

/// The machine's clock.
///
/// - `now()` reads CLOCK_REALTIME (clock_gettime(3)).
/// - `sleep` waits by a clock that no setting of the time of day can move, so that a wait is never stretched by hours
///   when the time is corrected.
public struct SystemClock: WallClock {
  /// The clock of this machine.
  public init() {}

  /// CLOCK_REALTIME, cut to the millisecond.
  public func now() -> Timestamp {
    var time = timespec()
    // clock_gettime fails only for an unknown clock or a bad pointer; neither can happen here.
    let status = clock_gettime(CLOCK_REALTIME, &time)
    precondition(status == 0, "CLOCK_REALTIME exists on every Linux")
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
  }

  /// Waits by the continuous clock.
  public func sleep(milliseconds: Int64) async throws {
    guard milliseconds > 0 else { return try Task.checkCancellation() }
    try await Task.sleep(for: .milliseconds(milliseconds))
  }
}
