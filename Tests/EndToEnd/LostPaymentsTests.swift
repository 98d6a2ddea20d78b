import Foundation
import Payouts
import TestSupport
import Testing

extension EndToEndTests {
  /// A disaster takes payments from the database and from the Signer's journal together: only the chain and the clients know.
  struct LostPaymentsTests {
    private static let recipients = (1...3).map { Address(account: [UInt8](repeating: UInt8(0x40 + $0), count: 20)) }

    /// Five wishes, of which two pairs are twins: equal recipient and amount.
    private func wishes() throws -> [PayoutClient.Wish] {
      try [0, 0, 1, 1, 2].enumerated().map { number, recipient in
        PayoutClient.Wish(
          key: "lost-\(number)", recipient: Self.recipients[recipient],
          amount: try Amount(decimal: recipient == 2 ? "9.5" : "4"))
      }
    }

    /// What the journal was before it held anything: its first line.
    private func takeJournalBack(_ stack: Stack) throws {
      let path = URL(fileURLWithPath: "\(try stack.files())/signer-1/signer-1.journal")
      let text = String(decoding: try Data(contentsOf: path), as: UTF8.self)
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.count == 7, "a header and five entries: \(lines.count - 1)")
      try Data((lines[0] + "\n").utf8).write(to: path)
    }

    @Test func `payments that database and journal have lost are found, held, adopted, and made once`() async throws {
      // "It stays in unclaimed_transfers; reconcile matches it to a payout by recipient, amount and reference bits and adopts
      // it; a payout that equals an unclaimed one in these is held, never signed."
      try await Stack.with { stack, client in
        try await stack.start()
        try await stack.payoutctl("pause", "--reason", "a copy is made")
        let wishes = try wishes()
        let first = Account()
        try await client.pay(wishes) { await first.record($0, $1) }
        try await eventually("all wait in a batch") {
          try await stack.sql("SELECT count(*) FROM payouts WHERE status = 'scheduled'") == "5"
        }
        try await eventually("the log was compared") {
          try await stack.has("intent_checkpoint WHERE at > (SELECT max(created_at) FROM payouts)")
        }
        _ = try await stack.end()
        try await stack.postgres.copyData()
        try await stack.start()
        try await stack.payoutctl("resume", "--reason", "the copy is made")
        try await eventually("all are in solid blocks") {
          try await stack.sql("SELECT count(*) FROM transactions WHERE status = 'solid'") == "5"
        }
        _ = try await stack.end()
        try await stack.postgres.putBackData()
        try takeJournalBack(stack)

        try await stack.start()
        try await stack.payoutctl("resume", "--reason", "the pause is of the copy")
        try await eventually("the breaker is open by what nobody knows") {
          try await stack.sql(
            """
            SELECT state || ' ' || cause || ' '
              || (SELECT count(DISTINCT txid) FROM unclaimed_transfers WHERE judged_at IS NOT NULL) FROM breaker
            """) == "open unknown_transaction 5"
        }
        // A person who does not know better lets signing go on: nothing of it is signed again.
        try await stack.payoutctl("breaker", "close", "--reason", "does not know better")
        try await eventually("all are held") {
          try await stack.sql("SELECT count(*) FROM payouts WHERE hold_reason = 'unclaimed_transfer'") == "5"
        }
        #expect(try await stack.sql("SELECT count(*) FROM transactions") == "0")
        let again = Account()
        try await client.pay(wishes) { await again.record($0, $1) }
        #expect(await again.ids == first.ids)

        let look = try await stack.payoutctl("reconcile", "--json")
        let report = try #require(try JSONSerialization.jsonObject(with: Data(look.utf8)) as? [String: Any])
        let outcomes = (report["transactions"] as? [[String: Any]] ?? []).compactMap { $0["outcome"] as? String }
        #expect(outcomes == [String](repeating: "matches", count: 5), "\(look)")
        _ = try await stack.payoutctl("reconcile", "--apply", "--reason", "the restore took them")
        let ids = await first.ids
        try await client.waitUntilConfirmed(wishes.compactMap { ids[$0] })
        try await stack.expectExactlyOnce(wishes)
        #expect(
          try await stack.sql(
            "SELECT count(*) FROM payout_events WHERE actor LIKE 'payoutctl:%' AND note LIKE 'adopted txid %the restore took them'"
          ) == "5")
        #expect(try await stack.sql("SELECT count(*) FROM unclaimed_transfers WHERE explained_at IS NULL") == "0")
        // And life goes on.
        let next = try PayoutClient.Wish.draw(2, "next")
        try await client.pay(next) { await again.record($0, $1) }
        let all = await again.ids
        try await client.waitUntilConfirmed(next.compactMap { all[$0] })
        try await stack.expectExactlyOnce(wishes + next)
      }
    }
  }
}
