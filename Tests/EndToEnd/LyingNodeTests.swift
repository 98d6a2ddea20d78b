import Foundation
import Payouts
import TestSupport
import Testing

extension EndToEndTests {
  /// Real processes that ask three nodes, the first of which lies (DESIGN.md §3 point 5: "`TRON_RPC_QUORUM` nodes must agree
  /// on the block ids and receipts that decide").
  @Suite struct LyingNodeTests {
    @Test
    func
      `a node that hides a payment and claims another is outvoted: each payout is paid once, and somebody is called`()
      async throws
    {
      try await Stack.with(changing: ["DEVNET_FACES": "3"]) { stack, client in
        let urls = stack.devnet.output.split(separator: "\n").filter { $0.hasPrefix("TRON_RPC_URL") }
          .compactMap { $0.split(separator: "=").last.map(String.init) }
        try #require(urls.count == 3)
        await stack.change(["TRON_RPC_URL": "\(urls[1]),\(urls[0]),\(urls[2])"])
        try await stack.start()
        let wishes = try PayoutClient.Wish.draw(2, "lies").map { wish in
          var wish = wish
          wish.batchType = "immediate"
          return wish
        }
        // Both in one block, and that block at a moment of our choice.
        try await stack.chain.tell("slots", ["halted": true])
        var txids: [String] = []
        for wish in wishes {
          let id = try await client.pay(wish)
          try await client.wait(until: id, is: "broadcast")
          txids.append(
            try await stack.sql(
              "SELECT encode(a.txid, 'hex') FROM attempts a JOIN payouts p USING (reference) WHERE p.id = '\(id)'"))
        }
        let (hidden, claimed) = (txids[0], txids[1])
        try await stack.chain.tell("results", ["result": "OUT_OF_TIME", "txid": claimed, "count": 1])
        try await stack.chain.tell("faults", ["fault": "omit", "txid": hidden, "face": 2])
        try await stack.chain.tell("blocks", ["count": 1])
        try await stack.chain.tell("faults", ["fault": "claim", "txid": claimed, "face": 2])
        let before = try await stack.chain.requests()
        try await stack.chain.tell("slots", ["halted": false])

        try await eventually("both have their verdict", within: .seconds(180)) {
          let paid = try await stack.has("attempts WHERE outcome = 'paid' AND txid = '\\x\(hidden)'")
          let failed = try await stack.has("attempts WHERE outcome = 'failed_on_chain' AND txid = '\\x\(claimed)'")
          return paid && failed
        }
        for wish in wishes { try await client.waitUntilConfirmed([try await client.pay(wish)]) }
        try await stack.expectExactlyOnce(wishes)
        #expect(try await stack.has("alarms WHERE kind = 'nodes_disagree' AND subject = 'nodes 1'"))
        #expect(try await stack.sql("SELECT state FROM breaker") == "closed")
        let metrics = try await stack.metrics(of: .monitor)
        #expect(
          metrics.split(separator: "\n").contains {
            $0.hasPrefix("payouts_monitor_node_disagreements_total") && !$0.hasSuffix(" 0")
          })
        let after = try await stack.chain.requests()
        let asked =
          after.byPath.filter { $0.key != "/wallet/broadcasthex" }.values.reduce(0, +)
          - before.byPath.filter { $0.key != "/wallet/broadcasthex" }.values.reduce(0, +)
        print(
          "three nodes: \(asked) requests, broadcasts apart, in \(after.blocks - before.blocks) blocks: \(after.byPath)"
        )
      }
    }
  }
}
