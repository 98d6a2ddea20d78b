/// Stake: what a payout operator does to have energy without burning TRX for it (tron-protocol.md §5.5).
///
/// Checks and texts of FreezeBalanceV2Actuator, UnfreezeBalanceV2Actuator, WithdrawExpireUnfreezeActuator,
/// DelegateResourceActuator and UnDelegateResourceActuator, each in its order.
extension Execution {
  /// The longest unstaking list of an account.
  private static let unfreezingMax = 32
  /// Milliseconds of a slot in which locks are counted, whatever this network's slot is.
  private static let lockSlot: Int64 = 3_000
  /// A lock without a period: three days.
  private static let lockPeriodDefault: Int64 = 86_400
  private static let day: Int64 = 86_400_000

  private static let unknownResource = Refusal.contract("ResourceCode error, valid ResourceCode[BANDWIDTH、ENERGY]")

  private func account(_ bytes: Bytes, _ state: WorldState) throws(Refusal) -> (Address, Account) {
    guard let address = Address(bytes) else { throw .contract("Invalid address") }
    guard let account = state.account(address) else { throw .contract("Account[\(address)] does not exist") }
    return (address, account)
  }

  /// Turns TRX into stake.
  func freeze(_ contract: StakeContract, _ state: inout WorldState) throws(Refusal) {
    var (owner, account) = try account(contract.owner, state)
    guard contract.amount > 0 else { throw .contract("frozenBalance must be positive") }
    guard contract.amount >= Account.sunPerTRX else {
      throw .contract("frozenBalance must be greater than or equal to 1 TRX")
    }
    guard contract.amount <= account.balance else {
      throw .contract("frozenBalance must be less than or equal to accountBalance")
    }
    guard let resource = Resource(rawValue: contract.resource) else { throw Self.unknownResource }
    account.balance -= contract.amount
    changeStake(of: &account, resource, by: contract.amount, &state)
    state.setAccount(owner, account)
  }

  /// Turns stake back; the TRX can be withdrawn after the delay. What can be withdrawn already is.
  func unfreeze(_ contract: StakeContract, _ state: inout WorldState) throws(Refusal) {
    var (owner, account) = try account(contract.owner, state)
    guard let resource = Resource(rawValue: contract.resource) else { throw Self.unknownResource }
    let own = account[stake: resource].own
    guard own > 0 else {
      throw .contract("no frozenBalance(\(resource == .energy ? "Energy" : resource.name))")
    }
    guard contract.amount > 0, contract.amount <= own else {
      throw .contract("Invalid unfreeze_balance, [\(contract.amount)] is error")
    }
    guard account.unfreezing.filter({ $0.expiration > headTime }).count < Self.unfreezingMax else {
      throw .contract("Invalid unfreeze operation, unfreezing times is over limit")
    }
    account.withdraw(at: headTime)
    account.unfreezing.append(
      Unfreezing(
        resource: resource, amount: contract.amount,
        expiration: headTime + parameters.unfreezeDelayDays * Self.day))
    changeStake(of: &account, resource, by: -contract.amount, &state)
    state.setAccount(owner, account)
  }

  /// Moves unstaked TRX whose delay has passed to the balance.
  func withdrawUnfrozen(_ ownerBytes: Bytes, _ state: inout WorldState) throws(Refusal) {
    var (owner, account) = try account(ownerBytes, state)
    guard account.withdrawable(at: headTime) > 0 else {
      throw .contract("no unFreeze balance to withdraw ")
    }
    account.withdraw(at: headTime)
    state.setAccount(owner, account)
  }

  private func changeStake(
    of account: inout Account, _ resource: Resource, by sun: Int64, _ state: inout WorldState
  ) {
    let before = account[stake: resource].staked
    account[stake: resource].own += sun
    var network = state.network
    network.count(resource, from: before, to: before + sun)
    state.setNetwork(network)
  }

  // MARK: Delegation

