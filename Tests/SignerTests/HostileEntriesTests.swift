import Ledger
import Payouts
import Signer
import Streams
import TestSupport
import Testing
import Tron

/// The stream of batches, written by somebody else. On real Redis and real PostgreSQL.
@Suite struct HostileEntriesTests {
  @Test func `whatever stands in the stream of batches, only what is released is signed, once`() async throws {
    // No entry stops the stream, none is given up, and none signs: not a batch that was not released, that is held, that has
    // been paid, nor a payout's own id.
    try await PayingScene.run { scene in
      let (streams, url) = try await PayingScene.redis(database: 210)
      let signer = try scene.signer(on: streams, run: 1)
      try await scene.follow()
      try await scene.run(signer.vouch)
      let real = try await scene.schedule(numbers: 1...2)
      let unreleased = try await scene.schedule(numbers: 3...3)
      let held = try await scene.schedule(numbers: 4...4)
      let paid = try await scene.schedule(numbers: 5...5)
      try await scene.force("UPDATE settlement_batches SET released_at = NULL WHERE id = '\(unreleased)'")
      try await scene.pool.executeScript(
        """
        UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'test'
        WHERE id = '\(PayingScene.payoutID(4))'
        """)
      try await streams.append([[StreamField.batchID: "\(paid)"]], to: .batchesReady)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      let first = try await scene.txid(5)
      try await scene.produce()
      try await scene.follow()

      let entries = HostileEntries.all(
        field: StreamField.batchID, real: "\(real)",
        others: ["\(unreleased)", "\(held)", "\(paid)", "\(PayingScene.payoutID(1))"],
        nobodys: "\(PayingScene.payoutID(999))")
      for _ in 0..<2 {
        try await HostileEntries.write(entries, to: .batchesReady, at: url)
        #expect(try await streams.length(of: .batchesReady) == entries.count)
        try await scene.run(signer.sign)
        #expect(try await streams.length(of: .batchesReady) == 0)
      }
      try await scene.run(signer.broadcast)
      try await scene.produce()

      for number in 1...2 {
        #expect(try await scene.attempts(number).count == 1)
        #expect(await scene.node.payments(to: PayingScene.recipient(number)).count == 1)
      }
      #expect(try await scene.status(3) == .scheduled)
      #expect(try await scene.status(4) == .held)
      #expect(try await scene.attempts(5).map(\.txid) == [first])
      #expect(await scene.node.payments(to: PayingScene.recipient(5)) == [first])
      #expect(try await scene.count("SELECT count(*) FROM transactions") == 3)
      #expect(try await streams.length(of: StreamName.batchesReady.deadLetters) == 0)
      #expect(try await scene.alarms().isEmpty)
      #expect(try await scene.breaker() == nil)
    }
  }
}
