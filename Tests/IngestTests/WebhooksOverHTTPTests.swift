import Ledger
import Payouts
import Testing

@testable import Ingest

/// Webhook endpoints and what they are told, over HTTP on the real ledger.
struct WebhooksOverHTTPTests {
  private typealias Reply = RunningIngest.Reply

  private func register(
    _ ingest: RunningIngest, _ owner: String = "client-1", body: String = #"{"url":"https://hooks.example/in"}"#
  ) async throws -> (id: String, reply: Reply) {
    let reply = try await ingest.post(body, token: ingest.token(owner), path: "/webhooks")
    return (try reply.text("webhook_id") ?? "none", reply)
  }

  private func write(
    _ ingest: RunningIngest, _ method: String, _ path: String, _ owner: String = "client-1", role: String = "service"
  ) async throws -> Reply {
    try await ingest.ask(method, path, token: ingest.token(owner, role: role))
  }

  private func listed(_ reply: Reply, _ list: String, _ member: String) throws -> [String?] {
    try #require(try reply.member(list)).items.map { $0[member]?.textValue }
  }

  /// What the ledger would have a sender do with all that is due.
  private func deliverAll(_ scene: IngestScene, _ result: WebhookResult) async throws -> [WebhookDelivery] {
    var sent: [WebhookDelivery] = []
    while case .lot(let lot) = try await scene.ledger.claimWebhooks(
      after: nil, leaseMilliseconds: 30_000, atMost: 20)
    {
      for delivery in lot.deliveries { _ = try await scene.ledger.record(result, of: delivery) }
      _ = try await scene.ledger.release(lot, restMilliseconds: nil, lifetimeMilliseconds: 259_200_000)
      sent += lot.deliveries
    }
    return sent
  }

