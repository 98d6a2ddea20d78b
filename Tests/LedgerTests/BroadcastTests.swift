import Payouts
import Testing

@testable import Ledger

/// What is sent, how often, and what answers mean (DESIGN.md §3 points 3 and 4).
@Suite struct BroadcastTests {
  // Proves the lease on both sides, who is not taken, and the life and continuity that come along.
  @Test func `a transaction is taken once a lease, until it expires`() async throws {
    try await withLedger { test async throws in
      try await test.signed(3)
      #expect(try await test.take(atMost: 2).count == 2)
      #expect(try await test.take(atMost: 2).count == 1)
      #expect(try await test.take().isEmpty)
      try await test.run("UPDATE ledger_settings SET clock_offset_ms = 15001")
      #expect(try await test.take().count == 3)
      try await test.run("UPDATE transactions SET next_broadcast_at = now()")
      func take(_ wallet: Address, _ headTime: Timestamp) async throws -> BroadcastLot {
        try await test.ledger.takeForBroadcast(
          wallet: wallet, headTime: headTime, leaseMilliseconds: 0, atMost: 10)
      }
      #expect(try await take(Sample.recipient(1), test.now).transactions.isEmpty)
      let all = try await take(Sample.wallet, test.now)
      let expiration = try #require(all.transactions.first?.expiration)
      #expect(all.isContinuous)
      #expect(all.life == (try await test.ledger.vouchingState(signer: TestLedger.signer).life))
      #expect(
        try await take(Sample.wallet, expiration.advanced(byMilliseconds: -1)).transactions.count == 3)
      #expect(try await take(Sample.wallet, expiration).transactions.isEmpty)
      try await test.loseContinuity()
      #expect(try await !take(Sample.wallet, test.now).isContinuous)
    }
  }

  // Proves that Signers that take at the same time share, and none waits: each transaction goes to one of them.
  @Test func `Signers that take at once share what is due`() async throws {
    try await withLedger(connectionLimit: 6) { test async throws in
      try await test.signed(60)
      let lots = try await withThrowingTaskGroup(of: [JournalEntry].self) { group in
        for _ in 0..<6 { group.addTask { try await test.take(atMost: 15) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      let rest = try await test.take()
      let taken = (lots + [rest]).flatMap { $0 }.map(\.txid)
      #expect(taken.count == 60 && Set(taken).count == 60)
    }
  }

  // Proves that a lot waits for no lock: what another Signer is just changing is left out, not waited for.
  @Test func `what another one holds is passed over`() async throws {
    try await withLedger { test async throws in
      try await test.signed(2)
      let taken = try await test.pool.withTransaction { connection in
        _ = try await connection.execute(
          "SELECT FROM transactions WHERE txid = $1 FOR UPDATE", [.bytes(test.txid(1).bytes)])
        return try await test.take()
      }
      #expect(taken.map(\.txid) == [test.txid(2)])
    }
  }

  // "Sends them until they are in a block": those for which a round had no time keep their places before all that came due
  // later, so that slow nodes let none wait for ever.
  @Test func `a lot comes in the order in which it was due; what was not begun keeps its place`() async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await test.signed(3)
      for number in 1...3 {
        try await test.force(
          """
          UPDATE transactions SET next_broadcast_at = ledger_now() - \(number) * interval '1 second'
          WHERE txid = \(Sample.sql(test.txid(number).bytes))
          """)
      }
      let lot = try await test.ledger.takeForBroadcast(
        wallet: Sample.wallet, headTime: test.now, leaseMilliseconds: 15_000, atMost: 2)
      #expect(lot.transactions.map(\.txid) == [test.txid(3), test.txid(2)])
      #expect(lot.dueSince[test.txid(2)] == test.now.advanced(byMilliseconds: -2_000))
      try await test.ledger.record(
        lot.transactions.map { entry in
          BroadcastRecord(unbegun: entry.txid, dueSince: lot.dueSince[entry.txid] ?? test.now)
        })
      #expect(try await test.rows("SELECT count(*) FROM transactions WHERE last_answer IS NOT NULL") == ["0"])
      #expect(try await test.take(atMost: 2).map(\.txid) == [test.txid(3), test.txid(2)])
      #expect(try await test.take().map(\.txid) == [test.txid(1)])
    }
  }

  // Proves what answers do: taken ones are sent and their payouts broadcast, refused ones come again when told; an
  // answer never touches what is in a block or has ended, and never ends anything.
  @Test func `answers move forwards and end nothing`() async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await test.signed(4)
      try await test.head(101, [test.txid(3)])
      try await test.ledger.settle([test.txid(4): .dead], retryDelayMilliseconds: 0)
      _ = try await test.take()
      try await test.ledger.record([])
      let refusal = BroadcastRecord(
        txid: test.txid(2), isTaken: false, answer: "TAPOS_ERROR", retryMilliseconds: 3_000)
      try await test.ledger.record(
        [1, 3, 4].map {
          BroadcastRecord(txid: test.txid($0), isTaken: true, answer: "SUCCESS", retryMilliseconds: 0)
        } + [refusal])
      #expect(try await test.status(test.txid(1)) == "sent")
      #expect(try await test.status(Sample.payoutID(1)) == .broadcast)
      #expect(try await test.status(test.txid(2)) == "signed")
      #expect(try await test.status(Sample.payoutID(2)) == .signed)
      #expect(try await test.status(test.txid(3)) == "included")
      #expect(try await test.status(Sample.payoutID(3)) == .confirming)
      #expect(try await test.status(test.txid(4)) == "dead")
      #expect(try await test.status(Sample.payoutID(4)) == .scheduled)
      #expect(
        try await test.rows("SELECT coalesce(last_answer, '-') FROM transactions ORDER BY txid")
          == ["SUCCESS", "TAPOS_ERROR", "-", "-"])
      // Due: the refused one after its delay, the taken one after its lease. A later refusal takes nothing back.
      try await test.freeze(afterSeconds: 4)
      #expect(try await test.take().map(\.txid) == [test.txid(2)])
      try await test.ledger.record([
        BroadcastRecord(txid: test.txid(1), isTaken: false, answer: "DUP", retryMilliseconds: 0), refusal,
      ])
      #expect(try await test.status(test.txid(1)) == "sent")
      #expect(try await test.take().map(\.txid) == [test.txid(1)])
      try await test.ledger.record([
        BroadcastRecord(txid: test.txid(2), isTaken: true, answer: "DUP", retryMilliseconds: 0)
      ])
      #expect(try await test.status(Sample.payoutID(2)) == .broadcast)
    }
  }
}
