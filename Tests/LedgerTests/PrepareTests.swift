import Logging
import Payouts
import Postgres
import TestSupport
import Testing

@testable import Ledger

/// The start of a worker: which servers and databases it refuses, and how the schema comes about.
@Suite struct PrepareTests {
  /// Prepares a ledger on a database; the error where it is refused.
  private func refusal(
    _ url: String, _ installation: Installation = TestLedger.installation
  ) async throws -> LedgerError? {
    let pool = TestLedger.pool(url)
    var refusal: LedgerError?
    do {
      try await TestLedger.ledger(pool).prepare(installation)
    } catch let error as LedgerError {
      refusal = error
    }
    await pool.close()
    return refusal
  }

  /// Runs a test on a server of its own.
  private func withServer(
    _ settings: [String: String] = [:], _ body: (PrivatePostgres) async throws -> Void
  ) async throws {
    let server = try await PrivatePostgres.start(settings: settings)
    do {
      try await body(server)
    } catch {
      try await server.stop()
      throw error
    }
    try await server.stop()
  }

  // Proves that a server that may lose what it acknowledged is refused, naming the setting; each really started so.
  @Test(arguments: [
    ("fsync", "off"), ("synchronous_commit", "off"), ("synchronous_commit", "local"), ("full_page_writes", "off"),
  ])
  func `a server that may lose commits is refused`(setting: String, value: String) async throws {
    try await withServer([setting: value]) { server in
      let url = try await server.createDatabase()
      let error = try #require(try await refusal(url))
      #expect(error.code == .misconfigured)
      #expect(error.message.contains("set \(setting) = on"))
      #expect(
        try await server.query(
          "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", database: TestLedger.name(of: url)) == "0")
    }
  }

  // Proves that the setting that counts is the session's own: a database may have another one than its server.
  @Test func `a database with synchronous_commit off is refused`() async throws {
    let url = try await PrivatePostgres.shared().createDatabase()
    try await PrivatePostgres.shared().query(
      "ALTER DATABASE \(TestLedger.name(of: url)) SET synchronous_commit = off")
    #expect(try await refusal(url)?.code == .misconfigured)
  }

  // Proves that a standby is refused: a second server, streaming from the first.
  @Test func `a standby is refused`() async throws {
    try await withServer(["wal_level": "replica"]) { primary in
      let url = try await primary.createDatabase()
      #expect(try await refusal(url) == nil)
      try await primary.stopServer(mode: .fast)
      // The same data, started again as a standby that waits for a primary.
      try await primary.markAsStandby()
      try await primary.startServer()
      let error = try #require(try await refusal(url))
      #expect(error.code == .misconfigured && error.message.contains("standby"))
    }
  }

  /// One difference each, and how it is named.
  private static let foreign: [(Installation, String)] = {
    let ours = TestLedger.installation
    func changed(
      _ environment: String? = nil, _ network: Network? = nil, _ genesis: BlockID? = nil, _ expiration: Int64? = nil,
      _ bound: Int64? = nil
    ) -> Installation {
      Installation(
        environment: environment ?? ours.environment, network: network ?? ours.network,
        genesis: genesis ?? ours.genesis,
        maximumExpirationMilliseconds: expiration ?? ours.maximumExpirationMilliseconds,
        clockBoundMilliseconds: bound ?? ours.clockBoundMilliseconds)
    }
    return [
      (changed("staging"), "LUCID_ENV is staging, the database was set up with dev"),
      (changed(nil, .nile), "TRON_NETWORK is nile, the database was set up with devnet"),
      (changed(nil, nil, Sample.blockID(1)), "genesis block is \(Sample.blockID(1)), the database was set up with"),
      (changed(nil, nil, nil, 601_000), "MAX_EXPIRATION_SECONDS is 601, the database was set up with 600"),
      (changed(nil, nil, nil, nil, 61_000), "CLOCK_BOUND_SECONDS is 61, the database was set up with 60"),
    ]
  }()

  // Proves that another installation's database is refused, each difference named by itself and all of them together.
  @Test func `a database of another installation is refused, every difference named`() async throws {
    try await withLedger { test async throws in
      for (installation, words) in Self.foreign {
        let error = try #require(try await refusal(test.url, installation))
        #expect(error.code == .misconfigured && error.message.contains(words), "\(error)")
        for (_, others) in Self.foreign where others != words { #expect(!error.message.contains(others)) }
      }
      let all = Installation(
        environment: "staging", network: .nile, genesis: Sample.blockID(1), maximumExpirationMilliseconds: 601_000,
        clockBoundMilliseconds: 61_000)
      let error = try #require(try await refusal(test.url, all))
      for (_, words) in Self.foreign { #expect(error.message.contains(words)) }
      #expect(try await refusal(test.url) == nil)
    }
  }

  // Proves that eight workers that start at once on an empty database all succeed, and each migration is applied once.
  @Test func `migrations run once when eight workers start at once`() async throws {
    let url = try await PrivatePostgres.shared().createDatabase()
    let refusals = try await withThrowingTaskGroup(of: LedgerError?.self) { group in
      for _ in 0..<8 { group.addTask { try await refusal(url) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(refusals.compactMap { $0 }.isEmpty)
    try await withLedger(at: url) { test async throws in
      #expect(
        try await test.rows("SELECT number, name FROM schema_migrations ORDER BY number")
          == Migrator.all.map { "\($0.number)|\($0.name)" })
      #expect(Migrator.all.map(\.number) == Set(Migrator.all.map(\.number)).sorted())
      #expect(try await test.value("SELECT count(*) FROM ledger_settings") == "1")
      #expect(try await test.value("SELECT count(*) FROM breaker") == "1")
    }
  }

  // Proves that a migration that was applied in another form, and a schema from the future, are refused; nothing changes.
  @Test func `a changed migration and a newer schema are refused`() async throws {
    try await withLedger { test async throws in
      try await test.run("UPDATE schema_migrations SET checksum = sha256('x') WHERE number = 2")
      let changed = try #require(try await refusal(test.url))
      #expect(changed.code == .misconfigured && changed.message.contains("migration 2 (payouts)"))
      try await test.run(
        "INSERT INTO schema_migrations (number, name, checksum) VALUES (\(Migrator.newest + 1), 'x', 'x')")
      let newer = try #require(try await refusal(test.url))
      #expect(newer.code == .misconfigured && newer.message.contains("the schema is at \(Migrator.newest + 1)"))
    }
  }

  // Proves that a migration that fails leaves nothing of itself or of those before it, and tells why.
  @Test func `a failed migration leaves nothing behind`() async throws {
    let url = try await PrivatePostgres.shared().createDatabase()
    try await PrivatePostgres.shared().query("CREATE TABLE attempts (x int)", database: TestLedger.name(of: url))
    #expect(try await refusal(url)?.code == .misconfigured)
    try await withLedger(at: url) { test async throws in
      #expect(
        try await test.rows("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'") == ["attempts"])
    }
  }

  // Proves that a database that cannot be reached is told as unavailable, in time, and a malformed address as a mistake.
  @Test func `a server that is away is unavailable, a wrong address a mistake`() async throws {
    let away = PostgresPool(
      configuration: PostgresConfiguration(
        url: "postgresql://postgres@127.0.0.1:1/none", applicationName: "test", connectTimeoutMilliseconds: 100,
        acquireTimeoutMilliseconds: 100), logger: Logger(label: "test"))
    let error = try await ledgerError { try await TestLedger.ledger(away).prepare(TestLedger.installation) }
    #expect(error.code == .unavailable)
    await away.close()
    #expect(try await refusal("postgresql://127.0.0.1/none?nonsense=1")?.code == .misconfigured)
  }
}

extension PrivatePostgres {
  /// Makes a stopped server a standby at its next start.
  func markAsStandby() async throws {
    try await ChildProcess.require("touch", ["\(folder)/data/standby.signal"])
  }
}
