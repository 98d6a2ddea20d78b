import Synchronization

/// How often each path of the node was asked, so that a test can measure what a client costs it.
final class RequestCounts: Sendable {
  private let counts = Mutex<[String: Int64]>([:])

  /// Counts one request. Only known paths are given, so the table stays small.
  func note(_ path: String) {
    counts.withLock { $0[path, default: 0] += 1 }
  }

  /// The counts by path, sorted.
  var snapshot: [(path: String, count: Int64)] {
    counts.withLock { $0 }.map { (path: $0.key, count: $0.value) }.sorted { $0.path < $1.path }
  }
}
