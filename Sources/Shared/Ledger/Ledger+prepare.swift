public import Payouts
import Postgres

extension Ledger {
  /// Refuses a server that may lose commits, brings the schema up to date, and checks that the database is this
  /// installation's own. Safe to run by several workers at once.
  ///
  /// - Throws: `LedgerError.misconfigured` naming every difference.
  public func prepare(_ installation: Installation) async throws {
    try await refuseUnsafeServer()
    try await Migrator(ledger: self).migrate()
    try await claim(installation)
  }

  /// A server that answers COMMIT before the commit is on disk would lose payouts that were acknowledged.
  private func refuseUnsafeServer() async throws {
    let row = try await read(
      """
      SELECT current_setting('fsync') AS fsync,
        (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit') AS synchronous_commit,
        current_setting('full_page_writes') AS full_page_writes, pg_is_in_recovery() AS in_recovery
      """
    ).single()
    var problems: [String] = []
    if try row.text("fsync") != "on" { problems.append("fsync is off: set fsync = on") }
    if try ["off", "local"].contains(row.text("synchronous_commit")) {
      problems.append("synchronous_commit is \(try row.text("synchronous_commit")): set synchronous_commit = on")
    }
    if try row.text("full_page_writes") != "on" {
      problems.append("full_page_writes is off: set full_page_writes = on")
    }
    if try row.bool("in_recovery") { problems.append("the server is a standby: connect to the primary") }
    guard problems.isEmpty else {
      throw LedgerError(
        .misconfigured, "PostgreSQL may lose what it acknowledged: " + problems.joined(separator: "; "))
    }
  }

  private func claim(_ installation: Installation) async throws {
    let row = try await transaction { connection in
      _ = try await connection.execute(
        """
        INSERT INTO ledger_settings (environment, network, genesis_block_id, max_expiration_ms, clock_bound_ms)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
        """,
        [
          .text(installation.environment), .text(installation.network.rawValue), .bytes(installation.genesis.bytes),
          .int8(installation.maximumExpirationMilliseconds), .int8(installation.clockBoundMilliseconds),
        ])
      return try await connection.execute("SELECT * FROM ledger_settings", []).single()
    }
    var problems: [String] = []
    func compare(_ key: String, _ stored: String, _ configured: String) {
      if stored != configured { problems.append("\(key) is \(configured), the database was set up with \(stored)") }
    }
    compare("LUCID_ENV", try row.text("environment"), installation.environment)
    compare("TRON_NETWORK", try row.text("network"), installation.network.rawValue)
    compare("genesis block", Hex.text(try row.bytes("genesis_block_id")), installation.genesis.description)
    compare(
      "MAX_EXPIRATION_SECONDS", "\(try row.int8("max_expiration_ms") / 1_000)",
      "\(installation.maximumExpirationMilliseconds / 1_000)")
    compare(
      "CLOCK_BOUND_SECONDS", "\(try row.int8("clock_bound_ms") / 1_000)",
      "\(installation.clockBoundMilliseconds / 1_000)")
    guard problems.isEmpty else {
      throw LedgerError(.misconfigured, "this database is another installation's: " + problems.joined(separator: "; "))
    }
  }
}

extension PostgresResult {
  /// The one row of a statement that answers exactly one.
  func single() throws -> PostgresRow {
    guard rows.count == 1, let row = rows.first else {
      throw LedgerError(.corrupt, "a statement answered \(rows.count) rows, expected 1")
    }
    return row
  }
}
