import Payouts
import Testing

@testable import Ingest

/// The hourly and the daily limit, exact under concurrency.
struct LimitTests {
  @Test(arguments: [("HOURLY_PAYOUT_LIMIT_USDT", "hour"), ("DAILY_PAYOUT_LIMIT_USDT", "day")])
  func `fifty clients at once get exactly what the limit holds`(_ setting: String, _ window: String) async throws {
    // Proves that limits are reserved atomically: 500 requests of 12.5 USDT for 1,000 USDT are 80 payouts, not one more,
    // not one less, and what was refused says by which window, how far, and until when.
    let scene = try await IngestScene()
    try await scene.serving([setting: "1000"]) { ingest async throws in
      let replies = try await withThrowingTaskGroup(of: [RunningIngest.Reply].self) { group in
        for client in 0..<50 {
          group.addTask {
            let token = ingest.token("client-\(client)")
            var replies: [RunningIngest.Reply] = []
            for number in 0..<10 { replies.append(try await ingest.post(payoutBody(), key: "\(number)", token: token)) }
            return replies
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(replies.count { $0.status == 201 } == 80)
      let refused = replies.filter { $0.status == 400 }
      #expect(refused.count == 420 && refused.allSatisfy { $0.problem == "limit-exceeded" })
      #expect(try await scene.sql("SELECT count(*), sum(amount) FROM payouts") == "80|1000000000")
      let problem = try #require(refused.last)
      #expect(try problem.text("window") == window)
      #expect(try problem.text("limit_usdt") == "1000" && problem.text("requested_usdt") == "12.5")
      let begin = try Timestamp(rfc3339: #require(try problem.text("window_started_at")))
      let end = try Timestamp(rfc3339: #require(try problem.text("resets_at")))
      #expect(end.milliseconds(since: begin) == (window == "hour" ? 3_600_000 : 86_400_000))
      // The last micro-USDT: nothing more fits, not even the least.
      let full = try await ingest.post(payoutBody(["amount_usdt": "0.01"]))
      #expect(full.problem == "limit-exceeded")
      #expect(try full.text("used_usdt") == "1000")
    }
  }

  @Test func `what fits to the last micro-USDT is accepted, and one more is not`() async throws {
    // Proves both sides of the boundary, and that the narrower window counts.
    let scene = try await IngestScene()
    try await scene.serving(["HOURLY_PAYOUT_LIMIT_USDT": "10.000001", "DAILY_PAYOUT_LIMIT_USDT": "5000"]) {
      ingest async throws in
      #expect(try await ingest.post(payoutBody(["amount_usdt": "10.000002"])).problem == "limit-exceeded")
      #expect(try await ingest.post(payoutBody(["amount_usdt": "10"])).status == 201)
      #expect(try await ingest.post(payoutBody(["amount_usdt": "0.01"])).problem == "limit-exceeded")
    }
  }

  @Test func `a payout that ended unpaid gives its amount back`() async throws {
    // Proves that a limit is about money that may move: after a rejection the same amount fits again.
    let scene = try await IngestScene()
    try await scene.sql(
      """
      INSERT INTO continuity (system_identifier, timeline, server_start, transactions_oid, transactions_file_node,
        vouched_by) SELECT s.*, 'test' FROM server_life() s
      """)
    try await scene.serving(["HOURLY_PAYOUT_LIMIT_USDT": "12.5"]) { ingest async throws in
      #expect(try await ingest.post(payoutBody()).status == 201)
      #expect(try await ingest.post(payoutBody()).problem == "limit-exceeded")
      try await scene.sql("UPDATE payouts SET status = 'rejected'")
      #expect(try await ingest.post(payoutBody()).status == 201)
    }
  }
}
