import Payouts
import TestSupport
import Testing

@testable import Ingest

/// DELETE /payouts/{id} over real HTTP. (What may be withdrawn is shown by CancelPayoutTests and CancelTests of the ledger.)
struct CancelOverHTTPTests {
  @Test func `a payout is withdrawn by its owner, and cannot be while nobody vouches`() async throws {
    // Proves the route, its statuses, and that the first answer to the request is told again all the same.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let first = try await ingest.post(payoutBody(), key: "k")
      let id = try #require(try first.text("payout_id"))
      let early = try await ingest.ask("DELETE", "/payouts/\(id)", token: ingest.token())
      #expect(early.status == 409 && early.problem == "history-not-trusted")
      #expect(early.headers.first(name: "Retry-After") == "10")
      try await scene.vouch()
      for role in ["end_user", "service"] {
        let strange = try await ingest.ask("DELETE", "/payouts/\(id)", token: ingest.token("stranger", role: role))
        #expect(strange.status == (role == "end_user" ? 403 : 404))
      }
      for _ in 0..<2 {
        let reply = try await ingest.ask("DELETE", "/api/payment/payouts/\(id)", token: ingest.token())
        #expect(try reply.status == 200 && reply.text("status") == "cancelled")
        #expect(try reply.member("history")?.items.count == 2)
      }
      #expect(try await ingest.post(payoutBody(), key: "k").bytes == first.bytes)
      try await scene.sql("SET session_replication_role = replica; UPDATE payouts SET status = 'signed'")
      let late = try await ingest.ask("DELETE", "/payouts/\(id)", token: ingest.token())
      #expect(late.status == 409 && late.problem == "cannot-cancel" && late.headers.first(name: "Retry-After") == nil)
    }
  }
}
