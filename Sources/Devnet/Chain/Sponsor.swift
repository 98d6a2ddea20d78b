/// The owner of a called contract, as far as he pays for the call's energy.
///
/// Source: ReceiptCapsule.payEnergyBill, VMActuator.getTotalEnergyLimitWithFixRatio. Real USDT transfers show an
/// `origin_energy_usage` of 1 at most (tron-protocol.md §4.3).
struct Sponsor: Sendable {
  /// Nil where nobody pays but the caller.
  private let address: Address?
  /// The percentage that the caller pays.
  private let callerPercent: Int64
  /// The most the owner can pay, in energy: what is left of his stake, capped by the contract.
  private let energyMax: Int64

  /// `origin_energy_limit` of the token.
  static let originEnergyLimit: Int64 = 10_000_000

  /// Who pays along for a call of `target` by `caller`.
  init(of target: any CallableContract, caller: Address, _ state: WorldState, at headTime: Int64) {
    guard target is TokenContract, let owner = state.token.owner, owner != caller,
      let account = state.account(owner), state.token.callerEnergyPercent < 100
    else {
      (address, callerPercent, energyMax) = (nil, 100, 0)
      return
    }
    address = owner
    callerPercent = state.token.callerEnergyPercent
    energyMax = min(Self.originEnergyLimit, state.network.left(of: .energy, for: account, at: headTime))
  }

  /// The call's energy limit, given the caller's own.
  func limit(with own: Int64) -> Int64 {
    guard address != nil else { return own }
    guard callerPercent > 0 else { return energyMax }
    return min(own + energyMax, own * 100 / callerPercent)
  }

  /// Takes the owner's part of `energy` from his stake and returns it.
  func pay(for energy: Int64, _ state: inout WorldState, at headTime: Int64) -> Int64 {
    guard let address, var account = state.account(address) else { return 0 }
    let part = min(energyMax, energy * (100 - callerPercent) / 100)
    guard part > 0 else { return 0 }
    account[usage: .energy].use(part, at: headTime)
    state.setAccount(address, account)
    return part
  }
}
