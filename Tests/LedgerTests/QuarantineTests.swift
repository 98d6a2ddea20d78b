import Payouts
import Postgres
import TestSupport
import Testing

@testable import Ledger

/// The wait that stands in for a vouching that cannot be had (DESIGN.md §3 "Continuity").
@Suite struct QuarantineTests: QuarantineScene {
  // "Quarantine replaces a vouching that cannot be had (a Signer away …): until the fence has read every block without a gap
  // up to a solid one whose time ≥ own clock when it began + twice the clock bound + MAX_EXPIRATION_SECONDS."
  @Test func `a quarantine ends with the first vouching after its blocks were read, by both views`() async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await declareSecond(test)
      try await test.loseContinuity()
      #expect(try await test.vouch() == .vouched(putBack: [], missing: [Self.second]))
      #expect(try await ask(test, .signerAway) == .requested)
      #expect(try await ask(test, .signerAway) == .standing)
      // Nothing ends before somebody has begun the wait, however late the blocks are.
      try await block(test, at: test.now.advanced(byMilliseconds: Self.wholeWait))
      #expect(try await test.vouch() == .vouched(putBack: [], missing: [Self.second]))
      let until = test.now.advanced(byMilliseconds: Self.wholeWait)
      #expect(try await begin(test) == .begun([Self.second: until]))
      #expect(try await begin(test) == .begun([:]))
      #expect(try await test.rows("SELECT kind, subject, count FROM alarms") == ["quarantine|signer signer-2|1"])
      // The block from which on it is read does not count itself.
      #expect(try await test.vouch() == .vouched(putBack: [], missing: [Self.second]))
      try await block(test, at: until.advanced(byMilliseconds: -1))
      #expect(try await test.vouch() == .vouched(putBack: [], missing: [Self.second]))
      try await block(test, at: until, views: [.head])
      #expect(try await test.vouch() == .vouched(putBack: [], missing: [Self.second]))
      #expect(try await test.sign() == .blocked(.notContinuous))
      try await block(test, at: until, views: [.solid])
      #expect(try await test.ledger.quarantines(atMost: 10).map(\.isOver) == [true])
      #expect(try await test.value("SELECT continuous()") == "false")
      #expect(try await test.vouch() == .vouched(putBack: [], missing: []))
      #expect(try await test.value("SELECT continuous()") == "true")
      let ended = try await test.ledger.quarantines(atMost: 10)
      #expect(ended.map(\.outcome) == [.waited] && ended.map(\.isOver) == [false])
      #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
      // The Signer that was away is asked again at the next start of the server.
      try await test.pool.executeScript("VACUUM FULL transactions")
      #expect(try await test.vouch() == .vouched(putBack: [], missing: [Self.second]))
    }
  }

  // "The fence has read every block": a solid block that the head's branch does not hold, or has not come to, is not read.
  @Test(arguments: ["behind", "on another branch"])
  func `what the fence has not read ends no quarantine`(head: String) async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await declareSecond(test)
      try await test.loseContinuity()
      #expect(try await ask(test, .signerAway) == .requested)
      try await begin(test)
      let until = try await untilOfOpen(test)
      try await block(test, at: until, views: head == "behind" ? [.solid] : [.head, .solid], headBranch: 7)
      #expect(try await test.vouch() == .vouched(putBack: [], missing: [Self.second]))
      if head == "behind" {
        try await block(test, at: until, views: [.head])
      } else {
        _ = try await test.ledger.undoHead(above: 100)
        try await block(test, at: until, views: [.head])
      }
      #expect(try await test.vouch() == .vouched(putBack: [], missing: []))
    }
  }

  // "Begun anew at every server start": what was read under an earlier life counts for nothing.
  @Test func `another life of the server begins every wait anew`() async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await declareSecond(test)
      try await test.loseContinuity()
      #expect(try await ask(test, .signerAway) == .requested)
      let first = try await life(test)
      try await begin(test)
      let until = try await untilOfOpen(test)
      try await block(test, at: until)
      try await test.pool.executeScript("VACUUM FULL transactions")
      #expect(try await test.vouch() == .vouched(putBack: [], missing: [Self.second]))
      #expect(try await test.ledger.quarantines(atMost: 1).map(\.isOfPresentLife) == [false])
      let head = Sample.place(100, at: test.now)
      #expect(try await test.ledger.beginQuarantines(head: head, under: first) == .anotherLife)
      try await test.freeze(afterSeconds: 700)
      let later = test.now.advanced(byMilliseconds: 700_000)
      #expect(
        try await begin(test, headTime: later)
          == .begun([Self.second: later.advanced(byMilliseconds: Self.wholeWait)]))
      #expect(try await test.vouch() == .vouched(putBack: [], missing: [Self.second]))
      try await block(test, at: later.advanced(byMilliseconds: Self.wholeWait))
      #expect(try await test.vouch() == .vouched(putBack: [], missing: []))
    }
  }

  // "Own clock when it began (which must agree with the quorum's head)".
  @Test(arguments: [-60_001, -60_000, 60_000, 60_001])
  func `no quarantine begins while the chain's time and the clock differ`(difference: Int64) async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await declareSecond(test)
      try await test.loseContinuity()
      #expect(try await ask(test, .signerAway) == .requested)
      let outcome = try await begin(test, headTime: test.now.advanced(byMilliseconds: difference))
      if abs(difference) > 60_000 {
        #expect(outcome == .clocksDiffer(milliseconds: abs(difference)))
        #expect(try await test.ledger.quarantines(atMost: 1).map(\.until) == [nil])
      } else {
        #expect(outcome == .begun([Self.second: test.now.advanced(byMilliseconds: Self.wholeWait)]))
      }
    }
  }

  // "Another id under a known name is a lost journal"; "its end … starts new journals"; the old one is never declared again.
  @Test func `a new journal takes the place of a lost one at the end, by whichever Signer's word`() async throws {
    for ender in [TestLedger.signer, Self.second] {
      try await withLedger { test async throws in
        try await test.freeze()
        try await declareSecond(test)
        try await test.loseContinuity()
        #expect(try await test.vouch() == .vouched(putBack: [], missing: [Self.second]))
        #expect(try await ask(test, .journalLost, journalID: Self.newID) == .requested)
        try await begin(test)
        let life = try await life(test)
        let own = TestLedger.vouching(life, signer: Self.second, names: [Self.second], journalID: Self.newID)
        #expect(try await test.ledger.vouch(own, journal: []) == .anotherJournal)
        try await block(test, at: untilOfOpen(test))
        let word = ender == Self.second ? own : TestLedger.vouching(life)
        #expect(try await test.ledger.vouch(word, journal: []) == .vouched(putBack: [], missing: []))
        #expect(try await test.ledger.declaredJournal(of: Self.second)?.journalID == Self.newID)
        #expect(
          try await test.rows("SELECT signer, encode(journal_id, 'hex') FROM retired_journals")
            == ["signer-2|\(Hex.text(Self.secondID))"])
        let old = TestLedger.vouching(life, signer: Self.second, names: [Self.second], journalID: Self.secondID)
        #expect(try await test.ledger.vouch(old, journal: []) == .anotherJournal)
        #expect(try await ask(test, .journalLost, journalID: Self.secondID) == .retiredJournal)
        #expect(
          try await test.refusal("UPDATE journals SET journal_id = \(Sample.sql(Self.secondID))") == "TP002")
        #expect(try await test.ledger.vouch(own, journal: []) == .vouched(putBack: [], missing: []))
      }
    }
  }

  // The quarantine could not end otherwise, and with it nobody's: the journal would stand under two names.
  @Test func `a journal that waits to take the place of a lost one is no other Signer's`() async throws {
    try await withLedger { test async throws in
      try await declareSecond(test)
      #expect(try await ask(test, .journalLost, journalID: Self.newID) == .requested)
      #expect(try await ask(test, .journalLost, signer: TestLedger.signer, journalID: Self.newID) == .retiredJournal)
      let error = try await ledgerError {
        _ = try await test.ledger.declare(
          wallet: Sample.wallet, signer: "signer-3", journalID: Self.newID, begin: test.place(100))
      }
      #expect(error.code == .refused)
      #expect(try await ask(test, .journalLost, journalID: Self.newID) == .standing)
      // Nor for its own name, where a restore has lost that: it would be asked to take its own place.
      try await test.force("DELETE FROM journals WHERE signer = 'signer-2'")
      let own = try await ledgerError {
        _ = try await test.ledger.declare(
          wallet: Sample.wallet, signer: Self.second, journalID: Self.newID, begin: test.place(100))
      }
      #expect(own.code == .refused)
    }
  }

  // A Signer that was believed away or lost may come back: then its own word counts, at once.
  @Test(arguments: [QuarantineCause.signerAway, .journalLost])
  func `the declared journal's word ends the quarantine of its name`(cause: QuarantineCause) async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await declareSecond(test)
      try await test.loseContinuity()
      let journalID = cause == .journalLost ? Self.newID : nil
      #expect(try await ask(test, cause, journalID: journalID) == .requested)
      try await begin(test)
      // Even after its blocks were read: nobody has given its place away yet.
      if cause == .journalLost { try await block(test, at: untilOfOpen(test)) }
      let life = try await life(test)
      let word = TestLedger.vouching(
        life, signer: Self.second, names: [Self.second], journalID: Self.secondID)
      #expect(try await test.ledger.vouch(word, journal: []) == .vouched(putBack: [], missing: [TestLedger.signer]))
      #expect(try await test.ledger.quarantines(atMost: 1).map(\.outcome) == [.vouched])
      #expect(try await test.ledger.declaredJournal(of: Self.second)?.journalID == Self.secondID)
      #expect(try await test.vouch() == .vouched(putBack: [], missing: []))
    }
  }

  // Proves each answer to a request that asks for nothing that is needed.
  @Test func `a quarantine is refused where nothing waits for it`() async throws {
    try await withLedger { test async throws in
      #expect(try await ask(test, .signerAway, signer: TestLedger.signer) == .notNeeded)
      let own = TestLedger.journalID
      #expect(try await ask(test, .journalLost, signer: TestLedger.signer, journalID: own) == .notNeeded)
      #expect(try await ask(test, .signerAway, signer: "nobody") == .unknownSigner)
      try await declareSecond(test)
      let others = Self.secondID
      #expect(try await ask(test, .journalLost, signer: TestLedger.signer, journalID: others) == .retiredJournal)
      #expect(try await test.ledger.quarantines(atMost: 10).isEmpty)
      // A name that the database has lost, and another Signer still lists.
      try await test.loseContinuity()
      let life = try await life(test)
      _ = try await test.ledger.vouch(TestLedger.vouching(life, names: [TestLedger.signer, "signer-9"]), journal: [])
      #expect(try await ask(test, .signerAway, signer: "signer-9") == .requested)
    }
  }

  // "While it is false … nothing is signed, and no final state but confirmed is entered."
  @Test func `in a quarantine nothing is signed and nothing ends unpaid, and what is paid is confirmed`() async throws {
    try await withLedger { test async throws in
      try await declareSecond(test)
      try await test.signed(1)
      _ = try await test.broadcast()
      try await test.accept([
        try Sample.payout(2, expiresAt: test.now.advanced(byMilliseconds: -1_000)), try Sample.payout(3),
      ])
      _ = try await test.ledger.holdQueued(Sample.payoutID(3), note: "a person looks")
      try await test.loseContinuity()
      #expect(try await ask(test, .signerAway) == .requested)
      try await begin(test)
      _ = try await test.vouch()
      let ends = [
        (2, "expired"), (2, "cancelled"), (2, "rejected"), (3, "rejected"), (3, "settled_externally"),
      ]
      for (number, end) in ends {
        let change = """
          UPDATE payouts SET status = '\(end)', held_from = NULL, hold_reason = NULL
          WHERE id = \(Sample.sql(Sample.payoutID(number)))
          """
        #expect(try await test.refusal(change) == "TP003", "\(end)")
      }
      #expect(try await test.ledger.expire(atMost: 10).isEmpty)
      #expect(
        try await test.ledger.decide(Sample.payoutID(3), .reject, reason: "no", requiredConfirmations: 19)
          == .refused(.historyNotTrusted))
      try await test.force(
        """
        UPDATE payouts SET status = 'scheduled', settlement_batch_id = \(Sample.sql(Sample.batchID(1)))
        WHERE id = \(Sample.sql(Sample.payoutID(2)))
        """)
      #expect(
        try await test.refusal("UPDATE payouts SET status = 'failed' WHERE id = \(Sample.sql(Sample.payoutID(2)))")
          == "TP003")
      #expect(try await test.sign() == .blocked(.notContinuous))
      let place = test.place(101)
      try await test.head(101, [test.txid(1)])
      try await test.solid(101, [test.txid(1): .paid(place, Sample.cost)])
      #expect(
        try await test.ledger.confirm(headNumber: 119, requiredConfirmations: 19, atMost: 10) == [Sample.payoutID(1)])
    }
  }

  // Whoever asks for a payout is told of the quarantine and its end; not where another Signer goes on meanwhile.
  @Test func `conditions tell of the quarantine that payouts wait for`() async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      #expect(try await test.ledger.conditions().quarantine == nil)
      // Its disk is lost, and the history vouched for: it alone waits.
      #expect(try await ask(test, .journalLost, signer: TestLedger.signer, journalID: Self.newID) == .requested)
      #expect(
        try await test.ledger.conditions().quarantine == QuarantineCondition(since: test.now.truncated, until: nil))
      try await begin(test)
      let until = test.now.advanced(byMilliseconds: Self.wholeWait)
      #expect(try await test.ledger.conditions().quarantine?.until == until)
      try await declareSecond(test)
      #expect(try await test.ledger.conditions().quarantine == nil)
      try await test.loseContinuity()
      #expect(try await test.ledger.conditions().quarantine?.until == until)
    }
  }

  // Where the log of intents is gone, many payouts are held a part at a time before the vouching, and what was signed is
  // held once its transaction has ended unpaid: it may have ended before, in the lost part.
  @Test func `where the log is gone after a rollback, signed payouts are held when they would be freed`() async throws {
    try await withLedger { test async throws in
      try await test.signed(2)
      _ = try await test.broadcast()
      try await test.accept(try (3...7).map { try Sample.payout($0) })
      try await test.force("DELETE FROM continuity; UPDATE vouchings SET transactions_oid = 1, server_start = now()")
      #expect(try await test.ledger.holdUnproven(atMost: 2))
      #expect(try await test.value("SELECT count(*) FROM payouts WHERE status = 'held'") == "2")
      #expect(try await test.ledger.holdUnproven(atMost: 2))
      #expect(try await !test.ledger.holdUnproven(atMost: 2))
      #expect(try await test.value("SELECT count(*) FROM payouts WHERE status = 'held'") == "5")
      let word = TestLedger.vouching(try await life(test))
      let vouching = Vouching(
        signer: word.signer, runID: word.runID, names: word.names, journalID: word.journalID, life: word.life,
        intentLog: .gone(lastID: nil))
      #expect(try await test.ledger.vouch(vouching, journal: []) == .vouched(putBack: [], missing: []))
      try await test.ledger.settle(
        [test.txid(1): .dead, test.txid(2): .paid(test.place(101), Sample.cost)], retryDelayMilliseconds: 0)
      let held = try #require(try await test.ledger.payout(Sample.payoutID(1)))
      #expect(held.status == .held && held.holdReason == HoldReason.historyUnproven.rawValue)
      #expect(try await test.status(Sample.payoutID(2)) == .confirming)
      // A person says that it is still owed; once Monitor has told whose failure it was it is signed again.
      try await test.blame(.expired)
      #expect(
        try await test.ledger.decide(
          Sample.payoutID(1), .release, seen: "history_unproven", reason: "owed", requiredConfirmations: 19)
          == .done(.scheduled))
      try await test.blame(.expired)
      #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 0))
      try await test.ledger.settle([test.txid(1, attempt: 2): .dead], retryDelayMilliseconds: 0)
      #expect(try await test.status(Sample.payoutID(1)) == .scheduled)
    }
  }
}

extension Timestamp {
  /// As the ledger's frozen clock tells it.
  fileprivate var truncated: Timestamp { Timestamp(milliseconds: milliseconds) }
}
