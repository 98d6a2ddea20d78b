import Logging
import NIOCore
import Synchronization

/// One connection to a PostgreSQL server, lent out by a ``PostgresPool``; not to be kept after its closure ends.
///
/// The actor runs on an event loop that serves it alone, so its code may wait in `poll` on that loop's thread:
/// it reads from top to bottom and blocks nobody else. Calls on one connection are carried out one at a time,
/// in the order of their arrival.
///
/// A connection is closed, and never used again, as soon as one of its statements was given up: the deadline
/// passed, the calling task was cancelled, or an answer made no sense. The server is then asked to stop it.
public actor PostgresConnection: PostgresSession {
  /// Where the connection stands, for the pool, without a hop to the actor.
  enum Condition: Sendable {
    case outsideTransaction, insideTransaction, closed
  }

  private let eventLoop: any EventLoop
  private let canceller: StatementCanceller
  private let wakeUp: WakeUpPipe
  private let configuration: PostgresConfiguration
  let logger: Logger
  let libpq: LibpqConnection
  var prepared = PreparedStatements(capacity: PostgresConfiguration.preparedStatementsMax)
  private nonisolated let lastCondition = Mutex(Condition.closed)

  /// The loop whose thread carries out everything here.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    eventLoop.executor.asUnownedSerialExecutor()
  }

  /// A connection that is not open yet.
  ///
  /// - Parameter eventLoop: used by this connection alone.
  init(
    configuration: PostgresConfiguration, eventLoop: any EventLoop, canceller: StatementCanceller, logger: Logger
  ) throws(PostgresError) {
    guard let wakeUp = WakeUpPipe() else {
      throw PostgresError(code: .connectionFailed, message: "the process has no file descriptor left for a pipe")
    }
    self.configuration = configuration
    self.eventLoop = eventLoop
    self.canceller = canceller
    self.wakeUp = wakeUp
    self.logger = logger
    libpq = LibpqConnection(wakeUp: wakeUp)
  }

  /// Where the connection stood after its last call.
  nonisolated var condition: Condition { lastCondition.withLock { $0 } }

  /// The limit of one call, from now.
  func callLimit(isCancellable: Bool = true) -> WaitLimit {
    WaitLimit(milliseconds: configuration.statementTimeoutMilliseconds, isCancellable: isCancellable)
  }

  // MARK: - Opening and closing

  /// Settings of every session that the server should have and may lack: a client that vanished is noticed
  /// while its statement runs, an abandoned transaction ends, and a commit that is answered is on disk, also
  /// where the server's default is changed while it runs. (A server that does not know one is left
  /// as it is.)
  private var sessionSettings: String {
    """
    SELECT set_config(wanted.name, wanted.value, false)
    FROM (VALUES ('client_connection_check_interval', '1000'),
                 ('synchronous_commit', CASE WHEN current_setting('synchronous_commit') = 'remote_apply'
                                             THEN 'remote_apply' ELSE 'on' END),
                 ('idle_in_transaction_session_timeout', '\(configuration.idleTransactionTimeoutMilliseconds)'))
         AS wanted (name, value)
    JOIN pg_catalog.pg_settings USING (name)
    """
  }

  /// Opens the connection, within the limit.
  ///
  /// - Throws: `connectionFailed`, `configuration` or `cancelled`.
  func open(_ options: ConnectionOptions, _ limit: WaitLimit) async throws {
    try await interruptible {
      do throws(Interruption) {
        try libpq.open(options, limit)
        let outcome = try libpq.runScript(sessionSettings, limit)
        if let failure = outcome.failure {
          logger.debug("PostgreSQL session settings refused", metadata: ["postgres.problem": "\(failure.message)"])
        }
      } catch {
        close()
        throw Self.openingError(error)
      }
      noteCondition()
    }
  }

  private static func openingError(_ interruption: Interruption) -> PostgresError {
    switch interruption {
    case .timeout:
      PostgresError(code: .connectionFailed, message: "the server did not let us in in time")
    case .cancelled:
      PostgresError(code: .cancelled, message: "cancelled while connecting")
    case .lost(let message, let report):
      PostgresError(code: .connectionFailed, message: message, sqlState: report?.sqlState)
    case .protocolViolation(let message):
      PostgresError(code: .connectionFailed, message: message)
    }
  }

  /// Ends the connection; a transaction under way is rolled back by the server.
  func close() {
    libpq.close()
    noteCondition()
  }

  /// Makes sure that the connection can be used: without waiting, or, with `probes`, by asking the server.
  ///
  /// - Throws: `connectionLost`; the connection is then closed.
  func checkUsable(probes: Bool) throws(PostgresError) {
    do throws(Interruption) {
      try libpq.checkAlive()
      if probes {
        let limit = WaitLimit(milliseconds: Self.probeTimeoutMilliseconds, isCancellable: false)
        _ = try libpq.runScript("", limit)
      }
    } catch {
      throw giveUp(error, exposure: .nothingSent, statement: nil)
    }
  }

  /// How long the server may take to answer a probe of a connection that was idle for long.
  private static let probeTimeoutMilliseconds = 2_000

  /// Records where the connection stands, for ``condition``.
  func noteCondition() {
    let condition: Condition =
      if libpq.pointer == nil {
        .closed
      } else {
        libpq.isOutsideTransaction ? .outsideTransaction : .insideTransaction
      }
    lastCondition.withLock { $0 = condition }
  }

  // MARK: - What the server tells

  /// A parameter that the server reports by itself (`server_version`, `in_hot_standby`, `TimeZone`, …;
  /// PostgreSQL manual, 34.2, PQparameterStatus); nil for all others.
  public func parameterStatus(_ name: String) -> String? {
    libpq.parameterStatus(name)
  }

  /// The id of the server process behind this connection, as in `pg_stat_activity.pid`; 0 when closed.
  public var backendProcessID: Int32 { libpq.backendProcessID }

  // MARK: - Failing

  /// What may have been committed by what was sent so far.
  enum Exposure {
    /// Nothing that could commit has been sent.
    case nothingSent
    /// Statements were sent inside a transaction, and no COMMIT.
    case insideTransaction
    /// A COMMIT, or a statement that commits by itself, was sent.
    case mayBeCommitted
  }

  /// Closes the connection after an interruption, asks the server to stop where it may still be at work, and
  /// says what that means for the caller.
  func giveUp(_ interruption: Interruption, exposure: Exposure, statement: String?) -> PostgresError {
    let code: PostgresError.Code
    let message: String
    var sqlState: String?
    switch interruption {
    case .timeout:
      (code, message) = (
        .timeout, "no answer within \(configuration.statementTimeoutMilliseconds) ms, or the time of the call's own"
      )
    case .cancelled:
      (code, message) = (.cancelled, "the calling task was cancelled")
    case .lost(let text, let report):
      (code, message) = (.connectionLost, text)
      sqlState = report?.sqlState
    case .protocolViolation(let text):
      (code, message) = (.protocolViolation, text)
    }
    let mayBeAtWork = code != .connectionLost
    let request = mayBeAtWork ? libpq.cancelRequest() : nil
    close()
    if let request { canceller.send(request) }
    logger.debug(
      "PostgreSQL connection given up",
      metadata: ["postgres.code": "\(code.rawValue)", "postgres.problem": "\(message)"])
    guard exposure == .mayBeCommitted else {
      return PostgresError(code: code, message: message, sqlState: sqlState, statement: statement)
    }
    return PostgresError(
      code: .commitUnknown, message: message + "; it may or may not have been committed", cause: code,
      sqlState: sqlState, statement: statement)
  }

  /// Runs straight-line code whose waits end when the calling task is cancelled.
  func interruptible<Value>(_ body: () throws -> Value) async throws -> Value {
    try await withTaskCancellationHandler {
      // A closure that does not name the actor would not run on it, but on the cooperative pool.
      try self.perform(body)
    } onCancel: { [wakeUp] in
      wakeUp.signal()
    }
  }

  /// Runs straight-line code on this actor's own thread, and makes sure of that: it is about to wait in `poll`.
  private func perform<Value>(_ body: () throws -> Value) rethrows -> Value {
    preconditionIsolated("PostgreSQL code runs on its own event loop only")
    return try body()
  }

  /// Throws where the calling task was cancelled before anything was sent; the connection is unharmed.
  func checkNotCancelled(_ statement: String?) throws(PostgresError) {
    guard Task.isCancelled else { return }
    throw PostgresError(code: .cancelled, message: "cancelled before anything was sent", statement: statement)
  }
}
