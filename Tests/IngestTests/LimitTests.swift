import Payouts
import TestSupport
import Testing
import Worker

@testable import Ingest

/// The hourly and the daily limit, exact under concurrency.
struct LimitTests {
  /// A scene whose ledger stands still in the middle of an hour: no window ends while a test fills it.
  private func pinnedScene() async throws -> IngestScene {
    let scene = try await IngestScene()
    let hour: Int64 = 3_600_000
    let now = SystemClock().now().milliseconds
    let clock = LedgerClock(url: scene.url)
    try await clock.freeze(at: Timestamp(milliseconds: now - now % hour + hour / 2))
    await clock.close()
    return scene
  }

  /// What fifty clients at once are answered, each of whom asks its replica ten times.
  private func ask(_ replicas: [RunningIngest], _ round: String) async throws -> [RunningIngest.Reply] {
    try await withThrowingTaskGroup(of: [RunningIngest.Reply].self) { group in
      for client in 0..<50 {
        let ingest = replicas[client % replicas.count]
        group.addTask {
          let token = ingest.token("client-\(client)")
          var replies: [RunningIngest.Reply] = []
          for number in 0..<10 {
            replies.append(try await ingest.post(payoutBody(), key: "\(round) \(number)", token: token))
          }
          return replies
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
  }

  @Test(arguments: [("HOURLY_PAYOUT_LIMIT_USDT", "hour"), ("DAILY_PAYOUT_LIMIT_USDT", "day")])
  func `fifty clients at once get exactly what the limit holds`(_ setting: String, _ window: String) async throws {
    // Proves that limits are reserved atomically: 500 requests of 12.5 USDT for 1,000 USDT are 80 payouts, not one more,
    // not one less, and what was refused says by which window, how far, and until when.
    let scene = try await pinnedScene()
    try await scene.serving([setting: "1000"]) { ingest async throws in
      let replies = try await ask([ingest], "once")
      let accepted = replies.filter { $0.status == 201 }
      #expect(accepted.count == 80)
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

  @Test func `fifty clients at once on two replicas get exactly what each limit holds, and back what ended unpaid`()
    async throws
  {
    // Proves that replicas share limits through the ledger alone: two Ingests with pools of their own, 25 clients each,
    // 500 requests of 12.5 USDT; the router's limit of 500 is narrower than the one of 1,000 in all. What is rejected
    // then, half of it, fits again exactly, whoever asks where.
    let scene = try await pinnedScene()
    try await scene.vouch()
    let settings = ["DAILY_PAYOUT_LIMIT_USDT": "1000", "V0_DAILY_PAYOUT_LIMIT_USDT": "500"]
    try await scene.serving(settings) { first async throws in
      try await scene.serving(settings, ledger: scene.replicaLedger()) { second async throws in
        let replies = try await ask([first, second], "first")
        let accepted = replies.filter { $0.status == 201 }
        #expect(accepted.count == 40)
        let refused = replies.filter { $0.problem == "limit-exceeded" }
        #expect(refused.count == 460)
        for reply in refused {
          #expect(try reply.text("router_type") == "v0")
          #expect(try reply.text("limit_usdt") == "500")
        }
        let used =
          "SELECT used FROM limit_windows WHERE span = 'day' AND scope IN ('accepted', 'accepted_v0') ORDER BY scope"
        #expect(try await scene.sql(used) == "500000000\n500000000")

        try await scene.sql(
          "UPDATE payouts SET status = 'rejected' WHERE id IN (SELECT id FROM payouts ORDER BY id LIMIT 20)")
        #expect(try await scene.sql(used) == "250000000\n250000000")
        let again = try await ask([first, second], "second").filter { $0.status == 201 }
        #expect(again.count == 20)
        #expect(try await scene.sql(used) == "500000000\n500000000")
      }
    }
  }

  @Test func `what fits to the last micro-USDT is accepted, and one more is not`() async throws {
    // Proves both sides of the boundary, and that the narrower window counts.
    let scene = try await pinnedScene()
    try await scene.serving(["HOURLY_PAYOUT_LIMIT_USDT": "10.000001", "DAILY_PAYOUT_LIMIT_USDT": "5000"]) {
      ingest async throws in
      #expect(try await ingest.post(payoutBody(["amount_usdt": "10.000002"])).problem == "limit-exceeded")
      #expect(try await ingest.post(payoutBody(["amount_usdt": "10"])).status == 201)
      #expect(try await ingest.post(payoutBody(["amount_usdt": "0.01"])).problem == "limit-exceeded")
    }
  }

  @Test func `a payout that ended unpaid gives its amount back`() async throws {
    // Proves that a limit is about money that may move: after a rejection the same amount fits again.
    let scene = try await pinnedScene()
    try await scene.vouch()
    try await scene.serving(["HOURLY_PAYOUT_LIMIT_USDT": "12.5"]) { ingest async throws in
      #expect(try await ingest.post(payoutBody()).status == 201)
      #expect(try await ingest.post(payoutBody()).problem == "limit-exceeded")
      try await scene.sql("UPDATE payouts SET status = 'rejected'")
      #expect(try await ingest.post(payoutBody()).status == 201)
    }
  }
}
