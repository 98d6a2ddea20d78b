import Postgres
import TestSupport
import Testing

/// The three outcomes of a COMMIT: done, not done, unknown.
@Suite struct CommitOutcomeTests {
  private func count(_ url: String) async throws -> String {
    let database = url.split(separator: "/").last.map(String.init) ?? ""
    return try await PrivatePostgres.shared().query("SELECT count(*) FROM t", database: database)
  }

  private func freshTable() async throws -> String {
    let url = try await PrivatePostgres.shared().createDatabase()
    try await withPool(connectionLimit: 1, url: url) { try await $0.executeScript("CREATE TABLE t (n int8)") }
    return url
  }

  // Proves that a connection which the server ended before COMMIT is told as lost, with nothing committed, and
  // may be tried again: both when the end shows at COMMIT and when it shows at a statement before it.
  @Test(arguments: [true, false])
  func `a backend killed before COMMIT proves that nothing was committed`(_ showsAtCommit: Bool) async throws {
    let server = try await PrivatePostgres.shared()
    let url = try await freshTable()
    try await withPool(connectionLimit: 1, url: url) { pool in
      let error = try await postgresError {
        try await pool.withTransaction { connection in
          try await connection.execute("INSERT INTO t VALUES (1)")
          let processID = await connection.backendProcessID
          try await server.query("SELECT pg_terminate_backend(\(processID), 5000)")
          if !showsAtCommit { try await connection.execute("INSERT INTO t VALUES (2)") }
        }
      }
      #expect(error.code == .connectionLost && error.isRetriable && error.sqlState == "57P01", "\(error)")
      #expect(try await count(url) == "0")
      #expect(try await pool.withTransaction { try await $0.execute("INSERT INTO t VALUES (3)") }.affectedRows == 1)
    }
  }

  // Proves that a backend killed while a statement of the transaction runs is lost as well.
  @Test func `a backend killed during a statement proves that nothing was committed`() async throws {
    let server = try await PrivatePostgres.shared()
    let url = try await freshTable()
    try await withPool(connectionLimit: 1, url: url) { pool in
      let error = try await postgresError {
        try await pool.withTransaction { connection in
          try await connection.execute("INSERT INTO t VALUES (1)")
          try await connection.execute("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(60)")
        }
      }
      #expect(error.code == .connectionLost && error.sqlState == "57P01" && error.isRetriable, "\(error)")
      #expect(try await server.query("SELECT 1") == "1")
      #expect(try await count(url) == "0")
    }
  }

  // Proves the unknown: the answer to COMMIT is withheld (the row is there), the connection breaks after the
  // COMMIT was carried out (the row is there), or before it arrived (the row is not). All three look alike
  // from here, and none may be called retriable.
  @Test(arguments: [
    (CuttingProxy.Interference.swallowAnswer, PostgresError.Code.timeout, "1"),
    (.closeAfterAnswer, .connectionLost, "1"), (.closeInstead, .connectionLost, "0"),
  ])
  func `a COMMIT without an answer is unknown`(
    _ interference: CuttingProxy.Interference, _ cause: PostgresError.Code, _ rows: String
  ) async throws {
    let server = try await PrivatePostgres.shared()
    let url = try await freshTable()
    let error = try await CuttingProxy.run(to: server.port, interference) { port in
      let proxied = url.replacing(":\(server.port)/", with: ":\(port)/")
      // Only the swallowed answer is meant to meet the deadline.
      let timeout = interference == .swallowAnswer ? 1_000 : 20_000
      return try await withPool(connectionLimit: 1, statementTimeoutMilliseconds: timeout, url: proxied) { pool in
        try await postgresError {
          try await pool.withTransaction { try await $0.execute("INSERT INTO t VALUES (1)") }
        }
      }
    }
    #expect(error.code == .commitUnknown && error.cause == cause && !error.isRetriable, "\(error)")
    try await eventually("the row's fate is as expected") { try await count(url) == rows }
  }

  // Proves that COMMIT, once sent, is waited for although the task is cancelled: its outcome stays known.
  @Test func `a task cancelled during COMMIT still learns the outcome`() async throws {
    let url = try await freshTable()
    let server = try await PrivatePostgres.shared()
    try await withPool(connectionLimit: 1, url: url) { pool in
      // A deferred trigger makes COMMIT itself take its time.
      try await pool.executeScript(
        """
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN PERFORM pg_sleep(1); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION slow();
        """)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          try await pool.withTransaction { _ = try await $0.execute("INSERT INTO t VALUES (1)") }
        }
        try await eventually("COMMIT runs") {
          try await server.query(
            "SELECT count(*) FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'") != "0"
        }
        group.cancelAll()
        try await group.waitForAll()
      }
      #expect(try await count(url) == "1")
    }
  }

  // Proves that a wait for the synchronous standby which is cancelled leaves the outcome unknown, for COMMIT
  // and for a statement that commits by itself; and so does one that ends with its backend.
  @Test func `a commit that a standby may lack is unknown`() async throws {
    let server = try await PrivatePostgres.start()
    let url = try await server.createDatabase()
    try await withPool(connectionLimit: 1, url: url) { pool in
      try await pool.executeScript("CREATE TABLE t (n int8)")
      try await server.query("ALTER SYSTEM SET synchronous_standby_names = 'missing'")
      try await server.query("SELECT pg_reload_conf()")
      try await eventually("the setting is read") {
        try await server.query("SHOW synchronous_standby_names") == "missing"
      }
      /// Runs a write and, once it waits for the standby, ends that wait by an SQL function.
      func error(
        ending function: String, _ write: @escaping @Sendable () async throws -> Void
      ) async throws -> PostgresError {
        async let error = postgresError(write)
        try await eventually("the commit waits for the standby") {
          try await server.query(
            "SELECT count(\(function)(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") != "0"
        }
        return try await error
      }
      let insert: PostgresStatement = "INSERT INTO t VALUES (1)"
      let cancelled = try await error(ending: "pg_cancel_backend") {
        try await pool.withTransaction { _ = try await $0.execute(insert) }
      }
      #expect(cancelled.code == .commitUnknown && cancelled.cause == .server && !cancelled.isRetriable)
      #expect(cancelled.sqlState == "01000")
      let single = try await error(ending: "pg_cancel_backend") { _ = try await pool.execute(insert) }
      #expect(single.code == .commitUnknown && single.cause == .server)
      let terminated = try await error(ending: "pg_terminate_backend") {
        try await pool.withTransaction { _ = try await $0.execute(insert) }
      }
      #expect(terminated.code == .commitUnknown && terminated.cause == .connectionLost, "\(terminated)")
    }
    try await server.stop()
  }

  // Proves that a COMMIT given as a statement is judged in the same way, and that warnings of ordinary
  // statements are handed over and harmless.
  @Test func `a COMMIT given as a statement is judged alike, and warnings are handed over`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      let error = try await pool.withConnection { connection in
        try await connection.execute("BEGIN")
        _ = try await postgresError { try await connection.execute("SELECT 1/0") }
        return try await postgresError { try await connection.execute("COMMIT") }
      }
      #expect(error.code == .transactionRolledBack)
      try await pool.executeScript(
        "CREATE FUNCTION warn() RETURNS int4 LANGUAGE plpgsql AS 'BEGIN RAISE WARNING ''look''; RETURN 1; END'")
      #expect(try await pool.execute("SELECT warn()").warnings == ["look"])
      #expect(try await pool.execute("SELECT 1").warnings.isEmpty)
    }
  }
}
