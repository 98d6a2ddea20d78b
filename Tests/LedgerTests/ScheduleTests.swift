import Payouts
import Synchronization
import Testing

@testable import Ledger

/// Scheduler's half: batches, and payouts that end by themselves.
@Suite struct ScheduleTests {
  /// Batch names one after another.
  private static func names() -> @Sendable () -> BatchID {
    let last = Mutex(0)
    return {
      Sample.batchID(
        last.withLock {
          $0 += 1; return $0
        })
    }
  }

  // Proves grouping (router, priority), the size of a batch, its sums and its release; and what is passed over.
  @Test func `payouts of one kind go together, at most so many in a batch`() async throws {
    try await withLedger { test async throws in
      var payouts = try (1...5).map { try Sample.payout($0, amount: Int64($0)) }
      payouts.append(try Sample.payout(6, amount: 60, priority: .urgent))
      payouts.append(try Sample.payout(7, amount: 70, router: .kyc))
      payouts.append(try Sample.payout(8, status: .kycPending))
      try await test.accept(payouts)
      let ids = (1...9).reversed().map(Sample.payoutID)
      let batches = try await test.ledger.schedule(ids, maximumPerBatch: 2, newBatchID: Self.names())
      #expect(batches.map { $0.payouts } == [[6], [1, 2], [3, 4], [5], [7]].map { $0.map(Sample.payoutID) })
      #expect(
        try await test.rows(
          """
          SELECT router, batch_type, priority, payout_count, total_amount, released_at IS NOT NULL
          FROM settlement_batches ORDER BY id
          """) == [
            "v0|immediate|normal|2|3|true", "v0|immediate|normal|2|7|true", "v0|immediate|normal|1|5|true",
            "v0|immediate|urgent|1|60|true", "kyc|immediate|normal|1|70|true",
          ])
      for batch in batches {
        for payout in batch.payouts {
          let record = try #require(try await test.ledger.payout(payout))
          #expect(record.status == .scheduled && record.settlementBatch == batch.id)
        }
      }
      #expect(try await test.status(Sample.payoutID(8)) == .kycPending)
      #expect(try await test.ledger.schedule(ids, maximumPerBatch: 2, newBatchID: Self.names()) == [])
      #expect(try await test.ledger.schedule([], maximumPerBatch: 2, newBatchID: Self.names()) == [])
    }
  }

  // Proves that amounts whose sum is beyond Int64 do not stop the others: they go into batches of their own.
  @Test func `amounts that do not fit into one sum go into two batches`() async throws {
    try await withLedger { test async throws in
      try await test.accept([Sample.payout(1, amount: Int64.max - 10), Sample.payout(2, amount: 10)])
      try await test.force("UPDATE limit_windows SET used = 0")
      try await test.accept([Sample.payout(3, amount: 11)])
      let batches = try await test.ledger.schedule(
        (1...3).map(Sample.payoutID), maximumPerBatch: 100, newBatchID: Self.names())
      #expect(batches.map { $0.payouts } == [[1, 2], [3]].map { $0.map(Sample.payoutID) })
    }
  }

  // Proves that a wish for more than the database lets into a batch is refused whole, with nothing changed.
  @Test func `a batch holds at most a hundred`() async throws {
    try await withLedger { test async throws in
      try await test.accept(try (1...101).map { try Sample.payout($0) })
      let ids = (1...101).map(Sample.payoutID)
      let error = try await ledgerError {
        _ = try await test.ledger.schedule(ids, maximumPerBatch: 101, newBatchID: Self.names())
      }
      #expect(error.code == .refused)
      #expect(try await test.value("SELECT count(*) FROM payouts WHERE status = 'queued'") == "101")
      let batches = try await test.ledger.schedule(ids, maximumPerBatch: 100, newBatchID: Self.names())
      #expect(batches.map(\.payouts.count) == [100, 1])
    }
  }

  // Proves that two Schedulers at once put each payout into one batch, none into two, and none is left.
  @Test func `two pools at once schedule each payout once`() async throws {
    try await withLedger { test async throws in
      try await test.accept(try (1...200).map { try Sample.payout($0) })
      let name = Self.names()
      let batches = try await withThrowingTaskGroup(of: [SettlementBatch].self) { group in
        for _ in 0..<4 {
          group.addTask {
            let pool = TestLedger.pool(test.url, connectionLimit: 1)
            let ledger = TestLedger.ledger(pool)
            var batches: [SettlementBatch] = []
            do {
              for start in stride(from: 1, through: 200, by: 40) {
                batches += try await ledger.schedule(
                  (start..<start + 40).map(Sample.payoutID), maximumPerBatch: 7, newBatchID: name)
              }
            } catch {
              await pool.close()
              throw error
            }
            await pool.close()
            return batches
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      let scheduled = batches.flatMap(\.payouts)
      #expect(scheduled.count == 200 && Set(scheduled).count == 200)
      #expect(
        try await test.value(
          """
          SELECT count(*) FROM settlement_batches b WHERE payout_count
            = (SELECT count(*) FROM payouts p WHERE p.settlement_batch_id = b.id)
            AND total_amount = (SELECT sum(amount) FROM payouts p WHERE p.settlement_batch_id = b.id)
          """) == "\(batches.count)")
    }
  }

  // Proves who expires and who does not: before and after signing, on both sides of the moment, waiting states too.
  @Test func `payouts expire before signing only, at their moment, while the history is trusted`() async throws {
    try await withLedger { test async throws in
      let end = test.now.advanced(byMilliseconds: 600_000)
      try await test.accept([
        Sample.payout(1, expiresAt: end), Sample.payout(2, expiresAt: end), Sample.payout(3, expiresAt: end),
        Sample.payout(4, expiresAt: end, status: .kycPending),
        Sample.payout(5, expiresAt: end, status: .compliancePending),
        Sample.payout(6, expiresAt: end.advanced(byMilliseconds: 86_400_000)), Sample.payout(7),
      ])
      _ = try await test.ledger.schedule([Sample.payoutID(1)], maximumPerBatch: 1) { Sample.batchID(1) }
      _ = try await test.ledger.schedule([Sample.payoutID(2)], maximumPerBatch: 1) { Sample.batchID(2) }
      try await test.sign()
      #expect(try await test.ledger.expire(atMost: 10) == [])
      try await test.run("UPDATE ledger_settings SET clock_offset_ms = 600001")
      // What is due is not signed any more, even before it is expired.
      #expect(try await test.sign(test.order(Sample.batchID(2))) == .done(signed: 0, held: 0, waiting: 0))
      #expect(try await test.ledger.batchesToSign(waitingFor: 0, atMost: 10) == [])
      try await test.addFinding()
      #expect(try await test.ledger.expire(atMost: 10) == [])
      try await test.run("UPDATE unclaimed_transfers SET acknowledged_at = now()")
      #expect(try await test.ledger.expire(atMost: 3).count == 3)
      #expect(try await test.ledger.expire(atMost: 3).count == 1)
      let expired = try await test.rows("SELECT id FROM payouts WHERE status = 'expired' ORDER BY id")
      #expect(expired == [2, 3, 4, 5].map { "\(Sample.payoutID($0))" })
      #expect(try await test.status(Sample.payoutID(1)) == .signed)
      #expect(try await test.used("accepted") == ["hour": 3_000_000, "day": 3_000_000])
    }
  }
}
