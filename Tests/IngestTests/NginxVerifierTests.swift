import Ledger
import Payouts
import TestSupport
import Testing

@testable import Ingest

/// A gateway that verifies callers itself, and tells Ingest who they are.
struct NginxVerifierTests {
  private static let settings = ["LUCID_ENV": "production", "API_GATEWAY_TOKEN": GatewayCaller.token]
  private static let json = ("Content-Type", "application/json")

  @Test func `whom the gateway verifies, Ingest takes for that caller`() async throws {
    // Proves the whole way in production: the verifier's word counts and the caller's own counts nothing, not even as a
    // second proof; who is refused, or not known, does not reach Ingest.
    let scene = try await IngestScene()
    try await scene.serving(Self.settings) { ingest async throws in
      try await ScriptedVerifier.run(answering: { headers in
        switch headers.first(name: "Authorization") ?? headers.first(name: "X-API-Key") ?? "" {
        case "Session zoe": .known("zoe", "service")
        case "Session olga": .known("olga", "node_operator", nodes: "node-1, node-2")
        case "Session reader", "key-of-reader": .known("reader", "end_user")
        case "Session banned": .refused(403)
        case "Session nameless": .known("", "service")
        default: .refused(401)
        }
      }) { url, verifier in
        let before = ["127.0.0.1:\(ingest.port)"]
        try await GatewayCaller.run(before: before, ["GATEWAY_VERIFIER": url]) { caller in
          func post(_ session: String, _ body: String = payoutBody()) async throws -> RunningIngest.Reply {
            let forged = [("X-User-ID", "root"), ("X-User-Role", "admin"), ("X-Verified-User", "root")]
            let sent = [("Authorization", session), Self.json, ("Idempotency-Key", "\(PayoutID.random())")]
            return try await caller.ask("POST", "/payouts", sent + forged, body: body)
          }
          let created = try await post("Session zoe")
          #expect(created.status == 201)
          let id = try #require(try created.text("payout_id"))
          #expect(try await scene.ledger.payout(PayoutID(id))?.terms.owner == "zoe")
          #expect(try await post("Session olga", payoutBody(["node_id": "\"node-2\""])).status == 201)
          #expect(try await post("Session olga", payoutBody(["node_id": "\"node-3\""])).status == 403)
          #expect(try await post("Session reader").status == 403)
          #expect(try await caller.ask("GET", "/payouts", [("X-API-Key", "key-of-reader")]).status == 200)
          #expect(try await post("Session nameless").status == 401)
          let refused = try await post("Bearer \(ingest.token("root", role: "admin"))")
          #expect(refused.status == 401 && refused.problem == "unauthenticated")
          #expect(refused.headers["WWW-Authenticate"] == ["Bearer realm=\"tron-payouts\""])
          #expect(refused.headers["Content-Type"] == ["application/problem+json"])
          let banned = try await post("Session banned")
          #expect(banned.status == 403 && banned.problem == "forbidden")
          // What needs no credentials asks nobody.
          let asked = verifier.asked.count
          #expect(try await caller.ask("GET", "/docs").status == 200)
          #expect(try await caller.ask("GET", "/admin/held", [("Authorization", "Session zoe")]).status == 404)
          #expect(verifier.asked.count == asked)
        }
      }
    }
    #expect(try await scene.payoutCount() == 2)
  }

  @Test func `the verifier learns what is to be done, and Ingest nothing that it may not`() async throws {
    // Proves the headers on both ways: the gateway's token goes to Ingest alone, the caller's proof to the verifier alone,
    // and a verifier's own challenge to the caller, once.
    let heard = HeardRequests()
    try await ScriptedServer.run(answering: heard.answered) { ingest in
      try await ScriptedVerifier.run(answering: { headers in
        headers.first(name: "X-API-Key") == nil
          ? .refused(401, [("WWW-Authenticate", "Session")]) : .known("zoe", "service")
      }) { url, verifier in
        try await GatewayCaller.run(before: [ingest], ["GATEWAY_VERIFIER": url]) { caller in
          let proofs = [("Authorization", "Session zoe"), ("X-API-Key", "k"), ("X-Request-ID", "mine")]
          #expect(try await caller.ask("PUT", "/payouts/7?x=1", proofs, body: "{}").status == 200)
          let asked = try #require(verifier.asked.first)
          #expect(asked.uri == "/who" && asked.method == .GET)
          #expect(asked.headers["Authorization"] == ["Session zoe"] && asked.headers["X-API-Key"] == ["k"])
          #expect(asked.headers["X-Original-Method"] == ["PUT"])
          #expect(asked.headers["X-Original-URI"] == ["/payouts/7?x=1"] && asked.headers["X-Request-ID"] == ["mine"])
          #expect(asked.headers["X-Gateway-Token"].isEmpty && asked.headers["Content-Length"].isEmpty)
          let told = try #require(heard.all.first)
          #expect(told.path == "/payouts/7?x=1" && told.body == "{}")
          #expect(told.headers["Authorization"].isEmpty && told.headers["X-API-Key"].isEmpty)
          #expect(told.headers["X-User-ID"] == ["zoe"] && told.headers["X-User-Role"] == ["service"])
          #expect(told.headers["X-User-Node-IDs"].isEmpty)
          #expect(told.headers["X-Gateway-Token"] == [GatewayCaller.token])
          let refused = try await caller.ask("GET", "/payouts")
          #expect(refused.status == 401 && refused.headers["WWW-Authenticate"] == ["Session"])
          #expect(heard.all.count == 1)
        }
      }
    }
  }

  @Test func `a verifier that is away, or broken, lets nobody through`() async throws {
    // Proves that no answer is no permission, and that the caller is told that it is not to blame.
    let heard = HeardRequests()
    let port = try FreePort.choose()
    try await ScriptedServer.run(answering: heard.answered) { ingest in
      try await ScriptedVerifier.run(answering: { _ in .refused(500) }) { broken, _ in
        for url in [broken, "http://127.0.0.1:\(port)/who"] {
          try await GatewayCaller.run(before: [ingest], ["GATEWAY_VERIFIER": url]) { caller in
            for method in ["GET", "POST"] {
              let reply = try await caller.ask(method, "/payouts", [("Authorization", "Session zoe")])
              #expect(reply.status == 503 && reply.problem == "unavailable", "\(method) \(url)")
              #expect(reply.headers["Retry-After"] == ["5"])
            }
          }
        }
      }
    }
    #expect(heard.all.isEmpty)
  }
}
