import Ledger
import Logging
import Payouts
import Testing
import Worker

@testable import Ingest

/// API keys on the real ledger: what they prove, how far they reach, and when they are worth nothing.
struct APIKeyTests {
  private func get(_ ingest: RunningIngest, _ path: String, _ key: String) async throws -> RunningIngest.Reply {
    try await ingest.ask("GET", path, token: nil, headers: ["X-API-Key": key])
  }

  private func post(
    _ ingest: RunningIngest, _ key: APIKeyText, _ body: String = payoutBody(), idempotencyKey: String? = nil
  ) async throws -> RunningIngest.Reply {
    var headers = ["X-API-Key": key.text, "Content-Type": "application/json"]
    headers["Idempotency-Key"] = idempotencyKey
    return try await ingest.ask("POST", "/payouts", token: nil, headers: headers, body: Array(body.utf8))
  }

  @Test func `a key stands for its owner, who is the same as by a token`() async throws {
    // Proves the way of a key from the ledger into a payout, the same reference by token and key, and that a node
    // operator's nodes go with it.
    let scene = try await IngestScene()
    let key = try await scene.makeAPIKey()
    let ofNode = try await scene.makeAPIKey(owner: "operator", role: .nodeOperator, nodes: ["node-1", "node-2"])
    try await scene.serving { ingest async throws in
      let reply = try await post(ingest, key, idempotencyKey: "k")
      #expect(reply.status == 201)
      let id = try #require(try reply.text("payout_id"))
      #expect(try await scene.ledger.payout(PayoutID(id))?.terms.owner == "client-1")
      #expect(try await ingest.get("/payouts/\(id)").status == 200)
      let again = try await ingest.post(payoutBody(), key: "k")
      #expect(again.headers.first(name: "Idempotency-Replayed") == "true")
      #expect(try await get(ingest, "/payouts/\(id)", ofNode.text).status == 404)
      #expect(try await post(ingest, ofNode, payoutBody(["node_id": "\"node-2\""])).status == 201)
      #expect(try await post(ingest, ofNode, payoutBody(["node_id": "\"node-3\""])).status == 403)
      #expect(try await post(ingest, ofNode).status == 403)
    }
  }

  @Test func `a revoked key is worth nothing from the next call on`() async throws {
    // Proves that no replica keeps a key in memory, and that revoking twice is once, by whoever was first.
    let scene = try await IngestScene()
    let (key, other) = (try await scene.makeAPIKey(), try await scene.makeAPIKey())
    try await scene.serving { ingest async throws in
      #expect(try await get(ingest, "/payouts", key.text).status == 200)
      let revoked = try #require(try await scene.ledger.revokeAPIKey(key.id, by: "root"))
      #expect(revoked.state == .revoked && revoked.revokedAt != nil && revoked.revokedBy == "root")
      let reply = try await get(ingest, "/payouts", key.text)
      #expect(try reply.status == 401 && reply.text("detail")?.contains("revoked") == true)
      #expect(try await scene.ledger.revokeAPIKey(key.id, by: "another") == revoked)
      #expect(try await get(ingest, "/payouts", other.text).status == 200)
    }
    #expect(try await scene.ledger.revokeAPIKey(APIKeyText(random: SystemRandomSource()).id, by: "root") == nil)
  }

  @Test func `a key expires by the ledger's clock`() async throws {
    // Proves both sides of expires_at by the clock that all replicas share, whatever their own say.
    let scene = try await IngestScene()
    let expiry = SystemClock().now().advanced(byMilliseconds: 3_600_000)
    let (key, endless) = (try await scene.makeAPIKey(expiresAt: expiry), try await scene.makeAPIKey())
    try await scene.serving { ingest async throws in
      ingest.clock.advance(milliseconds: 7_200_000)
      #expect(try await get(ingest, "/payouts", key.text).status == 200)
      try await scene.sql("UPDATE ledger_settings SET clock_offset_ms = 3600001")
      let reply = try await get(ingest, "/payouts", key.text)
      #expect(try reply.status == 401 && reply.text("detail")?.contains("expired") == true)
      #expect(try await get(ingest, "/payouts", endless.text).status == 200)
      let record = try #require(try await scene.ledger.apiKey(key.id))
      #expect(record.state == .expired && record.terms.expiresAt == expiry)
      #expect(try await scene.ledger.revokeAPIKey(key.id, by: "root")?.state == .revoked)
    }
  }

