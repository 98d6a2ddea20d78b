import Logging
import Synchronization
import TestSupport
import Testing

@testable import Redis

/// A client of a private server. `change` adjusts its configuration.
func makeClient(
  _ url: String, _ change: (inout RedisConfiguration) -> Void = { _ in }
) throws -> RedisClient {
  var configuration = try RedisConfiguration(url: url)
  configuration.backoff = RedisBackoff(baseMilliseconds: 5, maximumMilliseconds: 50)
  configuration.commandTimeoutMilliseconds = 60_000
  change(&configuration)
  return try RedisClient(
    configuration: configuration, logger: Logger(label: "test"), generator: SeededGenerator(seed: 1))
}

/// Numbers databases, so that tests on the shared server do not see each other.
private let nextDatabase = Atomic<Int>(1)

/// A client of the shared server with a database of its own.
func makeSharedClient(_ change: (inout RedisConfiguration) -> Void = { _ in }) async throws -> RedisClient {
  let database = nextDatabase.add(1, ordering: .relaxed).newValue
  return try makeClient("\(try await PrivateRedis.shared().url)/\(database)", change)
}

/// Waits until `condition` holds; fails the test when it does not within a minute.
func eventually(_ what: Comment, _ condition: () async throws -> Bool) async throws {
  let end = ContinuousClock.now + .seconds(60)
  while try await !condition() {
    try #require(ContinuousClock.now < end, what)
    try await Task.sleep(for: .milliseconds(5))
  }
}

/// The error of a call that must fail.
func failure(_ call: () async throws(RedisError) -> some Sendable) async throws -> RedisError {
  do throws(RedisError) {
    _ = try await call()
  } catch {
    return error
  }
  return try #require(nil as RedisError?, "the call should have failed")
}

/// Shows the client against a real server: order, sharing, refusals, limits, closing.
@Suite struct RedisClientTests {
  @Test func `values of every kind go there and back`() async throws {
    let client = try await makeSharedClient()
    let binary = (0...255).map { UInt8($0) }
    #expect(try await client.send(["SET", "k", .bytes(binary)]) == .status("OK"))
    #expect(try await client.send(["GET", "k"]) == .bulk(binary))
    #expect(try await client.send(["GET", "missing"]) == .null)
    #expect(try await client.send(["INCRBY", "n", -5]) == .integer(-5))
    #expect(try await client.send(["LRANGE", "missing", 0, -1]) == .array([]))
    let large = [UInt8](repeating: 7, count: 5 << 20)
    #expect(try await client.send(["SET", "large", .bytes(large)]) == .status("OK"))
    #expect(try await client.send(["GET", "large"]) == .bulk(large))
    await client.close()
  }

  @Test func `the replies of a pipeline stand in the order of its commands`() async throws {
    let client = try await makeSharedClient()
    let commands = (0..<5_000).map { number -> [RedisArgument] in ["ECHO", .integer(number)] }
    let replies = try await client.pipeline(commands)
    #expect(replies.map(\.text) == (0..<5_000).map { String($0) })
    #expect(try await client.pipeline([]).isEmpty)
    await client.close()
  }

