import NIOCore
import NIOPosix
import Payouts
import Testing
import Worker

@testable import Ingest

/// Requests that nobody should send.
struct HostileRequestsTests {
  @Test func `thousands of mutated bodies never make an error of ours`() async throws {
    // Proves that whatever stands in a body, the answer is 201 or a problem of the caller's: bytes changed, doubled, cut,
    // and values swapped, from a printed seed.
    let seed = UInt64.random(in: .min ... .max)
    print("seed of the mutated bodies: \(seed)")
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let token = ingest.token()
      let counts = try await withThrowingTaskGroup(of: [Int: Int].self) { group in
        for worker in 0..<20 {
          group.addTask {
            var generator = SplitMix(state: seed &+ UInt64(worker))
            var counts: [Int: Int] = [:]
            for _ in 0..<200 {
              let body = Mutation.body(using: &generator)
              let reply = try await ingest.ask(
                "POST", "/payouts", token: token, headers: ["Content-Type": "application/json"], body: body)
              #expect(
                reply.status == 201 || reply.status == 400, "\(reply.status): \(String(decoding: body, as: UTF8.self))")
              counts[reply.status, default: 0] += 1
            }
            return counts
          }
        }
        return try await group.reduce(into: [:]) { $0.merge($1) { $0 + $1 } }
      }
      print("answers to mutated bodies: \(counts)")
      #expect(counts.values.reduce(0, +) == 4_000)
      #expect((counts[201] ?? 0) > 100 && (counts[400] ?? 0) > 1_000)
      #expect(try await scene.payoutCount() == counts[201] ?? 0)
    }
  }

  @Test func `a body that comes too slowly is cut off`() async throws {
    // Proves the time limit of a body, however steadily single bytes drip: 408, and the connection ends.
    let scene = try await IngestScene()
    try await scene.serving(bodyMilliseconds: 300) { ingest async throws in
      let answer = try await RawConnection.exchange(port: ingest.port) { outbound in
        let head =
          "POST /payouts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(ingest.token())\r\n"
          + "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        try await outbound.write(ByteBuffer(string: head))
        // The drip goes on until the server has had enough.
        while true {
          try await Task.sleep(for: .milliseconds(50))
          try await outbound.write(ByteBuffer(string: " "))
        }
      }
      #expect(answer.hasPrefix("HTTP/1.1 408"), "\(answer)")
      #expect(answer.contains("urn:tron-payouts:problem:request-timeout"))
      #expect(answer.lowercased().contains("connection: close"))
      // Others are served meanwhile and after.
      #expect(try await ingest.post(payoutBody()).status == 201)
      #expect(try await scene.payoutCount() == 1)
    }
  }

  @Test func `a head that comes too slowly is cut off`() async throws {
    // Proves that dripping bytes of a head keep no connection: they are not a request.
    let scene = try await IngestScene()
    try await scene.serving(idleMilliseconds: 300) { ingest async throws in
      let answer = try await RawConnection.exchange(port: ingest.port) { outbound in
        try await outbound.write(ByteBuffer(string: "GET /live HTTP/1.1\r\nHost: x\r\nX: "))
        while true {
          try await Task.sleep(for: .milliseconds(50))
          try await outbound.write(ByteBuffer(string: "x"))
        }
      }
      #expect(answer.isEmpty, "\(answer)")
      #expect(try await ingest.ask("GET", "/live", token: nil).status == 200)
    }
  }

  @Test func `a body that is promised too large is refused before it is sent, and the connection ends`() async throws {
    // Proves that nobody has to send a gigabyte to learn that it is too much.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let answer = try await RawConnection.exchange(port: ingest.port) { outbound in
        let head =
          "POST /payouts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(ingest.token())\r\n"
          + "Content-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n"
        try await outbound.write(ByteBuffer(string: head))
      }
      #expect(answer.hasPrefix("HTTP/1.1 413"), "\(answer)")
    }
  }

  @Test(arguments: [
    "GET /live HTTP/1.1\r\nHost: x\r\nX: " + String(repeating: "x", count: 20_000) + "\r\n\r\n",
    "GET /" + String(repeating: "x", count: 100_000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /live HTTP/1.1\r\nHost: x\r\n" + String(repeating: "A: b\r\n", count: 200) + "\r\n",
    "NONSENSE\r\n\r\n", "\u{0}\u{1}\u{2}", "POST /payouts HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    "POST /payouts HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
  ])
  func `malformed HTTP ends its connection and nothing else`(_ bytes: String) async throws {
    // Proves the bounds of headers and of the protocol: the caller is refused, and the next one served.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let answer = try await RawConnection.exchange(port: ingest.port) { outbound in
        try await outbound.write(ByteBuffer(string: bytes + "GET /live HTTP/1.1\r\nHost: x\r\n\r\n"))
      }
      #expect(!answer.hasPrefix("HTTP/1.1 2"), "\(answer)")
      #expect(try await ingest.ask("GET", "/live", token: nil).status == 200)
    }
  }

  @Test func `texts that mean something to SQL or JSON are stored as they are`() async throws {
    // Proves that values are bound, never spliced.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      for text in [
        "'; DROP TABLE payouts; --", "{1,2,NULL}", "NULL", "\\\\x00", "\\\"}{", "𝄞 é ٥ ‮", "%s %n", "{\\\"a\\\"", "a,b",
      ] {
        let reply = try await ingest.post(
          payoutBody(["external_id": "\"\(text)\"", "custom_data": "{\"\(text)\":\"\(text)\"}"]))
        #expect(reply.status == 201, "\(text)")
        let id = try #require(try reply.text("payout_id"))
        let sent = try ReadJSON.value(of: Array("\"\(text)\"".utf8))
        #expect(try await ingest.get("/payouts/\(id)").member("external_id") == sent)
      }
    }
  }
}

