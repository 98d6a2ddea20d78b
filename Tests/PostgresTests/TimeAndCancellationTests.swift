import Postgres
import TestSupport
import Testing

/// Deadlines and cancelled tasks.
@Suite struct TimeAndCancellationTests {
  /// The number of sessions of the pool's database in which a `pg_sleep` runs.
  private func sleepers(_ pool: PostgresPool) async throws -> Int {
    let name = pool.configuration.url.split(separator: "/").last.map(String.init) ?? ""
    let count = try await PrivatePostgres.shared().query(
      """
      SELECT count(*) FROM pg_stat_activity WHERE datname = '\(name)' AND state = 'active' AND query LIKE '%pg_sleep%'
      """)
    return Int(count) ?? -1
  }

  // Proves that a statement past its deadline fails in time, that the server stops it, and that the pool goes
  // on with a new connection; in a transaction the error proves that nothing was committed.
  @Test func `a statement past its deadline ends, here and on the server`() async throws {
    try await withPool(connectionLimit: 1, statementTimeoutMilliseconds: 300) { pool in
      let began = ContinuousClock.now
      let error = try await postgresError {
        try await pool.withTransaction { try await $0.execute("SELECT pg_sleep(60)") }
      }
      #expect(error.code == .timeout && error.isRetriable && error.statement == "SELECT pg_sleep(60)")
      #expect(ContinuousClock.now - began < .seconds(5))
      try await eventually("the server stops the statement") { try await sleepers(pool) == 0 }
      #expect(try await pool.execute("SELECT 1 AS v").rows[0].int4("v") == 1)
    }
  }

  // Proves the third outcome outside a transaction: what may have been committed is told as unknown, except
  // for statements whose author promised that they only read.
  @Test func `outside a transaction a lost answer is unknown, unless the statement only reads`() async throws {
    try await withPool(connectionLimit: 1, statementTimeoutMilliseconds: 200) { pool in
      let writing = try await postgresError { try await pool.execute("SELECT pg_sleep(60)") }
      #expect(writing.code == .commitUnknown && writing.cause == .timeout && !writing.isRetriable)
      let reading = try await postgresError {
        try await pool.execute(PostgresStatement("SELECT pg_sleep(60)", readsOnly: true))
      }
      #expect(reading.code == .timeout && reading.isRetriable)
      let script = try await postgresError { try await pool.executeScript("SELECT pg_sleep(60)") }
      #expect(script.code == .commitUnknown && script.cause == .timeout)
    }
  }

  // Proves that a commit that is answered is on disk, whatever the server's default becomes, and that more is kept.
  @Test(arguments: [("off", "on"), ("local", "on"), ("remote_write", "on"), ("remote_apply", "remote_apply")])
  func `no default of the server weakens a commit`(value: String, expected: String) async throws {
    let url = try await PrivatePostgres.shared().createDatabase()
    let name = String(url.split(separator: "/").last ?? "")
    try await PrivatePostgres.shared().query("ALTER DATABASE \(name) SET synchronous_commit = \(value)")
    try await withPool(url: url) { pool in
      let row = try await pool.execute("SELECT current_setting('synchronous_commit') AS v").rows[0]
      #expect(try row.text("v") == expected)
    }
  }

  // Proves that cancelling the caller ends the call at once, that the server stops the statement, and that
  // the connection is not used again.
  @Test func `a cancelled caller ends its statement, here and on the server`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      let processID = try await pool.withConnection { await $0.backendProcessID }
      let error = try await withThrowingTaskGroup(of: PostgresError.self) { group in
        group.addTask {
          try await postgresError {
            try await pool.withTransaction { try await $0.execute("SELECT pg_sleep(60)") }
          }
        }
        try await eventually("the statement runs") { try await sleepers(pool) == 1 }
        group.cancelAll()
        return try await group.next()
      }
      #expect(error?.code == .cancelled && error?.isRetriable == false)
      try await eventually("the server stops the statement") { try await sleepers(pool) == 0 }
      #expect(pool.statistics.busy == 0)
      #expect(try await pool.withConnection { await $0.backendProcessID } != processID)
    }
  }

  // Proves that a task cancelled before its statement was sent leaves the connection unharmed, and that its
  // transaction is rolled back although the task is cancelled.
  @Test func `cancelled between statements, a transaction is rolled back on a connection that lives on`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      try await pool.executeScript("CREATE TABLE t (n int8)")
      let processID = try await pool.withConnection { await $0.backendProcessID }
      let error = try await withThrowingTaskGroup(of: PostgresError.self) { group in
        group.addTask {
          try await postgresError {
            try await pool.withTransaction { connection in
              try await connection.execute("INSERT INTO t VALUES (1)")
              withUnsafeCurrentTask { $0?.cancel() }
            }
          }
        }
        return try await group.next()
      }
      #expect(error?.code == .cancelled && error?.statement == "COMMIT")
      #expect(try await pool.execute("SELECT count(*) FROM t").rows[0].int8(0) == 0)
      #expect(try await pool.withConnection { await $0.backendProcessID } == processID)
    }
  }

  // Proves that waiting for the server blocks no thread of the cooperative pool: 64 statements of 200 ms on 16
  // connections need four rounds, while a ticker on the cooperative pool keeps time. Were they to block its
  // threads (as many as the machine has cores), the ticker would queue behind them for seconds.
  @Test func `waiting for the server blocks nobody else`() async throws {
    try await withPool(connectionLimit: 16) { pool in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<16 { group.addTask { try await pool.execute("SELECT pg_sleep(0.05)") } }
        try await group.waitForAll()
      }
      let began = ContinuousClock.now
      let longestPause = try await withThrowingTaskGroup(of: Duration?.self) { group in
        group.addTask {
          var longest = Duration.zero
          var last = ContinuousClock.now
          while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(5))
            let now = ContinuousClock.now
            longest = max(longest, now - last)
            last = now
          }
          return longest
        }
        for _ in 0..<64 {
          group.addTask {
            try await pool.execute("SELECT pg_sleep(0.2)")
            return nil
          }
        }
        for _ in 0..<64 { _ = try await group.next() }
        group.cancelAll()
        return try await group.next() ?? nil
      }
      let elapsed = ContinuousClock.now - began
      #expect(elapsed > .milliseconds(790) && elapsed < .seconds(6))
      #expect(try #require(longestPause) < .milliseconds(1_500))
      #expect(pool.statistics == PostgresPoolStatistics(idle: 16, busy: 0, waiting: 0, connectionLimit: 16))
    }
  }
}
