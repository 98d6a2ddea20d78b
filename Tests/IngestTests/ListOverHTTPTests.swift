import NIOCore
import Payouts
import TestSupport
import Testing

@testable import Ingest

/// Lists of payouts and of transactions over real HTTP. (What fits a filter is shown by ListTests of the ledger.)
struct ListOverHTTPTests {
  /// So many payouts of one owner, oldest first.
  private func create(
    _ count: Int, by owner: String, _ ingest: RunningIngest, _ changes: [String: String?] = [:]
  ) async throws -> [String] {
    var ids: [String] = []
    for _ in 0..<count {
      let reply = try await ingest.post(payoutBody(changes), token: ingest.token(owner))
      ids.append(try #require(try reply.text("payout_id")))
    }
    return ids
  }

  private func ids(_ reply: RunningIngest.Reply) throws -> [String] {
    #expect(reply.status == 200)
    return try reply.member("payouts")?.items.compactMap { $0["payout_id"]?.textValue } ?? []
  }

  @Test func `a list is followed page by page to its end, newest first`() async throws {
    // Proves cursor and limit, and that a page's members are those of GET /payouts/{id} without the history.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let created = try await create(7, by: "client-1", ingest)
      _ = try await create(2, by: "client-2", ingest)
      var told: [String] = []
      var cursor: String?
      repeat {
        let page = try await ingest.get("/payouts?limit=3" + (cursor.map { "&cursor=\($0)" } ?? ""))
        told += try ids(page)
        cursor = try page.text("next_cursor")
        #expect(try ids(page).count <= 3)
      } while cursor != nil && told.count < 20
      #expect(told == created.reversed())
      let whole = try await ingest.get("/payouts")
      #expect(try ids(whole) == told && whole.member("next_cursor") == .null)
      let one = try await ingest.get("/payouts/\(told[0])")
      let shown = try #require(try whole.member("payouts")?.items.first)
      #expect(shown.membersOfObject.map(\.name) == (try one.json).membersOfObject.map(\.name).dropLast())
      let waits = try #require(try one.member("waiting_for")?["what"]?.textValue)
      #expect(shown["waiting_for"]?["what"]?.textValue == waits)
      #expect(try await ids(ingest.get("/api/payment/payouts?limit=1")) == [told[0]])
    }
  }

