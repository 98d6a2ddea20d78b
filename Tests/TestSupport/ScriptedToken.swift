public import Payouts
import Tron

/// The token's contract as a `ScriptedNode` shows it to calls without a transaction. Both views are the same.
public struct ScriptedToken: Sendable {
  /// What accounts hold; nothing where it is not said.
  public var balances: [Address: Amount] = [:]
  /// Whether it refuses every transfer.
  public var isPaused = false
  /// From whom it takes no transfer.
  public var blacklist: Set<Address> = []
  /// To whom it makes no transfer.
  public var refusedRecipients: Set<Address> = []
  /// Lets the next simulations of a transfer change what stands here, once each: what happens between two questions.
  public var afterSimulation: [@Sendable (inout ScriptedToken) -> Void] = []

  /// What a call comes to.
  mutating func answer(to call: TokenCall) -> TokenCallOutcome {
    switch call {
    case .isPaused: return Self.word(isPaused)
    case .isBlacklisted(let account, _): return Self.word(blacklist.contains(account))
    case .transfer(let transfer):
      let isRefused =
        isPaused || blacklist.contains(transfer.from) || refusedRecipients.contains(transfer.to)
        || balances[transfer.from] ?? .zero < transfer.amount
      if !afterSimulation.isEmpty { afterSimulation.removeFirst()(&self) }
      // USDT's transfer returns false on success (reference §1.7).
      return isRefused ? .reverted([]) : Self.word(false)
    }
  }

  private static func word(_ flag: Bool) -> TokenCallOutcome {
    .returned([UInt8](repeating: 0, count: 31) + [flag ? 1 : 0])
  }
}
