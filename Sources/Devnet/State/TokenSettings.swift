/// What the owner of the USDT contract can switch (tron-protocol.md §1.7); all off today.
struct TokenSettings: Equatable, Sendable {
  var isPaused = false
  /// Who may not send. A recipient on it still receives.
  var blacklist: Set<Address> = []
  /// Who may not receive. The real contract has no such rule; with it a transfer fails whose only fault is its recipient.
  var refusedRecipients: Set<Address> = []
  /// The fee of a transfer in ten-thousandths of the amount, at most `maximumFee`.
  var basisPointsRate: Int64 = 0
  /// Micro-units.
  var maximumFee: Int64 = 0
  /// Whom fees go to; nil is the contract itself, whose key nobody has.
  var owner: Address?
  var isDeprecated = false
  /// Whom a deprecated contract forwards its calls to; nil is an address without code, so that the calls revert.
  var upgradedAddress: Address?
  /// The percentage of a call's energy that the caller pays (`consume_user_resource_percent`); the owner pays the rest
  /// from stake, as far as that reaches.
  var callerEnergyPercent: Int64 = 100

  /// What a transfer of `amount` micro-units costs its recipient.
  func fee(of amount: UInt64) -> UInt64 {
    let (quotient, remainder) = amount.quotientAndRemainder(dividingBy: 10_000)
    let rate = UInt64(clamping: basisPointsRate)
    return min(quotient * rate + remainder * rate / 10_000, UInt64(clamping: maximumFee))
  }
}

/// What the network knows of a contract's use, from which its energy factor follows (§5.3; java-tron: ContractState).
struct ContractUse: Equatable, Sendable {
  /// Energy used in this cycle, penalties not counted.
  var energy: Int64 = 0
  /// By how much each operation costs more, in ten-thousandths: 34,000 is +340 %.
  var factor: Int64 = 0
  /// The cycle that `energy` is about.
  var cycle: Int64 = 0
  /// Energy that all the world besides this network's clients uses in every cycle. The real USDT contract is above the
  /// threshold all the time, which keeps its factor at the maximum.
  var demand: Int64 = 0

  /// Moves to the next cycle: a contract in great demand gets dearer, another cheaper again.
  mutating func beginCycle(_ next: Int64, _ parameters: ChainParameters) {
    let increase = parameters.dynamicEnergyIncrease
    if energy + demand >= parameters.dynamicEnergyThreshold {
      factor = min((10_000 + factor) * (10_000 + increase) / 10_000 - 10_000, parameters.dynamicEnergyMax)
    } else {
      factor = max((10_000 + factor) * (40_000 - increase) / 40_000 - 10_000, 0)
    }
    (energy, cycle) = (0, next)
  }
}
