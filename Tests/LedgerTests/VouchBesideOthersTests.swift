import Payouts
import Testing

@testable import Ledger

/// A vouching beside what others do at the same moment (DESIGN.md §3 "Continuity").
@Suite struct VouchBesideOthersTests {
  // Found by an audit: the life was looked at once, and what was stored was whatever life was there by then. Nobody had
  // compared the log of intents with that one.
  @Test func `a life that begins while a vouching waits is not vouched for`() async throws {
    try await withLedger(connectionLimit: 5) { test async throws in
      let life = try await test.ledger.vouchingState(signer: TestLedger.signer).life
      let (isLoaded, isEnough, outcome) = (Taken<Bool>(), Taken<Bool>(), Taken<VouchingOutcome>())
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          // As a dump that is loaded in one transaction.
          try await test.pool.withTransaction(.readCommitted) { connection in
            _ = try await connection.execute("LOCK TABLE quarantines IN ACCESS EXCLUSIVE MODE", [])
            _ = try await connection.execute("CLUSTER transactions USING transactions_pkey", [])
            isLoaded.put(true)
            try await eventually("the vouching waits") { isEnough.value == true }
          }
        }
        try await eventually("the dump is loaded") { isLoaded.value == true }
        group.addTask { outcome.put(try await test.ledger.vouch(TestLedger.vouching(life), journal: [])) }
        try await eventually("the vouching waits, or has ended") {
          let waiting = try await test.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
          return waiting == "1" || outcome.value != nil
        }
        isEnough.put(true)
        try await group.waitForAll()
      }
      #expect(outcome.value == .anotherLife)
      #expect(try await !test.ledger.conditions().isContinuous)
      let next = try await test.ledger.vouchingState(signer: TestLedger.signer).life
      #expect(try await test.ledger.vouch(TestLedger.vouching(next), journal: []) == .vouched(putBack: [], missing: []))
      #expect(try await test.ledger.conditions().isContinuous)
    }
  }

  // Found by an audit: neither saw the other's attempt, and one transfer could have counted for two payouts.
  @Test func `an adoption and what is held as unproven wait for a vouching that is under way`() async throws {
    try await withLedger(connectionLimit: 5) { test async throws in
      try await test.signed(1)
      let entry = try await test.broadcast()[0]
      let life = try await test.ledger.vouchingState(signer: TestLedger.signer).life
      let (isLocked, isEnough, hasEnded) = (Taken<Bool>(), Taken<Bool>(), Taken<Bool>())
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          try await test.pool.withTransaction(.readCommitted) { connection in
            try await Ledger.lockVouching(on: connection)
            isLocked.put(true)
            try await eventually("both wait") { isEnough.value == true }
          }
        }
        try await eventually("somebody vouches") { isLocked.value == true }
        group.addTask {
          // Nobody has ordered it, which it looks for in its turn.
          let isDone = try await test.ledger.adopt(
            entry, signer: TestLedger.signer, journalID: TestLedger.journalID, life: life)
          #expect(!isDone)
          hasEnded.put(true)
        }
        group.addTask {
          let hasMore = try await test.ledger.holdUnproven(atMost: 10)
          #expect(!hasMore)
          hasEnded.put(true)
        }
        try await eventually("both wait, or do not") {
          let waiting = try await test.value(
            """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'
            """)
          return waiting == "2" || hasEnded.value == true
        }
        #expect(hasEnded.value == nil)
        isEnough.put(true)
        try await group.waitForAll()
      }
    }
  }
}
