import Foundation
import Payouts
import TestSupport
import Testing

extension EndToEndTests {
  /// Everything at once: all batch types and priorities, a network with faults, workers that are restarted, webhooks.
  @Suite struct FaultsTests {
    /// 120 payouts; where `FULL_RUN` is set, 2,000.
    private static let count = ProcessInfo.processInfo.environment["FULL_RUN"] == nil ? 120 : 2_000

    /// One after the other, while payouts flow: what the network does to us.
    private static let faults: [(command: String, body: [String: any Sendable])] = [
      ("faults", ["fault": "refuse", "code": "SERVER_BUSY", "count": 20]),
      ("faults", ["fault": "lose-answer", "call": "broadcasthex", "count": 10]),
      ("fork", ["depth": 3]),
      ("faults", ["fault": "forget", "count": 5]),
      ("slots", ["miss": 4]),
      ("faults", ["fault": "http-status", "status": 503, "count": 20]),
      ("faults", ["fault": "refuse", "code": "TAPOS_ERROR", "count": 5]),
    ]

    @Test func `payouts of all types are each paid once and told while the network fails and workers are restarted`()
      async throws
    {
      // Proves, from the chain and from what clients were told, that none of it costs a payout, a cent or a webhook.
      // Long enough to be broadcast again after each fault: ten that died would open the breaker for a minute.
      try await Stack.with(replicasOfEach: 2, expirationSeconds: 120) { stack, client in
        let began = ContinuousClock.now
        try await stack.start()
        let (receiver, url) = try await stack.startReceiver(of: "gateway")
        var wishes = try PayoutClient.Wish.draw(Self.count, "faults")
        for index in wishes.indices {
          wishes[index].batchType = ["immediate", "hourly", "daily", "weekly"][index % 4]
          wishes[index].priority = ["low", "normal", "high", "urgent"][index / 4 % 4]
          wishes[index].webhookURL = url
        }
        let before = try await stack.chain.requests()
        let account = Account()
        let (asked, all) = (wishes, stack.replicas)
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await client.pay(asked, concurrently: 4) { await account.record($0, $1) } }
          group.addTask {
            for (number, fault) in Self.faults.enumerated() {
              try await stack.chain.tell(fault.command, fault.body)
              let replica = all[number % all.count]
              _ = try await stack.end([replica])
              try await stack.start([replica])
            }
          }
          try await group.waitForAll()
        }
        let met = try await stack.chain.faultsMet()
        #expect(met > 0)
        try await stack.chain.tell("reset-faults", [:])
        let ids = Set(await account.ids.values)
        #expect(ids.count == Self.count)
        try await client.waitUntilConfirmed(Array(ids))
        let took = ContinuousClock.now - began
        try await stack.expectExactlyOnce(wishes)
        #expect(try await stack.sql("SELECT state FROM breaker") == "closed")

        try await eventually("each end was told by a webhook that verifies", within: .seconds(300)) {
          ids.isSubset(of: try Self.confirmed(receiver.output))
        }
        let after = try await stack.chain.requests()
        let requests =
          after.byPath.filter { $0.key != "/wallet/broadcasthex" }.values.reduce(0, +)
          - before.byPath.filter { $0.key != "/wallet/broadcasthex" }.values.reduce(0, +)
        print(
          "\(Self.count) payouts with faults in \(took), \(met) answers falsified; \(requests) node requests in \(after.blocks - before.blocks) blocks"
        )
        receiver.signal(SIGKILL)
      }
    }

    /// The payouts whose confirmation was told; a webhook that does not verify is an error.
    private static func confirmed(_ output: String) throws -> Set<String> {
      var told: Set<String> = []
      for line in output.split(separator: "\n") where line.hasPrefix("{") && line.hasSuffix("}") {
        let fields = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        guard fields["is_verified"] as? Bool == true else { throw Stack.Failure("it does not verify: \(line)") }
        if fields["type"] as? String == "payout.confirmed", let id = fields["payout_id"] as? String { told.insert(id) }
      }
      return told
    }
  }
}
