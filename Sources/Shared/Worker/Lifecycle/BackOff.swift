/// How long to wait after failures: twice as long each time up to a maximum, half of it by chance.
///
/// The chance keeps replicas that failed together (a database went away) from coming back together.
public struct BackOff: Sendable, Equatable {
  /// The wait after the first failure, in milliseconds, before chance.
  public let initialMilliseconds: Int64
  /// The longest wait, in milliseconds.
  public let maximumMilliseconds: Int64

  /// What a worker's steps use: 200 ms, 400 ms … 30 s.
  public static let standard = BackOff(initialMilliseconds: 200, maximumMilliseconds: 30_000)

  /// What steps use that ask TRON nodes: 200 ms, 400 ms … 5 s. Blocks come every three seconds, and a node that was away for
  /// long is to be found soon after it is back. Those that asked to be left alone are not asked whatever this says.
  public static let asking = BackOff(initialMilliseconds: 200, maximumMilliseconds: 5_000)

  /// - Precondition: 1 ≤ initial ≤ maximum.
  public init(initialMilliseconds: Int64, maximumMilliseconds: Int64) {
    precondition(initialMilliseconds >= 1 && initialMilliseconds <= maximumMilliseconds, "a wait grows from 1 ms up")
    self.initialMilliseconds = initialMilliseconds
    self.maximumMilliseconds = maximumMilliseconds
  }

  /// The wait after that many failures in a row, before chance, in milliseconds.
  /// - Precondition: `failures` is at least 1.
  public func ceiling(afterFailures failures: Int) -> Int64 {
    precondition(failures >= 1, "nothing to wait for")
    let (product, overflow) = initialMilliseconds.multipliedReportingOverflow(by: 1 << min(failures - 1, 40))
    return overflow ? maximumMilliseconds : min(product, maximumMilliseconds)
  }

  /// The wait in milliseconds: from half of the ceiling to all of it, by chance.
  public func delay(afterFailures failures: Int, random: any RandomSource) -> Int64 {
    let ceiling = ceiling(afterFailures: failures)
    let half = ceiling / 2
    return half + Int64(random.uniform(below: UInt64(ceiling - half) + 1))
  }
}
