/// What the simulation does to its chain besides transactions: votes that pass, switches of the token's owner, accounts
/// that run dry.
///
/// On the real network these are transactions too, of people who are no part of this network. They take effect in the
/// head view at once, and stand in the next block; what a block did with them is undone with it. A restart before that
/// block loses them, as it loses what is pending.
enum ChainAction: Equatable, Sendable {
  /// A parameter changes at the next maintenance. The value lies in the key's range.
  case propose(ChainParameterKey, Int64)
  case pauseToken(Bool)
  /// Whether an address may no longer send the token.
  case blacklist(Address, Bool)
  /// Whether an address may no longer receive the token.
  case refuseRecipient(Address, Bool)
  /// The token's fee: ten-thousandths of the amount, at most so many micro-units. Both zero: none.
  case setTokenFee(basisPoints: Int64, maximum: Int64)
  /// An account's sun; it comes into being where it was not there.
  case setBalance(Address, Int64)
  /// An address's micro-units of the token.
  case setTokenBalance(Address, UInt64)
  /// An account's energy a day from stake.
  case setEnergy(Address, Int64)
  case setTokenOwner(Address)
  /// The token forwards its calls to `upgraded`: ``FakeToken/address``, or an address without code.
  case deprecateToken(upgraded: Address)
  /// What percentage of a call's energy the caller pays; the token's owner pays the rest from stake.
  case setCallerEnergyPercent(Int64)
  /// Energy of the token that others use in a cycle; below the threshold its factor falls with every maintenance.
  case setTokenDemand(Int64)

  /// Writes the effect.
  func write(to state: inout WorldState, token: Address) {
    var settings = state.token
    switch self {
    case .propose(let key, let value):
      var network = state.network
      network.propose(Proposal(key: key, value: value))
      return state.setNetwork(network)
    case .setTokenDemand(let energy):
      var use = state.contractUse(token)
      use.demand = energy
      return state.setContractUse(token, use)
    case .setBalance(let address, let sun):
      var account = state.account(address) ?? Account()
      account.balance = sun
      return state.setAccount(address, account)
    case .setTokenBalance(let address, let units): return state.setTokenBalance(address, units)
    case .setEnergy(let address, let energy):
      var account = state.account(address) ?? Account()
      // As at genesis, not counted in the network's weight, so that everybody else keeps what they have.
      account[stake: .energy].own = state.network.stake(for: energy, of: .energy)
      return state.setAccount(address, account)
    case .pauseToken(let isPaused): settings.isPaused = isPaused
    case .blacklist(let address, true): settings.blacklist.insert(address)
    case .blacklist(let address, false): settings.blacklist.remove(address)
    case .refuseRecipient(let address, true): settings.refusedRecipients.insert(address)
    case .refuseRecipient(let address, false): settings.refusedRecipients.remove(address)
    case .setTokenFee(let basisPoints, let maximum):
      (settings.basisPointsRate, settings.maximumFee) = (basisPoints, maximum)
    case .setTokenOwner(let address): settings.owner = address
    case .deprecateToken(let upgraded): (settings.isDeprecated, settings.upgradedAddress) = (true, upgraded)
    case .setCallerEnergyPercent(let percent): settings.callerEnergyPercent = percent
    }
    state.setToken(settings)
  }
}
