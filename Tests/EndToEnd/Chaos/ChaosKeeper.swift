import Foundation
import TestSupport

/// What a service manager does: a worker that has ended is started again.
actor ChaosKeeper {
  private let stack: Stack
  private var isOver = false
  /// How often a worker was started again, by its exit code; a signal's number is negative.
  private(set) var restarts: [Int32: Int] = [:]

  init(_ stack: Stack) { self.stack = stack }

  /// Keeps all workers alive until `end`.
  func run() async throws {
    while !isOver {
      for replica in stack.replicas {
        guard let code = await stack.exitCode(of: replica) else { continue }
        restarts[code, default: 0] += 1
        try await stack.launch(replica)
      }
      try await Task.sleep(for: .milliseconds(200))
    }
  }

  /// Lets it stop.
  func end() { isOver = true }
}