  @Test func `a key narrows what its role may do, and its reach with it`() async throws {
    // Proves permission by permission what a key may that was given one of its role's, and that an admin's sight of
    // everything ends where its permissions do.
    let scene = try await IngestScene()
    try await scene.vouch()
    try await scene.serving { ingest async throws in
      let own = try #require(try await ingest.post(payoutBody()).text("payout_id"))
      let foreign = try #require(
        try await ingest.post(payoutBody(), token: ingest.token("client-2")).text("payout_id"))
      for role in [CallerRole.admin, .service] {
        for permission in [CallerPermission.create, .read, .list] {
          let key = try await scene.makeAPIKey(role: role, permissions: [permission])
          let created = try await post(ingest, key)
          #expect(created.status == (permission == .create ? 201 : 403), "\(role) \(permission)")
          if permission != .create { #expect(try created.text("detail")?.hasPrefix("This API key may not") == true) }
          let listed = try await get(ingest, "/payouts", key.text)
          #expect(listed.status == (permission == .list ? 200 : 403), "\(role) \(permission)")
          if permission == .list {
            let owners = try listed.member("payouts")?.items.compactMap { $0["payout_id"]?.textValue } ?? []
            #expect(owners.contains(own) && owners.contains(foreign) == (role == .admin))
          }
          for (id, isReached) in [(own, true), (foreign, role == .admin)] {
            let read = try await get(ingest, "/payouts/\(id)", key.text)
            let readStatus = permission != .read ? 403 : isReached ? 200 : 404
            #expect(read.status == readStatus, "\(role) \(permission): \(read.status)")
            guard permission != .create else { continue }
            let cancelled = try await ingest.ask(
              "DELETE", "/payouts/\(id)", token: nil, headers: ["X-API-Key": key.text])
            #expect(cancelled.status == 403, "\(role) \(permission)")
          }
          #expect(try await get(ingest, "/admin/held", key.text).status == 403)
        }
      }
      let canceller = try await scene.makeAPIKey(role: .admin, permissions: [.create])
      let withdrawn = try await ingest.ask(
        "DELETE", "/payouts/\(foreign)", token: nil, headers: ["X-API-Key": canceller.text])
      #expect(withdrawn.status == 200)
      let whole = try await scene.makeAPIKey(owner: "root", role: .admin)
      #expect(try await get(ingest, "/admin/held", whole.text).status == 200)
    }
    // More than a role has is nobody's, whatever stands somewhere.
    let caller = Caller(id: "a", role: .endUser, nodeIDs: [], permissions: [.create, .admin, .read])
    #expect(caller.permissions == [.read] && !caller.mayCancel(owner: "a"))
    #expect(caller.mayRead(owner: "a", beneficiary: nil) && !caller.mayRead(owner: "b", beneficiary: nil))
  }

  @Test func `a wrong key proves nobody, and does not tell what is wrong with it`() async throws {
    // Proves that another secret, another id, and texts that are no key are answered alike.
    let scene = try await IngestScene()
    let (key, other) = (try await scene.makeAPIKey(), try await scene.makeAPIKey())
    let text = key.text
    let secret = String(text.suffix(43))
    let swapped = String(text.prefix(21)) + String(other.text.suffix(43))
    try await scene.serving { ingest async throws in
      let wrong = [
        swapped, "tpk_\(String(repeating: "0", count: 16))_\(secret)", "", "tpk_", "tpk", secret,
        String(text.dropFirst()), String(text.dropLast()), text + "A", text + "=",
        "tpk_\(key.id)\(secret)", "tpk_\(key.id)-\(secret)",
        "tpk_\(key.id)__\(secret)", "TPK_\(key.id)_\(secret)", "tpk_x\(key.id)_\(secret)",
        "tpk_\(key.id)_\(secret.dropLast())!", "Bearer \(text)", "\(text),\(text)",
      ]
      var details: Set<String> = []
      for text in wrong {
        let reply = try await get(ingest, "/payouts", text)
        #expect(reply.status == 401 && reply.problem == "unauthenticated", "\(text)")
        details.insert(try reply.text("detail") ?? "")
      }
      #expect(details.count == 1)
      #expect(try await get(ingest, "/payouts", text).status == 200)
      #expect(!scene.logs.lines.contains { $0.contains(secret) })
    }
  }

  @Test func `while the ledger is away a key proves nobody as yet`() async throws {
    // Proves 503 with Retry-After for what cannot be looked up, and 500 for what the ledger should not hold.
    let scene = try await IngestScene()
    let key = try await scene.makeAPIKey()
    for (code, status) in [(LedgerError.Code.unavailable, 503), (.outcomeUnknown, 503), (.corrupt, 500)] {
      try await scene.serving(apiKeys: AwayKeys(error: LedgerError(code, "the test says so"))) { ingest async throws in
        for path in ["/payouts", "/openapi.json"] {
          let reply = try await get(ingest, path, key.text)
          #expect(reply.status == status, "\(path)")
          #expect((reply.headers.first(name: "Retry-After") != nil) == (status == 503))
        }
        // A text that can be no key needs no ledger, and a token neither.
        #expect(try await get(ingest, "/payouts", "tpk_x").status == 401)
        #expect(try await ingest.get("/payouts").status == 200)
      }
    }
  }