/// Bodies that are nearly right.
enum Mutation {
  private static let values = [
    "0", "-1", "1e5", "1.5", "12.000000", "12.0000000", "99999999999999999999999", "\"\"", "\"x\"", "\"\\u0000\"",
    "\"\\ud800\"", "null", "true", "[]", "{}", "[[[]]]", "{\"a\":1e999}", "{\"a\":\"\\u0000\"}",
    "\"2099-01-01T00:00:00Z\"",
    "\"https://example.com/\"", "\"\\n\"", "\"" + String(repeating: "y", count: 3_000) + "\"", "\"normal\"", "\"v0\"",
    "\"kyc\"",
    "\"immediate\"", "\"custom\"", "5", "0.01", "\"😀\"", "\"\\u0085\"",
  ]
  private static let fields = [
    "recipient_address", "amount_usdt", "reason", "router_type", "priority", "batch_type", "external_id",
    "beneficiary_user_id", "session_id", "node_id", "work_credits", "custom_data", "expires_at", "webhook_url",
    "kyc_hash", "compliance_signature", "surplus", "",
  ]

  static func body(using generator: inout some RandomNumberGenerator) -> [UInt8] {
    var changes: [String: String?] = [:]
    for _ in 0..<Int.random(in: 0...2, using: &generator) {
      changes[fields.randomElement(using: &generator) ?? ""] = values.randomElement(using: &generator)
    }
    var bytes = Array(payoutBody(changes).utf8)
    for _ in 0..<Int.random(in: 0...2, using: &generator) {
      let place = Int.random(in: 0..<bytes.count, using: &generator)
      switch Int.random(in: 0..<5, using: &generator) {
      case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &generator)
      case 1: bytes.insert(UInt8.random(in: .min ... .max, using: &generator), at: place)
      case 2: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 3: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...8, using: &generator)))
      default: bytes.append(contentsOf: bytes[place...])
      }
      if bytes.isEmpty { return [] }
    }
    return bytes
  }
}

/// A connection whose bytes a test writes by itself.
enum RawConnection {
  /// Connects, lets `send` write, and returns what the server answered until it closed the connection.
  static func exchange(
    port: Int, _ send: @escaping @Sendable (NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws -> Void
  ) async throws -> String {
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connect(host: "127.0.0.1", port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
        }
      }
    return try await channel.executeThenClose { inbound, outbound in
      try await withThrowingTaskGroup(of: String?.self) { group in
        group.addTask {
          // The server ends the connection while this still writes: that is no failure.
          try? await send(outbound)
          return nil
        }
        group.addTask {
          var answer = ""
          do {
            for try await part in inbound { answer += String(buffer: part) }
          } catch {
            // A reset after the answer is an end as well.
          }
          return answer
        }
        group.addTask {
          try await Task.sleep(for: .seconds(30))
          throw SceneError("the server did not end the connection")
        }
        defer { group.cancelAll() }
        while let answer = try await group.next() {
          if let answer { return answer }
        }
        return ""
      }
    }
  }
}
