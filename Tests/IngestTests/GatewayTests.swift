import Foundation
import HTTPTypes
import Payouts
import Testing
import Worker

@testable import Ingest

/// What comes through the gateway, what does not, and how many proofs a request may carry.
struct GatewayTests {
  private static let token = "gateway-" + String(repeating: "7", count: 40)
  private static let settings = ["API_GATEWAY_TOKEN": token]

  private func headers(_ more: (String, String)...) -> [(String, String)] {
    [("X-Gateway-Token", Self.token)] + more
  }

  @Test func `the gateway names the caller, who is the same as by a token`() async throws {
    // Proves X-User-ID, X-User-Role and X-User-Node-IDs: what is created so belongs to the `sub` of the same text, also
    // outside of ASCII.
    let scene = try await IngestScene()
    try await scene.serving(Self.settings) { ingest async throws in
      for name in ["client-1", "Zoë Ünal", "用户"] {
        let user = headers(("X-User-ID", name), ("X-User-Role", "service"), ("Idempotency-Key", "k"))
        let created = try await ingest.ask("POST", "/payouts", exactly: user, body: payoutBody())
        #expect(created.status == 201, "\(name)")
        let id = try #require(try created.text("payout_id"))
        #expect(try await scene.ledger.payout(PayoutID(id))?.terms.owner == name)
        #expect(try await ingest.get("/payouts/\(id)", token: ingest.token(name)).status == 200)
        let again = try await ingest.post(payoutBody(), key: "k", token: ingest.token(name))
        #expect(again.headers.first(name: "Idempotency-Replayed") == "true", "\(name)")
        let reader = headers(("X-User-ID", name), ("X-User-Role", "end_user"))
        #expect(try await ingest.ask("POST", "/payouts", exactly: reader, body: payoutBody()).status == 403)
      }
      for (nodes, isOwn) in [
        ("node-1,node-2", true), (" node-1 ,\tnode-2 ", true), ("node-2", true), ("node-1", false), ("", false),
      ] {
        let user = headers(("X-User-ID", "o"), ("X-User-Role", "node_operator"), ("X-User-Node-IDs", nodes))
        let reply = try await ingest.ask(
          "POST", "/payouts", exactly: user, body: payoutBody(["node_id": "\"node-2\""]))
        #expect(reply.status == (isOwn ? 201 : 403), "\(nodes)")
      }
      for (nodes, isOwn) in [("caf\u{e9}", true), ("cafe\u{301}", false)] {
        let user = headers(("X-User-ID", "o"), ("X-User-Role", "node_operator"), ("X-User-Node-IDs", nodes))
        let reply = try await ingest.ask(
          "POST", "/payouts", exactly: user, body: payoutBody(["node_id": "\"caf\u{e9}\""]))
        #expect(reply.status == (isOwn ? 201 : 403), "only one of them is that node")
      }
      for (name, value) in [("Authorization", "Bearer \(ingest.token())"), ("X-API-Key", "tpk_")] {
        let reply = try await ingest.ask("GET", "/payouts", exactly: headers((name, value)))
        #expect(reply.status == (name == "Authorization" ? 200 : 401), "\(name)")
      }
    }
  }

  @Test func `the word of anybody else about a caller counts for nothing`() async throws {
    // Proves that user headers without the gateway's token prove nobody, in any part and beside any installation.
    let scene = try await IngestScene()
    for settings in [Self.settings, [:]] {
      try await scene.serving(settings) { ingest async throws in
        for user in [
          [("X-User-ID", "a"), ("X-User-Role", "admin")], [("X-User-ID", "a")], [("X-User-Role", "admin")],
          [("X-User-Node-IDs", "n")], [("x-user-id", "a"), ("X-USER-ROLE", "admin")],
        ] {
          let reply = try await ingest.ask("GET", "/payouts", exactly: user)
          #expect(reply.status == 401 && reply.problem == "unauthenticated", "\(user)")
          #expect(try reply.text("detail")?.contains("X-Gateway-Token") == true, "\(user)")
        }
      }
    }
  }

