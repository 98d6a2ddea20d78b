import Payouts
import TestSupport
import Testing

extension EndToEndTests {
  /// `ops/up` with servers that are not its own, at a log level at which workers say nothing of their ports.
  @Suite struct OutsideServersTests {
    @Test func `a stack on an outside node, Redis and PostgreSQL pays, leaves them alone, and goes on when up again`()
      async throws
    {
      try await OperatedStack.with(node: true) { stack in
        let chain = try await payTwice(stack) { first in
          try await first.chain.tell(
            "world", ["account": first.wallet, "sun": 10_000_000_000, "micro_usdt": 1_000_000_000])
        }
        // The stack is down by now, and the node was none of it.
        #expect(try await chain.headNumber() > 0)
      }
    }

    @Test func `a stack on an outside Redis and PostgreSQL goes on with the chain of its own simulated network`()
      async throws
    {
      try await OperatedStack.with(node: false) { stack in _ = try await payTwice(stack) { _ in } }
    }

    /// Up, a payout, down; up again, where that payout is still known, another payout, down.
    ///
    /// - Returns: where the chain was when it was up last.
    private func payTwice(
      _ stack: OperatedStack, funding: @Sendable (OperatedStack.Up) async throws -> Void
    ) async throws -> DevnetOracle {
      let wishes = [
        PayoutClient.Wish(
          key: "before", recipient: Address(account: Array(repeating: 7, count: 20)),
          amount: try Amount(microUSDT: 12_500_000)),
        PayoutClient.Wish(
          key: "after", recipient: Address(account: Array(repeating: 8, count: 20)),
          amount: try Amount(microUSDT: 2_000_000)),
      ]
      let first = try await stack.up()
      try await funding(first)
      let id = try await first.client.pay(wishes[0])
      try await first.client.waitUntilConfirmed([id])
      try await expectDown(stack, first)

      let second = try await stack.up()
      #expect(second.wallet == first.wallet)
      #expect(try await second.client.status(of: id) == "confirmed")
      #expect(try await second.client.pay(wishes[0]) == id, "the same key is the same payout")
      let other = try await second.client.pay(wishes[1])
      try await second.client.waitUntilConfirmed([other])
      let wallet = try Address(second.wallet)
      let paid = wishes.map {
        DevnetOracle.Transfer(from: wallet, to: $0.recipient, microUSDT: $0.amount.microUSDT)
      }
      #expect(try await second.chain.transfers(from: wallet) == paid)
      try await expectDown(stack, second)
      return second.chain
    }

    /// Ends the stack: its workers, and nothing of the outside servers.
    private func expectDown(_ stack: OperatedStack, _ up: OperatedStack.Up) async throws {
      try await stack.down()
      for url in up.healthURLs {
        // By curl, which takes a refused connection for an answer and does not try again.
        let look = try await ChildProcess.run("/usr/bin/env", ["curl", "--silent", "--max-time", "5", url + "/live"])
        #expect(look.status == 7, "somebody still listens at \(url)")
      }
      let answer = try await ChildProcess.require("/usr/bin/env", ["redis-cli", "-p", "\(stack.redis.port)", "PING"])
      #expect(answer.hasPrefix("PONG"))
      #expect(try await stack.postgres.query("SELECT 1").hasPrefix("1"))
    }
  }
}
