import Foundation
import Payouts
import TestSupport
import Testing

extension EndToEndTests {
  /// The network does what it has never done, to real processes; in virtual time see `DeepForkTests`.
  @Suite struct ReorganisationTests {
    @Test func `25 blocks that are not solid are undone: nothing was declared or signed again, and all are paid once`()
      async throws
    {
      // The node forgets what the blocks held, so that Signer must send it again.
      try await Stack.with(replicasOfEach: 2, expirationSeconds: 300) { stack, client in
        try await stack.start()
        let wishes = try PayoutClient.Wish.draw(20, "reorganisation")
        let account = Account()
        try await stack.chain.tell("slots", ["solid_frozen": true])
        try await client.pay(wishes) { await account.record($0, $1) }
        let ids = Array(await account.ids.values)
        try await eventually("all are in blocks", within: .seconds(120)) {
          try await stack.sql("SELECT count(*) FROM payouts WHERE status = 'confirming'") == "20"
        }
        let included = try await stack.chain.headNumber()
        let signed = try await stack.sql("SELECT string_agg(encode(txid, 'hex'), ',' ORDER BY txid) FROM transactions")
        try await eventually("they have more than 19 confirmations") {
          try await stack.chain.headNumber() >= included + 20
        }
        #expect(try await !stack.has("payouts WHERE status = 'confirmed'"))

        // Deep enough to undo all of them and at least 25 blocks.
        let solid = try await stack.chain.solidNumber()
        let depth = try await stack.chain.headNumber() - solid - 1
        #expect(depth >= 25)
        try await stack.chain.tell("fork", ["depth": depth, "transactions": "drop"])
        try await eventually("operators are called") {
          try await stack.has("alarms WHERE kind = 'deep_reorganisation' AND acknowledged_at IS NULL")
        }
        #expect(try await !stack.has("payouts WHERE status = 'confirmed'"))
        try await stack.chain.tell("slots", ["solid_frozen": false])
        try await client.waitUntilConfirmed(ids)
        let after = try await stack.sql("SELECT string_agg(encode(txid, 'hex'), ',' ORDER BY txid) FROM transactions")
        #expect(after == signed, "nothing was signed again")
        try await stack.expectExactlyOnce(wishes)
        print("a fork of \(depth) blocks undone and paid once")
      }
    }
  }
}