  /// Two hundred callers at once, each must get its own answers, whatever the others do.
  @Test func `many callers on one connection each get their own replies`() async throws {
    let client = try await makeSharedClient()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for caller in 0..<200 {
        group.addTask {
          for turn in 0..<20 {
            let text = "\(caller)-\(turn)"
            let replies = try await client.pipeline([["ECHO", .text(text)], ["ECHO", .text(text + "!")]])
            #expect(replies.map(\.text) == [text, text + "!"])
          }
        }
      }
      try await group.waitForAll()
    }
    let clients = try await client.send(["CLIENT", "INFO"])
    #expect(clients.text?.contains(" db=") == true)
    await client.close()
  }

  @Test func `a refusal is answered and carries its code word`() async throws {
    let client = try await makeSharedClient()
    _ = try await client.send(["SET", "text", "x"])
    let wrongType = try await failure { () async throws(RedisError) in try await client.send(["XLEN", "text"]) }
    #expect(wrongType.code == .server && wrongType.outcome == .answered && wrongType.serverError?.word == "WRONGTYPE")
    _ = try await client.send(["XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"])
    let busy = try await failure { () async throws(RedisError) in
      try await client.send(["XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"])
    }
    #expect(busy.serverError?.word == "BUSYGROUP")
    let replies = try await client.pipeline([["SET", "a", 1], ["XLEN", "text"], ["GET", "a"]])
    #expect(replies[0] == .status("OK") && replies[1].error?.word == "WRONGTYPE" && replies[2].text == "1")
    await client.close()
  }

  @Test func `a refusal inside a transaction stands in its array`() async throws {
    let client = try await makeSharedClient()
    let replies = try await client.pipeline([["MULTI"], ["SET", "text", "x"], ["XLEN", "text"], ["EXEC"]])
    #expect(replies.map(\.text) == ["OK", "QUEUED", "QUEUED", nil])
    #expect(replies[3].array?.last?.error?.word == "WRONGTYPE")
    await client.close()
  }

  @Test func `wrong commands and too long pipelines are refused before sending`() async throws {
    let client = try await makeSharedClient { $0.maximumPipelineCommands = 2 }
    #expect(try await client.pipeline([["PING"], ["PING"]]).count == 2)
    for commands in [[["PING"], ["PING"], ["PING"]], [[]]] as [[[RedisArgument]]] {
      let error = try await failure { () async throws(RedisError) in try await client.pipeline(commands) }
      #expect(error.code == .invalidCommand && error.outcome == .notSent)
    }
    await client.close()
  }

  @Test func `each client works in the database of its URL`() async throws {
    let url = try await PrivateRedis.shared().url
    let one = try makeClient("\(url)/3001")
    let other = try makeClient("\(url)/3002")
    _ = try await one.send(["SET", "k", "one"])
    #expect(try await other.send(["GET", "k"]) == .null)
    let missing = try makeClient("\(url)/4096")
    let error = try await failure { () async throws(RedisError) in try await missing.send(["PING"]) }
    #expect(error.code == .connectionRefused && error.outcome == .notSent)
    for client in [one, other, missing] { await client.close() }
  }

  /// The answer to a blocked command stays away; its caller is cancelled; the next caller must get its own answer and not
  /// the late one.
  @Test func `a cancelled caller keeps its slot and its neighbours get their own replies`() async throws {
    let client = try await makeSharedClient()
    let other = try makeClient(try await PrivateRedis.shared().url + "/\(client.configuration.endpoint.database)")
    let id = Int(try #require(try await client.send(["CLIENT", "ID"]).integer))
    let blocked = Task { try await client.send(["BLPOP", "list", 0]) }
    try await eventually("the client is blocked") {
      try await other.send(["CLIENT", "LIST", "ID", .integer(id)]).text?.contains("flags=b") == true
    }
    let neighbour = Task { try await client.send(["ECHO", "mine"]) }
    blocked.cancel()
    await #expect {
      _ = try await blocked.value
    } throws: { ($0 as? RedisError)?.code == .cancelled && ($0 as? RedisError)?.outcome == .unknown }
    _ = try await other.send(["RPUSH", "list", "late"])
    #expect(try await neighbour.value == .bulk(Array("mine".utf8)))
    #expect(try await client.send(["ECHO", "next"]).text == "next")
    await client.close()
    await other.close()
  }

  @Test func `a task that is cancelled already sends nothing`() async throws {
    let client = try await makeSharedClient()
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await client.send(["SET", "k", "v"])
    }
    await #expect {
      _ = try await task.value
    } throws: { ($0 as? RedisError)?.code == .cancelled && ($0 as? RedisError)?.outcome == .notSent }
    #expect(try await client.send(["GET", "k"]) == .null)
    await client.close()
  }

  /// Cancels a thousand callers at random moments; whatever happened to them, the connection goes on in step.
  @Test func `cancelling at any moment resumes every caller once and keeps the order`() async throws {
    let client = try await makeSharedClient()
    var generator = SeededGenerator(seed: 42)
    for round in 0..<50 {
      let tasks = (0..<20).map { number in
        Task { try await client.send(["ECHO", "\(round)-\(number)"]).text }
      }
      for (number, task) in tasks.enumerated() where Bool.random(using: &generator) {
        if number.isMultiple(of: 3) { await Task.yield() }
        task.cancel()
      }
      for (number, task) in tasks.enumerated() {
        do {
          #expect(try await task.value == "\(round)-\(number)")
        } catch {
          #expect((error as? RedisError)?.code == .cancelled)
        }
      }
    }
    #expect(try await client.send(["ECHO", "end"]).text == "end")
    await client.close()
  }

  @Test func `a client for blocking reads closes its connection when it is cancelled and connects again`() async throws
  {
    let observer = try await makeSharedClient()
    let url = try await PrivateRedis.shared().url + "/\(observer.configuration.endpoint.database)"
    let client = try makeClient(url) { $0 = $0.forBlockingReads }
    let list = "list-\(observer.configuration.endpoint.database)"
    let id = try #require(try await client.send(["CLIENT", "ID"]).integer)
    let blocked = Task { try await client.send(["BLPOP", .text(list), 0]) }
    try await eventually("the client is blocked") {
      try await observer.send(["CLIENT", "LIST", "ID", .integer(Int(id))]).text?.contains("flags=b") == true
    }
    blocked.cancel()
    await #expect(throws: RedisError.self) { _ = try await blocked.value }
    try await eventually("the server has let the connection go") {
      try await observer.send(["CLIENT", "LIST", "ID", .integer(Int(id))]).text?.isEmpty == true
    }
    _ = try await observer.send(["RPUSH", .text(list), "kept"])
    #expect(try await observer.send(["LLEN", .text(list)]) == .integer(1))
    #expect(try await client.send(["LPOP", .text(list)]).text == "kept")
    await client.close()
    await observer.close()
  }

  @Test func `a closed client refuses, and closing twice is harmless`() async throws {
    let client = try await makeSharedClient()
    _ = try await client.send(["PING"])
    await client.close()
    await client.close()
    let error = try await failure { () async throws(RedisError) in try await client.send(["PING"]) }
    #expect(error.code == .closed && error.outcome == .notSent)
    let unused = try await makeSharedClient()
    await unused.close()
  }

  /// The server is frozen with five thousand commands on their way; the client begins to close, and refuses already, when
  /// the server thaws: all five thousand are answered.
  @Test func `closing waits for the answers that are owed`() async throws {
    let redis = try await PrivateRedis.start()
    let client = try makeClient(redis.url) { $0.closeLimitMilliseconds = 20_000 }
    _ = try await client.send(["PING"])
    await redis.pause()
    let owed = Task { try await client.pipeline(Array(repeating: ["INCR", "n"], count: 5_000)).last }
    try await eventually("the pipeline is under way") { await client.pendingCommands() == 5_000 }
    let closing = Task { await client.close() }
    try await eventually("the client is closing") {
      let error = try await failure { () async throws(RedisError) in
        try await client.send(["PING"], timeoutMilliseconds: 1)
      }
      return error.code == .closed
    }
    await redis.resume()
    #expect(try await owed.value == .integer(5_000))
    await closing.value
    await redis.stop()
  }

  @Test func `closing does not wait for answers beyond its limit`() async throws {
    let redis = try await PrivateRedis.start()
    let client = try makeClient(redis.url) { $0.closeLimitMilliseconds = 100 }
    _ = try await client.send(["PING"])
    await redis.pause()
    let owed = Task { try await client.send(["INCR", "n"]) }
    try await eventually("the command is under way") { await client.pendingCommands() == 1 }
    await client.close()
    await #expect {
      _ = try await owed.value
    } throws: { ($0 as? RedisError)?.code == .connectionLost && ($0 as? RedisError)?.outcome == .unknown }
    await redis.stop()
  }

  @Test func `a running service keeps a connection without commands, until it is cancelled`() async throws {
    let redis = try await PrivateRedis.start()
    let observer = try makeClient(redis.url)
    let client = try makeClient(redis.url)
    let service = Task { try await client.run() }
    try await eventually("the service has connected") { try await connections(observer) == 2 }
    _ = try await observer.send(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
    try await eventually("the service has connected again") { try await connections(observer) == 2 }
    #expect(try await client.send(["PING"]) == .status("PONG"))
    service.cancel()
    try await service.value
    let error = try await failure { () async throws(RedisError) in try await client.send(["PING"]) }
    #expect(error.code == .closed)
    try await eventually("the connection is gone") { try await connections(observer) == 1 }
    await observer.close()
    await redis.stop()
  }

  @Test func `a client that is let go closes its connection`() async throws {
    let redis = try await PrivateRedis.start()
    let observer = try makeClient(redis.url)
    var client: RedisClient? = try makeClient(redis.url)
    _ = try await client?.send(["PING"])
    #expect(try await connections(observer) == 2)
    client = nil
    try await eventually("the connection is gone") { try await connections(observer) == 1 }
    await observer.close()
    await redis.stop()
  }

  private func connections(_ observer: RedisClient) async throws -> Int {
    let list = try #require(try await observer.send(["CLIENT", "LIST"]).text)
    return list.split(separator: "\n").count
  }
}