  @Test func `everybody lists his own, a beneficiary what names him, an admin everything`() async throws {
    // Proves who sees what, for every role.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let own = try await create(1, by: "caller", ingest)
      let named = try await create(1, by: "other", ingest, ["beneficiary_user_id": "\"caller\""])
      let strange = try await create(1, by: "other", ingest)
      for role in Caller.Role.allCases {
        let reply = try await ingest.get("/payouts", token: ingest.token("caller", role: role.rawValue))
        #expect(try ids(reply) == (role == .admin ? strange : []) + named + own, "\(role)")
      }
      #expect(try await ids(ingest.get("/payouts?external_id=none")) == [])
    }
  }

  @Test func `each filter is read, and percent-encoded as forms and URLs do`() async throws {
    // Proves that the parameter reaches the ledger, by one payout that fits and one that does not.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let wanted = try await create(
        1, by: "client-1", ingest,
        [
          "external_id": "\"Löhne & mehr\"", "node_id": "\"n 1\"", "session_id": "\"s/1\"", "batch_type": "\"weekly\"",
          "recipient_address": "\"\(Address(account: [UInt8](repeating: 3, count: 20)))\"",
        ])
      _ = try await create(1, by: "client-1", ingest)
      let filters = [
        "external_id=L%C3%B6hne+%26%20mehr", "node_id=n%201", "session_id=s%2f1", "session_id=s/1", "batch_type=WEEKLY",
        "recipient_address=\(Address(account: [UInt8](repeating: 3, count: 20)))",
      ]
      for filter in filters {
        let found = try await ids(ingest.get("/payouts?\(filter)"))
        #expect(found == wanted, "\(filter)")
      }
      for filter in [
        "status=queued&router_type=v0", "created_from=2026-01-01T00:00:00+02:00", "created_to=2999-01-01T00:00:00Z",
      ] {
        #expect(try await ids(ingest.get("/payouts?\(filter)")).count == 2, "\(filter)")
      }
      for filter in [
        "status=held", "router_type=kyc", "created_to=2026-01-01T00:00:00Z", "batch_id=\(PayoutID.random())",
      ] {
        #expect(try await ids(ingest.get("/payouts?\(filter)")) == [], "\(filter)")
      }
    }
  }

  @Test func `wrong parameters are named all at once`() async throws {
    // Proves each rule of a parameter, and that an unknown one is refused here and where none is read.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let reply = try await ingest.get(
        "/payouts?status=paid&router_type=v1&batch_type=yearly&batch_id=7&recipient_address=T1&external_id=&node_id=%00"
          + "&created_from=yesterday&created_to=1&limit=101&cursor=abc&sort=amount")
      #expect(reply.status == 400 && reply.problem == "invalid-request")
      #expect(
        reply.wrongFields == [
          "status", "router_type", "batch_type", "batch_id", "recipient_address", "external_id", "node_id",
          "created_from", "created_to", "limit", "cursor", "sort",
        ])
      for query in ["status=%ff", "limit=1&limit=2"] {
        #expect(try await ingest.get("/payouts?\(query)").problem == "malformed-query", "\(query)")
      }
      // A client's library would encode these once more.
      for query in ["status=%", "status=%f", "status=%zz"] {
        let head = "GET /payouts?\(query) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        let token = "Authorization: Bearer \(ingest.token())\r\n\r\n"
        let answer = try await RawConnection.exchange(port: ingest.port) { outbound in
          try await outbound.write(ByteBuffer(string: head + token))
        }
        #expect(answer.hasPrefix("HTTP/1.1 400 ") && answer.contains(":malformed-query\""), "\(query): \(answer)")
      }
      for limit in ["0", "-1", "+5", "1e1", "5.0", "x"] {
        #expect(try await ingest.get("/payouts?limit=\(limit)").wrongFields == ["limit"], "\(limit)")
      }
      let turned = "created_from=2026-01-02T00:00:00Z&created_to=2026-01-01T00:00:00Z"
      #expect(try await ingest.get("/payouts?\(turned)").wrongFields == ["created_to"])
      #expect(try await ingest.get("/payouts/\(PayoutID.random())?verbose=1").wrongFields == ["verbose"])
    }
  }

  @Test func `many transactions are told at once, those of strangers and of nobody left out`() async throws {
    // Proves the order, each once, and that they are told as one by one.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let own = try await create(3, by: "client-1", ingest)
      let strange = try await create(1, by: "client-2", ingest)
      let asked = [own[2], strange[0], own[0], "\(PayoutID.random())", own[2].uppercased()]
      let body = "{\"payout_ids\":[\(asked.map { "\"\($0)\"" }.joined(separator: ","))]}"
      let reply = try await ingest.post(body, path: "/payouts/transactions/bulk")
      #expect(reply.status == 200)
      let told = try #require(try reply.member("transactions")).items
      #expect(told.map { $0["payout_id"]?.textValue } == [own[2], own[0]])
      let alone = try await ingest.get("/payouts/\(own[2])/transaction").json
      #expect(told[0].membersOfObject.map(\.name) == alone.membersOfObject.map(\.name))
      #expect(told[0]["status"] == .text("pending"))
      for (body, fields) in [
        ("{}", ["payout_ids"]), ("{\"payout_ids\":[]}", ["payout_ids"]), ("{\"payout_ids\":7}", ["payout_ids"]),
        ("{\"payout_ids\":[7,\"x\"]}", ["payout_ids[0]", "payout_ids[1]"]),
        ("{\"payout_ids\":[\"x\"],\"y\":1}", ["payout_ids[0]", "y"]),
      ] {
        let refused = try await ingest.post(body, path: "/payouts/transactions/bulk")
        #expect(refused.status == 400 && refused.wrongFields == fields, "\(body): \(refused.wrongFields)")
      }
      let many = "{\"payout_ids\":[\((0...100).map { _ in "\"\(PayoutID.random())\"" }.joined(separator: ","))]}"
      #expect(try await ingest.post(many, path: "/payouts/transactions/bulk").wrongFields == ["payout_ids"])
    }
  }
}
