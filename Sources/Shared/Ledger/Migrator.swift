import Crypto
import Payouts
import Postgres

/// Applies the numbered migrations, each once, all workers at once if need be.
struct Migrator {
  /// One step of the schema. Once released it is never changed: its checksum stands in the database.
  struct Migration: Sendable {
    let number: Int32
    let name: String
    let sql: String

    var checksum: [UInt8] { [UInt8](SHA256.hash(data: [UInt8](sql.utf8))) }
  }

  static let all = [
    Migration(number: 1, name: "foundation", sql: M001Foundation.sql),
    Migration(number: 2, name: "payouts", sql: M002Payouts.sql),
    Migration(number: 3, name: "transactions", sql: M003Transactions.sql),
    Migration(number: 4, name: "guards", sql: M004Guards.sql),
    Migration(number: 5, name: "windows", sql: M005Windows.sql),
    Migration(number: 6, name: "webhooks", sql: M006Webhooks.sql),
    Migration(number: 7, name: "retries", sql: M007Retries.sql),
    Migration(number: 8, name: "intents", sql: M008Intents.sql),
    Migration(number: 9, name: "depths", sql: M009Depths.sql),
    Migration(number: 10, name: "quarantine", sql: M010Quarantine.sql),
    Migration(number: 11, name: "orders", sql: M011Orders.sql),
    Migration(number: 12, name: "waits", sql: M012Waits.sql),
    Migration(number: 13, name: "head_resets", sql: M013HeadResets.sql),
    Migration(number: 14, name: "solid_findings", sql: M014SolidFindings.sql),
    Migration(number: 15, name: "directory", sql: M015Directory.sql),
    Migration(number: 16, name: "api_keys", sql: M016APIKeys.sql),
    Migration(number: 17, name: "audit", sql: M017Audit.sql),
    Migration(number: 18, name: "openings", sql: M018Openings.sql),
    Migration(number: 19, name: "late_webhooks", sql: M019LateWebhooks.sql),
    Migration(number: 20, name: "twins", sql: M020Twins.sql),
    Migration(number: 21, name: "webhook_endpoints", sql: M021WebhookEndpoints.sql),
    Migration(number: 22, name: "batch_completed", sql: M022BatchCompleted.sql),
    Migration(number: 23, name: "kyc", sql: M023KYC.sql),
  ]

  /// The number of the newest one.
  static let newest = all.map(\.number).max() ?? 0

  /// The advisory lock under which the schema is changed: one number, known to every worker.
  private static let lock: Int64 = 0x7470_6d69_6772_6174

  /// What a step may take: it may read millions of payouts.
  private static let patienceMilliseconds = 3_600_000

  let ledger: Ledger

  /// Brings the schema to the newest number in one transaction under the advisory lock.
  ///
  /// - Throws: `LedgerError.misconfigured` where an applied migration differs from ours, or the schema is newer.
  func migrate() async throws {
    try await ledger.transaction { connection in
      // Whoever comes second waits for the first one's steps.
      try await connection.executeScript(
        "SELECT pg_advisory_xact_lock(\(Migrator.lock))", patienceMilliseconds: Migrator.patienceMilliseconds)
      try await connection.executeScript(
        """
        SET LOCAL client_min_messages = warning;
        CREATE TABLE IF NOT EXISTS schema_migrations (
          number integer PRIMARY KEY, name text NOT NULL, checksum bytea NOT NULL,
          applied_at timestamptz NOT NULL DEFAULT now())
        """)
      let applied = try await connection.execute("SELECT number, name, checksum FROM schema_migrations", [])
      var known: [Int32: [UInt8]] = [:]
      for row in applied.rows { known[try row.int4("number")] = try row.bytes("checksum") }
      if let newest = known.keys.max(), newest > Migrator.newest {
        throw LedgerError(
          .misconfigured, "the schema is at \(newest), this program knows \(Migrator.newest): upgrade it")
      }
      for migration in Migrator.all {
        guard let checksum = known[migration.number] else {
          try await apply(migration, on: connection)
          continue
        }
        guard checksum == migration.checksum else {
          throw LedgerError(
            .misconfigured, "migration \(migration.number) (\(migration.name)) was applied in another form")
        }
      }
    }
  }

  private func apply(_ migration: Migration, on connection: PostgresConnection) async throws {
    try await connection.executeScript(migration.sql, patienceMilliseconds: Migrator.patienceMilliseconds)
    _ = try await connection.execute(
      "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)",
      [.int4(migration.number), .text(migration.name), .bytes(migration.checksum)])
    ledger.logger.info("applied a migration", metadata: ["migration": "\(migration.number) \(migration.name)"])
  }
}
