import Logging
public import Payouts
import Postgres
import Synchronization

/// Makes a development ledger's clock follow a virtual one, on a connection of its own.
///
/// By itself the ledger's clock goes on between two calls at the speed of the real one, so that nobody should build on
/// milliseconds; frozen, it moves only by these calls.
public final class LedgerClock: Sendable {
  /// A connection that a restart of the server cut is found so at its next use; then another is made.
  private static let triesMax = 3

  private let pool: PostgresPool
  private let isFrozen = Mutex(false)

  /// - Parameter url: the ledger's database; its environment must be dev.
  public init(url: String) {
    pool = PostgresPool(
      configuration: PostgresConfiguration(url: url, applicationName: "ledger-clock", connectionLimit: 1),
      logger: Logger(label: "ledger-clock"))
  }

  /// Replaces `ledger_now()` by one that stands still: for tests that must not depend on how fast they run. (In PL/pgSQL,
  /// whose plans a session keeps: a function in SQL that reads a table is planned at each call.)
  public func freeze(at moment: Timestamp) async throws {
    try await pool.executeScript(
      """
      CREATE OR REPLACE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
      BEGIN
        RETURN (SELECT 'epoch'::timestamptz + clock_offset_ms * interval '1 millisecond' FROM ledger_settings);
      END
      $$
      """)
    isFrozen.withLock { $0 = true }
    try await set(moment)
  }

  /// Sets `ledger_now()` to a moment, also to an earlier one.
  public func set(_ moment: Timestamp) async throws {
    let statement: PostgresStatement =
      isFrozen.withLock { $0 }
      ? "UPDATE ledger_settings SET clock_offset_ms = $1"
      : "UPDATE ledger_settings SET clock_offset_ms = $1 - unix_ms(clock_timestamp())"
    for tries in 1...Self.triesMax {
      do {
        _ = try await pool.execute(statement, [.int8(moment.milliseconds)])
        return
      } catch let error as PostgresError {
        guard tries < Self.triesMax else { throw error }
      }
    }
  }

  /// Closes the connection.
  public func close() async { await pool.close() }
}
