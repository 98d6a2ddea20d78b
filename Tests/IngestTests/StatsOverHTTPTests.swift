import Payouts
import TestSupport
import Testing
import Worker

@testable import Ingest

/// GET /stats over real HTTP. (What is counted is shown by the ledger's own tests.)
struct StatsOverHTTPTests {
  /// The lines of a list that tell of any payouts.
  private func told(_ list: JSONValue?, by name: String) -> [String] {
    (list?.items ?? []).filter { $0["payouts"] != .number("0") }.map { tally in
      "\(tally[name]?.textValue ?? "") \(tally["payouts"]?.plainText ?? "") \(tally["amount_usdt"]?.textValue ?? "")"
    }
  }

  @Test func `an admin is told how the payments go`() async throws {
    // Proves every member of the answer against what was accepted and what became of it.
    let scene = try await IngestScene()
    try await scene.vouch()
    let hour: Int64 = 3_600_000
    let now = SystemClock().now().milliseconds
    let moment = Timestamp(milliseconds: now - now % hour + hour / 2)
    let clock = LedgerClock(url: scene.url)
    try await clock.freeze(at: moment)
    await clock.close()
    try await scene.serving(["DAILY_PAYOUT_LIMIT_USDT": "1000", "V0_HOURLY_PAYOUT_LIMIT_USDT": "500.5"]) {
      ingest async throws in
      var ids: [String] = []
      for priority in ["urgent", "low", "low"] {
        let reply = try await ingest.post(payoutBody(["priority": "\"\(priority)\""]))
        ids.append(try #require(try reply.text("payout_id")))
      }
      try await scene.sql("UPDATE payouts SET status = 'rejected' WHERE id = '\(ids[1])'")
      try await scene.sql("UPDATE breaker SET failures_in_row = 3")
      let stats = try await ingest.get("/stats", token: ingest.token("root", role: "admin"))
      #expect(stats.status == 200)
      #expect(try stats.text("timestamp") == moment.description)
      #expect(told(try stats.member("totals"), by: "status") == ["queued 2 25", "rejected 1 12.5"])
      let day = try #require(try stats.member("last_24_hours"))
      #expect(told(day["totals"], by: "status").sorted() == ["queued 2 25", "rejected 1 12.5"])
      #expect(day["is_complete"] == .flag(true) && day["since"]?.textValue != nil)
      #expect(told(try stats.member("queue"), by: "priority") == ["urgent 1 12.5", "low 1 12.5"])
      #expect(told(try stats.member("routers"), by: "router_type") == ["v0 2 25"])
      let amounts = try #require(try stats.member("amounts"))
      #expect(amounts["accepted_this_hour_usdt"] == .text("25") && amounts["accepted_today_usdt"] == .text("25"))
      #expect(amounts["signed_this_hour_usdt"] == .text("0") && amounts["signed_today_usdt"] == .text("0"))
      let limits = try #require(try stats.member("limits")).items
      #expect(limits.count == 6)
      for limit in limits {
        let (router, window) = (limit["router_type"]?.textValue, limit["window"]?.textValue)
        let expected: JSONValue =
          switch (router, window) {
          case (nil, "day"): .text("1000")
          case ("v0", "hour"): .text("500.5")
          default: .null
          }
        #expect(limit["limit_usdt"] == expected, "\(limit)")
        #expect(limit["used_usdt"] == .text(router == "kyc" ? "0" : "25"), "\(limit)")
        let end = try Timestamp(rfc3339: #require(limit["resets_at"]?.textValue))
        let begin = try Timestamp(rfc3339: #require(limit["window_started_at"]?.textValue))
        #expect(begin <= moment && moment < end)
        #expect(end.milliseconds(since: begin) == (window == "hour" ? hour : 24 * hour))
      }
      let breaker = try #require(try stats.member("breaker"))
      #expect(breaker["open"] == .flag(false) && breaker["state"] == .text("closed"))
      #expect(breaker["failures"] == .number("3") && breaker["last_failure"] == .null)
      try await scene.sql("SELECT open_breaker('test', 'payments', 'look')")
      let open = try await ingest.get("/api/payment/stats", token: ingest.token("root", role: "admin"))
      #expect(try open.member("breaker")?["open"] == .flag(true) && open.member("breaker")?["state"] == .text("open"))
    }
  }

  @Test func `nobody else is told, and nothing is asked of a query`() async throws {
    // Proves that a role that may read and list may not see what everybody does, and that looking is no write.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      for role in ["service", "node_operator", "end_user"] {
        #expect(try await ingest.get("/stats", token: ingest.token("caller", role: role)).status == 403)
      }
      let admin = ingest.token("root", role: "admin")
      #expect(try await ingest.get("/stats?limit=1", token: admin).wrongFields == ["limit"])
      #expect(try await ingest.post("{}", token: admin, path: "/stats").status == 405)
      #expect(try await ingest.get("/stats", token: admin).status == 200)
      #expect(
        try await scene.sql("SELECT count(*) FROM audit_records WHERE operation = 'getStats' AND status = 200") == "0")
    }
  }
}
