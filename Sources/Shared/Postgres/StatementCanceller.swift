import Logging
import NIOCore
import Synchronization

/// Asks the server to stop statements whose callers no longer wait for them.
///
/// `PQcancel` opens a connection of its own and blocks until the server has taken the request, at worst until
/// TCP gives up; so it runs on a thread kept for it. The connection whose statement is to stop was closed
/// before, so a late request can never hit a later statement. It is an effort, not a promise: where it fails,
/// the server finds the closed connection by itself (`client_connection_check_interval`).
final class StatementCanceller: Sendable {
  /// Requests that may wait for the thread; more are dropped.
  static let pendingMax = 64

  private let eventLoop: any EventLoop
  private let logger: Logger
  private let pending = Atomic<Int>(0)

  /// Sends requests on the thread of this loop, which must do nothing else.
  init(eventLoop: any EventLoop, logger: Logger) {
    self.eventLoop = eventLoop
    self.logger = logger
  }

  /// Sends a request soon, without waiting for it.
  func send(_ request: CancelRequest) {
    guard pending.add(1, ordering: .relaxed).newValue <= Self.pendingMax else {
      pending.subtract(1, ordering: .relaxed)
      logger.debug("PostgreSQL cancel request dropped: too many are waiting")
      return
    }
    eventLoop.execute {
      if let problem = request.send() {
        self.logger.debug("PostgreSQL cancel request failed", metadata: ["postgres.problem": "\(problem)"])
      }
      self.pending.subtract(1, ordering: .relaxed)
    }
  }
}
