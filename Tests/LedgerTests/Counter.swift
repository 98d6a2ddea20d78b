import Synchronization

/// Counts up from one, from any task.
final class Counter: Sendable {
  private let last = Mutex(0)

  /// The next number.
  func next() -> Int {
    last.withLock {
      $0 += 1
      return $0
    }
  }
}
