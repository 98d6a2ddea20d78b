import Payouts
import Testing

@testable import Ingest

/// Who may call, and whose payouts they see.
struct AuthorizationTests {
  /// Whose payout a caller asks for.
  enum Relation: CaseIterable { case own, beneficiary, stranger }

  @Test func `the matrix of calls, roles and whose payout it is`() async throws {
    // Proves api.md's table: three calls × four roles × own, named as beneficiary, a stranger's.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      for role in Caller.Role.allCases {
        let name = "caller-\(role.rawValue)"
        let token = ingest.token(name, role: role.rawValue, nodes: ["node-1"])
        let created = try await ingest.post(payoutBody(["node_id": "\"node-1\""]), key: "k", token: token)
        #expect(created.status == (role == .endUser ? 403 : 201), "\(role) creates")
        if role == .endUser { #expect(created.problem == "forbidden") }
        for relation in Relation.allCases {
          let id = try await payout(relation, of: name, ingest, scene)
          let isVisible = role == .admin || relation != .stranger
          for path in ["/payouts/\(id)", "/payouts/\(id)/transaction"] {
            let reply = try await ingest.get(path, token: token)
            #expect(reply.status == (isVisible ? 200 : 404), "\(role) \(relation) \(path)")
            if !isVisible { #expect(reply.problem == "not-found") }
          }
        }
      }
    }
  }

  /// A payout in some relation to a caller; a service created it, under the caller's own id where it is its own.
  private func payout(
    _ relation: Relation, of name: String, _ ingest: RunningIngest, _ scene: IngestScene
  ) async throws -> String {
    let owner = relation == .own ? name : "somebody"
    let beneficiary = relation == .beneficiary ? name : "nobody"
    let reply = try await ingest.post(
      payoutBody(["beneficiary_user_id": "\"\(beneficiary)\""]), token: ingest.token(owner, role: "service"))
    return try #require(try reply.text("payout_id"))
  }