  @Test func `an endpoint is registered with a secret that is told once, listed, and deleted for good`() async throws {
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let (id, made) = try await register(
        ingest,
        body: #"{"url":"https://h.example/in?k=v","events":["payout.confirmed","batch.completed"],"description":"d"}"#)
      #expect(made.status == 201)
      let secret = try #require(try made.text("secret"))
      #expect(try made.member("events")?.items.compactMap(\.textValue) == ["payout.confirmed", "batch.completed"])
      #expect(try made.text("owner") == "client-1" && made.text("state") == "active")
      let (all, everything) = try await register(ingest, body: #"{"url":"http://other.example","events":[]}"#)
      #expect(try everything.member("events") == .null)
      let list = try await ingest.get("/webhooks")
      #expect(try listed(list, "webhooks", "webhook_id") == [all, id])
      #expect(!String(decoding: list.bytes, as: UTF8.self).contains("whsec_"))
      let first = try await ingest.get("/webhooks?limit=1")
      #expect(try listed(first, "webhooks", "webhook_id") == [all])
      let cursor = try #require(try first.text("next_cursor"))
      let second = try await ingest.get("/webhooks?limit=1&cursor=\(cursor)")
      #expect(try listed(second, "webhooks", "webhook_id") == [id] && second.member("next_cursor") == .null)

      let deleted = try await write(ingest, "DELETE", "/webhooks/\(id)")
      #expect(try deleted.status == 200 && deleted.text("state") == "deleted")
      #expect(try await write(ingest, "DELETE", "/webhooks/\(id)").bytes == deleted.bytes)
      #expect(try await listed(ingest.get("/webhooks"), "webhooks", "webhook_id") == [all])
      #expect(try await ingest.get("/webhooks/\(id)/deliveries").status == 200)
      for path in ["test", "rotate-secret"] {
        let reply = try await write(ingest, "POST", "/webhooks/\(id)/\(path)")
        #expect(reply.status == 409 && reply.problem == "webhook-ended", "\(path)")
      }
      #expect(!scene.logs.lines.contains { $0.contains(secret) || $0.contains("k=v") })
      #expect(
        try await scene.sql(
          "SELECT count(*) FROM audit_records WHERE operation = 'deleteWebhook' AND target = '\(id)'") == "2")
      #expect(
        try await scene.sql("SELECT count(*) FROM audit_records WHERE detail = 'webhook \(id)' AND outcome = 'done'")
          == "1")
    }
  }

  @Test func `every wrong field of a registration is named, and every wrong parameter of a list`() async throws {
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let wrong: [(String, [String])] = [
        ("{}", ["url"]),
        (
          #"{"url":"ftp://a.example","events":["payout.paid"],"description":"","secret":"x"}"#,
          ["url", "events[0]", "description", "secret"]
        ),
        (#"{"url":"https://u:p@a.example/","events":["payout.held","payout.held"]}"#, ["url", "events"]),
      ]
      for (body, fields) in wrong {
        let (_, reply) = try await register(ingest, body: body)
        #expect(reply.status == 400 && reply.wrongFields == fields, "\(body)")
      }
      let (id, _) = try await register(ingest)
      let list = try await ingest.get("/webhooks?owner=&limit=0&cursor=x&state=pending")
      #expect(list.status == 400 && list.wrongFields == ["owner", "limit", "cursor", "state"])
      let deliveries = try await ingest.get("/webhooks/\(id)/deliveries?state=lost&limit=101&cursor=-1")
      #expect(deliveries.status == 400 && deliveries.wrongFields == ["state", "limit", "cursor"])
      #expect(try await scene.sql("SELECT count(*) FROM webhook_endpoints") == "1")
    }
  }

  @Test func `the twenty-first endpoint of an owner is refused until one is deleted`() async throws {
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      var last = ""
      for _ in 1...WebhookEndpoint.ownedMaximum { last = try await register(ingest).id }
      let refused = try await register(ingest).reply
      #expect(refused.status == 409 && refused.problem == "too-many-webhooks")
      #expect(try await register(ingest, "client-2").reply.status == 201)
      #expect(try await write(ingest, "DELETE", "/webhooks/\(last)").status == 200)
      #expect(try await register(ingest).reply.status == 201)
    }
  }

  @Test func `deliveries are listed by their state, page by page, and tell no address of ours`() async throws {
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let (id, _) = try await register(ingest)
      var payouts: [String?] = []
      for _ in 1...3 { payouts.append(try await ingest.post(payoutBody()).text("payout_id")) }
      let tested = try await write(ingest, "POST", "/webhooks/\(id)/test")
      #expect(try tested.status == 202 && tested.text("event") == "webhook.test" && tested.text("state") == "pending")
      let first = try await ingest.get("/webhooks/\(id)/deliveries?limit=2")
      #expect(try listed(first, "deliveries", "payout_id") == [nil, payouts[2]])
      let cursor = try #require(try first.text("next_cursor"))
      let second = try await ingest.get("/webhooks/\(id)/deliveries?limit=2&cursor=\(cursor)")
      #expect(try listed(second, "deliveries", "payout_id") == [payouts[1], payouts[0]])
      #expect(try second.member("next_cursor") == .null)

      let refusal = "refused_address: hooks.example is 10.1.2.3, private; WEBHOOK_ALLOWED_NETWORKS does not name it"
      _ = try await deliverAll(
        scene, .failed(refusal, delayMilliseconds: 60_000, lifetimeMilliseconds: 259_200_000))
      let pending = try await ingest.get("/webhooks/\(id)/deliveries?state=pending")
      #expect(try listed(pending, "deliveries", "last_result") == Array(repeating: "refused_address", count: 4))
      #expect(try await listed(ingest.get("/webhooks"), "webhooks", "state") == ["active"])
      let failures = try await ingest.get("/webhooks").member("webhooks")?.items.first?["failures"]
      #expect(failures == .number("4"))
      #expect(try await listed(ingest.get("/webhooks/\(id)/deliveries?state=gone"), "deliveries", "event").isEmpty)
    }
  }

  @Test func `what is over is delivered once more under its id, and what waits is not`() async throws {
    // Proves it for an endpoint's delivery and for one to a payout's own URL.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      _ = try await register(ingest)
      let made = try await ingest.post(payoutBody(["webhook_url": #""https://own.example/""#]))
      let payout = try PayoutID(try #require(try made.text("payout_id")))
      let sent = try await deliverAll(scene, .delivered("HTTP 204"))
      #expect(sent.count == 2 && sent.allSatisfy { $0.payout?.id == payout })
      for delivery in sent {
        let again = try await write(ingest, "POST", "/webhooks/deliveries/\(delivery.id)/redeliver")
        #expect(try again.status == 202 && again.text("delivery_id") == "\(delivery.id)")
        #expect(
          try again.text("webhook_id") == delivery.endpoint.map { "\($0.id)" } && again.text("state") == "pending")
        let waiting = try await write(ingest, "POST", "/webhooks/deliveries/\(delivery.id)/redeliver")
        #expect(waiting.status == 409 && waiting.problem == "cannot-redeliver")
      }
      let resent = try await deliverAll(scene, .delivered("HTTP 204"))
      #expect(Set(resent.map(\.id)) == Set(sent.map(\.id)) && Set(resent.map(\.told)) == Set(sent.map(\.told)))
      let endpoint = try #require(sent.first { $0.endpoint != nil })
      let id = try #require(endpoint.endpoint?.id)
      #expect(try await write(ingest, "DELETE", "/webhooks/\(id)").status == 200)
      let ended = try await write(ingest, "POST", "/webhooks/deliveries/\(endpoint.id)/redeliver")
      #expect(ended.status == 409 && ended.problem == "webhook-ended")
    }
  }

  @Test func `a rotated secret is told once, and the old one signs for a day more`() async throws {
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let (id, made) = try await register(ingest)
      let rotated = try await write(ingest, "POST", "/webhooks/\(id)/rotate-secret")
      #expect(rotated.status == 200)
      let secrets = [try rotated.text("secret"), try made.text("secret")]
      #expect(secrets[0] != secrets[1])
      let until = try Timestamp(rfc3339: try #require(try rotated.text("old_secret_valid_until")))
      #expect(abs(until.milliseconds - ingest.clock.now().milliseconds - 86_400_000) < 120_000)
      for (offset, valid) in [(0, secrets), (86_400_000 - 120_000, secrets), (86_400_000 + 120_000, [secrets[0]])] {
        try await scene.sql("UPDATE ledger_settings SET clock_offset_ms = \(offset)")
        #expect(try await write(ingest, "POST", "/webhooks/\(id)/test").status == 202)
        let sent = try await deliverAll(scene, .delivered("HTTP 204"))
        #expect(sent.map { $0.endpoint?.secrets.map(\.text) } == [valid], "\(offset)")
      }
    }
  }

  @Test func `a stranger's endpoint and delivery look as if there were none, and an admin reaches all`() async throws {
    // Proves it for each call, also for who is a payout's beneficiary; the ids of nothing and no ids are answered alike.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let (id, _) = try await register(ingest)
      _ = try await ingest.post(payoutBody(["beneficiary_user_id": #""client-2""#]))
      let listing = try await ingest.get("/webhooks/\(id)/deliveries")
      let delivery = try #require(try listed(listing, "deliveries", "delivery_id").first ?? nil)
      let calls = [
        ("DELETE", "/webhooks/ID"), ("GET", "/webhooks/ID/deliveries"), ("POST", "/webhooks/ID/test"),
        ("POST", "/webhooks/ID/rotate-secret"), ("POST", "/webhooks/deliveries/ID/redeliver"),
      ]
      for (method, path) in calls {
        var details: Set<String?> = []
        for name in [path.contains("redeliver") ? delivery : id, "\(PayoutID.random())", "x"] {
          let reply = try await write(ingest, method, path.replacing("ID", with: name), "client-2")
          #expect(reply.status == 404 && reply.problem == "not-found", "\(method) \(path)")
          details.insert(try reply.text("detail"))
        }
        #expect(details.count == 1)
      }
      #expect(try await listed(ingest.get("/webhooks", token: ingest.token("client-2")), "webhooks", "url").isEmpty)
      let peek = try await ingest.get("/webhooks?owner=client-1", token: ingest.token("client-2"))
      #expect(try listed(peek, "webhooks", "url").isEmpty)
      let root = ingest.token("root", role: "admin")
      #expect(try await listed(ingest.get("/webhooks", token: root), "webhooks", "webhook_id") == [id])
      #expect(
        try await listed(ingest.get("/webhooks?owner=client-1", token: root), "webhooks", "webhook_id") == [id])
      #expect(try await listed(ingest.get("/webhooks?owner=root", token: root), "webhooks", "webhook_id").isEmpty)
      _ = try await deliverAll(scene, .delivered("HTTP 204"))
      for (method, path) in calls.reversed() {
        let name = path.contains("redeliver") ? delivery : id
        let reply = try await write(ingest, method, path.replacing("ID", with: name), "root", role: "admin")
        #expect(reply.status < 300, "\(method) \(path)")
      }
    }
  }
}
