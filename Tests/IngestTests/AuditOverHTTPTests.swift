import Foundation
import Payouts
import TestSupport
import Testing

@testable import Ingest

/// What is recorded for ever of calls over real HTTP, and API keys as admins hand them out.
struct AuditOverHTTPTests {
  private func records(_ ingest: RunningIngest, _ query: String = "") async throws -> [JSONValue] {
    let reply = try await ingest.get("/admin/audit?limit=100\(query)", token: ingest.token("root", role: "admin"))
    #expect(reply.status == 200)
    return try reply.member("records")?.items ?? []
  }

  private func told(_ record: JSONValue) -> String {
    ["caller", "role", "proof", "operation", "target", "status", "outcome"].map { name in
      record.member(name).plainText ?? "-"
    }.joined(separator: " ")
  }

  @Test func `each write and each refusal is one record, and reading leaves none`() async throws {
    // Proves who, what, outcome and request id, for every kind of proof that is missing or there, and the order of the list.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let first = try await ingest.post(payoutBody(), key: "k", headers: ["X-Request-ID": "one"])
      let id = try #require(try first.text("payout_id"))
      _ = try await ingest.post(payoutBody(), key: "k", headers: ["X-Request-ID": "two"])
      _ = try await ingest.post(payoutBody(["amount_usdt": "1"]), key: "k", headers: ["X-Request-ID": "three"])
      _ = try await ingest.get("/payouts/\(id)")
      _ = try await ingest.get("/payouts")
      _ = try await ingest.get("/payouts/\(id)", token: ingest.token("stranger"))
      _ = try await ingest.ask("GET", "/payouts", token: nil)
      _ = try await ingest.ask("DELETE", "/payouts/\(id)", token: ingest.token())
      _ = try await ingest.ask("PUT", "/payouts/\(id)", token: ingest.token())
      try await ingest.pause()
      try await until("what nobody waited for is stored, too") { try await records(ingest).count == 8 }
      let told = try await records(ingest).map(told).reversed()
      let expected = [
        "client-1 service jwt createPayout - 201 done", "client-1 service jwt createPayout - 201 replayed",
        "client-1 service jwt createPayout - 422 idempotency-mismatch",
        "stranger service jwt getPayout \(id) 404 not-found", "- - - listPayouts - 401 unauthenticated",
        "client-1 service jwt cancelPayout \(id) 409 history-not-trusted",
        "client-1 service jwt unknown \(id) 405 method-not-allowed", "root admin jwt pausePayments - 200 done",
      ]
      #expect(told.sorted() == expected.sorted())
      let made = try #require(try await records(ingest, "&outcome=done&caller=client-1").first)
      #expect(made.member("request_id") == .text("one") && made.member("detail") == .text("payout \(id)"))
      #expect(try await records(ingest, "&target=\(id)").count == 3)
      #expect(try await records(ingest, "&operation=pausePayments").first?.member("detail") == .text("why"))
      try await until("all are chained") {
        try await records(ingest).allSatisfy { $0.member("hash") != .null }
      }
      let sequences = try await records(ingest).compactMap { $0.member("sequence").plainText }.compactMap { Int($0) }
      #expect(sequences.sorted() == Array(1...8))
    }
  }

  @Test func `records are followed page by page, and wrong parameters are named`() async throws {
    // Proves cursor and limit, that nobody but an admin reads them, and each rule of a parameter.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      for number in 1...7 { _ = try await ingest.post(payoutBody(), key: "k\(number)") }
      let admin = ingest.token("root", role: "admin")
      var ids: [String] = []
      var cursor: String?
      repeat {
        let page = try await ingest.get("/admin/audit?limit=3" + (cursor.map { "&cursor=\($0)" } ?? ""), token: admin)
        ids += try #require(try page.member("records")).items.compactMap { $0.member("id").plainText }
        cursor = try page.text("next_cursor")
      } while cursor != nil && ids.count < 20
      #expect(Set(ids).count == 7 && ids.count == 7)
      let wrong = try await ingest.get("/admin/audit?limit=0&cursor=-1&from=x&to=y&caller=&sort=1", token: admin)
      #expect(wrong.wrongFields == ["caller", "from", "to", "limit", "cursor", "sort"])
      let turned = "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"
      #expect(try await ingest.get("/admin/audit?\(turned)", token: admin).wrongFields == ["to"])
      #expect(try await ingest.get("/admin/audit").problem == "forbidden")
    }
  }

  @Test func `an admin hands out an API key, which works until it is revoked`() async throws {
    // Proves the three calls, that the key's text is told once, and that what it does is recorded under its name.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let admin = ingest.token("root", role: "admin")
      let body = #"{"name":"payroll","owner":"client-7","role":"service","permissions":["payment:create"]}"#
      let made = try await ingest.post(body, token: admin, path: "/admin/api-keys")
      #expect(made.status == 201)
      let key = try #require(try made.text("api_key"))
      let id = try #require(try made.text("api_key_id"))
      let json = ["Content-Type": "application/json", "X-API-Key": key]
      let paid = try await ingest.ask("POST", "/payouts", token: nil, headers: json, body: Array(payoutBody().utf8))
      #expect(paid.status == 201)
      let payout = try #require(try paid.text("payout_id"))
      #expect(try await ingest.get("/payouts/\(payout)", token: ingest.token("client-7")).status == 200)
      #expect(try await ingest.ask("GET", "/payouts", token: nil, headers: ["X-API-Key": key]).status == 403)
      let listed = try await ingest.get("/admin/api-keys?owner=client-7", token: admin)
      #expect(try listed.member("api_keys")?.items.map { $0.member("state") } == [.text("valid")])
      #expect(!String(decoding: listed.bytes, as: UTF8.self).contains(key.suffix(43)))
      #expect(try await ingest.get("/admin/api-keys?owner=client-8", token: admin).member("api_keys")?.items == [])
      for _ in 0..<2 {
        let revoked = try await ingest.ask("DELETE", "/admin/api-keys/\(id)", token: admin)
        #expect(try revoked.status == 200 && revoked.text("state") == "revoked")
      }
      #expect(try await ingest.ask("POST", "/payouts", token: nil, headers: json, body: []).status == 401)
      for unknown in ["0f1e2d3c4b5a6978", "x", "0F1E2D3C4B5A6978"] {
        #expect(try await ingest.ask("DELETE", "/admin/api-keys/\(unknown)", token: admin).status == 404)
      }
      #expect(try await ingest.ask("DELETE", "/admin/api-keys/\(key)", token: admin).status == 404)
      try await until("that is recorded") { try await records(ingest, "&outcome=not-found").count == 4 }
      let acts = try await records(ingest, "&caller=client-7&outcome=done").map(told)
      #expect(acts == ["client-7 service api_key:\(id) createPayout - 201 done"])
      let all = try await scene.sql("SELECT string_agg(r::text, '') FROM audit_records r")
      #expect(!all.contains(key.suffix(43)))
    }
  }

  @Test func `strangers cannot fill the table, and their number is told`() async throws {
    // Proves the bound of refusals of callers that nobody knows, that none of them goes untold, and that known callers are
    // recorded all the same.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let began = ingest.clock.now()
      let count = 3 * StrangerAllowance.recordsMax
      for _ in 0..<count { _ = try await ingest.ask("GET", "/payouts", token: nil) }
      let spans = (ingest.clock.now().milliseconds - began.milliseconds) / StrangerAllowance.spanMilliseconds + 1
      _ = try await ingest.get("/payouts/\(PayoutID.random())")
      ingest.clock.advance(milliseconds: StrangerAllowance.spanMilliseconds)
      _ = try await ingest.ask("GET", "/payouts", token: nil)
      func number(_ question: String) async throws -> Int {
        try #require(Int(try await scene.sql("SELECT \(question) FROM audit_records WHERE caller IS NULL")))
      }
      let alone = "count(*) FILTER (WHERE detail IS NULL)"
      try await until("all of them are told") {
        try await number("\(alone) + coalesce(sum(split_part(detail, ' ', 1)::int), 0)") == count + 1
      }
      #expect(try await number(alone) <= Int(spans) * StrangerAllowance.recordsMax + 1)
      #expect(try await scene.sql("SELECT count(*) FROM audit_records WHERE caller = 'client-1'") == "1")
    }
  }

  @Test func `what is wrong with a key that is asked for is named all at once`() async throws {
    // Proves each rule of the request.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let admin = ingest.token("root", role: "admin")
      for (body, fields) in [
        ("{}", ["name", "owner", "role"]),
        (#"{"name":"","owner":"\u0001","role":"king","x":1}"#, ["name", "owner", "role", "x"]),
        (
          #"{"name":"a","owner":"b","role":"end_user","permissions":["payment:create"],"expires_at":"2020-01-01T00:00:00Z"}"#,
          ["permissions[0]", "expires_at"]
        ),
        (
          #"{"name":"a","owner":"b","role":"service","permissions":[],"node_ids":[""]}"#,
          ["permissions", "node_ids[0]"]
        ),
      ] {
        let reply = try await ingest.post(body, token: admin, path: "/admin/api-keys")
        #expect(reply.status == 400 && reply.wrongFields == fields, "\(body): \(reply.wrongFields)")
      }
      #expect(try await ingest.post("{}", path: "/admin/api-keys").problem == "forbidden")
      #expect(try await scene.sql("SELECT count(*) FROM api_keys") == "0")
    }
  }
}

extension RunningIngest {
  /// Pauses payments as an admin.
  fileprivate func pause() async throws {
    _ = try await post(#"{"reason":"why"}"#, token: token("root", role: "admin"), path: "/admin/pause")
  }
}