  @Test func `a gateway's token that is sent must be right`() async throws {
    // Proves that a wrong one, in any way, is 403 whatever else proves the caller, and where there is no gateway too.
    let scene = try await IngestScene()
    let bearer: @Sendable (RunningIngest) -> (String, String) = { ("Authorization", "Bearer \($0.token())") }
    let wrong = [
      "", "x", String(Self.token.dropLast()), Self.token + "7", Self.token.uppercased(), "Bearer \(Self.token)",
      String(repeating: "7", count: Self.token.count), String(repeating: "x", count: 4_000),
      "\(Self.token), \(Self.token)", "\(Self.token)\u{e9}",
    ]
    try await scene.serving(Self.settings) { ingest async throws in
      for token in wrong {
        for proof in [[bearer(ingest)], [("X-User-ID", "a"), ("X-User-Role", "admin")], []] {
          let reply = try await ingest.ask("GET", "/payouts", exactly: [("X-Gateway-Token", token)] + proof)
          #expect(reply.status == 403 && reply.problem == "forbidden", "\(token.prefix(60))")
          #expect(!String(decoding: reply.bytes, as: UTF8.self).contains(Self.token))
        }
      }
      let twice = headers(("X-Gateway-Token", Self.token), bearer(ingest))
      #expect(try await ingest.ask("GET", "/payouts", exactly: twice).status == 403)
      #expect(try await ingest.ask("GET", "/payouts", exactly: headers(bearer(ingest))).status == 200)
      #expect(try await ingest.ask("GET", "/payouts", exactly: [bearer(ingest)]).status == 200)
    }
    try await scene.serving { ingest async throws in
      #expect(try await ingest.ask("GET", "/payouts", exactly: headers(bearer(ingest))).status == 403)
      #expect(try await ingest.ask("GET", "/payouts", exactly: [bearer(ingest)]).status == 200)
    }
    #expect(!scene.logs.lines.contains { $0.contains(Self.token) })
  }

  @Test func `a request carries one proof of its caller, once`() async throws {
    // Proves that two proofs, or one header twice, prove nobody, through the gateway too, and that the answer says what
    // to send.
    let scene = try await IngestScene()
    try await scene.serving(Self.settings) { ingest async throws in
      let bearer = ("Authorization", "Bearer \(ingest.token())")
      let (id, role, key) = (("X-User-ID", "a"), ("X-User-Role", "service"), ("X-API-Key", "tpk_x"))
      let offers: [(proofs: [(String, String)], words: String)] = [
        ([], "Send a proof of who calls"), ([bearer, key], "not several"), ([bearer, id, role], "not several"),
        ([bearer, ("X-User-Node-IDs", "n")], "not several"), ([key, id, role], "not several"),
        ([bearer, key, id, role], "not several"), ([bearer, bearer], "one Authorization header, not 2"),
        ([key, key], "one X-API-Key header, not 2"), ([id, id, role], "one X-User-ID header, not 2"),
        ([id, role, role, role], "one X-User-Role header, not 3"),
        ([id, role, ("X-User-Node-IDs", "n"), ("X-User-Node-IDs", "n")], "one X-User-Node-IDs header, not 2"),
      ]
      for (proofs, words) in offers {
        for sent in [headers() + proofs, proofs] {
          let reply = try await ingest.ask("GET", "/payouts", exactly: sent)
          #expect(reply.status == 401 && reply.problem == "unauthenticated", "\(words)")
          #expect(try reply.text("detail")?.contains(words) == true, "\(words)")
          #expect(reply.headers.first(name: "WWW-Authenticate")?.hasPrefix("Bearer") == true)
        }
      }
    }
  }

  @Test func `what the gateway says of a caller is held against the rules for tokens`() async throws {
    // Proves each way in which the headers can be wrong, through the gateway.
    let scene = try await IngestScene()
    try await scene.serving(Self.settings) { ingest async throws in
      let many = (0...1_000).map { "\($0)" }.joined(separator: ",")
      let users: [[(String, String)]] = [
        [("X-User-ID", "a")], [("X-User-Role", "admin")], [("X-User-ID", ""), ("X-User-Role", "admin")],
        [("X-User-ID", "a"), ("X-User-Role", "")], [("X-User-ID", "a"), ("X-User-Role", "root")],
        [("X-User-ID", "a"), ("X-User-Role", "Admin")], [("X-User-ID", "a"), ("X-User-Role", "admin, service")],
        [("X-User-ID", String(repeating: "u", count: 256)), ("X-User-Role", "admin")],
        [("X-User-ID", String(repeating: "e\u{301}", count: 128)), ("X-User-Role", "admin")],
        [("X-User-ID", "a\u{fffd}"), ("X-User-Role", "admin")], [("X-User-ID", "a\u{85}"), ("X-User-Role", "admin")],
      ]
      let operators = ["n,,m", ",", many, String(repeating: "n", count: 129)].map {
        [("X-User-ID", "a"), ("X-User-Role", "node_operator"), ("X-User-Node-IDs", $0)]
      }
      for user in users + operators {
        let reply = try await ingest.ask("GET", "/payouts", exactly: headers() + user)
        #expect(reply.status == 401 && reply.problem == "unauthenticated", "\(user.map { $0.1.prefix(20) })")
      }
      let longest = [("X-User-ID", String(repeating: "u", count: 255)), ("X-User-Role", "admin")]
      #expect(try await ingest.ask("GET", "/payouts", exactly: headers() + longest).status == 200)
    }
  }

