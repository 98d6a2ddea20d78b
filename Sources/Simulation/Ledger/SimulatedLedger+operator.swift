import Ledger
import Payouts

/// What an operator's programs ask.
extension SimulatedLedger: ReplayLedger, ReconcileLedger {
  func putBack(acceptances: [AcceptedPayout]) async throws -> IntentReplay {
    try await write("put back acceptances") { try $0.putBack(acceptances: acceptances) }
  }

  func putBack(ends: [PayoutEnd]) async throws -> IntentReplay {
    try await write("put back ends") { try $0.putBack(ends: ends) }
  }

  func unexplainedFindings(naming named: Set<TxID>, atMost count: Int) async throws -> [UnexplainedFinding] {
    try await read("unexplained findings") { $0.unexplainedFindings(naming: named, atMost: count) }
  }

  func solidTime() async throws -> Timestamp? { try await read("solid time") { $0.cursors[.solid]?.time } }

  func longestLifeMilliseconds() async throws -> Int64 {
    try await read("longest life") { _ in LedgerTables.longestLifeMilliseconds }
  }

  func payouts(paying recipient: Address, _ amount: Amount) async throws -> [PayoutRecord] {
    try await read("payouts paying") { $0.payouts(paying: recipient, amount) }
  }

  func order(_ adoption: AdoptionOrder) async throws -> AdoptionRefusal? {
    try await write("order adoption") { $0.order(adoption) }
  }

  /// `OperatorLedger.decide`.
  func decide(
    _ payout: PayoutID, _ decision: HeldDecision, seen: String?, reason: String, requiredConfirmations: Int64
  ) async throws -> HeldOutcome {
    try await write("decide") {
      try $0.decide(payout, decision, seen: seen, reason: reason, requiredConfirmations: requiredConfirmations)
    }
  }

  /// `OperatorLedger.closeBreaker`.
  func closeBreaker() async throws { try await write("close breaker") { $0.closeBreaker() } }

  /// `OperatorLedger.bring`.
  func bring(_ journal: [JournalEntry], of journalID: [UInt8]) async throws -> LateJournalOutcome {
    try await write("bring journal") { try $0.bring(journal, of: journalID) }
  }
}
