import Foundation
import Payouts
import TestSupport
import Testing

extension EndToEndTests {
  /// Redis is away, and payouts come in all the same (DESIGN.md §1).
  @Suite struct TransportTests {
    /// For so long: 20 s, or what `TRANSPORT_LOSS_SECONDS` says; 3600 is the hour that is promised.
    private static let seconds =
      ProcessInfo.processInfo.environment["TRANSPORT_LOSS_SECONDS"].flatMap { Int($0) } ?? 20

    @Test func `payouts posted while Redis is down are accepted, and paid when it is back, without an operator`()
      async throws
    {
      try await Stack.with(replicasOfEach: 2) { stack, client in
        try await stack.start()
        let account = Account()
        let ingests = stack.replicas.filter { $0.role == .ingest }
        try await client.pay(try PayoutClient.Wish.draw(5, "before")) { await account.record($0, $1) }
        try await client.waitUntilConfirmed(Array(await account.ids.values))

        try await stack.redis.kill()
        let end = ContinuousClock.now + .seconds(Self.seconds)
        var wishes: [PayoutClient.Wish] = []
        while ContinuousClock.now < end {
          let wave = try PayoutClient.Wish.draw(4, "without Redis \(wishes.count)")
          // One try each: it is answered at once, and accepted.
          for wish in wave {
            let reply = try await client.ask(wish, once: client.urls[wishes.count % client.urls.count])
            guard case .accepted(let id)? = reply?.meaning else {
              throw Stack.Failure("not accepted without Redis: \(String(describing: reply))")
            }
            await account.record(wish, id)
            wishes.append(wish)
          }
          try await Task.sleep(for: .seconds(1))
        }
        // The API says so, and goes on: ready, and degraded.
        for ingest in ingests {
          try await eventually("\(ingest) says that Redis is away") {
            let health = try await DevnetOracle.text("\(stack.healthURL(of: ingest))/health")
            return health.contains(#""status":"degraded""#)
          }
          #expect(await stack.says(ingest, "ready") == 200)
          #expect(await stack.says(ingest, "health") == 200)
          #expect(await stack.says(ingest, "ready?strict=true") == 503)
        }

        try await stack.redis.restart()
        try await client.waitUntilConfirmed(Array(await account.ids.values))
        for ingest in ingests {
          try await eventually("\(ingest) is well again") {
            try await DevnetOracle.text("\(stack.healthURL(of: ingest))/health").contains(#""status":"healthy""#)
          }
        }
        let all = Array(await account.ids.keys)
        #expect(Set(await account.ids.values).count == all.count)
        try await stack.expectExactlyOnce(all)
        #expect(try await stack.sql("SELECT count(*) FROM payouts WHERE status = 'held'") == "0")
        print("\(wishes.count) payouts accepted while Redis was down for \(Self.seconds) s, all paid once")
      }
    }
  }
}
