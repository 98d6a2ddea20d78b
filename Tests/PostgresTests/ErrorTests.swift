import Logging
import Postgres
import TestSupport
import Testing

/// What errors tell, against a real server.
@Suite struct ErrorTests {
  // Proves that a violated constraint is named, and that the connection goes on working.
  @Test func `a unique violation names its constraint and SQLSTATE`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      try await pool.executeScript("CREATE TABLE t (n int8 CONSTRAINT only_once PRIMARY KEY)")
      try await pool.execute("INSERT INTO t VALUES ($1)", [.int8(7)])
      let processID = try await pool.withConnection { await $0.backendProcessID }
      let error = try await postgresError { try await pool.execute("INSERT INTO t VALUES ($1)", [.int8(7)]) }
      #expect(error.code == .server && error.sqlState == "23505" && error.constraint == "only_once")
      #expect(error.statement == "INSERT INTO t VALUES ($1)")
      #expect(error.detail?.contains("7") == true && !error.description.contains("(7)"))
      #expect(!error.isRetriable && error.commandIndex == nil)
      #expect(try await pool.withConnection { await $0.backendProcessID } == processID)
    }
  }

  // Proves that SQL errors come with their code, at preparing and at running.
  @Test func `syntax and runtime errors carry their SQLSTATE`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      let syntax = try await postgresError { try await pool.execute("SELEC 1") }
      #expect(syntax.code == .server && syntax.sqlState == "42601")
      let division = try await postgresError { try await pool.execute("SELECT 1 / $1", [.int4(0)]) }
      #expect(division.code == .server && division.sqlState == "22012")
      #expect(try await pool.execute("SELECT 1 / $1 AS v", [.int4(1)]).rows[0].int4("v") == 1)
      let script = try await postgresError { try await pool.executeScript("CREATE TABLE a (n int4); SELECT 1/0") }
      #expect(script.sqlState == "22012")
      #expect(try await pool.execute("SELECT to_regclass('a') IS NULL AS gone").rows[0].bool("gone"))
    }
  }

  // Proves that what cannot be sent is refused before anything is sent.
  @Test func `unsendable values and texts are refused`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      for length in [15, 17] {
        let error = try await postgresError {
          try await pool.execute("SELECT $1", [.uuid(Array(repeating: 1, count: length))])
        }
        #expect(error.code == .invalidParameter && error.message.contains("$1"))
      }
      let count = try await postgresError { try await pool.execute("SELECT $1::int8, $2::int8", [.int8(1)]) }
      #expect(count.code == .invalidParameter && count.message.contains("2 parameters"))
      let zero = try await postgresError { try await pool.execute("SELECT 1\u{0}") }
      #expect(zero.code == .invalidParameter)
      let limit = PostgresConfiguration.parametersMax
      let many = try await postgresError {
        try await pool.execute("SELECT 1", Array(repeating: .null, count: limit + 1))
      }
      #expect(many.code == .invalidParameter && many.message.contains("\(limit)"))
    }
  }

  // Proves that a deferred constraint, checked after the statement was answered, is still an error.
  @Test func `a deferred constraint fails the statement that commits it`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      try await pool.executeScript(
        "CREATE TABLE t (n int8 CONSTRAINT later UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO t VALUES (1)")
      let processID = try await pool.withConnection { await $0.backendProcessID }
      let single = try await postgresError { try await pool.execute("INSERT INTO t VALUES ($1)", [.int8(1)]) }
      #expect(single.code == .transactionRolledBack && single.sqlState == "23505" && single.constraint == "later")
      let pipelined = try await postgresError {
        try await pool.pipeline([("INSERT INTO t VALUES (2)", []), ("INSERT INTO t VALUES (2)", [])])
      }
      #expect(pipelined.code == .transactionRolledBack && pipelined.constraint == "later")
      let committed = try await postgresError {
        try await pool.withTransaction { try await $0.execute("INSERT INTO t VALUES (1)") }
      }
      #expect(committed.code == .transactionRolledBack && committed.sqlState == "23505")
      #expect(try await pool.execute("SELECT count(*) FROM t").rows[0].int8(0) == 1)
      #expect(try await pool.withConnection { await $0.backendProcessID } == processID)
    }
  }

  // Proves that a serialization failure is told as one that may be tried again.
  @Test func `a serialization failure is retriable`() async throws {
    try await withPool(connectionLimit: 2) { pool in
      try await pool.executeScript("CREATE TABLE t (n int8); INSERT INTO t VALUES (1)")
      let error = try await postgresError {
        try await pool.withTransaction(.repeatableRead) { connection in
          try await connection.execute("SELECT n FROM t")
          try await pool.execute("UPDATE t SET n = n + 1")
          try await connection.execute("UPDATE t SET n = n + 1")
        }
      }
      #expect(error.sqlState == "40001" && error.isRetriable)
    }
  }

  // Proves that a wrong configuration is told at once, with every wrong value, and without the password.
  @Test func `a wrong configuration is told without waiting and without the password`() async throws {
    func firstError(_ configuration: PostgresConfiguration) async throws -> PostgresError {
      let pool = PostgresPool(configuration: configuration, logger: Logger(label: "test"))
      let error = try await postgresError { try await pool.execute("SELECT 1") }
      await pool.close()
      return error
    }
    let began = ContinuousClock.now
    let url = try await firstError(
      PostgresConfiguration(url: "postgresql://u:geheim@[::1/db", applicationName: "test"))
    #expect(url.code == .configuration && !url.description.contains("geheim"))
    let limits = try await firstError(
      PostgresConfiguration(
        url: "postgresql://", applicationName: "test", connectionLimit: 0, acquireTimeoutMilliseconds: -1))
    #expect(limits.code == .configuration)
    #expect(limits.message.contains("connectionLimit is 0") && limits.message.contains("acquireTimeout"))
    #expect(ContinuousClock.now - began < .seconds(5))
  }

  // Proves that an absent server is told as such, after attempts that fill the time given and no more.
  @Test func `an absent server is a failed connection after the time given`() async throws {
    let port = try FreePort.choose()
    let began = ContinuousClock.now
    let error = try await postgresError {
      try await withPool(
        acquireTimeoutMilliseconds: 300, url: "postgresql://nobody:geheim@127.0.0.1:\(port)/none"
      ) { pool in try await pool.execute("SELECT 1") }
    }
    #expect(error.code == .connectionFailed && error.isRetriable)
    #expect(error.message.contains("\(port)") && !error.description.contains("geheim"))
    #expect(ContinuousClock.now - began < .seconds(5))
  }
}
