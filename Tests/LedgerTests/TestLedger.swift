import Ledger
import Logging
import Payouts
import Postgres
import TestSupport

/// A ledger on a database of its own: set up, declared, vouched for, both cursors at block 100.
///
/// Every database is a copy of one template, made once in this process by the ledger's own calls.
struct TestLedger: Sendable {
  /// How every test installation is configured.
  static let installation = Installation(
    environment: "dev", network: .devnet, genesis: Sample.blockID(0), maximumExpirationMilliseconds: 600_000,
    clockBoundMilliseconds: 60_000)
  /// The one Signer of the template.
  static let signer = "signer-1"
  /// Its journal.
  static let journalID = [UInt8](repeating: 0x4a, count: 16)
  /// Where both cursors stand in the template.
  static let startNumber: Int64 = 100
  /// The pool's application name, which events carry as their actor.
  static let actor = "ledger-tests"

  let ledger: Ledger
  let pool: PostgresPool
  let url: String
  /// The server's clock when the test began.
  let now: Timestamp

  /// A pool on a database.
  static func pool(
    _ url: String, connectionLimit: Int = 4, acquireTimeoutMilliseconds: Int = 120_000
  ) -> PostgresPool {
    PostgresPool(
      configuration: PostgresConfiguration(
        url: url, applicationName: actor, connectionLimit: connectionLimit,
        // Some tests are one long statement, and the machine may be busy.
        statementTimeoutMilliseconds: 180_000, acquireTimeoutMilliseconds: acquireTimeoutMilliseconds),
      logger: Logger(label: actor))
  }

  /// A ledger on a pool.
  static func ledger(_ pool: PostgresPool) -> Ledger { Ledger(pool: pool, logger: Logger(label: actor)) }

  /// Sets up a fresh database as the template is: by the ledger's own calls.
  static func setUp(_ url: String) async throws {
    let pool = pool(url)
    do {
      let ledger = ledger(pool)
      try await ledger.prepare(installation)
      let now = try await clock(pool)
      let begin = Sample.place(startNumber, at: now)
      _ = try await ledger.declare(wallet: Sample.wallet, signer: signer, journalID: journalID, begin: begin)
      _ = try await ledger.apply(
        head: HeadBlock(place: begin, transactions: [], suspects: [], keepAbove: startNumber - 1), after: nil)
      _ = try await ledger.apply(solid: begin, after: nil, verdicts: [:], retryDelayMilliseconds: 0)
      _ = try await ledger.vouch(vouching(try await ledger.vouchingState(signer: signer).life), journal: [])
    } catch {
      await pool.close()
      throw error
    }
    await pool.close()
  }

  /// The word of the template's Signer, or of another one.
  static func vouching(
    _ life: ServerLife, signer: String = signer, names: [String] = [signer], journalID: [UInt8] = journalID,
    intentLog: IntentLogWord = .whole
  ) -> Vouching {
    Vouching(
      signer: signer, runID: [UInt8](repeating: 7, count: 16), names: names, journalID: journalID, life: life,
      intentLog: intentLog)
  }

  /// How many of this database's connections wait for somebody's lock.
  func waitingForLocks() async throws -> Int {
    let count = try await value(
      "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    return count.flatMap(Int.init) ?? 0
  }

  /// The server's clock.
  static func clock(_ pool: PostgresPool) async throws -> Timestamp {
    let row = try await pool.execute("SELECT now() AS now").rows[0]
    return Timestamp(microseconds: try row.timestampMicroseconds("now"))
  }

  /// The name of the template database, made when it is first asked for. Kept for the life of the process, as the
  /// server is.
  static let template = Task {
    let url = try await PrivatePostgres.shared().createDatabase()
    try await setUp(url)
    return name(of: url)
  }

  /// The last path component of a URL.
  static func name(of url: String) -> String { String(url.split(separator: "/").last ?? "") }
}

/// Runs a test on a copy of the template, and closes its pool.
func withLedger<Value: Sendable>(
  connectionLimit: Int = 4, _ body: (TestLedger) async throws -> Value
) async throws -> Value {
  let url = try await PrivatePostgres.shared().createDatabase(template: TestLedger.template.value)
  return try await withLedger(at: url, connectionLimit: connectionLimit, body)
}

/// Runs a test on a database that is set up already, and closes its pool.
func withLedger<Value: Sendable>(
  at url: String, connectionLimit: Int = 4, _ body: (TestLedger) async throws -> Value
) async throws -> Value {
  let pool = TestLedger.pool(url, connectionLimit: connectionLimit)
  let result: Result<Value, any Error>
  do {
    let test = TestLedger(
      ledger: TestLedger.ledger(pool), pool: pool, url: url, now: try await TestLedger.clock(pool))
    result = .success(try await body(test))
  } catch {
    result = .failure(error)
  }
  await pool.close()
  return try result.get()
}

/// Looking and writing past the ledger, as somebody with SQL can.
extension TestLedger {
  /// Carries out a script, as one transaction.
  func run(_ sql: String) async throws { try await pool.executeScript(sql) }

  /// Carries out a script with all triggers off, as only a superuser can: a disaster, not a mistake.
  func force(_ sql: String) async throws {
    try await pool.executeScript("SET LOCAL session_replication_role = replica; " + sql)
  }

  /// The SQLSTATE with which a script is refused, nil where it is not; the constraint where it has a name.
  func refusal(_ sql: String) async throws -> String? {
    do {
      try await pool.executeScript(sql)
      return nil
    } catch let error as PostgresError {
      return error.constraint ?? error.sqlState ?? error.code.rawValue
    }
  }

  /// The rows of a question, each as the texts of its columns joined by `|`, NULL as nothing.
  func rows(_ sql: String) async throws -> [String] {
    let result = try await pool.execute(
      PostgresStatement(
        "SELECT array_to_string(ARRAY(SELECT v FROM json_each_text(row_to_json(q)) AS e (k, v)), '|', '') AS line "
          + "FROM (\(sql)) q"))
    return try result.rows.map { try $0.text("line") }
  }

  /// The one value of a question, as text.
  func value(_ sql: String) async throws -> String? { try await rows(sql).first }

  /// What is used of a scope's windows, by span.
  func used(_ scope: String) async throws -> [String: Int64] {
    let result = try await pool.execute(
      "SELECT span, sum(used)::bigint AS used FROM limit_windows WHERE scope = $1 GROUP BY span", [.text(scope)])
    return Dictionary(uniqueKeysWithValues: try result.rows.map { (try $0.text("span"), try $0.int8("used")) })
  }

  /// Where a payout stands.
  func status(_ payout: PayoutID) async throws -> PayoutStatus? { try await ledger.payout(payout)?.status }

  /// Where a transaction stands.
  func status(_ txid: TxID) async throws -> String? {
    try await value("SELECT status FROM transactions WHERE txid = \(Sample.sql(txid.bytes))")
  }
}

/// The error of the ledger that `body` throws.
func ledgerError(_ body: () async throws -> Void) async throws -> LedgerError {
  do {
    try await body()
  } catch let error as LedgerError {
    return error
  }
  throw NothingThrown()
}

/// A call that should have failed did not.
struct NothingThrown: Error {}

/// Waits until a condition holds, looking again and again.
///
/// - Throws: ``ConditionNotMet`` after two minutes.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(120)
  while try await !condition() {
    guard ContinuousClock.now < deadline else { throw ConditionNotMet(what: what) }
    try await Task.sleep(for: .milliseconds(5))
  }
}

/// A condition did not come true in time.
struct ConditionNotMet: Error {
  let what: String
}