  @Test func `the ledger keeps keys as they were made, and names each once`() async throws {
    // Proves the record to the last member, that making it again is once, and lists by owner, the newest first.
    let scene = try await IngestScene()
    let key = APIKeyText(random: SystemRandomSource())
    let expiry = SystemClock().now().advanced(byMilliseconds: 60_000)
    let terms = IngestScene.terms(
      key, owner: "Zoë", role: .nodeOperator, permissions: [.list, .create], nodes: ["b", "a", "ä,\"'{}"],
      expiresAt: expiry)
    let seal = try Sealer(IngestScene.sealKey).seal(terms)
    let made = try await scene.ledger.makeAPIKey(terms, seal: seal)
    #expect(made.terms == terms && made.seal == seal)
    #expect(made.state == .valid && made.revokedAt == nil && made.revokedBy == nil)
    #expect(try await scene.ledger.makeAPIKey(terms, seal: seal) == made)
    #expect(try await scene.ledger.apiKey(key.id) == made)
    let others = [
      (terms: IngestScene.terms(key, owner: "somebody"), seal: seal),
      (terms: terms, seal: APIKeySeal(keyID: "other", signature: seal.signature)),
    ]
    for other in others {
      let taken = await #expect(throws: LedgerError.self) {
        try await scene.ledger.makeAPIKey(other.terms, seal: other.seal)
      }
      #expect(taken?.code == .refused)
    }
    let wide = await #expect(throws: LedgerError.self) {
      try await scene.makeAPIKey(role: .endUser, permissions: [.read, .create])
    }
    #expect(wide?.code == .refused && wide?.constraint == "api_key_within_its_role")
    var ids: [APIKeyID] = []
    for _ in 0..<3 { ids.append(try await scene.makeAPIKey(owner: "other").id) }
    #expect(try await scene.ledger.apiKeys(of: "other", atMost: 9).map(\.terms.id) == ids.reversed())
    #expect(try await scene.ledger.apiKeys(of: "Zoë", atMost: 9) == [made])
    #expect(try await scene.ledger.apiKeys(of: nil, atMost: 9).count == 4)
    #expect(try await scene.ledger.apiKeys(of: nil, atMost: 2).map(\.terms.id) == [ids[2], ids[1]])
    #expect(try await scene.ledger.apiKeys(of: "nobody", atMost: 9).isEmpty)
  }

  @Test func `a key hands out no keys, and nobody hands out more than he may`() async throws {
    // Proves 403 for an admin's key, which may do all else, and the bound by the maker's own permissions; how the maker
    // was known stands beside his name.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let body = #"{"name":"n","owner":"o","role":"end_user"}"#
      let admin = try await scene.makeAPIKey(owner: "root", role: .admin)
      #expect(try await get(ingest, "/admin/api-keys", admin.text).status == 200)
      let refused = try await ingest.ask(
        "POST", "/admin/api-keys", token: nil,
        headers: ["X-API-Key": admin.text, "Content-Type": "application/json"], body: Array(body.utf8))
      #expect(refused.status == 403 && refused.problem == "forbidden")
      #expect(try refused.text("detail")?.contains("makes no API keys") == true)
      #expect(try await scene.sql("SELECT count(*) FROM api_keys") == "1")
      let made = try await ingest.post(body, token: ingest.token("root", role: "admin"), path: "/admin/api-keys")
      #expect(made.status == 201)
      let maker = try await scene.sql("SELECT created_by || ' ' || created_proof FROM api_keys WHERE owner = 'o'")
      #expect(maker == "root jwt")
    }
    let manage = try manage(scene)
    let request = APIKeyRequest(
      name: "n", owner: "p", role: .service, permissions: [.create, .read], nodeIDs: [], expiresAt: nil)
    let narrow = Caller(id: "root", role: .admin, nodeIDs: [], permissions: [.admin, .read], proof: .gateway)
    let beyond = await #expect(throws: Problem.self) { _ = try await manage.make(request, for: narrow) }
    #expect(beyond?.kind == .forbidden && beyond?.detail.contains("payment:create") == true)
    let equal = Caller(id: "root", role: .admin, nodeIDs: [], permissions: [.admin, .read, .create], proof: .gateway)
    #expect(try await manage.make(request, for: equal).record.terms.createdProof == "gateway")
  }

  private func manage(_ scene: IngestScene) throws -> ManageAPIKeys {
    let logs = scene.logs
    return ManageAPIKeys(
      ledger: scene.ledger, sealer: try Sealer(IngestScene.sealKey), random: SystemRandomSource(),
      logger: Logger(label: "tests", factory: { _ in LogMemory.Handler(memory: logs) }))
  }

  @Test func `who made and who revoked a key is logged, and its text is not`() async throws {
    // Proves one line for each act, with the key, its owner and who called.
    let scene = try await IngestScene()
    let manage = try manage(scene)
    let request = APIKeyRequest(
      name: "n", owner: "client-1", role: .service, permissions: [.read], nodeIDs: [], expiresAt: nil)
    let (record, text) = try await manage.make(request, for: Caller(id: "root", role: .admin, nodeIDs: []))
    let id = "\(record.terms.id)"
    let revoked = try await manage.revoke(id, for: Caller(id: "deputy", role: .admin, nodeIDs: []))
    #expect(revoked.state == .revoked && revoked.revokedBy == "deputy")
    #expect(scene.logs.lines.count == 2)
    for (words, caller) in [("made", "root"), ("revoked", "deputy")] {
      let told = scene.logs.lines.first { $0.hasPrefix("notice An API key was \(words)") } ?? ""
      for part in ["api_key.id=\(id)", "api_key.owner=client-1", "caller.id=\(caller)"] {
        #expect(told.contains(part), "\(told)")
      }
    }
    #expect(!scene.logs.lines.contains { $0.contains(text.text.suffix(43)) })
  }

  @Test func `an end that the ledger takes for past is named`() async throws {
    // Proves that a time ahead of our clock and behind the ledger's is the caller's wrong field, and no mistake of
    // ours.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let past = SystemClock().now().advanced(byMilliseconds: -60_000)
      ingest.clock.advance(milliseconds: -3_600_000)
      let reply = try await ingest.post(
        #"{"name":"n","owner":"o","role":"service","expires_at":"\#(past)"}"#,
        token: ingest.token("root", role: "admin"), path: "/admin/api-keys")
      #expect(reply.status == 400 && reply.problem == "invalid-request" && reply.wrongFields == ["expires_at"])
      #expect(try await scene.sql("SELECT count(*) FROM api_keys") == "0")
    }
  }

  @Test func `whose key is worth nothing any more is told to us alone`() async throws {
    // Proves the cause of each refusal where the secret was right, for log and audit record; a guess names nobody.
    let scene = try await IngestScene()
    let expiry = SystemClock().now().advanced(byMilliseconds: 3_600_000)
    let (revoked, expired) = (try await scene.makeAPIKey(), try await scene.makeAPIKey(expiresAt: expiry))
    _ = try await scene.ledger.revokeAPIKey(revoked.id, by: "root")
    try await scene.sql("UPDATE ledger_settings SET clock_offset_ms = 3600001")
    let verify = VerifyAPIKey(
      ledger: scene.ledger, sealer: try Sealer(IngestScene.sealKey),
      metrics: CallerMetrics(Instruments(worker: "ingest", registry: PrometheusRegistry())),
      logger: Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() }))
    let guess = revoked.text.prefix(21) + expired.text.suffix(43)
    for (text, cause) in [
      (revoked.text, "api_key:\(revoked.id) is revoked"), (expired.text, "api_key:\(expired.id) has expired"),
      (String(guess), nil), ("tpk_", nil),
    ] {
      let problem = await #expect(throws: Problem.self) { try await verify.caller(text) }
      #expect(problem?.kind == .unauthenticated && problem?.cause == cause)
      #expect(problem?.detail.contains("\(revoked.id)") == false)
    }
  }

  @Test func `a key has one spelling, and shows its id alone`() throws {
    // Proves that the text of a key is read back, and that no way of printing shows its secret.
    let key = APIKeyText(random: SystemRandomSource())
    #expect(key.text.utf8.count == 64 && key.text.hasPrefix("tpk_\(key.id)_"))
    let read = try #require(APIKeyText(key.text))
    #expect(read.id == key.id && read.secretDigest == key.secretDigest && read.text == key.text)
    var dumped = ""
    dump(key, to: &dumped)
    let secret = String(key.text.suffix(43))
    for text in ["\(key)", String(reflecting: key), dumped] {
      #expect(text.contains("\(key.id)") && !text.contains(secret))
    }
    #expect(throws: MalformedValue.self) { try APIKeyID(hex: "00000000000000AB") }
    #expect(throws: MalformedValue.self) { try APIKeyID(bytes: []) }
    #expect(try APIKeyID(hex: "00000000000000ab").description == "00000000000000ab")
  }
}

/// A ledger that has no answer about keys.
private struct AwayKeys: APIKeyLedger {
  let error: LedgerError

  func apiKey(_ id: APIKeyID) async throws -> APIKeyRecord? { throw error }
  func makeAPIKey(_ terms: APIKeyTerms, seal: APIKeySeal) async throws -> APIKeyRecord { throw error }
  func revokeAPIKey(_ id: APIKeyID, by caller: String) async throws -> APIKeyRecord? { throw error }
  func apiKeys(of owner: String?, atMost count: Int) async throws -> [APIKeyRecord] { throw error }
}
