import Foundation
import Payouts
import TestSupport
import Testing

extension EndToEndTests {
  /// A window that ends with far more payouts than a node's pool takes.
  @Suite struct OneWindowTests {
    /// How large the flood is, and how narrow its way.
    private struct Size {
      let payouts: Int
      /// So many wait in a node's pool at most, and so long.
      let pool: Int
      let poolMilliseconds: Int
      /// So many does Signer have out at once; fewer than the pool takes.
      let inFlight: Int
      let slotMilliseconds: Int
      let transactionsABlock: Int
      /// So many slots stay empty on the way: longer than the pool remembers.
      let emptySlots: Int
      /// How long clients may take to hand all payouts in.
      let acceptanceSeconds: Int
      let clients: Int

      /// A node that forgets after two seconds, so that this shows within a minute.
      static let small = Size(
        payouts: 2_000, pool: 200, poolMilliseconds: 2_000, inFlight: 180, slotMilliseconds: 250,
        transactionsABlock: 60, emptySlots: 12, acceptanceSeconds: 30, clients: 16)
      /// 100,000 payouts, and the network's own numbers: 3 s a slot, some 2,000 transfers a block, a pool of 2,000 that
      /// forgets after 60 s (tron-protocol.md §2.3, §3.5).
      static let full = Size(
        payouts: 100_000, pool: 2_000, poolMilliseconds: 60_000, inFlight: 1_900, slotMilliseconds: 3_000,
        transactionsABlock: 2_000, emptySlots: 21,
        acceptanceSeconds: ProcessInfo.processInfo.environment["ACCEPTANCE_SECONDS"].flatMap { Int($0) } ?? 300,
        clients: 48)

      /// The small one; where `FULL_RUN` is set, the full one.
      static let chosen = ProcessInfo.processInfo.environment["FULL_RUN"] == nil ? small : full

      /// Of workers and devnet.
      var variables: [String: String] {
        [
          "MAX_IN_FLIGHT_TRANSACTIONS": "\(inFlight)", "DEVNET_BLOCK_MS": "\(slotMilliseconds)",
          "DEVNET_BLOCK_TRANSACTIONS": "\(transactionsABlock)", "DEVNET_PENDING_MAX": "\(pool)",
          "DEVNET_PENDING_TIMEOUT_MS": "\(poolMilliseconds)",
        ]
      }
    }

    @Test func `a window's flood goes through a small forgetful pool, each payout paid once and none of them dead`()
      async throws
    {
      // Proves that the cap on what is in flight keeps a flood from drowning itself: nothing waits in a pool that forgets
      // it for longer than it lives. On the way no block comes for longer than the pool remembers, so that all that is
      // out is forgotten, once, and must be sent again in time.
      let size = Size.chosen
      try await Stack.with(
        replicasOfEach: 2, funds: 100_000_000, expirationSeconds: 120, changing: size.variables
      ) { stack, client in
        await stack.change(["BATCH_HOURLY_SECONDS": "\(Self.windowSeconds(endingAfter: size.acceptanceSeconds + 10))"])
        try await stack.start()
        try await stack.forgetPeaks()
        let (loadBefore, memoryBefore) = (machineLoad, await stack.workersMemory)
        var wishes = try PayoutClient.Wish.draw(size.payouts, "flood")
        for index in wishes.indices { wishes[index].batchType = "hourly" }

        let account = Account()
        let handingIn = ContinuousClock.now
        try await client.pay(wishes, concurrently: size.clients) { await account.record($0, $1) }
        let handedIn = ContinuousClock.now - handingIn
        #expect(Set(await account.ids.values).count == size.payouts)
        #expect(
          try await stack.sql("SELECT count(DISTINCT window_end) = 1 AND min(window_end) > now() FROM payouts") == "t",
          "all payouts are of one window that has not ended: handing in took \(handedIn)")

        try await eventually("the window ends and some are paid", within: .seconds(600)) {
          try await stack.has("transactions WHERE status = 'solid'")
        }
        try await stack.chain.tell("slots", ["miss": size.emptySlots])
        try await eventually("all payouts are confirmed", within: .seconds(1_800)) {
          try await !stack.has("payouts WHERE status <> 'confirmed'")
        }
        let memoryAfter = await stack.workersMemory

        #expect(try await stack.sql("SELECT count(*) FROM attempts WHERE outcome = 'dead'") == "0")
        #expect(try await stack.sql("SELECT count(*) FROM attempts") == "\(size.payouts)")
        #expect(try await stack.sql("SELECT state FROM breaker") == "closed")
        let broadcasts = try await stack.chain.requests().byPath["/wallet/broadcasthex"] ?? 0
        #expect(broadcasts > size.payouts, "the pool forgot nothing, and nothing was sent again")
        try await stack.expectExactlyOnce(wishes)
        for memory in memoryAfter { #expect(memory.peak < 150 << 10, "\(memory) MiB") }

        print("\(size.payouts) payouts of one window; load \(loadBefore) before, \(machineLoad) after")
        print("accepted in \(handedIn) (\(Self.rate(size.payouts, handedIn))/s)")
        print(try await Self.way(of: size.payouts, through: stack))
        print(
          "\(broadcasts) broadcasts, 0 dead; workers' memory in MiB, before: \(memoryBefore); after: \(memoryAfter)")
        print("servers' memory in MiB: \(await stack.serversMemory)")
      }
    }

    /// The shortest window that, begun on a Monday and repeated since, has so many seconds left now, or a few more.
    private static func windowSeconds(endingAfter wanted: Int) -> Int {
      let monday = 4 * 86_400
      let now = Int(Date().timeIntervalSince1970) - monday
      func left(_ length: Int) -> Int { length - now % length }
      return (wanted...(wanted + 3_600)).filter { left($0) >= wanted }.min { left($0) < left($1) } ?? wanted
    }

    private static func rate(_ count: Int, _ duration: Duration) -> Int {
      Int(Double(count) / (duration / .seconds(1)))
    }

    /// From the window's end on: when the last payout was signed, in a block and confirmed.
    private static func way(of count: Int, through stack: Stack) async throws -> String {
      let answer = try await stack.sql(
        """
        SELECT string_agg(format('%s after %s s (%s/s)', to_status, round(seconds, 1), round(\(count) / seconds)), ', '
                          ORDER BY seconds)
        FROM (SELECT to_status,
                extract(epoch FROM max(at) - (SELECT max(window_end) FROM payouts)) AS seconds
              FROM payout_events WHERE to_status IN ('scheduled', 'signed', 'confirming', 'confirmed')
              GROUP BY to_status) last
        """)
      return "after the window's end the last one was \(answer)"
    }
  }
}
