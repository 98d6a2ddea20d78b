import Ledger
import Payouts
import Testing

/// Two requests of one key, of which a restore took the first: both clients' answers said 201, and a reference pays once
/// (DESIGN.md §3 "Continuity"). Somebody is asked, wherever the one that stands has gone meanwhile.
@Suite struct ConflictingAcceptanceTests {
  /// - Returns: the lost one, whose reference payout 11 has now.
  private func conflict(_ test: TestLedger) async throws -> AcceptedPayout {
    let lost = try Sample.payout(1)
    try await test.accept([lost])
    let intent = AcceptedPayout(
      try #require(try await test.ledger.payout(lost.terms.id)), fingerprint: lost.fingerprint)
    try await test.forgetPayouts()
    try await test.accept([try Sample.payout(1, id: 11, amount: 7_000_000, fingerprint: 9)])
    return intent
  }

  private func isTold(_ test: TestLedger) async throws -> Bool {
    try await test.rows("SELECT subject FROM alarms WHERE kind = 'conflicting_acceptance'")
      == ["payout \(Sample.payoutID(11))"]
  }

  // Found by an audit: it was passed by, and the other one was paid as if nobody had ever accepted the first.
  @Test func `a payout that is held for something else is held for its conflict too`() async throws {
    try await withLedger { test async throws in
      let lost = try await conflict(test)
      #expect(try await test.ledger.holdQueued(Sample.payoutID(11), note: "failed"))
      #expect(try await test.ledger.lost([.accepted(lost)]) == [.accepted(lost)])
      #expect(try await test.ledger.putBack(acceptances: [lost]).conflicts == 1)
      let record = try #require(try await test.ledger.payout(Sample.payoutID(11)))
      #expect(record.holdReason == HoldReason.conflictingAcceptance.rawValue && record.heldFrom == .queued)
      #expect(record.note?.hasSuffix("it was held before: dead_letter") == true)
      #expect(try await isTold(test))
      let released = try await test.ledger.decide(
        Sample.payoutID(11), .release, reason: "r", requiredConfirmations: 19)
      #expect(released == .refused(.heldFor("conflicting_acceptance")))
    }
  }

  @Test func `a person is told of a conflict where the other one was signed, and asked before that is signed again`()
    async throws
  {
    try await withLedger { test async throws in
      let lost = try await conflict(test)
      _ = try await test.ledger.schedule([Sample.payoutID(11)], maximumPerBatch: 100) { Sample.batchID(1) }
      #expect(try await test.sign() == .done(signed: 1, held: 0, waiting: 0))
      #expect(try await test.ledger.putBack(acceptances: [lost]).conflicts == 1)
      #expect(try await isTold(test))
      #expect(try await test.status(Sample.payoutID(11)) == .signed)
      try await test.ledger.settle([test.txid(1): .dead], retryDelayMilliseconds: 0)
      let record = try #require(try await test.ledger.payout(Sample.payoutID(11)))
      #expect(record.status == .held && record.holdReason == HoldReason.historyUnproven.rawValue)
    }
  }

  @Test func `a person is told of a conflict also where the other one has ended`() async throws {
    try await withLedger { test async throws in
      let lost = try await conflict(test)
      guard case .cancelled = try await test.ledger.cancel(Sample.payoutID(11), note: "withdrawn") else {
        throw UnexpectedOutcome("not cancelled")
      }
      #expect(try await test.ledger.lost([.accepted(lost)]) == [.accepted(lost)])
      #expect(try await test.ledger.putBack(acceptances: [lost]).conflicts == 1)
      #expect(try await test.status(Sample.payoutID(11)) == .cancelled)
      #expect(try await isTold(test))
    }
  }

  @Test func `a conflict is told once, also by two replays at once`() async throws {
    try await withLedger { test async throws in
      let lost = try await conflict(test)
      async let first = test.ledger.putBack(acceptances: [lost])
      async let second = test.ledger.putBack(acceptances: [lost])
      let replays = try await [first, second]
      #expect(replays.map(\.conflicts).reduce(0, +) == 1)
      #expect(try await test.ledger.lost([.accepted(lost)]) == [])
      #expect(try await test.ledger.putBack(acceptances: [lost]).conflicts == 0)
      #expect(try await test.rows("SELECT count FROM alarms WHERE kind = 'conflicting_acceptance'") == ["1"])
    }
  }
}