  /// Lends stake to another account, bound for a time where the contract says so.
  func delegate(_ contract: DelegateContract, _ state: inout WorldState) throws(Refusal) {
    var (owner, lender) = try account(contract.owner, state)
    guard contract.balance >= Account.sunPerTRX else { throw .contract("delegateBalance must be more than 1TRX") }
    guard let resource = Resource(rawValue: contract.resource) else { throw Self.unknownResource }
    guard contract.balance <= Self.lendable(resource, of: lender, state.network, at: headTime) else {
      let text =
        resource == .energy
        ? "delegateBalance must be less than or equal to available FreezeEnergyV2 balance"
        : "delegateBalance must be less than or equal to available FreezeBandwidthV2 balance"
      throw .contract(text)
    }
    let receiver = try receiver(contract, owner)
    guard var borrower = state.account(receiver) else { throw .contract("Account[\(receiver)] does not exist") }
    let key = DelegationKey(from: owner, to: receiver, resource: resource)
    var delegation = state.delegation(key)
    let lockedUntil = try lockEnd(contract, delegation, resource)
    guard !borrower.isContract else { throw .contract("Do not allow delegate resources to contract addresses") }

    delegation.unlock(at: headTime)
    if contract.isLocked {
      delegation.locked += contract.balance
      delegation.lockedUntil = lockedUntil
    } else {
      delegation.free += contract.balance
    }
    lender[stake: resource].own -= contract.balance
    lender[stake: resource].lent += contract.balance
    borrower[stake: resource].borrowed += contract.balance
    state.setDelegation(key, delegation)
    state.setAccount(owner, lender)
    state.setAccount(receiver, borrower)
  }

  /// When a lock ends; a lock may not end before the one that runs.
  private func lockEnd(
    _ contract: DelegateContract, _ delegation: Delegation, _ resource: Resource
  ) throws(Refusal) -> Int64 {
    guard contract.isLocked else { return 0 }
    let period = contract.lockPeriod == 0 ? Self.lockPeriodDefault : contract.lockPeriod
    guard (0...parameters.delegationLockMax).contains(period) else {
      throw .contract(
        "The lock period of delegate resource cannot be less than 0 and cannot exceed "
          + "\(parameters.delegationLockMax)!")
    }
    let remaining = delegation.lockedUntil - headTime
    guard period * Self.lockSlot >= remaining else {
      throw .contract(
        "The lock period for \(resource.name) this time cannot be less than the remaining time[\(remaining)ms] "
          + "of the last lock period for \(resource.name)!")
    }
    return headTime + period * Self.lockSlot
  }

  /// Takes lent stake back; what the borrower used of it comes along as used.
  func undelegate(_ contract: DelegateContract, _ state: inout WorldState) throws(Refusal) {
    var (owner, lender) = try account(contract.owner, state)
    let receiver = try receiver(contract, owner)
    guard let resource = Resource(rawValue: contract.resource) else { throw Self.unknownResource }
    let key = DelegationKey(from: owner, to: receiver, resource: resource)
    var delegation = state.delegation(key)
    guard !delegation.isEmpty else { throw .contract("delegated Resource does not exist") }
    guard contract.balance > 0 else { throw .contract("unDelegateBalance must be more than 0 TRX") }
    let revocable = delegation.revocable(at: headTime)
    guard contract.balance <= revocable else {
      let name = resource == .energy ? "delegateFrozenBalance(Energy)" : "delegatedFrozenBalance(BANDWIDTH)"
      throw .contract("insufficient \(name), request=\(contract.balance), unlock_balance=\(revocable)")
    }
    if var borrower = state.account(receiver) {
      let used = borrower[usage: resource].value(at: headTime)
      let share = Int128(used) * Int128(contract.balance) / Int128(max(1, borrower[stake: resource].usable))
      let moved = min(Int64(clamping: share), state.network.allowance(of: resource, for: contract.balance))
      borrower[usage: resource].use(-moved, at: headTime)
      borrower[stake: resource].borrowed -= contract.balance
      lender[usage: resource].use(moved, at: headTime)
      state.setAccount(receiver, borrower)
    }
    delegation.unlock(at: headTime)
    delegation.free -= contract.balance
    lender[stake: resource].own += contract.balance
    lender[stake: resource].lent -= contract.balance
    state.setDelegation(key, delegation)
    state.setAccount(owner, lender)
  }

  private func receiver(_ contract: DelegateContract, _ owner: Address) throws(Refusal) -> Address {
    guard let receiver = Address(contract.receiver) else { throw .contract("Invalid receiverAddress") }
    guard receiver != owner else { throw .contract("receiverAddress must not be the same as ownerAddress") }
    return receiver
  }

  /// How many sun of its own stake an account can lend: not what it used today. What getcandelegatedmaxsize answers.
  static func lendable(
    _ resource: Resource, of account: Account, _ network: NetworkState, at headTime: Int64
  ) -> Int64 {
    let used = network.stake(for: account[usage: resource].value(at: headTime), of: resource)
    let stake = account[stake: resource]
    return max(0, stake.own - max(0, used - stake.borrowed))
  }
}
