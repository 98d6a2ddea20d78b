import Foundation
import TestSupport
import Testing

@testable import Redis

/// Shows what callers learn when the server goes away, freezes, refuses or is overrun, and that the client comes back.
@Suite struct RedisFailureTests {
  @Test func `commands wait for a server that restarts and find its data`() async throws {
    let redis = try await PrivateRedis.start()
    let client = try makeClient(redis.url)
    _ = try await client.send(["SET", "k", "kept"])
    for _ in 0..<3 {
      try await redis.restart()
      #expect(try await client.send(["GET", "k"]).text == "kept")
    }
    await client.close()
    await redis.stop()
  }

  /// Numbers are counted up by one command at a time while the server is killed again and again. A command that was
  /// answered was executed; one whose answer is missing may have been; nothing is sent twice. So the counter ends between
  /// the answered ones and the answered and unknown ones together.
  @Test func `a killed server makes what was sent unknown, and nothing is executed twice`() async throws {
    let redis = try await PrivateRedis.start(arguments: ["--appendfsync", "always"])
    let client = try makeClient(redis.url)
    let counting = Task {
      var (answered, unknown) = (0, 0)
      while !Task.isCancelled {
        do throws(RedisError) {
          _ = try await client.send(["INCR", "n"])
          answered += 1
        } catch {
          if error.outcome == .unknown { unknown += 1 }
          if error.code == .cancelled { break }
          #expect([.connectionLost, .cancelled].contains(error.code))
        }
      }
      return (answered, unknown)
    }
    let observer = try makeClient(redis.url)
    for round in 1...5 {
      try await eventually("counting goes on in round \(round)") {
        // Another connection may be cut by the kill as well: then it looks again.
        let number = try? await observer.send(["INCRBY", "n", 0]).integer
        return (number ?? 0) >= Int64(round * 20)
      }
      try await redis.kill()
      try await redis.restart()
    }
    counting.cancel()
    let (answered, unknown) = await counting.value
    let counted = try #require(try await observer.send(["INCRBY", "n", 0]).integer)
    #expect(answered >= 5 * 20 - 10)
    #expect(Int(counted) >= answered && Int(counted) <= answered + unknown)
    #expect(unknown <= 6)
    await client.close()
    await observer.close()
    await redis.stop()
  }

  @Test func `without a server a command is not sent, and its error names the reason`() async throws {
    let redis = try await PrivateRedis.start()
    try await redis.kill()
    let client = try makeClient(redis.url) { $0.commandTimeoutMilliseconds = 200 }
    let began = ContinuousClock.now
    let error = try await failure { () async throws(RedisError) in try await client.send(["PING"]) }
    #expect(error.code == .notConnected && error.outcome == .notSent)
    #expect(error.message.contains("connecting failed"))
    #expect(ContinuousClock.now - began >= .milliseconds(200))
    try await redis.restart()
    #expect(try await client.send(["PING"], timeoutMilliseconds: 20_000) == .status("PONG"))
    await client.close()
    await redis.stop()
  }

  @Test func `a command that a frozen server does not answer in time is unknown and its late reply is dropped`()
    async throws
  {
    let redis = try await PrivateRedis.start()
    let client = try makeClient(redis.url)
    _ = try await client.send(["PING"])
    await redis.pause()
    let error = try await failure { () async throws(RedisError) in
      try await client.send(["INCR", "n"], timeoutMilliseconds: 100)
    }
    #expect(error.code == .timedOut && error.outcome == .unknown)
    await redis.resume()
    // The unknown command was executed after all; the next reply is not its own.
    #expect(try await client.send(["INCR", "n"]) == .integer(2))
    await client.close()
    await redis.stop()
  }

