import Foundation
import Payouts
import TestSupport
import Testing

extension EndToEndTests {
  /// SIGTERM while the worst is under way: nothing new, what is in flight finished or handed over, exit code 0. A worker that
  /// takes more than 20 s is cancelled and ends with 1 (`WorkerProgram`).
  @Suite struct ShutdownTests {
    @Test func `under load and with nodes that answer slowly each worker ends with 0, and all are paid once`()
      async throws
    {
      try await Stack.with(expirationSeconds: 120) { stack, client in
        try await stack.start()
        let wishes = try PayoutClient.Wish.draw(100, "slow")
        let account = Account()
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await client.pay(wishes, concurrently: 8) { await account.record($0, $1) } }
          try await eventually("work is under way in every stage") {
            try await stack.has("payouts WHERE status IN ('signed', 'broadcast', 'confirming')")
          }
          // Every answer of the node takes 2 s from now on: a round asks several times.
          try await stack.chain.tell("faults", ["fault": "delay-answer", "milliseconds": 2_000])
          for replica in stack.replicas {
            let codes = try await stack.end([replica])
            let log = await stack.log(of: replica)
            #expect(codes == [replica: 0], "\(log)")
            // A Signer or Monitor is ready once it has heard a node.
            if replica.role == .ingest || replica.role == .scheduler { try await stack.start([replica]) }
          }
          try await stack.chain.tell("reset-faults", [:])
          try await stack.start([.signer, .monitor])
          try await group.waitForAll()
        }
        let ids = await account.ids
        #expect(ids.count == 100)
        try await client.waitUntilConfirmed(Array(ids.values))
        try await stack.expectExactlyOnce(wishes)
      }
    }

    @Test func `while Redis does not answer each worker ends with 0, and nothing is lost`() async throws {
      try await Stack.with { stack, client in
        try await stack.start()
        let wishes = try PayoutClient.Wish.draw(30, "frozen")
        let account = Account()
        try await client.pay(wishes, concurrently: 8) { await account.record($0, $1) }
        let readers: [Stack.Replica] = [.scheduler, .signer, .monitor]
        var before: [Stack.Replica: Int] = [:]
        for replica in readers { before[replica] = try await Self.failedRounds(of: replica, stack) }
        await stack.redis.pause()
        // Every worker that reads has met it by then.
        for (replica, count) in before {
          try await eventually("\(replica) has met it") { try await Self.failedRounds(of: replica, stack) > count }
        }
        let codes = try await stack.end()
        for (replica, code) in codes {
          let log = await stack.log(of: replica)
          #expect(code == 0, "\(replica): \(log)")
        }
        #expect(codes.count == 4)
        await stack.redis.resume()
        try await stack.start()
        try await client.waitUntilConfirmed(Array(await account.ids.values))
        try await stack.expectExactlyOnce(wishes)
      }
    }

    /// How many rounds of its steps have failed so far.
    private static func failedRounds(of replica: Stack.Replica, _ stack: Stack) async throws -> Int {
      try await stack.metrics(of: replica).split(separator: "\n").reduce(0) { sum, line in
        guard line.hasPrefix("payouts_\(replica.role.rawValue)_step_rounds_total"), line.contains("outcome=\"failed\"")
        else { return sum }
        return sum + (line.split(separator: " ").last.flatMap { Int($0) } ?? 0)
      }
    }
  }
}
