import Postgres
import Testing

/// Every parameter type goes to the server in binary and comes back equal; the server is asked, in SQL, whether
/// it understood the value, so that two equal mistakes here could not hide one another.
@Suite struct RoundTripTests {
  // Proves numbers at both ends of their ranges, against the server's own literals.
  @Test func `numbers keep their value at both ends of their ranges`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      for value in [Int64.min, -1, 0, 1, Int64.max] {
        let row = try await pool.execute(
          "SELECT $1::int8 AS v, $1::int8::text AS t", [.int8(value)]
        ).rows[0]
        #expect(try row.int8("v") == value)
        #expect(try row.text("t") == String(value))
      }
      for value in [Int32.min, -1, 0, 1, Int32.max] {
        let row = try await pool.execute("SELECT $1 + 0 AS v, ($1 + 0)::text AS t", [.int4(value)]).rows[0]
        #expect(try row.int4("v") == value)
        #expect(try row.int8("v") == Int64(value))
        #expect(try row.text("t") == String(value))
      }
      let row = try await pool.execute("SELECT (-32768)::int2 AS s, 4294967295::oid AS o, true AS y, false AS n")
        .rows[0]
      #expect(try row.int4("s") == -32768 && row.int8("s") == -32768)
      #expect(try row.int8("o") == 4_294_967_295)
      #expect(try row.bool("y") && !row.bool("n"))
      for value in [true, false] {
        let row = try await pool.execute("SELECT $1 AS v, $1::text AS t", [.bool(value)]).rows[0]
        #expect(try row.bool("v") == value)
        #expect(try row.text("t") == String(value))
      }
    }
  }

  // Proves text, bytes, uuid and jsonb, empty ones and long ones included.
  @Test func `texts and bytes keep their content`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      for value in ["", "x", "Größe €, 雪, 🧾", "'; DROP TABLE t; --", String(repeating: "ab", count: 500_000)] {
        let row = try await pool.execute("SELECT $1 AS v, length($1) AS n", [.text(value)]).rows[0]
        #expect(try row.text("v") == value)
        #expect(try row.int4("n") == Int32(value.unicodeScalars.count))
      }
      for value in [[], [0], [0, 255, 10, 92], (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }] as [[UInt8]] {
        let row = try await pool.execute("SELECT $1 AS v, length($1) AS n", [.bytes(value)]).rows[0]
        #expect(try row.bytes("v") == value)
        #expect(try row.int4("n") == Int32(value.count))
      }
      let uuid = (0..<16).map { UInt8($0 * 17) }
      let row = try await pool.execute("SELECT $1 AS v, $1::text AS t", [.uuid(uuid)]).rows[0]
      #expect(try row.uuid("v") == uuid)
      #expect(try row.text("t") == "00112233-4455-6677-8899-aabbccddeeff")
      let json = try await pool.execute("SELECT $1 AS v, $1->>'a' AS t", [.json("{\"a\": \"b\"}")]).rows[0]
      #expect(try json.text("v") == "{\"a\": \"b\"}")
      #expect(try json.text("t") == "b")
    }
  }

  // Proves times: the epochs, the last valid value on each side, and the first invalid ones. The server's
  // earliest timestamptz is 4714-11-24 BC, -210866803200 s; the latest lies beyond Int64 microseconds.
  @Test func `times keep their microsecond over the whole range`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      let earliest: Int64 = -210_866_803_200_000_000
      let times: [(Int64, String)] = [
        (earliest, "4714-11-24 00:00:00 BC"), (-1, "1969-12-31 23:59:59.999999"), (0, "1970-01-01 00:00:00"),
        (1, "1970-01-01 00:00:00.000001"), (946_684_800_000_000, "2000-01-01 00:00:00"),
        (1_700_000_000_123_456, "2023-11-14 22:13:20.123456"), (.max, "294247-01-10 04:00:54.775807"),
      ]
      for (value, text) in times {
        let row = try await pool.execute(
          "SELECT $1 AS v, ($1 AT TIME ZONE 'UTC')::text AS t", [.timestamp(microsecondsSinceUnixEpoch: value)]
        ).rows[0]
        #expect(try row.timestampMicroseconds("v") == value)
        #expect(try row.text("t") == text)
      }
      let tooEarly = try await postgresError {
        try await pool.execute("SELECT $1", [.timestamp(microsecondsSinceUnixEpoch: earliest - 1)])
      }
      #expect(tooEarly.code == .server && tooEarly.sqlState == "22008")
      let unencodable = try await postgresError {
        try await pool.execute("SELECT $1", [.timestamp(microsecondsSinceUnixEpoch: .min)])
      }
      #expect(unencodable.code == .invalidParameter)
      let infinity = try await pool.execute("SELECT 'infinity'::timestamptz AS v, '-infinity'::timestamptz AS w")
      #expect(throws: PostgresError.self) { try infinity.rows[0].timestampMicroseconds("v") }
      #expect(throws: PostgresError.self) { try infinity.rows[0].timestampMicroseconds("w") }
    }
  }

  // Proves that NULL goes through for every type, and is told apart from empty.
  @Test func `NULL is nil for the getters that allow it and an error for the others`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      let row = try await pool.execute(
        """
        SELECT $1::int8 AS a, $2::text AS b, $3::bytea AS c, $4::uuid AS d, $5::timestamptz AS e, $6::bool AS f,
               $7::int4 AS g, $8::int8[] AS h, $9::jsonb AS i, '' AS empty
        """, Array(repeating: .null, count: 9)
      ).rows[0]
      #expect(try row.int8OrNil("a") == nil && row.textOrNil("b") == nil && row.bytesOrNil("c") == nil)
      #expect(try row.uuidOrNil("d") == nil && row.timestampMicrosecondsOrNil("e") == nil)
      #expect(try row.boolOrNil("f") == nil && row.int4OrNil("g") == nil)
      #expect(try row.int8ArrayOrNil("h") == nil && row.textOrNil("i") == nil)
      #expect(try row.isNull("a") && !row.isNull("empty"))
      #expect(try row.textOrNil("empty") == "")
      let error = try await postgresError { _ = try row.int8("a") }
      #expect(error.code == .decoding && error.message.contains("\"a\"") && error.message.contains("int8"))
      #expect(throws: PostgresError.self) { try row.int8Array("h") }
    }
  }

  // Proves arrays: empty, with NULLs, and element by element as the server sees them.
  @Test func `arrays keep their elements, NULLs and order`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      let uuid = [UInt8](repeating: 7, count: 16)
      let row = try await pool.execute(
        """
        SELECT $1 AS i8, $2 AS i4, $3 AS b, $4 AS t, $5 AS y, $6 AS u, $7 AS ts, $8 AS j, $9 AS none,
               $1::text AS i8text, $4::text AS ttext, array_length($5, 1) AS ylength, $8[1]->>'k' AS jk
        """,
        [
          .int8Array([.min, nil, .max]), .int4Array([.min, 0, .max]), .boolArray([true, nil, false]),
          .textArray(["", nil, "ä,\"b\""]), .bytesArray([[], [1, 0], nil]), .uuidArray([uuid, nil]),
          .timestampArray([0, -1, nil]), .jsonArray(["{\"k\": \"v\"}", nil]), .int8Array([]),
        ]
      ).rows[0]
      #expect(try row.int8ArrayWithNils("i8") == [.min, nil, .max])
      #expect(try row.int4Array("i4") == [.min, 0, .max])
      #expect(try row.boolArrayWithNils("b") == [true, nil, false])
      #expect(try row.textArrayWithNils("t") == ["", nil, "ä,\"b\""])
      #expect(try row.bytesArrayWithNils("y") == [[], [1, 0], nil])
      #expect(try row.uuidArrayWithNils("u") == [uuid, nil])
      #expect(try row.timestampArrayWithNils("ts") == [0, -1, nil])
      #expect(try row.textArrayWithNils("j") == ["{\"k\": \"v\"}", nil])
      #expect(try row.int8Array("none") == [])
      #expect(try row.text("i8text") == "{-9223372036854775808,NULL,9223372036854775807}")
      #expect(try row.text("ttext") == "{\"\",NULL,\"ä,\\\"b\\\"\"}")
      #expect(try row.int4("ylength") == 3)
      #expect(try row.text("jk") == "v")
      #expect(throws: PostgresError.self) { try row.int8Array("i8") }
      let nested = try await pool.execute("SELECT ARRAY[[1::int8, 2], [3, 4]] AS v").rows[0]
      #expect(throws: PostgresError.self) { try nested.int8Array("v") }
    }
  }

  // Proves that text fits enums, alone and in arrays cast by element, and is refused where the server takes
  // a number: its eight bytes would otherwise become one.
  @Test func `text fits an enum and never a number`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      try await pool.executeScript(
        "CREATE TYPE mood AS ENUM ('calm', 'wild'); CREATE TABLE t (m mood NOT NULL, n int8, w varchar(9), j json)")
      try await pool.execute(
        "INSERT INTO t VALUES ($1, $2, $3, $4)", [.text("wild"), .int8(1), .text("word"), .text("[1]")])
      try await pool.execute(
        "INSERT INTO t (m) SELECT e::mood FROM unnest($1::text[]) AS e", [.textArray(["calm", "wild"])])
      let rows = try await pool.execute("SELECT m, w, j FROM t WHERE m = $1", [.text("wild")]).rows
      #expect(rows.count == 2)
      #expect(try rows[0].text("m") == "wild" && rows[0].text("w") == "word" && rows[0].text("j") == "[1]")
      let enums = try await pool.execute("SELECT array_agg(m ORDER BY m) AS all FROM t").rows[0]
      #expect(try enums.textArray("all") == ["calm", "wild", "wild"])
      let error = try await postgresError {
        try await pool.execute("INSERT INTO t (m, n) VALUES ('calm', $1)", [.text("12345678")])
      }
      #expect(error.code == .invalidParameter && error.message.contains("$1"))
      #expect(try await pool.execute("SELECT count(*) FROM t").rows[0].int8(0) == 3)
    }
  }

  // Proves that decoding errors name column, types and statement.
  @Test func `a wrong type or name is told with all names`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      let result = try await pool.execute("SELECT 'x'::text AS word, sum(1::int8) AS total")
      let wrongType = try await postgresError { _ = try result.rows[0].int8("word") }
      #expect(wrongType.message.contains("\"word\"") && wrongType.message.contains("oid 25"))
      #expect(wrongType.statement?.contains("AS word") == true)
      let numeric = try await postgresError { _ = try result.rows[0].int8("total") }
      #expect(numeric.message.contains("cast"))
      let missing = try await postgresError { _ = try result.rows[0].int8("words") }
      #expect(missing.message.contains("word, total"))
      #expect(throws: PostgresError.self) { try result.rows[0].int8(2) }
      #expect(throws: PostgresError.self) { try result.rows[0].int8(-1) }
      #expect(try result.rows[0].text(0) == "x")
    }
  }
}
