import Foundation
import Payouts
import TestSupport
import Testing

extension EndToEndTests {
  /// A copy of PostgreSQL's files is put back under the running system's nose: what was accepted and ended since then is
  /// known to Redis, to the journal and to the clients alone.
  struct RestoreTests {
    /// Ends payouts as a person does; those that wait in a batch are held first, as a stage would.
    private func reject(_ ids: [String], _ stack: Stack) async throws {
      let list = ids.map { "'\($0)'" }.joined(separator: ",")
      try await stack.sql(
        "UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'operator' WHERE id IN (\(list))")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for id in ids {
          group.addTask { try await stack.payoutctl("reject", id, "--reason", "changed our mind") }
        }
        try await group.waitForAll()
      }
    }

    @Test func `After a restore each accepted payout is paid once, and none that had ended`() async throws {
      // Twenty payouts wait when the copy is made and are rejected afterwards; twenty more are accepted afterwards, and the
      // first of them signed and sent. Some clients send their requests again before the replay, all of them after it.
      try await Stack.with { stack, client in
        try await stack.start()
        try await stack.payoutctl("pause", "--reason", "a copy is made")
        let (ended, accepted) = (try PayoutClient.Wish.draw(20, "ended"), try PayoutClient.Wish.draw(20, "accepted"))
        let first = Account()
        try await client.pay(ended) { await first.record($0, $1) }
        try await eventually("the log was compared") {
          try await stack.has("intent_checkpoint WHERE at > (SELECT max(created_at) FROM payouts)")
        }
        _ = try await stack.end()
        try await stack.postgres.copyData()
        try await stack.start()

        try await self.reject(Array(await first.ids.values), stack)
        try await stack.payoutctl("resume", "--reason", "the copy is made")
        try await client.pay(Array(accepted[..<10])) { await first.record($0, $1) }
        try await eventually("some are on their way") { try await stack.has("transactions WHERE status <> 'signed'") }
        try await stack.payoutctl("pause", "--reason", "let some wait unsigned")
        try await client.pay(Array(accepted[10...])) { await first.record($0, $1) }
        _ = try await stack.end()
        try await stack.postgres.putBackData()

        // Nobody vouches, and so nobody signs, before what the log tells is back.
        try await stack.start([.ingest, .scheduler, .monitor])
        async let signer: Void = stack.start([.signer])
        try await eventually("operators are called") {
          try await stack.has("alarms WHERE kind = 'lost_acceptances' AND acknowledged_at IS NULL")
        }
        let again = Account()
        for wish in [ended[0], ended[1], accepted[0], accepted[1], accepted[10], accepted[11]] {
          await again.record(wish, try await client.pay(wish))
        }
        #expect(await again.ids[ended[0]] == first.ids[ended[0]])
        #expect(try await stack.sql("SELECT continuous()") == "f")
        #expect(try await stack.sql("SELECT count(*) FROM payouts") == "24")

        let answer = try await stack.payoutctl("intents", "replay", "--json")
        let report = try #require(try JSONSerialization.jsonObject(with: Data(answer.utf8)) as? [String: Any])
        #expect(report["put_back"] as? Int == 16 && report["ends"] as? Int == 20, "\(answer)")
        try await signer
        try await client.pay(ended + accepted) { await again.record($0, $1) }
        #expect(try await stack.sql("SELECT count(*) FROM payouts") == "40")
        #expect(
          try await stack.sql("SELECT count(*) FROM payouts WHERE status = 'held' AND hold_reason = 'end_was_lost'")
            == "20")
        // Who sent nothing before the replay finds the payout that was promised.
        for wish in accepted[2..<10] { #expect(await again.ids[wish] == first.ids[wish]) }

        // A person decides on two of the held ones.
        let (released, rejected) = (try #require(await again.ids[ended[0]]), try #require(await again.ids[ended[1]]))
        try await stack.payoutctl("release", released, "--reason", "still owed", "--although-it-ended")
        try await stack.payoutctl("reject", rejected, "--reason", "it had ended")
        try await stack.payoutctl("resume", "--reason", "all is back")
        let ids = await again.ids
        try await client.waitUntilConfirmed((accepted + [ended[0]]).compactMap { ids[$0] })
        try await stack.expectExactlyOnce(accepted + [ended[0]])
        #expect(try await client.status(of: rejected) == "rejected")
        #expect(try await stack.sql("SELECT count(*) FROM payouts WHERE status = 'held'") == "18")
        #expect(try await stack.sql("SELECT state FROM breaker") == "closed")
      }
    }
  }
}
