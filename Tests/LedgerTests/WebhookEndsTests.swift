import Payouts
import Testing

@testable import Ledger

/// Proves that every end of a payout is told by webhook, each by the ledger's own call where there is one.
@Suite struct WebhookEndsTests {
  /// Brings payout 1, which is told, to an end.
  private func end(_ test: TestLedger, as end: PayoutStatus) async throws {
    func hold() async throws {
      try await test.run("UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'operator_decision'")
    }
    func decide(_ decision: HeldDecision) async throws {
      let outcome = try await test.ledger.decide(
        Sample.payoutID(1), decision, reason: "r", requiredConfirmations: 19)
      #expect(outcome == .done(end))
    }
    func sign() async throws {
      _ = try await test.ledger.schedule([Sample.payoutID(1)], maximumPerBatch: 100) { Sample.batchID(1) }
      try await test.sign()
      try await test.broadcast()
      try await test.head(101, [test.txid(1)])
    }
    switch end {
    case .confirmed:
      try await sign()
      try await test.solid(101, [test.txid(1): .paid(test.place(101), Sample.cost)])
      _ = try await test.ledger.confirm(headNumber: 119, requiredConfirmations: 19, atMost: 10)
    case .failed:
      try await sign()
      try await test.solid(101, [test.txid(1): .failedOnChain(test.place(101), Sample.cost, result: "REVERT")])
      #expect(try await test.blame(.payout, maximumOwnFailures: 1) == [Sample.payoutID(1)])
    case .rejected:
      try await hold()
      try await decide(.reject)
    case .settledExternally:
      try await hold()
      try await decide(.settle(proof: "SEPA 7"))
    case .expired:
      try await test.force("UPDATE payouts SET expires_at = ledger_now()")
      #expect(try await test.ledger.expire(atMost: 10).map(\.payout) == [Sample.payoutID(1)])
    case .cancelled:
      // No call of the ledger's cancels yet.
      try await test.run("UPDATE payouts SET status = 'cancelled'")
    case .kycPending, .compliancePending, .queued, .scheduled, .signed, .broadcast, .confirming, .held:
      Issue.record("\(end) is no end")
    }
  }

  @Test(arguments: PayoutStatus.allCases.filter(\.isFinal))
  func `every end is told once, as the last of its payout`(status: PayoutStatus) async throws {
    try await withLedger { test async throws in
      try await test.acceptTold(1...1)
      try await end(test, as: status)
      #expect(try await test.status(Sample.payoutID(1)) == status)
      let event = "payout.\(status.rawValue)"
      let events = try await test.events(1)
      #expect(events.last == "\(event)|pending", "\(events)")
      #expect(events.filter { $0.hasPrefix(event) }.count == 1)
    }
  }
}
