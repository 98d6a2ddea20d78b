import Postgres
import Testing

/// The plainest use of pool, statement, row and transaction.
@Suite struct BasicTests {
  // Proves that a value goes to the server and back.
  @Test func `a statement answers`() async throws {
    try await withPool { pool in
      let result = try await pool.execute("SELECT $1 + 1 AS next, $2 AS word", [.int8(41), .text("zwölf")])
      #expect(try result.rows[0].int8("next") == 42)
      #expect(try result.rows[0].text("word") == "zwölf")
      #expect(result.commandTag == "SELECT 1")
    }
  }

  // Proves that a transaction keeps what it did, and that a thrown error undoes it.
  @Test func `a transaction commits, and rolls back when its body throws`() async throws {
    struct Stop: Error {}
    try await withPool { pool in
      try await pool.executeScript("CREATE TABLE t (n int8 PRIMARY KEY)")
      let count = try await pool.withTransaction { connection in
        try await connection.execute("INSERT INTO t VALUES ($1), ($2)", [.int8(1), .int8(2)]).affectedRows
      }
      #expect(count == 2)
      await #expect(throws: Stop.self) {
        try await pool.withTransaction { connection in
          try await connection.execute("INSERT INTO t VALUES ($1)", [.int8(3)])
          throw Stop()
        }
      }
      #expect(try await pool.execute("SELECT count(*) FROM t").rows[0].int8(0) == 2)
    }
  }
}
