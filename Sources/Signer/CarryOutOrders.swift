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
    // Money to safety first. Neither waits for the other: sweeps need nodes, adoptions may meet one that cannot be stored.
    let swept: Result<Bool, any Error>
    do { swept = .success(waiting.hasTreasury ? try await sweep.run() : false) } catch { swept = .failure(error) }
    try Task.checkCancellation()
    do {
      if waiting.hasAdoptions { try await adopt.run() }
    } catch {
      if case .failure(let sweep) = swept { throw OrdersFailed(sweep: sweep, adoption: error) }
      throw error
    }
    return try swept.get() ? .worked : idle
  }
}

/// Neither kind of order could be carried out; both are looked at again.
struct OrdersFailed: Error, CustomStringConvertible {
  let sweep: any Error
  let adoption: any Error

  var description: String {
    "not every treasury order was decided: \(sweep); nor was every adoption carried out: \(adoption)"
  }
}
