import Payouts
import Testing

@testable import Ledger

/// Edges of the table of payout states (DESIGN.md §2) that no worker walks yet, by the ledger's own calls.
@Suite struct EdgeTests {
  private func expectLast(_ number: Int, _ from: PayoutStatus, _ to: PayoutStatus, _ test: TestLedger) async throws {
    let last = try #require(try await test.ledger.history(of: Sample.payoutID(number)).last)
    #expect(last.from == from && last.to == to, "\(last)")
  }

  /// Holds a payout where it stands, as any stage can.
  private func hold(_ number: Int, _ test: TestLedger) async throws {
    try await test.run(
      """
      UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'operator_decision'
      WHERE id = \(Sample.sql(Sample.payoutID(number)))
      """)
  }

  @Test(arguments: [PayoutStatus.kycPending, .compliancePending])
  func `a payout that waits for a check expires at its moment`(state: PayoutStatus) async throws {
    // kyc_pending, compliance_pending → expired, by what Scheduler calls.
    try await withLedger { test async throws in
      try await test.accept([Sample.payout(1, status: state), Sample.payout(2, status: state)])
      try await test.force(
        "UPDATE payouts SET expires_at = ledger_now() WHERE id = \(Sample.sql(Sample.payoutID(1)))")
      #expect(try await test.ledger.expire(atMost: 10).map(\.payout) == [Sample.payoutID(1)])
      try await expectLast(1, state, .expired, test)
      #expect(try await test.status(Sample.payoutID(2)) == state)
    }
  }

  @Test(arguments: [PayoutStatus.signed, .broadcast])
  func `a payout that was held with its transaction under way goes back to where it was`(state: PayoutStatus)
    async throws
  {
    // held → signed, broadcast: its attempt is live, and no other is signed.
    try await withLedger { test async throws in
      try await test.signed(1)
      if state == .broadcast { try await test.broadcast() }
      try await hold(1, test)
      let outcome = try await test.ledger.decide(
        Sample.payoutID(1), .release, seen: "operator_decision", reason: "looked at it", requiredConfirmations: 19)
      #expect(outcome == .done(state))
      try await expectLast(1, .held, state, test)
      #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
    }
  }
}
