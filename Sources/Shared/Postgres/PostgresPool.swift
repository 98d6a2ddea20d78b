public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle
import Synchronization

/// What a pool is doing right now, for metrics.
public struct PostgresPoolStatistics: Sendable, Equatable {
  /// Open connections that nobody uses.
  public let idle: Int
  /// Connections lent out, those being opened included.
  public let busy: Int
  /// Callers that wait for a connection.
  public let waiting: Int
  /// The most connections the pool opens.
  public let connectionLimit: Int

  /// Numbers of a pool.
  public init(idle: Int, busy: Int, waiting: Int, connectionLimit: Int) {
    self.idle = idle
    self.busy = busy
    self.waiting = waiting
    self.connectionLimit = connectionLimit
  }
}

/// A fixed number of connections to one PostgreSQL server, lent to callers in the order of their arrival.
///
/// - Connections are opened when they are first needed, by the caller that needs them, and again after they
///   broke: a restart of the server needs no new pool. While the server is away, callers wait, with growing
///   pauses between attempts, up to the acquire timeout.
/// - Each connection has a thread of its own, where all waiting for the server takes place.
/// - It works from the moment it is made; ``run()`` only ties its end to the process's shutdown. It must be
///   closed, by that or by ``close()``.
/// - A body that holds a connection and asks the same pool for another one can wait for itself: do not.
public final class PostgresPool: Service, PostgresSession {
  typealias Lease = PoolStateMachine.Lease
  typealias WaiterID = PoolStateMachine.WaiterID

  /// A waiting caller. It is known before it suspends, so its lease or refusal may come first.
  enum Waiter {
    case registered
    case suspended(CheckedContinuation<Lease, any Error>)
    case settled(Result<Lease, PostgresError>)
  }

  struct State {
    var machine: PoolStateMachine
    var connections: [PostgresConnection?]
    var waiters: [WaiterID: Waiter] = [:]
    var closers: [CheckedContinuation<Void, Never>] = []
    var generator: any RandomNumberGenerator & Sendable

    /// Gives a waiter its answer.
    ///
    /// - Returns: what is to be resumed once the lock is released; nil where the waiter has not suspended yet.
    mutating func settle(
      _ id: WaiterID, _ result: Result<Lease, PostgresError>
    ) -> CheckedContinuation<Lease, any Error>? {
      guard case .suspended(let continuation) = waiters[id] else {
        waiters[id] = .settled(result)
        return nil
      }
      waiters[id] = nil
      return continuation
    }
  }

  /// A connection idle for so long is asked for a sign of life before it is lent out.
  public static let probeAfterIdleSeconds = 30

  /// What the pool was made with.
  public let configuration: PostgresConfiguration
  /// What is wrong with the configuration, for the first caller and all after it.
  let configurationProblem: PostgresError?
  let logger: Logger
  private let group: MultiThreadedEventLoopGroup
  private let cancellerGroup: MultiThreadedEventLoopGroup
  let eventLoops: [any EventLoop]
  let canceller: StatementCanceller
  let state: Mutex<State>

  /// Makes a pool; nothing is opened yet.
  ///
  /// - Parameter jitter: draws the random part of the pauses between attempts to connect.
  public init(
    configuration: PostgresConfiguration, logger: Logger,
    jitter: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
  ) {
    self.configuration = configuration
    configurationProblem = configuration.problem
    self.logger = logger
    // A limit out of range is told by the first caller's error; here it must only not crash.
    let slotCount = min(max(configuration.connectionLimit, 1), PostgresConfiguration.connectionLimitMax)
    group = MultiThreadedEventLoopGroup(numberOfThreads: slotCount)
    eventLoops = Array(group.makeIterator())
    cancellerGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    canceller = StatementCanceller(eventLoop: cancellerGroup.next(), logger: logger)
    state = Mutex(
      State(
        machine: PoolStateMachine(slotCount: slotCount, waitersMax: PostgresConfiguration.waitersMax),
        connections: Array(repeating: nil, count: slotCount), generator: jitter))
  }

  /// Numbers for metrics.
  public var statistics: PostgresPoolStatistics {
    state.withLock {
      PostgresPoolStatistics(
        idle: $0.machine.idleCount, busy: $0.machine.busyCount, waiting: $0.machine.waitingCount,
        connectionLimit: $0.connections.count)
    }
  }

  // MARK: - Life

  /// Waits for graceful shutdown, or the task's cancellation, and then closes the pool.
  public func run() async throws {
    do {
      try await gracefulShutdown()
    } catch {
      // Cancelled: the same end, only sooner.
    }
    await close()
  }

  /// Refuses new callers and those that wait, waits until all connections are returned, and closes them and
  /// the pool's threads. May be called more than once; each call returns when everything is closed.
  public func close() async {
    let (continuations, idle) = state.withLock { state in
      let (refused, idle) = state.machine.close()
      let error = PostgresError(code: .poolClosed, message: "the pool was closed")
      let continuations = refused.compactMap { state.settle($0, .failure(error)) }
      let connections = idle.compactMap { slot -> PostgresConnection? in
        defer { state.connections[slot] = nil }
        return state.connections[slot]
      }
      return (continuations.map { ($0, error) }, connections)
    }
    for (continuation, error) in continuations { continuation.resume(throwing: error) }
    for connection in idle { await connection.close() }
    await withCheckedContinuation { continuation in
      let isDrained = state.withLock { state in
        if !state.machine.isDrained { state.closers.append(continuation) }
        return state.machine.isDrained
      }
      if isDrained { continuation.resume() }
    }
    // Not waited for: a cancel request blocks for as long as the server does not take it, and a server that
    // hangs must not keep this process from ending. The thread ends by itself once it has sent what it had.
    cancellerGroup.shutdownGracefully { _ in }
    do {
      try await group.shutdownGracefully()
    } catch {
      logger.debug("PostgreSQL threads were stopped already", error: error)
    }
  }
}
