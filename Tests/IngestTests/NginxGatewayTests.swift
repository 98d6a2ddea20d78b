import Ledger
import NIOCore
import Payouts
import TestSupport
import Testing
import Worker

@testable import Ingest

/// The gateway of compose/gateway, in the real nginx, before a real Ingest or a server that notes what it hears.
struct NginxGatewayTests {
  private static let settings = ["LUCID_ENV": "production", "API_GATEWAY_TOKEN": GatewayCaller.token]
  private static let json = ("Content-Type", "application/json")

  /// Asks before a server that notes what it hears.
  private func beforeListener(
    _ settings: [String: String] = [:], http1Only: Bool = false,
    _ body: (GatewayCaller, HeardRequests) async throws -> Void
  ) async throws {
    let heard = HeardRequests()
    try await ScriptedServer.run(answering: heard.answered) { url in
      try await GatewayCaller.run(before: [url], settings, http1Only: http1Only) { caller async throws in
        try await body(caller, heard)
      }
    }
  }

  /// Whether an answer is a problem as Ingest tells them, with all that such an answer carries.
  private func expectProblem(
    _ reply: RunningIngest.Reply?, _ status: Int, _ kind: String, retryAfter: String? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let reply = try #require(reply, sourceLocation: sourceLocation)
    #expect(reply.status == status && reply.problem == kind, sourceLocation: sourceLocation)
    #expect(reply.headers["Content-Type"] == ["application/problem+json"], sourceLocation: sourceLocation)
    #expect(reply.headers["Retry-After"] == (retryAfter.map { [$0] } ?? []), sourceLocation: sourceLocation)
    #expect(reply.headers["Cache-Control"] == ["no-store"], sourceLocation: sourceLocation)
    #expect(reply.headers["Strict-Transport-Security"].count == 1, sourceLocation: sourceLocation)
    guard case .object(let members) = try reply.json else {
      Issue.record("no JSON object", sourceLocation: sourceLocation)
      return
    }
    let names = ["type", "title", "status", "detail", "instance", "request_id"]
    #expect(members.map(\.name) == names, sourceLocation: sourceLocation)
    let id = try #require(try reply.text("request_id"), sourceLocation: sourceLocation)
    #expect(reply.headers["X-Request-ID"] == [id] && !id.isEmpty, sourceLocation: sourceLocation)
  }

  @Test(arguments: [false, true])
  func `tokens and API keys pass the gateway, and Ingest verifies them`(http1Only: Bool) async throws {
    // Proves the whole way in production, by HTTP/2 and HTTP/1.1: Ingest refuses whoever comes past the gateway, and the
    // gateway whoever proves nothing; ids, keys and answers go through as they are; no log knows a proof.
    let scene = try await IngestScene()
    let key = try await scene.makeAPIKey(owner: "client-2")
    try await scene.serving(Self.settings) { ingest async throws in
      let bearer = ("Authorization", "Bearer \(ingest.token())")
      try await GatewayCaller.run(before: ["127.0.0.1:\(ingest.port)"], http1Only: http1Only) { caller async throws in
        let head = try await caller.execute("GET", "/docs")
        #expect(head.version == (http1Only ? .http1_1 : .http2) && head.status.code == 200)
        let sent = [bearer, Self.json, ("Idempotency-Key", "k"), ("X-Request-ID", "mine-7")]
        let created = try await caller.ask("POST", "/api/payment/payouts", sent, body: payoutBody())
        #expect(created.status == 201 && created.headers["X-Request-ID"] == ["mine-7"])
        let id = try #require(try created.text("payout_id"))
        #expect(try await scene.ledger.payout(PayoutID(id))?.terms.owner == "client-1")
        let again = try await caller.ask("POST", "/payouts", sent, body: payoutBody())
        #expect(try again.text("payout_id") == id && again.headers["Idempotency-Replayed"] == ["true"])
        #expect(try await caller.ask("GET", "/payouts/\(id)", [bearer]).status == 200)
        #expect(try await caller.ask("GET", "/payouts?limit=1", [("X-API-Key", key.text)]).status == 200)
        #expect(try await caller.ask("GET", "/payouts/\(id)", [("X-API-Key", key.text)]).status == 404)
        let both = [bearer, ("X-API-Key", key.text)]
        for proofs in [[], both, [("Authorization", "Bearer x")], [("X-API-Key", "tpk_x")]] {
          let reply = try await caller.ask("GET", "/payouts", proofs)
          #expect(reply.status == 401 && reply.problem == "unauthenticated", "\(proofs)")
        }
        let direct = try await ingest.ask("GET", "/payouts/\(id)", token: ingest.token())
        #expect(direct.status == 403)
        try await eventually("the gateway has logged it") { caller.gateway.accessLog.contains("mine-7") }
        let logs = caller.gateway.accessLog + caller.gateway.errorLog
        for secret in [GatewayCaller.token, key.text, bearer.1, "Bearer", "limit=1"] {
          #expect(!logs.contains(secret), "\(secret.prefix(10))")
        }
      }
    }
  }

