public import Logging
import Payouts
public import Postgres

/// The one truth: payouts, transactions, attempts and how far the chain was read, in PostgreSQL.
///
/// Every change is one guarded statement inside a transaction; the guards of `M004Guards` stand behind it, so that a
/// mistake here is refused there. Each worker sees the ledger through a protocol of its own (`IngestLedger`,
/// `SchedulerLedger`, `SignerLedger`, `MonitorLedger`, `OperatorLedger`), which a simulator can stand in for.
public struct Ledger: Sendable {
  /// How often a transaction that lost a race (serialization, deadlock, connection lost before COMMIT) is run again.
  static let transactionTriesMaximum = 5

  let pool: PostgresPool
  let logger: Logger
  /// In whose name its transactions change something; nil: in the process's own.
  private var actor: String?

  /// A ledger on a pool of connections. Call `prepare` once before use.
  public init(pool: PostgresPool, logger: Logger) {
    self.pool = pool
    self.logger = logger
  }

  /// The same ledger in somebody's hand: his name stands beside each change of a transaction, as a process's own does. The
  /// server keeps 63 bytes of it, ASCII only.
  public func acting(as actor: String) -> Ledger {
    var ledger = self
    ledger.actor = actor
    return ledger
  }

  /// Runs `body` in one transaction, again where it lost a race and provably changed nothing.
  ///
  /// - Throws: `LedgerError`; `.outcomeUnknown` where COMMIT was not answered cleanly (never tried again here).
  func transaction<Value: Sendable>(
    _ body: @Sendable (PostgresConnection) async throws -> Value
  ) async throws -> Value {
    try await retrying {
      try await pool.withTransaction(.readCommitted) { connection in
        if let actor {
          _ = try await connection.execute("SELECT set_config('application_name', $1, true)", [.text(actor)])
        }
        return try await body(connection)
      }
    }
  }

  /// Runs one statement as its own transaction, again where it provably changed nothing.
  func execute(_ statement: PostgresStatement, _ parameters: [PostgresParameter] = []) async throws -> PostgresResult {
    try await retrying { try await pool.execute(statement, parameters) }
  }

  /// Asks a question that changes nothing, so that a lost answer is no unknown outcome: it is asked again.
  func read(_ question: String, _ parameters: [PostgresParameter] = []) async throws -> PostgresResult {
    try await execute(PostgresStatement(question, readsOnly: true), parameters)
  }

  private func retrying<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
    var triesLeft = Ledger.transactionTriesMaximum
    while true {
      triesLeft -= 1
      do {
        return try await body()
      } catch let error as PostgresError where error.isRetriable && error.code != .acquireTimeout && triesLeft > 0 {
        // The pool has tried to connect for as long as a caller may wait: only what failed on the way is run again.
        logger.debug("a transaction lost a race and is run again", metadata: ["error": "\(error.code)"])
      } catch let error as PostgresError {
        throw LedgerError(error)
      } catch let error as MalformedValue {
        throw LedgerError(.corrupt, "a row holds what nothing of ours writes: \(error)")
      }
    }
  }
}
