import Logging
import Postgres
import ServiceLifecycle
import TestSupport
import Testing

/// Lending, waiting and closing.
@Suite struct PoolTests {
  /// A door that opens once.
  private struct Gate: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
      (stream, continuation) = AsyncStream<Void>.makeStream()
    }

    func open() { continuation.finish() }

    func wait() async { for await _ in stream {} }
  }

  /// Holds the only connection of `pool` until the gate opens.
  private func hold(_ pool: PostgresPool, until gate: Gate) async throws {
    try await pool.withConnection { _ in await gate.wait() }
  }

  // Proves that callers are served in the order of their arrival, that one which is cancelled while waiting
  // is told so, and that this changes nothing for the others.
  @Test func `waiting callers are served in order, and a cancelled one hurts nobody`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      let gate = Gate()
      let order = Locked<[Int]>([])
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await hold(pool, until: gate) }
        try await eventually("the connection is lent") { pool.statistics.busy == 1 }
        var cancelled: Task<PostgresError, any Error>?
        for number in 0..<6 {
          if number == 3 {
            cancelled = Task { try await postgresError { try await pool.execute("SELECT 1") } }
          } else {
            group.addTask {
              try await pool.withConnection { connection in
                order.change { $0 + [number] }
                try await connection.execute("SELECT 1")
              }
            }
          }
          try await eventually("caller \(number) waits") { pool.statistics.waiting == number + 1 }
        }
        cancelled?.cancel()
        #expect(try await cancelled?.value.code == .cancelled)
        #expect(pool.statistics.waiting == 5)
        gate.open()
        try await group.waitForAll()
      }
      #expect(order.value == [0, 1, 2, 4, 5])
      #expect(pool.statistics == PostgresPoolStatistics(idle: 1, busy: 0, waiting: 0, connectionLimit: 1))
    }
  }

  // Proves that a caller that waits too long is told so in time, and leaves nothing behind.
  @Test func `a caller waits no longer than its time`() async throws {
    try await withPool(connectionLimit: 1, acquireTimeoutMilliseconds: 200) { pool in
      // Opening the connection counts as waiting too, and may itself take longer than this on a busy machine.
      try await eventually("the connection is open") { (try? await pool.execute("SELECT 1")) != nil }
      let gate = Gate()
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await hold(pool, until: gate) }
        try await eventually("the connection is lent") { pool.statistics.busy == 1 }
        let began = ContinuousClock.now
        let error = try await postgresError { try await pool.execute("SELECT 1") }
        #expect(error.code == .acquireTimeout && error.isRetriable)
        #expect(ContinuousClock.now - began > .milliseconds(190))
        #expect(pool.statistics.waiting == 0)
        gate.open()
        try await group.waitForAll()
      }
      #expect(try await pool.execute("SELECT 1 AS v").rows[0].int4("v") == 1)
    }
  }

  // Proves that no more connections are open than allowed, by the server's count, under many callers.
  @Test func `the limit of connections holds on the server`() async throws {
    try await withPool(connectionLimit: 3) { pool in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<200 {
          group.addTask {
            let count = try await pool.execute(
              """
              SELECT count(*) FROM pg_stat_activity
              WHERE datname = current_database() AND application_name = 'PostgresTests'
              """
            ).rows[0].int8(0)
            #expect((1...3).contains(count))
          }
        }
        try await group.waitForAll()
      }
    }
  }

  // Proves that hundreds of callers cancelled at random moments leave every connection free again.
  @Test func `callers cancelled at any moment leak nothing`() async throws {
    try await withPool(connectionLimit: 3) { pool in
      var generator = SystemRandomNumberGenerator()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<150 {
          let delay = Int.random(in: 0...3_000, using: &generator)
          group.addTask {
            let caller = Task {
              try await pool.withTransaction { try await $0.execute("SELECT pg_sleep(0.001)") }
            }
            try await Task.sleep(for: .microseconds(delay))
            caller.cancel()
            do {
              _ = try await caller.value
            } catch let error as PostgresError {
              #expect(error.code == .cancelled, "\(error)")
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(pool.statistics.busy == 0 && pool.statistics.waiting == 0)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<3 { group.addTask { try await pool.execute("SELECT pg_sleep(0.1)") } }
        try await group.waitForAll()
      }
      #expect(pool.statistics.idle == 3)
    }
  }

  // Proves that a transaction left open does not reach the next caller, that what a session locked ends with
  // it where asked for, and stays with the connection otherwise.
  @Test func `what a body leaves open does not reach the next caller`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      try await pool.executeScript("CREATE TABLE t (n int8)")
      try await pool.withConnection { connection in
        try await connection.execute("BEGIN")
        try await connection.execute("INSERT INTO t VALUES (1)")
      }
      #expect(try await pool.execute("SELECT count(*) FROM t").rows[0].int8(0) == 0)
      let locks: PostgresStatement = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711"
      try await pool.withConnection { _ = try await $0.execute("SELECT pg_advisory_lock(4711)") }
      #expect(try await pool.execute(locks).rows[0].int8(0) == 1)
      try await pool.withConnection(closingAfterUse: true) { _ = try await $0.execute("SELECT 1") }
      try await eventually("the lock ends with its session") {
        try await pool.execute(locks).rows[0].int8(0) == 0
      }
    }
  }

  // Proves that parameters reported by the server can be read, and that the connection says who it is.
  @Test func `the server's parameters are readable`() async throws {
    try await withPool(connectionLimit: 1) { pool in
      try await pool.withConnection { connection in
        #expect(await connection.parameterStatus("server_version")?.isEmpty == false)
        #expect(await connection.parameterStatus("client_encoding") == "UTF8")
        #expect(await connection.parameterStatus("application_name") == "PostgresTests")
        #expect(await connection.parameterStatus("nothing") == nil)
        let row = try await connection.execute(
          "SELECT pg_backend_pid() AS pid, current_setting('client_connection_check_interval') AS interval"
        ).rows[0]
        let processID = await connection.backendProcessID
        #expect(try row.int4("pid") == processID)
        #expect(try row.text("interval") == "1s")
      }
    }
  }

  // Proves that the server compiles no statement of ours, which takes it longer than to run it, unless the URL asks for it.
  @Test func `statements are not compiled unless the URL says so`() async throws {
    let url = try await PrivatePostgres.shared().createDatabase()
    for (given, expected) in [("", "off"), ("?options=-c%20jit%3Don", "on"), ("?options=-c%20geqo%3Doff", "off")] {
      try await withPool(url: url + given) { pool in
        let row = try await pool.execute("SELECT current_setting('jit') AS jit").rows[0]
        #expect(try row.text("jit") == expected)
      }
    }
  }

  // Proves the closing: those who wait and those who come are refused, the one who holds a connection
  // finishes, and close returns only then; with no session left on the server.
  @Test func `closing waits for what is lent and refuses the rest`() async throws {
    let server = try await PrivatePostgres.shared()
    let url = try await server.createDatabase()
    let pool = PostgresPool(
      configuration: PostgresConfiguration(url: url, applicationName: "closing", connectionLimit: 1),
      logger: Logger(label: "test"))
    let gate = Gate()
    let isClosed = Locked(false)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await pool.withConnection { connection in
          await gate.wait()
          let wasClosed = isClosed.value
          #expect(!wasClosed)
          let row = try await connection.execute("SELECT 1 AS v").rows[0]
          #expect(try row.int4("v") == 1)
        }
      }
      try await eventually("the connection is lent") { pool.statistics.busy == 1 }
      group.addTask {
        let error = try await postgresError { try await pool.execute("SELECT 1") }
        #expect(error.code == .poolClosed)
      }
      try await eventually("a caller waits") { pool.statistics.waiting == 1 }
      group.addTask {
        await pool.close()
        isClosed.value = true
      }
      try await eventually("the waiting caller is refused") { pool.statistics.waiting == 0 }
      let late = try await postgresError { try await pool.execute("SELECT 1") }
      #expect(late.code == .poolClosed && !late.isRetriable)
      gate.open()
      try await group.waitForAll()
    }
    await pool.close()
    try await eventually("no session is left") {
      try await server.query("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'closing'") == "0"
    }
  }

  // Proves that the pool runs as a service and closes on graceful shutdown.
  @Test func `as a service it closes on graceful shutdown`() async throws {
    let url = try await PrivatePostgres.shared().createDatabase()
    let pool = PostgresPool(
      configuration: PostgresConfiguration(url: url, applicationName: "service", connectionLimit: 1),
      logger: Logger(label: "test"))
    let services = ServiceGroup(
      configuration: ServiceGroupConfiguration(services: [.init(service: pool)], logger: Logger(label: "test")))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await services.run() }
      #expect(try await pool.execute("SELECT 1 AS v").rows[0].int4("v") == 1)
      await services.triggerGracefulShutdown()
      try await group.waitForAll()
    }
    let error = try await postgresError { try await pool.execute("SELECT 1") }
    #expect(error.code == .poolClosed)
  }
}
