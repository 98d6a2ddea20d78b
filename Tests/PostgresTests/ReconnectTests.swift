import Postgres
import TestSupport
import Testing

/// The pool over restarts of the server, on a server of its own.
@Suite struct ReconnectTests {
  // Proves that a restart, orderly or like a crash, is not seen by callers that come after it, and that
  // committed rows are there; the pool stays the same.
  @Test(arguments: [PrivatePostgres.StopMode.fast, .immediate])
  func `after a restart the same pool goes on`(_ mode: PrivatePostgres.StopMode) async throws {
    let server = try await PrivatePostgres.start()
    let url = try await server.createDatabase()
    try await withPool(connectionLimit: 2, url: url) { pool in
      try await pool.executeScript("CREATE TABLE t (n int8)")
      try await pool.execute("INSERT INTO t VALUES ($1)", [.int8(1)])
      let error = try await postgresError {
        try await pool.withTransaction { connection in
          try await connection.execute("INSERT INTO t VALUES (2)")
          try await server.restart(mode: mode)
          try await connection.execute("INSERT INTO t VALUES (3)")
        }
      }
      #expect(error.code == .connectionLost && error.isRetriable, "\(error)")
      try await pool.execute("INSERT INTO t VALUES ($1)", [.int8(4)])
      #expect(try await pool.execute("SELECT sum(n)::int8 FROM t").rows[0].int8(0) == 5)
    }
    try await server.stop()
  }

  // Proves that callers wait while the server is away, and are served when it is back.
  @Test func `callers wait for a server that is away`() async throws {
    let server = try await PrivatePostgres.start()
    let url = try await server.createDatabase()
    try await withPool(connectionLimit: 2, acquireTimeoutMilliseconds: 60_000, url: url) { pool in
      try await pool.execute("SELECT 1")
      try await server.stopServer(mode: .fast)
      try await withThrowingTaskGroup(of: Int32.self) { group in
        for number in 0..<8 {
          group.addTask { try await pool.execute("SELECT $1 AS v", [.int4(Int32(number))]).rows[0].int4("v") }
        }
        try await eventually("callers wait") { pool.statistics.busy == 2 && pool.statistics.waiting == 6 }
        try await server.startServer()
        var answers: Set<Int32> = []
        for try await answer in group { answers.insert(answer) }
        #expect(answers == Set(0..<8))
      }
    }
    try await server.stop()
  }
}
