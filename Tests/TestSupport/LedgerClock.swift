import Logging
public import Payouts
import Postgres

/// Makes a development ledger's clock follow a virtual one, on a connection of its own.
///
/// The ledger's clock goes on by itself between two calls, at the speed of the real one; nobody should build on
/// milliseconds.
public final class LedgerClock: Sendable {
  private let pool: PostgresPool

  /// - Parameter url: the ledger's database; its environment must be dev.
  public init(url: String) {
    pool = PostgresPool(
      configuration: PostgresConfiguration(url: url, applicationName: "ledger-clock", connectionLimit: 1),
      logger: Logger(label: "ledger-clock"))
  }

  /// Sets `ledger_now()` to a moment.
  public func set(_ moment: Timestamp) async throws {
    _ = try await pool.execute(
      "UPDATE ledger_settings SET clock_offset_ms = $1 - unix_ms(clock_timestamp())", [.int8(moment.milliseconds)])
  }

  /// What the server's own clock says, without any offset.
  public func serverTime() async throws -> Timestamp {
    let row = try await pool.execute("SELECT clock_timestamp() AS now").rows[0]
    return Timestamp(microseconds: try row.timestampMicroseconds("now"))
  }

  /// Closes the connection.
  public func close() async { await pool.close() }
}