  @Test func `a connection that stays silent beyond the limit is given up and made anew`() async throws {
    let redis = try await PrivateRedis.start()
    let client = try makeClient(redis.url) {
      $0.silenceLimitMilliseconds = 100
      $0.connectTimeoutMilliseconds = 300
    }
    let first = try await client.send(["CLIENT", "ID"])
    await redis.pause()
    let short = Task { try await client.send(["ECHO", "short"], timeoutMilliseconds: 50) }
    let long = Task { try await client.send(["ECHO", "long"], timeoutMilliseconds: 20_000) }
    await #expect {
      _ = try await short.value
    } throws: { ($0 as? RedisError)?.code == .timedOut }
    await #expect {
      _ = try await long.value
    } throws: { ($0 as? RedisError)?.code == .connectionLost && ($0 as? RedisError)?.outcome == .unknown }
    await redis.resume()
    #expect(try await client.send(["CLIENT", "ID"]) != first)
    await client.close()
    await redis.stop()
  }

  @Test func `the queue takes its maximum and refuses the next, and takes more once it is empty`() async throws {
    let redis = try await PrivateRedis.start()
    let client = try makeClient(redis.url) { $0.maximumPendingCommands = 10 }
    _ = try await client.send(["PING"])
    await redis.pause()
    let waiting = Task { try await client.pipeline(Array(repeating: ["INCR", "n"], count: 10)) }
    try await eventually("ten commands wait") { await client.pendingCommands() == 10 }
    let error = try await failure { () async throws(RedisError) in try await client.send(["INCR", "n"]) }
    #expect(error.code == .queueFull && error.outcome == .notSent)
    await redis.resume()
    #expect(try await waiting.value.last == .integer(10))
    #expect(try await client.send(["INCR", "n"]) == .integer(11))
    await client.close()
    await redis.stop()
  }

  @Test func `users and passwords of the URL open the door, and wrong ones say so without a secret`() async throws {
    let redis = try await PrivateRedis.start(arguments: ["--requirepass", "main:p@ss"])
    let address = "127.0.0.1:\(redis.port)"
    let main = try makeClient("redis://:main%3Ap%40ss@\(address)")
    #expect(try await main.send(["PING"]) == .status("PONG"))
    _ = try await main.send(["ACL", "SETUSER", "worker", "on", ">hunter2", "~s.*", "+xlen", "+select"])

    let worker = try makeClient("redis://worker:hunter2@\(address)/3")
    #expect(try await worker.send(["XLEN", "s.a"]) == .integer(0))
    let denied = try await failure { () async throws(RedisError) in try await worker.send(["GET", "s.a"]) }
    #expect(denied.serverError?.word == "NOPERM")

    for url in ["redis://worker:wrong-word@\(address)", "redis://\(address)"] {
      let client = try makeClient(url)
      let error = try await failure { () async throws(RedisError) in try await client.send(["PING"]) }
      #expect(error.code == .connectionRefused && error.outcome == .notSent)
      #expect(error.message.contains("WRONGPASS") || error.message.contains("NOAUTH"))
      #expect(!"\(error)".contains("wrong-word"))
      await client.close()
    }
    await main.close()
    await worker.close()
    await redis.stop()
  }

  @Test func `a server without memory refuses by name`() async throws {
    let redis = try await PrivateRedis.start(arguments: ["--maxmemory", "1"])
    let client = try makeClient(redis.url)
    let error = try await failure { () async throws(RedisError) in try await client.send(["SET", "k", "v"]) }
    #expect(error.outcome == .answered && error.serverError?.word == "OOM")
    await client.close()
    await redis.stop()
  }

  @Test func `a reply beyond the limit ends the connection and the next command works`() async throws {
    let client = try await makeSharedClient { $0.maximumReplyBytes = 100_000 }
    _ = try await client.send(["SET", "large", .bytes([UInt8](repeating: 1, count: 200_000))])
    let error = try await failure { () async throws(RedisError) in try await client.send(["GET", "large"]) }
    #expect(error.code == .connectionLost && error.outcome == .unknown && error.message.contains("100000"))
    #expect(try await client.send(["STRLEN", "large"]) == .integer(200_000))
    await client.close()
  }

  /// TLS with a certificate made for the test: trusted through its authority file by address and by name; without that
  /// file, nothing is sent.
  @Test func `TLS carries commands, and a certificate that nobody vouches for is refused`() async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("redis-tls-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (key, certificate) = ("\(folder.path)/key.pem", "\(folder.path)/certificate.pem")
    try await runOpenSSL(
      ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key]
        + ["-out", certificate, "-days", "2", "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
    let redis = try await PrivateRedis.start(
      arguments: ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate]
        + ["--tls-auth-clients", "no", "--tls-port", "{tls-port}"])
    let port = try #require(redis.tlsPort)
    for host in ["127.0.0.1", "localhost"] {
      let client = try makeClient("rediss://\(host):\(port)") { $0.certificateAuthorityFile = certificate }
      let text = String(repeating: "tls", count: 50_000)
      #expect(try await client.send(["ECHO", .text(text)]).text == text)
      await client.close()
    }
    let stranger = try makeClient("rediss://127.0.0.1:\(port)") { $0.commandTimeoutMilliseconds = 300 }
    let error = try await failure { () async throws(RedisError) in try await stranger.send(["PING"]) }
    #expect(error.code == .notConnected && error.outcome == .notSent)
    #expect(throws: RedisError.self) {
      try makeClient("rediss://127.0.0.1:\(port)") { $0.certificateAuthorityFile = "\(folder.path)/missing.pem" }
    }
    await stranger.close()
    await redis.stop()
  }

  private func runOpenSSL(_ arguments: [String]) async throws {
    try await ChildProcess.require("/usr/bin/openssl", arguments)
  }
}
