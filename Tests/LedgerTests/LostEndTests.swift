import Payouts
import Synchronization
import TestSupport
import Testing

@testable import Ledger

/// Unpaid ends that a restore took, and the checkpoint of the log (DESIGN.md §3 "Continuity").
@Suite struct LostEndTests {
  /// The end of a sample, as the log tells it.
  private func end(
    _ number: Int, _ status: PayoutStatus = .rejected, payout: Int? = nil, at milliseconds: Int64 = 1_700_000_000_000
  ) -> PayoutEnd {
    PayoutEnd(
      payout: Sample.payoutID(payout ?? number), reference: Sample.reference(number), status: status, note: "by policy",
      at: Timestamp(milliseconds: milliseconds))
  }

  private func decide(_ number: Int, _ decision: HeldDecision, _ test: TestLedger) async throws -> HeldOutcome {
    try await test.ledger.decide(Sample.payoutID(number), decision, reason: "r", requiredConfirmations: 19)
  }

  // Proves that a payout whose end was lost waits for a person wherever it stands, keeps where it was held from, and ends
  // or goes on by that person's word only; asked once.
  @Test func `a payout whose end was lost is held until a person has answered`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(2)
      try await test.accept([try Sample.payout(3), try Sample.payout(4)])
      #expect(try await test.ledger.holdQueued(Sample.payoutID(4), note: "n"))
      let ends = (1...4).map { end($0) }
      #expect(try await test.ledger.lost(ends.map { .ended($0) }).count == 4)
      #expect(try await test.ledger.putBack(ends: ends + ends).ends == 4)
      #expect(try await test.ledger.lost(ends.map { .ended($0) }) == [])
      #expect(try await test.ledger.putBack(ends: ends).ends == 0)
      for (number, origin) in [(1, PayoutStatus.scheduled), (2, .scheduled), (3, .queued), (4, .queued)] {
        let record = try #require(try await test.ledger.payout(Sample.payoutID(number)))
        #expect(record.status == .held && record.heldFrom == origin)
        #expect(record.holdReason == HoldReason.endWasLost.rawValue && record.note?.contains("by policy") == true)
        #expect(try await decide(number, .release, test) == .refused(.endedBeforeRestore(.rejected)))
      }
      #expect(try await decide(1, .releaseAlthoughEnded, test) == .done(.scheduled))
      #expect(try await decide(2, .reject, test) == .done(.rejected))
      #expect(try await decide(3, .settle(proof: "p"), test) == .done(.settledExternally))
      #expect(try await test.value("SELECT count(*) FROM lost_ends WHERE answered_at IS NULL") == "1")
      #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 0))
      #expect(try await test.refusal("UPDATE lost_ends SET answered_at = NULL") == "TP002")
    }
  }

  // Proves that an end that is put back while somebody else holds its payout is told as well: neither statement of the
  // put-back, one for held payouts and one for those that wait, passes it by.
  @Test func `a payout that is held while its lost end is put back is held for that end, and operators are called`()
    async throws
  {
    try await withLedger { test async throws in
      try await test.schedule(1)
      let replay = try await test.pool.withTransaction { connection -> Task<IntentReplay, any Error> in
        _ = try await connection.execute(
          "UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'dead_letter'", [])
        let task = Task { try await test.ledger.putBack(ends: [end(1)]) }
        try await eventually("the put-back waits") {
          try await test.value(
            """
            SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
            WHERE NOT l.granted AND a.datname = current_database()
            """) != "0"
        }
        return task
      }
      #expect(try await replay.value.ends == 1)
      #expect(
        try await test.rows("SELECT status, held_from, hold_reason FROM payouts")
          == ["held|scheduled|\(HoldReason.endWasLost.rawValue)"])
      #expect(try await test.rows("SELECT kind FROM alarms") == [HoldReason.endWasLost.rawValue])
    }
  }

  // Proves that an answer is one to the end that was asked about: a later end, lost by a second restore, is asked about anew.
  @Test func `a later end that is lost as well is another question`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(1)
      #expect(try await test.ledger.putBack(ends: [end(1)]).ends == 1)
      #expect(try await decide(1, .releaseAlthoughEnded, test) == .done(.scheduled))
      #expect(try await test.ledger.lost([.ended(end(1))]) == [])
      let later = end(1, .settledExternally, at: 1_700_000_900_000)
      #expect(try await test.ledger.lost([.ended(later)]) == [.ended(later)])
      #expect(try await test.ledger.putBack(ends: [later]).ends == 1)
      #expect(try await test.status(Sample.payoutID(1)) == .held)
      #expect(try await decide(1, .release, test) == .refused(.endedBeforeRestore(.settledExternally)))
      #expect(try await decide(1, .settle(proof: "p"), test) == .done(.settledExternally))
    }
  }

  // Proves the guard behind it: whatever a program does, a new signature for such a reference is refused.
  @Test func `the database refuses to sign what ended, until a person has answered`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(1)
      #expect(try await test.ledger.putBack(ends: [end(1)]).ends == 1)
      #expect(try await decide(1, .releaseAlthoughEnded, test) == .done(.scheduled))
      try await test.force("UPDATE lost_ends SET answered_at = NULL")
      let error = try await ledgerError { try await test.sign() }
      #expect(error.code == .illegalChange)
      #expect(try await test.status(Sample.payoutID(1)) == .scheduled)
      try await test.run("UPDATE lost_ends SET answered_at = ledger_now()")
      #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 0))
    }
  }

  // Proves that the end is the reference's: a client that sent its request again after the restore got another id.
  @Test func `an end holds for whatever payout carries its reference`() async throws {
    try await withLedger { test async throws in
      try await test.accept([try Sample.payout(1, id: 9)])
      #expect(try await test.ledger.putBack(ends: [end(1, .settledExternally)]).ends == 1)
      #expect(try await test.status(Sample.payoutID(9)) == .held)
    }
  }

  // Proves that an end outlives its payout: where both were lost and only the end is told, a request that comes again is
  // not signed before a person has answered.
  @Test func `an end whose payout is lost waits for the request that comes again`() async throws {
    try await withLedger { test async throws in
      let ends = [end(1, .settledExternally), end(2, .expired)]
      #expect(try await test.ledger.lost(ends.map { .ended($0) }) == [.ended(ends[0])])
      #expect(try await test.ledger.putBack(ends: [ends[0]]).ends == 1)
      #expect(try await test.ledger.lost(ends.map { .ended($0) }) == [])
      #expect(try await test.value("SELECT count(*) FROM alarms") == "0")
      try await test.schedule(1)
      let error = try await ledgerError { try await test.sign() }
      #expect(error.code == .illegalChange)
    }
  }

  // Proves that an expiry repeats itself and is asked about only where its own time speaks against it.
  @Test func `a lost expiry is no question, unless its time has not come`() async throws {
    try await withLedger { test async throws in
      try await test.accept([
        try Sample.payout(1, expiresAt: Timestamp(milliseconds: 1)), try Sample.payout(2),
      ])
      let ends = [Intent.ended(end(1, .expired)), .ended(end(2, .expired))]
      #expect(try await test.ledger.lost(ends) == [ends[1]])
      let expired = try await test.ledger.expire(atMost: 5)
      #expect(expired.map(\.payout) == [Sample.payoutID(1)] && expired.map(\.reference) == [Sample.reference(1)])
      #expect(expired.map(\.status) == [.expired])
    }
  }

  // Proves that what is signed goes its way, and that ended payouts are left alone.
  @Test func `a lost end of a payout that is on its way touches only what comes after`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      #expect(try await test.ledger.putBack(ends: [end(1)]).ends == 1)
      #expect(try await test.status(Sample.payoutID(1)) == .signed)
      try await test.ledger.settle([test.txid(1): .dead], retryDelayMilliseconds: 0)
      #expect(try await test.status(Sample.payoutID(1)) == .scheduled)
      let seen = Mutex<[PayoutStatus?]>([])
      _ = try await test.ledger.sign(test.order()) { batch in
        seen.withLock { $0 = batch.candidates.map(\.lostEnd) }
        return []
      }
      #expect(seen.withLock { $0 } == [.rejected])
    }
  }

  // Proves that the checkpoint moves only while the history is vouched for, and only under the life it was compared in.
  @Test func `the checkpoint stands for one life of the server`() async throws {
    try await withLedger { test async throws in
      let fresh = try await test.ledger.intentCheckpoint()
      #expect(fresh.lastID == nil && !fresh.isOfPresentLife)
      #expect(try await test.ledger.moveIntentCheckpoint(to: "5-1", under: fresh.life))
      let moved = try await test.ledger.intentCheckpoint()
      #expect(moved.lastID == "5-1" && moved.isOfPresentLife)
      let other = ServerLife(
        systemIdentifier: fresh.life.systemIdentifier, timeline: "00000009",
        startMicroseconds: fresh.life.startMicroseconds, transactionsOID: fresh.life.transactionsOID,
        transactionsFileNode: fresh.life.transactionsFileNode)
      #expect(try await !test.ledger.moveIntentCheckpoint(to: "6-1", under: other))
      try await test.loseContinuity()
      #expect(try await !test.ledger.moveIntentCheckpoint(to: "7-1", under: fresh.life))
      #expect(try await test.ledger.intentCheckpoint().lastID == "5-1")
    }
  }

  /// Vouches with a log that does not reach back.
  private func vouchWithoutLog(_ test: TestLedger, journal: [JournalEntry] = []) async throws {
    let life = try await test.ledger.vouchingState(signer: TestLedger.signer).life
    let word = TestLedger.vouching(life)
    let vouching = Vouching(
      signer: word.signer, runID: word.runID, names: word.names, journalID: word.journalID, life: life,
      intentLog: .gone(lastID: nil))
    _ = try await test.ledger.vouch(vouching, journal: journal)
  }

  // Proves that a lost log alone holds nothing, with a rollback all that waits unsigned, and that once in a life.
  @Test func `unsigned payouts are held where a rollback was seen and the log is gone`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await test.accept([try Sample.payout(2), try Sample.payout(3, status: .kycPending)])
      try await test.force("DELETE FROM continuity")
      try await vouchWithoutLog(test)
      #expect(try await test.status(Sample.payoutID(2)) == .queued)
      // Another table under the name: what a dump that was loaded looks like.
      try await test.force("DELETE FROM continuity; UPDATE vouchings SET transactions_oid = 1, server_start = now()")
      try await vouchWithoutLog(test)
      for number in 2...3 {
        let record = try #require(try await test.ledger.payout(Sample.payoutID(number)))
        #expect(record.status == .held && record.holdReason == HoldReason.historyUnproven.rawValue)
      }
      #expect(try await test.status(Sample.payoutID(1)) == .signed)
      #expect(try await test.value("SELECT count(*) FROM alarms WHERE kind = 'history_unproven'") == "1")
      #expect(try await test.ledger.conditions().isContinuous)
      // A second Signer of the same life finds it dealt with.
      try await test.accept([try Sample.payout(4)])
      try await vouchWithoutLog(test)
      #expect(try await test.status(Sample.payoutID(4)) == .queued)
    }
  }
}
