import Foundation
import Payouts
import TestSupport
import Testing

extension EndToEndTests {
  /// Two processes of each worker side by side, ended and begun anew while payouts flow.
  @Suite struct ReplicasTests {
    /// 300 payouts; where `FULL_RUN` is set, 2,000.
    private static let count = ProcessInfo.processInfo.environment["FULL_RUN"] == nil ? 300 : 2_000

    @Test func `two replicas of each worker are restarted in turn under load, and every payout is paid exactly once`()
      async throws
    {
      // Proves that a rolling restart needs no pause: SIGTERM ends each process with 0 and in time, SIGKILL costs nothing.
      try await Stack.with(replicasOfEach: 2) { stack, client in
        let began = ContinuousClock.now
        try await stack.start()
        let (loadBefore, memoryBefore) = (machineLoad, await stack.workersMemory)
        let requestsBefore = try await stack.chain.requests()
        let wishes = try PayoutClient.Wish.draw(Self.count, "rolling")
        let account = Account()
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await client.pay(wishes, concurrently: 4) { await account.record($0, $1) } }
          for replica in stack.replicas {
            #expect(try await stack.end([replica]) == [replica: 0])
            try await stack.start([replica])
          }
          for replica in stack.replicas { try await stack.killAndRestart(replica) }
          try await group.waitForAll()
        }
        let ids = await account.ids
        #expect(Set(ids.values).count == Self.count)
        try await client.waitUntilConfirmed(Array(ids.values))
        let took = ContinuousClock.now - began
        try await stack.expectExactlyOnce(wishes)
        #expect(try await stack.sql("SELECT state FROM breaker") == "closed")
        try await stack.expectExactLimits(of: wishes)
        print("\(Self.count) payouts in \(took); load \(loadBefore) before, \(machineLoad) after")
        print("memory in MiB, before: \(memoryBefore); after: \(await stack.workersMemory)")
        let requests = try await stack.chain.requests()
        let reads = requests.byPath.filter { $0.key != "/wallet/broadcasthex" }.values.reduce(0, +)
        let readsBefore = requestsBefore.byPath.filter { $0.key != "/wallet/broadcasthex" }.values.reduce(0, +)
        print("\(reads - readsBefore) node requests in \(requests.blocks - requestsBefore.blocks) blocks")
      }
    }
  }
}
