// Proves that the table of states is the design's, pair by pair: written down here a second time, by its rows.
import Payouts
import Testing

@Suite struct PayoutStatusTests {
  /// From the table of states in the design document, with the row of what a Signer's journal puts back.
  private static let table: [String: Set<String>] = [
    "kyc_pending": ["queued", "held", "rejected", "expired", "cancelled", "signed"],
    "compliance_pending": ["queued", "held", "rejected", "expired", "cancelled", "signed"],
    "queued": ["scheduled", "kyc_pending", "held", "rejected", "expired", "cancelled", "signed"],
    "scheduled": ["signed", "kyc_pending", "held", "rejected", "expired", "cancelled", "failed"],
    "signed": ["broadcast", "confirming", "scheduled", "held"],
    "broadcast": ["confirming", "scheduled", "held"],
    "confirming": ["confirmed", "broadcast", "scheduled", "held"],
    "held": [
      "kyc_pending", "compliance_pending", "queued", "scheduled", "signed", "broadcast", "confirming", "rejected",
      "settled_externally", "confirmed",
    ],
    "confirmed": [], "failed": [], "rejected": [], "expired": [], "cancelled": [], "settled_externally": [],
  ]

  @Test func `the states are exactly those of the table`() {
    #expect(Set(PayoutStatus.allCases.map(\.rawValue)) == Set(Self.table.keys))
    #expect(PayoutStatus.allCases.count == 14)
  }

  @Test(arguments: PayoutStatus.allCases, PayoutStatus.allCases)
  func `a change is possible exactly where the table has it`(from: PayoutStatus, to: PayoutStatus) throws {
    let row = try #require(Self.table[from.rawValue])
    #expect(from.successors.contains(to) == row.contains(to.rawValue))
  }

  @Test(arguments: PayoutStatus.allCases)
  func `finals never leave and all others can`(status: PayoutStatus) {
    #expect(status.isFinal == status.successors.isEmpty)
    #expect(!status.successors.contains(status))
    #expect(status.isUnpaidFinal == (status.isFinal && status != .confirmed))
  }

  @Test func `money moves only on the way to confirmed`() {
    // Every unpaid end but the operator's own settlement is reached only from states without a live transaction.
    for status in [PayoutStatus.signed, .broadcast, .confirming] {
      #expect(status.successors.allSatisfy { !$0.isUnpaidFinal })
    }
  }

  @Test func `the other states and outcomes have the names of the tables`() {
    #expect(
      TransactionStatus.allCases.map(\.rawValue)
        == ["signed", "sent", "included", "solid", "failed_on_chain", "dead", "anomalous"])
    #expect(AttemptOutcome.allCases.map(\.rawValue) == ["paid", "failed_on_chain", "dead"])
    #expect(Network.allCases.map(\.rawValue) == ["mainnet", "shasta", "nile", "devnet"])
    #expect(BatchType.allCases.map(\.rawValue) == ["immediate", "hourly", "daily", "weekly"])
    #expect(RouterType.allCases.map(\.rawValue) == ["v0", "kyc"])
  }

  @Test func `each router has its own reasons and together they use all`() {
    let union = RouterType.allCases.flatMap(PayoutReason.allowed)
    #expect(Set(union) == Set(PayoutReason.allCases))
    #expect(PayoutReason.allowed(by: .v0).contains(.custom))
    #expect(!PayoutReason.allowed(by: .kyc).contains(.custom))
  }
}