  @Test func `production refuses every call that does not come through the gateway, but probes`() async throws {
    // Proves the rule over all calls there are: 403 before anything else is looked at, also where the path, the method
    // or the credentials are wrong; and that the same calls are served through the gateway.
    let scene = try await IngestScene()
    let production = Self.settings.merging(["LUCID_ENV": "production"]) { $1 }
    try await scene.serving(production) { ingest async throws in
      let bearer = ("Authorization", "Bearer \(ingest.token("root", role: "admin"))")
      for operation in Operation.allCases {
        let (method, template) = operation.place
        let path = template.replacing(/\{[a-z_]+\}/, with: "\(PayoutID.random())")
        for sent in [[], [bearer], [("X-API-Key", "tpk_x")], [("X-User-ID", "a"), ("X-User-Role", "admin")]] {
          let reply = try await ingest.ask(method.rawValue, path, exactly: sent)
          #expect((reply.status == 403) == !operation.isOpen, "\(operation): \(reply.status)")
          if operation.isOpen { #expect([200, 503].contains(reply.status), "\(operation)") }
        }
        let passed = try await ingest.ask(method.rawValue, path, exactly: headers(bearer))
        #expect(passed.status != 403 && passed.status != 401, "\(operation): \(passed.status)")
      }
      for (method, path) in [("GET", "/nothing"), ("PUT", "/payouts"), ("GET", "/api/payment/payouts"), ("GET", "/")] {
        #expect(try await ingest.ask(method, path, exactly: [bearer]).problem == "forbidden", "\(method) \(path)")
        #expect(try await ingest.ask(method, path, exactly: []).problem == "forbidden", "\(method) \(path)")
      }
      #expect(try await ingest.ask("GET", "/payouts", exactly: headers()).status == 401)
      #expect(try await ingest.ask("GET", "/nothing", exactly: headers(bearer)).status == 404)
      let direct = try await ingest.ask("POST", "/payouts", exactly: [bearer], body: payoutBody())
      #expect(try direct.status == 403 && direct.text("detail")?.contains("gateway") == true)
      #expect(try await scene.payoutCount() == 0)
      let user = headers(("X-User-ID", "a"), ("X-User-Role", "service"), ("Idempotency-Key", "k"))
      #expect(try await ingest.ask("POST", "/payouts", exactly: user, body: payoutBody()).status == 201)
    }
  }

  @Test func `secrets are the same only where all bytes and the length are`() throws {
    // Proves the comparison at every place of a difference, and which texts can be a gateway's token.
    let secret = Array(Self.token.utf8)
    #expect(CompareSecrets.areSame(secret, secret) && CompareSecrets.areSame([], []))
    for index in secret.indices {
      var other = secret
      other[index] ^= 1
      #expect(!CompareSecrets.areSame(other, secret))
      #expect(!CompareSecrets.areSame(Array(secret.prefix(index)), secret))
      #expect(!CompareSecrets.areSame(secret, Array(secret.prefix(index))))
    }
    let token = try GatewayToken(Self.token)
    #expect(token.isSame(as: Self.token) && !token.isSame(as: Self.token + "x") && !token.isSame(as: ""))
    #expect(!"\(token)".contains(Self.token))
    for text in ["", String(repeating: "a", count: 31), Self.token + "\n", " " + Self.token, Self.token + "é"] {
      let error = #expect(throws: MalformedValue.self) { try GatewayToken(text) }
      #expect(text.isEmpty || error?.reason.contains(text) == false)
    }
    #expect(throws: MalformedValue.self) { try GatewayToken(String(repeating: "a", count: 1_025)) }
    #expect(throws: Never.self) { try GatewayToken(String(repeating: "a", count: 32)) }
  }
}
