import Postgres
import TestSupport
import Testing

/// Many commands in one round trip, as one unit.
@Suite struct PipelineTests {
  // Proves that results come in order, each with its rows and count.
  @Test func `each command has its result, in order`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      try await pool.executeScript("CREATE TABLE t (n int8 PRIMARY KEY, w text)")
      let results = try await pool.pipeline([
        ("INSERT INTO t VALUES ($1, $2)", [.int8(1), .text("a")]),
        ("INSERT INTO t VALUES ($1, $2)", [.int8(2), .null]),
        ("UPDATE t SET w = 'c'", []),
        ("SELECT n, w FROM t ORDER BY n", []),
        ("DELETE FROM t WHERE n > $1", [.int4(5)]),
      ])
      #expect(results.map(\.affectedRows) == [1, 1, 2, 2, 0])
      #expect(results.map(\.commandTag) == ["INSERT 0 1", "INSERT 0 1", "UPDATE 2", "SELECT 2", "DELETE 0"])
      #expect(try results[3].rows.map { try $0.int8("n") } == [1, 2])
      #expect(try await pool.pipeline([]).isEmpty)
    }
  }

  // Proves that the first error names its command, that nothing of the unit stays, and that the connection,
  // the same one, goes on; for an error at running (index 2), and one at preparing.
  @Test func `an error names its command and undoes the unit`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      try await pool.executeScript("CREATE TABLE t (n int8 CONSTRAINT once PRIMARY KEY)")
      let processID = try await pool.withConnection { await $0.backendProcessID }
      let insert: PostgresStatement = "INSERT INTO t VALUES ($1)"
      let running = try await postgresError {
        try await pool.pipeline([
          (insert, [.int8(1)]), (insert, [.int8(2)]), (insert, [.int8(1)]), (insert, [.int8(3)]),
        ])
      }
      #expect(running.code == .server && running.commandIndex == 2 && running.constraint == "once")
      let preparing = try await postgresError {
        try await pool.pipeline([(insert, [.int8(1)]), ("SELECT nothing FROM nowhere", [])])
      }
      #expect(preparing.code == .server && preparing.commandIndex == 1 && preparing.sqlState == "42P01")
      let encoding = try await postgresError {
        try await pool.pipeline([(insert, [.int8(1)]), ("SELECT $1", [.uuid([1])])])
      }
      #expect(encoding.code == .invalidParameter && encoding.commandIndex == 1)
      #expect(try await pool.execute("SELECT count(*) FROM t").rows[0].int8(0) == 0)
      #expect(try await pool.pipeline([(insert, [.int8(1)])]).count == 1)
      #expect(try await pool.withConnection { await $0.backendProcessID } == processID)
    }
  }

  // Proves that inside a transaction an error of a pipeline undoes the transaction, not more, and that
  // swallowing the error does not turn into a commit.
  @Test func `an error inside a transaction dooms it, swallowed or not`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      try await pool.executeScript("CREATE TABLE t (n int8 PRIMARY KEY)")
      let error = try await postgresError {
        try await pool.withTransaction { connection in
          try await connection.execute("INSERT INTO t VALUES (1)")
          let inner = try await postgresError {
            try await connection.pipeline([("INSERT INTO t VALUES (2)", []), ("SELECT 1/0", [])])
          }
          #expect(inner.commandIndex == 1)
        }
      }
      #expect(error.code == .transactionRolledBack && !error.isRetriable)
      #expect(try await pool.execute("SELECT count(*) FROM t").rows[0].int8(0) == 0)
    }
  }

  // Proves that a pipeline cannot be split by transaction commands, and that its maximum is enforced.
  @Test func `transaction commands and too many commands are refused`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      for sql in ["BEGIN", "commit", "/* x */ ROLLBACK", "END", "START TRANSACTION", "ABORT"] {
        let error = try await postgresError {
          try await pool.pipeline([("SELECT 1", []), (PostgresStatement(sql), [])])
        }
        #expect(error.code == .invalidParameter && error.commandIndex == 1)
      }
      let limit = PostgresConfiguration.pipelineCommandsMax
      let error = try await postgresError {
        try await pool.pipeline(Array(repeating: ("SELECT 1", []), count: limit + 1))
      }
      #expect(error.code == .invalidParameter)
    }
  }

  // Proves bulk both ways with 100,000 rows: as many commands in one pipeline (the largest allowed), and one
  // statement over arrays; what arrived is compared by the server's own sums.
  @Test func `a hundred thousand rows arrive by pipeline and by arrays`() async throws {
    try await withPool(connectionLimit: 1, statementTimeoutMilliseconds: 120_000) { pool in
      try await pool.executeScript("CREATE TABLE t (n int8, w text, b bytea)")
      let count = PostgresConfiguration.pipelineCommandsMax
      let insert: PostgresStatement = "INSERT INTO t VALUES ($1, $2, $3)"
      let commands: [(PostgresStatement, [PostgresParameter])] = (0..<count).map {
        (insert, [.int8(Int64($0)), .text("row \($0)"), .bytes([UInt8(truncatingIfNeeded: $0)])])
      }
      let clock = ContinuousClock()
      let pipelineTime = try await clock.measure {
        let results = try await pool.pipeline(commands)
        #expect(results.count == count && results.allSatisfy { $0.affectedRows == 1 })
      }
      let arrayTime = try await clock.measure {
        let result = try await pool.execute(
          "INSERT INTO t SELECT * FROM unnest($1::int8[], $2::text[], $3::bytea[])",
          [
            .int8Array((0..<count).map { Int64($0) }), .textArray((0..<count).map { "row \($0)" }),
            .bytesArray((0..<count).map { [UInt8(truncatingIfNeeded: $0)] }),
          ])
        #expect(result.affectedRows == count)
      }
      let sums = try await pool.execute(
        "SELECT count(*) AS n, count(DISTINCT (n, w, b)) AS d, sum(n)::int8 AS s FROM t WHERE w = 'row ' || n"
      ).rows[0]
      #expect(try sums.int8("n") == Int64(2 * count) && sums.int8("d") == Int64(count))
      #expect(try sums.int8("s") == Int64(count) * Int64(count - 1))
      let readTime = try await clock.measure {
        let rows = try await pool.execute("SELECT n, w, b FROM t LIMIT 100000").rows
        #expect(try rows.last?.text("w").hasPrefix("row ") == true)
      }
      print("100,000 rows: pipeline \(pipelineTime), arrays \(arrayTime), read \(readTime)")
    }
  }

  // Proves that neither side waits for the other for ever when both send a lot: large values up, and at the
  // same time large values down, far beyond what sockets hold.
  @Test func `large values both ways do not block one another`() async throws {
    try await withPool(connectionLimit: 1, statementTimeoutMilliseconds: 60_000) { pool in
      let value = [UInt8](repeating: 42, count: 1_000_000)
      let results = try await pool.pipeline(Array(repeating: ("SELECT $1 AS v", [.bytes(value)]), count: 50))
      #expect(try results.allSatisfy { try $0.rows[0].bytes("v") == value })
    }
  }

  // Measures round trips of a single connection, for the record; the bound only catches a hang.
  @Test func `round trips on one connection`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      let count = 2_000
      let statement: PostgresStatement = "SELECT $1 AS v"
      let time = try await pool.withConnection { connection in
        try await connection.execute(statement, [.int8(0)])
        return try await ContinuousClock().measure {
          for index in 0..<count {
            let row = try await connection.execute(statement, [.int8(Int64(index))]).rows[0]
            #expect(try row.int8("v") == Int64(index))
          }
        }
      }
      print("\(count) round trips on one connection: \(time)")
      #expect(time < .seconds(60))
    }
  }
}
