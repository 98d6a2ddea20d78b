import Payouts
import Testing

@testable import Ledger

/// Who lets a held payout go names what it is held for, where nothing but a person keeps it from being paid again.
@Suite struct SeenHoldTests {
  private func release(
    _ test: TestLedger, _ decision: HeldDecision = .release, seen: String?
  ) async throws -> HeldOutcome {
    try await test.ledger.decide(
      Sample.payoutID(1), decision, seen: seen, reason: "a test", requiredConfirmations: 19)
  }

  @Test(arguments: HoldReason.allCases)
  func `a release names the reason where only a person knows it, and never another one`(reason: HoldReason) async throws
  {
    try await withLedger { test async throws in
      try await test.accept([try Sample.payout(1)])
      try await test.force("UPDATE payouts SET status = 'held', held_from = status, hold_reason = '\(reason.rawValue)'")
      for other in HoldReason.allCases where other != reason {
        #expect(try await release(test, seen: other.rawValue) == .refused(.heldFor(reason.rawValue)))
      }
      let isNeeded = [.historyUnproven, .conflictingAcceptance, .operatorDecision].contains(reason)
      if isNeeded {
        for decision in [HeldDecision.release, .releaseAlthoughEnded] {
          #expect(try await release(test, decision, seen: nil) == .refused(.heldFor(reason.rawValue)))
        }
        #expect(try await test.status(Sample.payoutID(1)) == .held)
      }
      #expect(try await release(test, seen: isNeeded ? reason.rawValue : nil) == .done(.queued))
    }
  }

  @Test func `what an operator called something of his own is let go under its name alone`() async throws {
    try await withLedger { test async throws in
      try await test.accept([try Sample.payout(1)])
      try await test.force("UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'a word'")
      #expect(try await release(test, seen: nil) == .refused(.heldFor("a word")))
      #expect(try await release(test, seen: "a word") == .done(.queued))
    }
  }

  // Found by an audit: the operator looked at a dead letter, and a vouching had made it one whose history nobody can prove by
  // the time his word arrived, or arrived again. It may have been settled another way in the lost part, and was paid.
  @Test func `a release that meets a vouching without a log does not let go what that one has just held`() async throws
  {
    try await withLedger(connectionLimit: 5) { test async throws in
      try await test.accept([try Sample.payout(1)])
      #expect(try await test.ledger.holdQueued(Sample.payoutID(1), note: "failed again and again"))
      try await test.force("DELETE FROM continuity; UPDATE vouchings SET transactions_oid = 1, server_start = now()")
      let life = try await test.ledger.vouchingState(signer: TestLedger.signer).life
      let gone = TestLedger.vouching(life, intentLog: .gone(lastID: nil))
      let (isLocked, isEnough) = (Taken<Bool>(), Taken<Bool>())
      let (vouched, released) = (Taken<VouchingOutcome>(), Taken<HeldOutcome>())
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          // The vouching has held what waits when it comes to this.
          try await test.pool.withTransaction(.readCommitted) { connection in
            _ = try await connection.execute("LOCK TABLE intent_checkpoint IN EXCLUSIVE MODE", [])
            isLocked.put(true)
            try await eventually("both have come as far as they can") { isEnough.value == true }
          }
        }
        try await eventually("the checkpoint is locked") { isLocked.value == true }
        group.addTask { vouched.put(try await test.ledger.vouch(gone, journal: [])) }
        try await eventually("the vouching waits") { try await test.waitingForLocks() == 1 }
        group.addTask { released.put(try await release(test, seen: nil)) }
        try await eventually("the release waits, or has ended") {
          try await test.waitingForLocks() == 2 || released.value != nil
        }
        isEnough.put(true)
        try await group.waitForAll()
      }
      #expect(vouched.value == .vouched(putBack: [], missing: []))
      #expect(released.value == .refused(.heldFor(HoldReason.historyUnproven.rawValue)))
      #expect(try await test.status(Sample.payoutID(1)) == .held)
      #expect(try await release(test, seen: HoldReason.historyUnproven.rawValue) == .done(.queued))
    }
  }
}
