import Payouts
import Testing

@testable import Ledger

/// What accepting and signing cost, printed for comparison between changes; only results are judged, never times.
@Suite(.serialized) struct SpeedTests {
  // Proves that 10,000 payouts go in in groups of 500 and are signed in batches of 100, and prints how long that takes.
  @Test func `10,000 payouts are accepted in groups of 500, and 2,000 signed in batches of 100`() async throws {
    try await withLedger { test async throws in
      let clock = ContinuousClock()
      let groups = try (0..<20).map { group in try (1...500).map { try Sample.payout(group * 500 + $0) } }
      var accepting: [Duration] = []
      for group in groups { accepting.append(try await clock.measure { try await test.accept(group) }) }
      #expect(try await test.value("SELECT count(*) FROM payouts") == "10000")
      var scheduling: [Duration] = []
      var signing: [Duration] = []
      for batch in 0..<20 {
        let ids = (batch * 100 + 1...batch * 100 + 100).map(Sample.payoutID)
        scheduling.append(
          try await clock.measure {
            _ = try await test.ledger.schedule(ids, maximumPerBatch: 100) { Sample.batchID(batch + 1) }
          })
        signing.append(
          try await clock.measure {
            try await test.sign(test.order(Sample.batchID(batch + 1), maximumInFlight: 10_000))
          })
      }
      #expect(try await test.value("SELECT count(*) FROM transactions") == "2000")
      var sent = 0
      let taking = try await clock.measure { sent = try await test.broadcast().count }
      #expect(sent == 1_000)
      for (name, times) in [
        ("accept 500", accepting), ("schedule 100", scheduling), ("sign 100", signing),
        ("take and record 1000", [taking]),
      ] {
        let sorted = times.sorted()
        print("\(name): median \(sorted[sorted.count / 2]), slowest \(sorted[sorted.count - 1])")
      }
    }
  }
}
