/// Counts requests against rate limits for all replicas together.
public protocol SharedRates: Sendable {
  /// Counts one request under a key, if its limit allows it; atomically.
  ///
  /// - Parameter key: whose allowance it is: 1 to 200 bytes of UTF-8.
  /// - Throws: `StreamError` where it cannot be asked in time: the request may have been counted then, or not.
  ///   `CancellationError` where the task is cancelled.
  func take(_ key: String, of limit: RateLimit) async throws -> RateVerdict
}
