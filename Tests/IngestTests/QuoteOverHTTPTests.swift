import Payouts
import TestSupport
import Testing

@testable import Ingest

/// POST /payouts/quote over real HTTP. (What the ledger knows of it is shown by its own tests.)
struct QuoteOverHTTPTests {
  private func quote(
    _ ingest: RunningIngest, _ body: String, token: String? = nil
  ) async throws -> RunningIngest.Reply {
    try await ingest.post(body, token: token, path: "/payouts/quote")
  }

  private func problems(_ payout: JSONValue?) -> [String] {
    (payout?["problems"]?.items ?? []).map { problem in
      let kind = problem["type"]?.textValue?.split(separator: ":").last.map(String.init) ?? ""
      return "\(kind) \(problem["field"]?.textValue ?? "-")"
    }
  }

  @Test func `a quote tells what would be, and accepts nothing`() async throws {
    // Proves both bodies, the duplicate, and that nothing is stored, counted, enqueued or audited.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let first = try await quote(ingest, payoutBody(["priority": "\"high\"", "batch_type": "\"DAILY\""]))
      #expect(first.status == 200)
      #expect(try first.text("would_be") == "accepted" && first.text("total_amount_usdt") == "12.5")
      #expect(try first.member("estimated_energy") == .null && first.member("estimated_fee_trx") == .null)
      #expect(try first.member("limits")?.items.isEmpty == true)
      let payout = try #require(try first.member("payouts")?.items.first)
      #expect(payout["would_be"] == .text("accepted") && problems(payout).isEmpty)
      #expect(payout["duplicate_of"] == .null && payout["estimated_confirmation"]?.textValue != nil)
      #expect(payout["priority"] == .text("high") && payout["batch_type"] == .text("daily"))
      #expect(try await scene.payoutCount() == 0)
      #expect(try await scene.sql("SELECT count(*) FROM limit_windows") == "0")
      #expect(try await scene.sql("SELECT count(*) FROM payout_references") == "0")
      #expect(try await scene.enqueued(in: .payoutsDaily).isEmpty)
      #expect(try await scene.sql("SELECT count(*) FROM audit_records") == "0")

      let id = try #require(try await ingest.post(payoutBody()).text("payout_id"))
      let batch = try await quote(ingest, batchBody([payoutBody(), payoutBody(["amount_usdt": "1"])]))
      #expect(try batch.text("total_amount_usdt") == "13.5" && batch.text("would_be") == "accepted")
      #expect(try batch.member("payouts")?.items.map { $0["duplicate_of"] } == [.text(id), .null])
      #expect(try await scene.payoutCount() == 1)
    }
  }

  @Test func `each reason for a refusal is told, all at once`() async throws {
    // Proves the kinds of problems in their places, and that a batch is refused by one of its payouts.
    let scene = try await IngestScene()
    try await scene.serving(["V0_MAX_PAYOUT_USDT": "100", "DAILY_PAYOUT_LIMIT_USDT": "200"]) { ingest async throws in
      let forbidden = payoutBody([
        "recipient_address": "\"\(IngestScene.router)\"", "amount_usdt": "150",
        "expires_at": "\"2001-01-01T00:00:00Z\"",
      ])
      let reply = try await quote(ingest, batchBody([payoutBody(), forbidden]))
      #expect(try reply.status == 200 && reply.text("would_be") == "refused")
      let payouts = try #require(try reply.member("payouts")).items
      #expect(payouts[0]["would_be"] == .text("accepted") && problems(payouts[0]).isEmpty)
      #expect(payouts[1]["would_be"] == .text("refused") && payouts[1]["estimated_confirmation"] == .null)
      #expect(
        problems(payouts[1]) == [
          "invalid-request recipient_address", "invalid-request amount_usdt", "invalid-request expires_at",
        ])

      // Together they would not fit; the window that says so is told, and each payout that it counts.
      let full = try await quote(ingest, batchBody((0..<3).map { _ in payoutBody(["amount_usdt": "80"]) }))
      let limits = try #require(try full.member("limits")).items
      #expect(limits.map { $0["limit_usdt"] } == [.text("200")] && limits[0]["window"] == .text("day"))
      #expect(limits[0]["router_type"] == .null && limits[0]["used_usdt"] == .text("0"))
      #expect(
        try full.member("payouts")?.items.map { problems($0) }
          == Array(repeating: ["limit-exceeded amount_usdt"], count: 3))
      #expect(try await quote(ingest, payoutBody(["amount_usdt": "80"])).text("would_be") == "accepted")
    }
  }

  @Test func `who may not create is told so, and what could never be accepted is refused`() async throws {
    // Proves that end users and foreign nodes' operators may ask, and that malformed bodies are answered as by the real call.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let user = try await quote(ingest, payoutBody(), token: ingest.token("u", role: "end_user"))
      #expect(user.status == 200)
      #expect(try problems(user.member("payouts")?.items.first) == ["forbidden -"])
      let node = ingest.token("n", role: "node_operator", nodes: ["n"])
      let foreign = try await quote(ingest, payoutBody(["node_id": "\"m\""]), token: node)
      #expect(try problems(foreign.member("payouts")?.items.first) == ["forbidden node_id"])
      let own = try await quote(ingest, payoutBody(["node_id": "\"n\""]), token: node)
      #expect(try own.text("would_be") == "accepted")
      #expect(try await quote(ingest, payoutBody(["amount_usdt": nil, "x": "1"])).wrongFields == ["amount_usdt", "x"])
      #expect(
        try await quote(ingest, batchBody([payoutBody(["reason": "\"x\""])])).wrongFields == ["payouts[0].reason"])
      #expect(try await quote(ingest, #"{"payouts":7}"#).wrongFields == ["payouts"])
      #expect(try await quote(ingest, "[").problem == "malformed-json")
    }
  }
}