  @Test func `what a caller says of users, hops and the gateway reaches nobody`() async throws {
    // Proves that only named headers go on, in any spelling that HTTP knows, and the token is the gateway's own.
    let forged = [
      ("X-User-ID", "root"), ("x-user-role", "admin"), ("X-USER-NODE-IDS", "n"), ("X-Gateway-Token", "x"),
      ("X-Gateway-Token", GatewayCaller.token), ("X_User_ID", "root"), ("X_Gateway_Token", "x"),
      ("X-Verified-User", "root"), ("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-Host", "inside"),
      ("Forwarded", "for=10.0.0.1"), ("X-Real-IP", "10.0.0.1"), ("X-Original-URL", "/admin/held"),
      ("X-Rewrite-URL", "/admin/held"), ("X-HTTP-Method-Override", "DELETE"), ("Cookie", "a=b"), ("Via", "1.1 x"),
    ]
    let kept = [
      ("Authorization", "Bearer t"), ("X-API-Key", "k"), ("Idempotency-Key", "i"), ("Last-Event-ID", "7"),
      ("Accept", "text/html"), ("Content-Type", "application/json"), ("Origin", "https://a.example"),
    ]
    try await beforeListener { caller, heard in
      #expect(try await caller.ask("POST", "/payouts", forged + kept, body: "{}").status == 200)
      let lines = (forged + kept).map { "\($0.0): \($0.1)\r\n" }.joined()
      #expect(try await caller.ask("GET", target: "/payouts", headers: lines)?.status == 200)
      // A name that ends in a space, a folded line, a bare CR: what another server might read as one more header.
      for lines in ["X-User-ID : root\r\n", "Accept: a\r\n X-User-ID: root\r\n", "Accept: a\rX-User-ID: root\r\n"] {
        try expectProblem(
          try await caller.ask("GET", target: "/payouts", headers: lines), 400, "malformed-request")
      }
      #expect(heard.all.count == 2)
      for request in heard.all {
        let names = Set(request.headers.map { $0.name.lowercased() })
        let own: Set = ["host", "x-request-id", "x-gateway-token", "content-length"]
        #expect(names.subtracting(own) == Set(kept.map { $0.0.lowercased() }))
        for (name, value) in kept { #expect(request.headers[name] == [value], "\(name)") }
        #expect(request.headers["X-Gateway-Token"] == [GatewayCaller.token])
      }
    }
    let scene = try await IngestScene()
    try await scene.serving(Self.settings) { ingest async throws in
      try await GatewayCaller.run(before: ["127.0.0.1:\(ingest.port)"]) { caller async throws in
        #expect(try await caller.ask("GET", "/payouts", forged).status == 401)
        let bearer = ("Authorization", "Bearer \(ingest.token("client-1", role: "end_user"))")
        let sent = forged + [bearer, Self.json, ("Idempotency-Key", "k")]
        #expect(try await caller.ask("GET", "/payouts", sent).status == 200)
        #expect(try await caller.ask("POST", "/payouts", sent, body: payoutBody()).status == 403)
      }
    }
  }

  @Test func `a body that is too large is refused, and one as large as may be goes on`() async throws {
    // Proves the bound on both sides, by its announced length and without one.
    try await beforeListener { caller, heard in
      let most = ReadBody.bytesMax
      #expect(try await caller.ask("POST", "/payouts", body: String(repeating: "x", count: most)).status == 200)
      #expect(heard.all.map(\.body.utf8.count) == [most])
      let head = "POST /payouts HTTP/1.1\r\nHost: localhost\r\n"
      let announced = try await caller.exchange("\(head)Content-Length: \(most + 1)\r\n\r\n")
      try expectProblem(announced, 413, "body-too-large")
      let size = String(most + 1, radix: 16)
      let chunked = "\(head)Transfer-Encoding: chunked\r\n\r\n\(size)\r\n" + String(repeating: "x", count: most + 1)
      try expectProblem(try await caller.exchange(chunked + "\r\n0\r\n\r\n"), 413, "body-too-large")
      #expect(heard.all.count == 1)
    }
  }

  @Test func `more calls than an address may make are told when to come again`() async throws {
    // Proves the limits of reads, writes and batches, each by itself; what is refused reaches nobody.
    let once = ["READS", "WRITES", "BATCHES"].map { ("GATEWAY_\($0)_PER_MINUTE", "1") }
    try await beforeListener(Dictionary(uniqueKeysWithValues: once)) { caller, heard in
      for (method, path) in [("GET", "/payouts"), ("POST", "/payouts"), ("POST", "/payouts/batch")] {
        let before = heard.all.count
        for _ in 0..<2 { #expect(try await caller.ask(method, path).status == 200, "\(method) \(path)") }
        try expectProblem(try await caller.ask(method, path), 429, "rate-limited", retryAfter: "60")
        #expect(heard.all.count == before + 2)
      }
      try expectProblem(try await caller.ask("DELETE", "/payouts/x"), 429, "rate-limited", retryAfter: "60")
    }
  }

  @Test func `an Ingest that is away is told as one that will be there again`() async throws {
    // Proves 503 as a problem, which says that nothing was changed: no connection was there.
    let port = try FreePort.choose()
    try await GatewayCaller.run(before: ["127.0.0.1:\(port)"]) { caller async throws in
      for (method, path) in [("GET", "/payouts"), ("POST", "/payouts"), ("DELETE", "/payouts/x")] {
        try expectProblem(try await caller.ask(method, path), 503, "unavailable", retryAfter: "5")
      }
    }
  }

  @Test func `a write is sent once, although the server dies over it, and a read goes to the next one`() async throws {
    // Proves that the gateway sends no write again, also of the methods that nginx takes for harmless: what a server that
    // died had done with it, it cannot know.
    let (first, second) = (HeardRequests(), HeardRequests())
    try await ScriptedServer.run(answering: first.dying) { one in
      try await ScriptedServer.run(answering: second.dying) { two in
        try await GatewayCaller.run(before: [one, two]) { caller async throws in
          for (number, method) in ["POST", "PUT", "DELETE"].enumerated() {
            let reply = try await caller.ask(method, "/payouts/\(number)")
            try expectProblem(reply, 503, "outcome-unknown", retryAfter: "2")
          }
        }
      }
      #expect((first.all + second.all).map(\.path).sorted() == ["/payouts/0", "/payouts/1", "/payouts/2"])
      let living = HeardRequests()
      try await ScriptedServer.run(answering: living.answered) { other async throws in
        try await GatewayCaller.run(before: [one, other]) { caller async throws in
          let before = first.all.count
          for _ in 0..<4 { #expect(try await caller.ask("GET", "/payouts").status == 200) }
          #expect(first.all.count > before && living.all.count == 4)
        }
      }
    }
  }

  @Test func `whoever sends a write again under its key has one payout`() async throws {
    // Proves the whole of it: the first server dies over the request, and the client, which is told so, asks again.
    let scene = try await IngestScene()
    let dying = HeardRequests()
    try await scene.serving(Self.settings) { ingest async throws in
      try await ScriptedServer.run(answering: dying.dying) { url in
        try await GatewayCaller.run(before: [url, "127.0.0.1:\(ingest.port)"]) { caller async throws in
          let sent = [("Authorization", "Bearer \(ingest.token())"), Self.json, ("Idempotency-Key", "k")]
          let end = ContinuousClock.now + .seconds(60)
          var statuses: [Int] = []
          while statuses.last != 201, ContinuousClock.now < end {
            statuses.append(try await caller.ask("POST", "/payouts", sent, body: payoutBody()).status)
          }
          #expect(statuses.first == 503 && statuses.last == 201, "\(statuses)")
          #expect(dying.all.count == statuses.count - 1)
        }
      }
    }
    #expect(try await scene.payoutCount() == 1)
  }

  @Test func `slow heads and bodies are cut off`() async throws {
    // Proves that neither a head that drips nor a body that stops keeps a connection, and that Ingest hears of neither.
    try await beforeListener(["GATEWAY_CLIENT_SECONDS": "2"]) { caller, heard in
      let head = "POST /payouts HTTP/1.1\r\nHost: localhost\r\n"
      let dripping = try await caller.exchange("\(head)X: ", drip: "x")
      let stopping = try await caller.exchange("\(head)Content-Length: 10\r\n\r\n{")
      #expect(dripping?.status == nil && stopping?.status == nil)
      #expect(heard.all.isEmpty)
    }
  }

  @Test(arguments: [
    "NONSENSE\r\n\r\n", "GET /payouts HTTP/1.1\r\n\r\n", "GET /payouts HTTP/9.1\r\nHost: localhost\r\n\r\n",
    "POST /payouts HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    "POST /payouts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /payouts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\nabcd",
    "GET /payouts HTTP/1.1\r\nHost: localhost\r\nX: " + String(repeating: "x", count: 11_000) + "\r\n\r\n",
    "GET /payouts?" + String(repeating: "x", count: 11_000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
  ])
  func `malformed HTTP ends at the gateway`(_ bytes: String) async throws {
    // Proves that nothing of it reaches Ingest, which could read it otherwise.
    try await beforeListener { caller, heard in
      let reply = try #require(try await caller.exchange(bytes))
      #expect(reply.status == 400 && reply.problem == "malformed-request")
      #expect(heard.all.isEmpty)
    }
  }

  @Test func `events go on as they come`() async throws {
    // Proves that the stream is not gathered: its first bytes arrive although it never ends.
    try await ScriptedServer.run(answering: { _ in .trickle }) { url in
      try await GatewayCaller.run(before: [url]) { caller async throws in
        let response = try await caller.execute("GET", "/payouts/events")
        var parts = response.body.makeAsyncIterator()
        let part = try #require(try await parts.next())
        #expect(part.readableBytes > 0)
      }
    }
  }
}
