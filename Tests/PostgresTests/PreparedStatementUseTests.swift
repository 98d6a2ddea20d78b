import Postgres
import TestSupport
import Testing

/// Prepared statements over the life of connections.
@Suite struct PreparedStatementUseTests {
  private func preparedCount(_ connection: PostgresConnection) async throws -> Int64 {
    try await connection.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%mark%'")
      .rows[0].int8(0)
  }

  // Proves that a text is prepared once however often it is used, by the server's own list.
  @Test func `a statement is prepared once a connection`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      try await pool.withConnection { connection in
        for value in 0..<10 {
          try await connection.execute("SELECT $1 AS mark", [value == 5 ? .null : .int8(Int64(value))])
        }
        // The counting statement holds the word too.
        #expect(try await preparedCount(connection) == 2)
        try await connection.execute("SELECT $1 AS mark", [.int4(1)])
        #expect(try await preparedCount(connection) == 3)
      }
    }
  }

  // Proves that statements work again on a new connection, after the first was ended by the server.
  @Test func `statements are prepared anew on a new connection`() async throws {
    let server = try await PrivatePostgres.shared()
    try await withPool(connectionLimit: 1) { pool in
      let statement: PostgresStatement = "SELECT $1 + 1 AS v"
      #expect(try await pool.execute(statement, [.int8(1)]).rows[0].int8("v") == 2)
      let processID = try await pool.withConnection { await $0.backendProcessID }
      try await server.query("SELECT pg_terminate_backend(\(processID), 5000)")
      #expect(try await pool.execute(statement, [.int8(2)]).rows[0].int8("v") == 3)
      #expect(try await pool.withConnection { await $0.backendProcessID } != processID)
    }
  }

  // Proves that the maximum holds on the server: more different texts than fit evict the oldest, which then
  // work again.
  @Test func `old statements make room for new ones`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      try await pool.withConnection { connection in
        let limit = PostgresConfiguration.preparedStatementsMax
        for number in 0..<(limit + 20) {
          let row = try await connection.execute(PostgresStatement("SELECT \(number) AS v")).rows[0]
          #expect(try row.int4("v") == Int32(number))
        }
        let count = try await connection.execute("SELECT count(*) FROM pg_prepared_statements").rows[0].int8(0)
        #expect(count == Int64(limit))
        #expect(try await connection.execute("SELECT 0 AS v").rows[0].int4("v") == 0)
        let many = (0...limit).map { (PostgresStatement("SELECT \($0) AS w"), [PostgresParameter]()) }
        let error = try await postgresError { try await connection.pipeline(many) }
        #expect(error.code == .invalidParameter)
        #expect(try await connection.pipeline(many.dropLast()).count == limit)
      }
    }
  }

  // Proves that a statement whose table was altered, or that somebody deallocated, fails once, as retriable,
  // and then works.
  @Test func `outdated and deallocated statements are prepared anew`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      try await pool.executeScript("CREATE TABLE t (n int4); INSERT INTO t VALUES (1)")
      let statement: PostgresStatement = "SELECT * FROM t"
      try await pool.execute(statement)
      try await pool.executeScript("ALTER TABLE t ALTER n TYPE int8")
      let outdated = try await postgresError { try await pool.execute(statement) }
      #expect(outdated.sqlState == "0A000" && outdated.isRetriable)
      #expect(try await pool.execute(statement).rows[0].int8("n") == 1)
      try await pool.executeScript("DEALLOCATE ALL")
      let gone = try await postgresError { try await pool.execute(statement) }
      #expect(gone.sqlState == "26000" && gone.isRetriable)
      #expect(try await pool.execute(statement).rows[0].int8("n") == 1)
    }
  }
}
