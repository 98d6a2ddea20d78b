import Payouts
import Testing
import Worker

@testable import Ingest

/// The way of a payout into the ledger over real HTTP, and everything around it that is not the payout itself.
struct AcceptOverHTTPTests {
  @Test func `a payout is stored, sealed, enqueued and told`() async throws {
    // Proves the happy path end to end: 201 with Location, the row and its seal in PostgreSQL, the id in the stream, and
    // the same payout by GET, under both prefixes.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let body = payoutBody([
        "external_id": "\"invoice 7\"", "custom_data": "{\"a\":1}", "priority": "\"high\"", "work_credits": "1.50",
        "webhook_url": "\"https://example.com/\"", "expires_at": "\"2099-01-01T00:00:00Z\"", "session_id": "\"s\"",
      ])
      let reply = try await ingest.post(body, key: "key-1", headers: ["X-Request-ID": "req-1"])
      #expect(reply.status == 201)
      #expect(reply.headers.first(name: "X-Request-ID") == "req-1")
      #expect(reply.headers.first(name: "Content-Type") == "application/json")
      #expect(reply.headers.first(name: "Idempotency-Replayed") == nil)
      let id = try #require(try reply.text("payout_id"))
      #expect(reply.headers.first(name: "Location") == "/payouts/\(id)")
      #expect(try reply.text("status") == "queued")
      #expect(try reply.text("amount_usdt") == "12.5")
      #expect(try reply.text("recipient_address") == IngestScene.recipient.description)
      #expect(try reply.text("router_used") == "v0" && reply.text("priority") == "high")
      #expect(try reply.text("batch_type") == "immediate" && reply.text("external_id") == "invoice 7")
      for absent in ["batch_id", "settlement_batch_id", "hold_reason", "txid"] {
        #expect(try reply.member(absent) == .null, "\(absent)")
      }
      #expect(try reply.member("waiting_for")?["what"] == .text("batch"))
      let created = try Timestamp(rfc3339: #require(try reply.text("created_at")))
      #expect(try Timestamp(rfc3339: #require(try reply.text("estimated_confirmation"))) > created)

      let record = try #require(try await scene.ledger.payout(PayoutID(id)))
      #expect(record.terms.owner == "client-1" && record.terms.amount.microUSDT == 12_500_000)
      #expect(record.terms.reference == Reference(owner: "client-1", idempotencyKey: "key-1", index: 0))
      #expect(record.particulars.requestID == "req-1" && record.particulars.workCredits == "1.50")
      let verifier = try SealVerifier(Sealer(IngestScene.sealKey).publicKeyText)
      #expect(verifier.isIntact(record.seal, on: record.terms))
      try await until("the payout is enqueued") { try await scene.streams.length(of: .payoutsImmediate) == 1 }
      #expect(try await scene.enqueued() == [id])

      for prefix in ["", "/api/payment"] {
        let shown = try await ingest.get("\(prefix)/payouts/\(id)")
        #expect(shown.status == 200)
        #expect(try shown.text("payout_id") == id && shown.text("status") == "queued")
        #expect(try shown.member("history")?.items.map { $0["status"] } == [.text("queued")])
      }
      let below = try await ingest.post(payoutBody(), path: "/api/payment/payouts")
      #expect(below.status == 201)
      #expect(below.headers.first(name: "Location")?.hasPrefix("/api/payment/payouts/") == true)
      #expect(scene.logs.lines.contains { $0.contains("Payout accepted") && $0.contains(id) && $0.contains("req-1") })
    }
  }

  @Test func `a payout without a key gets a reference of its own`() async throws {
    // Proves that two equal requests without keys are two payouts, each named by its own id.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      var ids: Set<String> = []
      for _ in 0..<2 {
        let reply = try await ingest.post(payoutBody())
        #expect(reply.status == 201)
        let id = try #require(try reply.text("payout_id"))
        ids.insert(id)
        let record = try #require(try await scene.ledger.payout(PayoutID(id)))
        #expect(record.terms.reference == Reference(payoutWithoutKey: record.id))
      }
      #expect(ids.count == 2)
    }
  }

  @Test func `where keys are required a request without one is refused`() async throws {
    // Proves REQUIRE_IDEMPOTENCY_KEY on both sides.
    let scene = try await IngestScene()
    try await scene.serving(["REQUIRE_IDEMPOTENCY_KEY": "true"]) { ingest async throws in
      let refused = try await ingest.post(payoutBody())
      #expect(refused.status == 400 && refused.problem == "idempotency-key-required")
      #expect(try await scene.payoutCount() == 0)
      #expect(try await ingest.post(payoutBody(), key: "k").status == 201)
    }
  }

  @Test func `wrong fields are answered by a problem that names them all`() async throws {
    // Proves the form of RFC 9457 over the wire, and that nothing is stored.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let reply = try await ingest.post(
        payoutBody(["amount_usdt": "0", "reason": nil, "surplus": "1"]), headers: ["X-Request-ID": "r-9"])
      #expect(reply.status == 400)
      #expect(reply.headers.first(name: "Content-Type") == "application/problem+json")
      #expect(try reply.text("type") == "urn:tron-payouts:problem:invalid-request")
      #expect(try reply.member("status") == .number("400"))
      #expect(try reply.text("instance") == "/payouts" && reply.text("request_id") == "r-9")
      #expect(try reply.text("title")?.isEmpty == false && reply.text("detail")?.isEmpty == false)
      #expect(reply.wrongFields.sorted() == ["amount_usdt", "reason", "surplus"])
      #expect(try await scene.payoutCount() == 0)
    }
  }

  @Test func `the token, the routers and hot wallets declared later cannot be paid`() async throws {
    // Proves that the ledger's wallets are read again while Ingest runs.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      for address in [IngestScene.token, IngestScene.router.description, Address.zero.description] {
        let reply = try await ingest.post(payoutBody(["recipient_address": "\"\(address)\""]))
        #expect(reply.status == 400 && reply.wrongFields == ["recipient_address"], "\(address)")
      }
      let wallet = Address(account: [UInt8](repeating: 0x31, count: 20))
      try await scene.sql(
        """
        INSERT INTO wallets (address, network, begin_block_number, begin_block_id, begin_block_time_ms)
        VALUES ('\\x\(Hex.text(wallet.bytes))', 'devnet', 1, '\\x\(String(repeating: "01", count: 32))', 1)
        """)
      try await until("the wallet is known") {
        let reply = try await ingest.post(payoutBody(["recipient_address": "\"\(wallet)\""]))
        return reply.status == 400 && reply.wrongFields == ["recipient_address"]
      }
    }
  }

  @Test func `bodies of the wrong kind or size are refused`() async throws {
    // Proves 415 and 413 on both sides of their rule, and 400 for what is no JSON.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      for type in ["application/json; charset=UTF-8", "Application/JSON", "application/json;charset=\"utf-8\""] {
        #expect(try await ingest.post(payoutBody(), headers: ["Content-Type": type]).status == 201, "\(type)")
      }
      for type in ["text/plain", "application/jsonx", "application/json; charset=latin1", "application/problem+json"] {
        let reply = try await ingest.post(payoutBody(), headers: ["Content-Type": type])
        #expect(reply.status == 415 && reply.problem == "unsupported-media-type", "\(type)")
      }
      let untyped = try await ingest.ask("POST", "/payouts", token: ingest.token(), body: Array(payoutBody().utf8))
      #expect(untyped.status == 415)

      let full = payoutBody() + String(repeating: " ", count: ReadBody.bytesMax - payoutBody().utf8.count)
      #expect(try await ingest.post(full).status == 201)
      let larger = try await ingest.post(full + " ")
      #expect(larger.status == 413 && larger.problem == "body-too-large")
      #expect(larger.headers.first(name: "Connection") == "close")
      for body in ["", "{", "[]", "{\"a\":1,\"a\":1}", "\u{feff}{}"] {
        let reply = try await ingest.post(body)
        #expect(reply.status == 400 && reply.problem == "malformed-json", "\(body)")
      }
      let bomb = try await ingest.post(String(repeating: "[", count: 500_000))
      #expect(bomb.status == 400 && bomb.problem == "malformed-json")
    }
  }

  @Test func `unknown paths, other methods and HEAD have their answers`() async throws {
    // Proves 404 and 405 as problems with Allow, HEAD without a body, and that strangers learn of no path.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let id = try #require(try await ingest.post(payoutBody()).text("payout_id"))
      for path in [
        "/", "/nothing", "/payouts/\(id)/nothing", "/payouts/\(id)/transaction/x", "/payouts//transaction/",
        "/api/payment", "/api/paymentx/payouts", "//payouts",
      ] {
        let reply = try await ingest.get(path)
        #expect(reply.status == 404 && reply.problem == "not-found", "\(path)")
        #expect(try await ingest.ask("GET", path, token: nil).status == 401, "\(path)")
      }
      for (method, path, allow) in [
        ("PUT", "/payouts", "GET, HEAD, POST"), ("PUT", "/payouts/\(id)", "DELETE, GET, HEAD"),
        ("POST", "/payouts/\(id)/transaction", "GET, HEAD"), ("OPTIONS", "/payouts", "GET, HEAD, POST"),
        ("POST", "/health", "GET, HEAD"), ("PATCH", "/payouts", "GET, HEAD, POST"),
        ("GET", "/payouts/transactions/bulk", "POST"), ("POST", "/docs", "GET, HEAD"),
      ] {
        let reply = try await ingest.ask(method, path, token: ingest.token())
        #expect(reply.status == 405 && reply.problem == "method-not-allowed", "\(method) \(path)")
        #expect(reply.headers.first(name: "Allow") == allow, "\(method) \(path)")
      }
      for path in ["/payouts/\(id)", "/payouts/\(id)/transaction", "/live"] {
        let head = try await ingest.ask("HEAD", path, token: ingest.token())
        let get = try await ingest.get(path)
        #expect(head.status == 200 && head.bytes.isEmpty && !get.bytes.isEmpty, "\(path)")
        #expect(head.headers.first(name: "Content-Type") == get.headers.first(name: "Content-Type"))
      }
      for id in ["x", "00000000-0000-0000-0000-000000000000", "..%2f..", String(repeating: "a", count: 1_000)] {
        #expect(try await ingest.get("/payouts/\(id)").problem == "not-found", "\(id)")
      }
    }
  }

  @Test func `every answer carries a request id: the caller's where it can be used, else a new one`() async throws {
    // Proves both sides of the rule, also on refusals and health.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let long = String(repeating: "r", count: 128)
      for path in ["/live", "/nothing"] {
        let kept = try await ingest.ask("GET", path, token: nil, headers: ["X-Request-ID": long])
        #expect(kept.headers["X-Request-ID"] == [long])
        for bad in [long + "r", "a b", "é"] {
          let replaced = try await ingest.ask("GET", path, token: nil, headers: ["X-Request-ID": bad])
          let id = try #require(replaced.headers.first(name: "X-Request-ID"))
          #expect(throws: Never.self) { try PayoutID(id) }
        }
      }
      let refused = try await ingest.ask("GET", "/nothing", token: nil, headers: ["X-Request-ID": "mine"])
      #expect(try refused.text("request_id") == "mine")
      #expect(scene.logs.lines.contains { $0.contains("request.id=mine") })
    }
  }

  @Test func `health, readiness and liveness answer without a token`() async throws {
    // Proves the three probes under both prefixes, what they need, and that a draining Ingest is not ready.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      try await until("all parts were tried") { try await ingest.ask("GET", "/ready", token: nil).status == 200 }
      for prefix in ["", "/api/payment"] {
        let health = try await ingest.ask("GET", "\(prefix)/health", token: nil)
        // Nobody follows the chain here.
        #expect(health.status == 200)
        #expect(try health.text("status") == "degraded")
        let parts = try health.member("dependencies")
        #expect(parts?["postgresql"]?["state"] == .text("ok") && parts?["redis"]?["state"] == .text("ok"))
        #expect(parts?["tron"]?["state"] == .text("degraded") && parts?["breaker"]?["state"] == .text("ok"))
        #expect(try await ingest.ask("GET", "\(prefix)/live", token: nil).status == 200)
        #expect(try await ingest.ask("GET", "\(prefix)/ready?strict=true", token: nil).status == 503)
      }
      try await scene.sql(
        """
        INSERT INTO chain_cursors (view, number, block_id, block_time_ms)
        VALUES ('head', 9, '\\x\(String(repeating: "02", count: 32))', 1)
        """)
      try await until("the chain is followed") {
        try await ingest.ask("GET", "/ready?strict=true", token: nil).status == 200
      }
      try await scene.sql("SELECT open_breaker('test', 'test', 'a test opens it')")
      try await until("the open breaker is told") {
        let strict = try await ingest.ask("GET", "/ready?strict=true", token: nil)
        return strict.status == 503 && String(decoding: strict.bytes, as: UTF8.self).contains("circuit_breaker_open")
      }
      #expect(try await ingest.ask("GET", "/ready", token: nil).status == 200)
      #expect(try await ingest.post(payoutBody()).status == 201)
      ingest.health.beginDraining()
      #expect(try await ingest.ask("GET", "/ready", token: nil).status == 503)
    }
  }
}
