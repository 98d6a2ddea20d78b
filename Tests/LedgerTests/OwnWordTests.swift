import Payouts
import TestSupport
import Testing

@testable import Ledger

/// Waits after which a Signer's own word is not enough (DESIGN.md §3 "Continuity"), and that nothing shortens.
@Suite struct OwnWordTests: QuarantineScene {
  // "Where Signer and server have both started since the last vouching …: the same wait with the configured expiration";
  // "signer init, which … where the wallet has a past, waits one quarantine".
  @Test(arguments: [QuarantineCause.bothStarted, .walletPast])
  func `a Signer whose own word is not enough waits first`(cause: QuarantineCause) async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await test.loseContinuity()
      var (signer, journalID) = (TestLedger.signer, TestLedger.journalID)
      var wait = Self.wholeWait
      if cause == .bothStarted {
        #expect(try await ask(test, cause, signer: signer, expiration: 30_000) == .requested)
        wait = 2 * 60_000 + 30_000
      } else {
        (signer, journalID) = (Self.second, Self.secondID)
        #expect(
          try await test.ledger.declare(
            wallet: Sample.wallet, signer: signer, journalID: journalID, begin: test.place(100), waits: true)
            == .declared)
      }
      let life = try await life(test)
      let word = TestLedger.vouching(life, signer: signer, names: [signer], journalID: journalID)
      #expect(try await test.ledger.vouch(word, journal: []) == .waitsForQuarantine)
      #expect(try await begin(test) == .begun([signer: test.now.advanced(byMilliseconds: wait)]))
      #expect(try await test.ledger.vouch(word, journal: []) == .waitsForQuarantine)
      try await block(test, at: untilOfOpen(test))
      let missing = cause == .bothStarted ? [] : [TestLedger.signer]
      #expect(try await test.ledger.vouch(word, journal: []) == .vouched(putBack: [], missing: missing))
    }
  }

  // Nobody's belief that a Signer is away, and no loss of its journal, makes its word enough before its time, or the wait
  // shorter: the chain may hold what neither journal nor database tells.
  @Test(arguments: [(QuarantineCause.bothStarted, Int64(700_000)), (.bothStarted, 30_000), (.walletPast, 600_000)])
  func `what takes the place of a wait asks no less`(cause: QuarantineCause, expiration: Int64) async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await test.loseContinuity()
      let (signer, declared) = (Self.second, Self.secondID)
      if cause == .bothStarted {
        try await declareSecond(test)
        #expect(try await ask(test, cause, expiration: expiration) == .requested)
      } else {
        _ = try await test.ledger.declare(
          wallet: Sample.wallet, signer: signer, journalID: declared, begin: test.place(100), waits: true)
      }
      #expect(try await ask(test, .signerAway) == .standing)
      #expect(try await test.ledger.quarantines(atMost: 1).map(\.cause) == [cause])
      #expect(try await ask(test, .journalLost, journalID: Self.newID) == .requested)
      let word = TestLedger.vouching(try await life(test), signer: signer, names: [signer], journalID: declared)
      #expect(try await test.ledger.vouch(word, journal: []) == .waitsForQuarantine)
      try await begin(test)
      let until = test.now.advanced(byMilliseconds: 2 * 60_000 + max(expiration, 600_000))
      #expect(try await untilOfOpen(test) == until)
      try await block(test, at: until.advanced(byMilliseconds: -1))
      #expect(try await test.ledger.vouch(word, journal: []) == .waitsForQuarantine)
      try await block(test, at: until)
      #expect(try await test.ledger.vouch(word, journal: []) == .vouched(putBack: [], missing: [TestLedger.signer]))
      #expect(try await test.ledger.quarantines(atMost: 2).map(\.outcome) == [.vouched, .replaced])
      #expect(try await test.ledger.declaredJournal(of: signer)?.journalID == declared)
      // It has waited: what it waited for is not asked of it again.
      try await test.loseContinuity()
      #expect(try await ask(test, .signerAway) == .requested)
      let again = TestLedger.vouching(try await life(test), signer: signer, names: [signer], journalID: declared)
      #expect(try await test.ledger.vouch(again, journal: []) == .vouched(putBack: [], missing: [TestLedger.signer]))
    }
  }

  // A restore may bring back a wait that was asked for when transactions lived shorter: under another life of the server
  // than that one it lasts as long as any transaction may live.
  @Test func `a wait that another life of the server finds is as long as any`() async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await test.loseContinuity()
      #expect(try await ask(test, .bothStarted, signer: TestLedger.signer, expiration: 30_000) == .requested)
      try await begin(test)
      #expect(try await untilOfOpen(test) == test.now.advanced(byMilliseconds: 2 * 60_000 + 30_000))
      try await test.pool.executeScript("VACUUM FULL transactions")
      try await begin(test)
      #expect(try await untilOfOpen(test) == test.now.advanced(byMilliseconds: Self.wholeWait))
      let change = "UPDATE quarantines SET declared_under = server_life_text()"
      #expect(try await test.refusal(change) == "TP005")
    }
  }

  // Two Signers wait; whoever vouches first ends both waits, and the other must not begin anew.
  @Test func `a Signer whose wait another one ended has waited`() async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await declareSecond(test)
      try await test.loseContinuity()
      for signer in [TestLedger.signer, Self.second] {
        #expect(try await ask(test, .bothStarted, signer: signer, expiration: 30_000) == .requested)
      }
      try await begin(test)
      try await block(test, at: untilOfOpen(test))
      #expect(try await !test.ledger.vouchingState(signer: TestLedger.signer).hasWaited)
      let word = TestLedger.vouching(try await life(test), signer: Self.second, journalID: Self.secondID)
      #expect(try await test.ledger.vouch(word, journal: []) == .vouched(putBack: [], missing: []))
      let other = try await test.ledger.vouchingState(signer: TestLedger.signer)
      #expect(other.hasWaited && other.quarantines.isEmpty && other.isContinuous)
    }
  }
}
