import Ledger
import Tron
import Worker

/// Carries out what operators have ordered: transactions to be adopted, and treasury orders (DESIGN.md §3 "The fence").
struct CarryOutOrders<Signer: TransactionSigner>: Sendable {
  /// How long to wait for the next order, in milliseconds: a person gave it.
  static var pauseMilliseconds: Int64 { 2_000 }

  let ledger: any SignerLedger
  let adopt: AdoptTransactions
  let sweep: SignTreasuryOrders<Signer>

  /// One look.
  func step() async throws -> StepOutcome {
    let idle = StepOutcome.idle(milliseconds: Self.pauseMilliseconds)
    let waiting = try await ledger.waitingOrders()
    // Money to safety first: an adoption that fails must not keep it waiting.
    if waiting.hasTreasury, try await sweep.run() { return .worked }
    if waiting.hasAdoptions { try await adopt.run() }
    return idle
  }
}
