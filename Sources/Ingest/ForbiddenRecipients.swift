import Payouts
import Synchronization

/// The addresses that no payout may name: paying them would lose the money or pay ourselves (DESIGN.md §4).
///
/// The token, the routers and the zero address are fixed; hot wallets stand in the ledger and are read again from time to
/// time. Signer looks again when it signs.
final class ForbiddenRecipients: Sendable {
  /// What is forbidden at one moment, and why, in words for the caller.
  struct Table: Sendable {
    private let causes: [Address: String]

    /// A table of addresses and causes.
    init(_ causes: [Address: String]) { self.causes = causes }

    /// Why an address may not be paid; nil where it may.
    func cause(_ address: Address) -> String? { causes[address] }
  }

  private let fixed: [Address: String]
  private let state: Mutex<Table>

  /// - Parameters:
  ///   - token: the USDT contract.
  ///   - routers: contracts that pay for us.
  ///   - wallets: hot wallets known at the start.
  init(token: Address, routers: [Address], wallets: [Address]) {
    var fixed: [Address: String] = [
      .zero: "the zero address, whose key nobody holds", token: "the token's own contract",
    ]
    for router in routers { fixed[router] = "a payout router's contract" }
    self.fixed = fixed
    state = Mutex(ForbiddenRecipients.table(fixed, wallets))
  }

  /// What is forbidden now.
  var table: Table { state.withLock { $0 } }

  /// Takes the hot wallets as the ledger has them now.
  func update(wallets: [Address]) {
    let table = ForbiddenRecipients.table(fixed, wallets)
    state.withLock { $0 = table }
  }

  private static func table(_ fixed: [Address: String], _ wallets: [Address]) -> Table {
    Table(fixed.merging(wallets.map { ($0, "a hot wallet that pays") }) { cause, _ in cause })
  }
}