  @Test func `a stranger's payout and none at all are told alike`() async throws {
    // Proves that ids cannot be probed: both answers are the same but for their ids.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let id = try #require(try await ingest.post(payoutBody()).text("payout_id"))
      let token = ingest.token("stranger")
      let there = try await ingest.get("/payouts/\(id)", token: token)
      let nowhere = try await ingest.get("/payouts/\(PayoutID.random())", token: token)
      for name in ["type", "title", "status", "detail"] {
        #expect(try there.member(name) == nowhere.member(name))
      }
      #expect(there.status == nowhere.status)
    }
  }

  @Test func `a node operator creates for its own nodes`() async throws {
    // Proves node_ids: its own node, another's, and a payout that is for none.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let token = ingest.token("operator", role: "node_operator", nodes: ["node-1", "node-2"])
      #expect(try await ingest.post(payoutBody(["node_id": "\"node-2\""]), token: token).status == 201)
      #expect(try await ingest.post(payoutBody(["node_id": "\"node-3\""]), token: token).problem == "forbidden")
      #expect(try await ingest.post(payoutBody(), token: token).problem == "forbidden")
      let bare = ingest.token("operator", role: "node_operator")
      #expect(try await ingest.post(payoutBody(["node_id": "\"node-1\""]), token: bare).status == 403)
      let service = ingest.token("service")
      #expect(try await ingest.post(payoutBody(["node_id": "\"node-3\""]), token: service).status == 201)
    }
  }

  @Test func `nodes that only look alike are two nodes`() async throws {
    // Proves that they are told apart by their bytes, as the database does: one é is a character, the other one has two.
    let (one, other) = ("caf\u{e9}", "cafe\u{301}")
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      func create(_ node: String, named nodes: [String]) async throws -> Int {
        let token = ingest.token("operator", role: "node_operator", nodes: nodes)
        return try await ingest.post(payoutBody(["node_id": "\"\(node)\""]), token: token).status
      }
      for (node, stranger) in [(one, other), (other, one)] {
        #expect(try await create(node, named: [node]) == 201)
        #expect(try await create(node, named: [stranger]) == 403)
        #expect(try await create(node, named: [stranger, node]) == 201)
      }
    }
  }

  @Test func `only a good token is a token`() async throws {
    // Proves each way in which a token is bad: none, form, signature, algorithm, times, claims. Nothing is stored.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let now = Double(ingest.clock.now().milliseconds) / 1_000
      let good: [String: Any?] = ["sub": "a", "role": "service", "exp": now + 60]
      func changed(_ changes: [String: Any?]) -> String { Tokens.hs256(good.merging(changes) { $1 }) }
      let valid = Tokens.hs256(good)
      let unsigned =
        Tokens.hs256(good, header: ["alg": "none"]).split(separator: ".").prefix(2).joined(separator: ".") + "."
      let bad: [(String, String)] = [
        ("empty", ""), ("one part", "abc"), ("two parts", "a.b"), ("garbage", "a.b.c"), ("four parts", valid + ".x"),
        ("other key", Tokens.hs256(good, key: String(repeating: "k", count: 44))), ("unsigned", unsigned),
        ("alg none, signed", Tokens.hs256(good, header: ["alg": "none"])),
        ("alg HS512 header", Tokens.hs256(good, header: ["alg": "HS512"])), ("no alg", Tokens.hs256(good, header: [:])),
        ("crit", Tokens.hs256(good, header: ["alg": "HS256", "crit": ["exp"]])),
        ("no exp", changed(["exp": nil as Double?])),
        ("expired", changed(["exp": now - 31])), ("exp as text", changed(["exp": "2099"])),
        ("not yet", changed(["nbf": now + 60])),
        ("no sub", changed(["sub": nil as String?])), ("empty sub", changed(["sub": ""])),
        ("NUL in sub", changed(["sub": "a\0b"])),
        ("long sub", changed(["sub": String(repeating: "s", count: 256)])),
        // 128 of what looks like a letter are 256 characters here as everywhere.
        ("long sub of accents", changed(["sub": String(repeating: "e\u{301}", count: 128)])),
        ("no role", changed(["role": nil as String?])),
        ("unknown role", changed(["role": "root"])), ("node_ids no list", changed(["node_ids": "n"])),
        ("node_ids with a number", changed(["node_ids": ["n", 7] as [Any]])),
        ("empty node", changed(["node_ids": [""]])),
        ("cut", String(valid.dropLast())), ("long", valid + String(repeating: "A", count: 9_000)),
      ]
      for (name, token) in bad {
        let reply = try await ingest.post(payoutBody(), token: token)
        #expect(reply.status == 401 && reply.problem == "unauthenticated", "\(name)")
        #expect(reply.headers.first(name: "WWW-Authenticate")?.hasPrefix("Bearer") == true, "\(name)")
      }
      #expect(try await ingest.ask("POST", "/payouts", token: nil, body: []).status == 401)
      for header in ["Basic \(valid)", valid, "Bearer", "Bearer \(valid) x", ""] {
        let reply = try await ingest.ask("GET", "/payouts/x", token: nil, headers: ["Authorization": header])
        #expect(reply.status == 401, "\(header.prefix(10))")
      }
      #expect(try await scene.payoutCount() == 0)
      #expect(try await ingest.post(payoutBody(), token: valid).status == 201)
      for subject in [String(repeating: "s", count: 255), String(repeating: "e\u{301}", count: 127)] {
        let longest = changed(["sub": subject, "nbf": now - 1])
        #expect(try await ingest.post(payoutBody(), token: longest).status == 201)
      }
      let lower = try await ingest.ask("GET", "/payouts/x", token: nil, headers: ["Authorization": "bearer \(valid)"])
      #expect(lower.status == 404)
    }
  }

  @Test func `a token expires by the injected clock`() async throws {
    // Proves both sides of exp without waiting, with what is granted to clocks that differ (TokenTests has the limits).
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let token = ingest.token(expiresIn: 3_600)
      #expect(try await ingest.post(payoutBody(), token: token).status == 201)
      ingest.clock.advance(milliseconds: 3_605_000)
      #expect(try await ingest.post(payoutBody(), token: token).status == 201)
      ingest.clock.advance(milliseconds: 25_000)
      #expect(try await ingest.post(payoutBody(), token: token).status == 401)
    }
  }
}
