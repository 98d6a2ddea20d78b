/// Runs one transaction on the world state: fees, then the contract (steps 12 to 14 of tron-protocol.md §2.4).
struct Execution: Sendable {
  let parameters: ChainParameters
  let token: TokenContract
  /// Time of the head block on which it runs, milliseconds.
  let headTime: Int64
  /// How a contract call ends, whatever it does; nil lets it run.
  var forced: ContractResult?

  /// Runs `prepared`, whose checks up to step 11 have passed.
  ///
  /// A refusal leaves the state as it was. A call that reverts or runs out of energy is no refusal: its receipt says so,
  /// and its fees are paid.
  func run(_ prepared: PreparedTransaction, on state: inout WorldState) throws(Refusal) -> Receipt {
    let mark = state.mark
    do throws(Refusal) {
      var receipt = Receipt()
      try payBandwidth(prepared, &receipt, &state)
      try paySignatures(prepared, &receipt, &state)
      try payMemo(prepared, &receipt, &state)
      switch prepared.parameter {
      case .transfer(let contract): try transfer(contract, &receipt, &state)
      case .trigger(let contract):
        try trigger(contract, feeLimit: prepared.transaction.raw.feeLimit, &receipt, &state)
      case .permissionUpdate(let contract): try updatePermissions(contract, &receipt, &state)
      case .freeze(let contract): try freeze(contract, &state)
      case .unfreeze(let contract): try unfreeze(contract, &state)
      case .withdrawUnfrozen(let owner): try withdrawUnfrozen(owner, &state)
      case .delegate(let contract): try delegate(contract, &state)
      case .undelegate(let contract): try undelegate(contract, &state)
      case .other, nil: throw Refusal.contract("this network runs no contract of type \(prepared.typeName)")
      }
      return receipt
    } catch {
      state.rollback(to: mark)
      throw error
    }
  }

  /// Runs a call without paying for it and undoes it: what triggerconstantcontract answers.
  func simulate(
    from caller: Address, contract: Address, data: Bytes, callValue: Int64, on state: inout WorldState
  ) throws(Refusal) -> CallOutcome {
    guard let target = self.contract(at: contract.bytes) else {
      throw .contract("No contract or not a smart contract")
    }
    let mark = state.mark
    defer { state.rollback(to: mark) }
    return target.call(from: caller, data: data, callValue: callValue, state: &state)
  }

  /// The contract that stands at an address.
  func contract(at address: Bytes) -> (any CallableContract)? {
    if address == token.address.bytes { return token }
    return address == FakeToken.address.bytes ? FakeToken() : nil
  }

  // MARK: Contracts

  /// Moves TRX; checks and texts of TransferActuator.validate, in its order.
  private func transfer(
    _ contract: TransferContract, _ receipt: inout Receipt, _ state: inout WorldState
  ) throws(Refusal) {
    guard let owner = Address(contract.owner) else { throw .contract("Invalid ownerAddress!") }
    guard let to = Address(contract.to) else { throw .contract("Invalid toAddress!") }
    guard owner != to else { throw .contract("Cannot transfer TRX to yourself.") }
    guard var sender = state.account(owner) else {
      throw .contract("Validate TransferContract error, no OwnerAccount.")
    }
    guard contract.amount > 0 else { throw .contract("Amount must be greater than 0.") }
    let recipient = state.account(to)
    if recipient?.isContract == true { throw .contract("Cannot transfer TRX to a smartContract.") }
    let fee = recipient == nil ? parameters.activationFee : 0
    guard sender.balance >= fee, sender.balance - fee >= contract.amount else {
      throw .contract("Validate TransferContract error, balance is not sufficient.")
    }
    var receiver = recipient ?? Account(createTime: headTime)
    let (balance, overflow) = receiver.balance.addingReportingOverflow(contract.amount)
    guard !overflow else { throw .contract("long overflow") }
    sender.balance -= contract.amount + fee
    receiver.balance = balance
    receipt.otherFee += fee
    state.setAccount(owner, sender)
    state.setAccount(to, receiver)
  }

  /// Calls a contract and pays for its energy; checks of VMActuator.call, in its order.
  private func trigger(
    _ contract: TriggerSmartContract, feeLimit: Int64, _ receipt: inout Receipt, _ state: inout WorldState
  ) throws(Refusal) {
    guard let target = self.contract(at: contract.contract) else {
      throw .contract("No contract or not a smart contract")
    }
    guard contract.callValue >= 0 else { throw .contract("callValue must be >= 0") }
    guard contract.callTokenValue == 0, contract.tokenID == 0 else {
      throw .contract("this network has no TRC-10 tokens to send along")
    }
    guard (0...parameters.feeLimitMax).contains(feeLimit) else {
      throw .contract("feeLimit must be >= 0 and <= \(parameters.feeLimitMax)")
    }
    guard let owner = Address(contract.owner), var account = state.account(owner) else {
      throw .contract("Validate InternalTransfer error, no OwnerAccount.")
    }
    guard account.balance >= contract.callValue else {
      throw .contract("Validate InternalTransfer error, balance is not sufficient.")
    }
    let staked = state.network.left(of: .energy, for: account, at: headTime)
    let own = min(
      staked + (account.balance - contract.callValue) / parameters.energyPrice,
      feeLimit / parameters.energyPrice)
    let sponsor = Sponsor(of: target, caller: owner, state, at: headTime)
    receipt.contract = target.address
    let energy = runWithin(sponsor.limit(with: own), contract, of: target, from: owner, &receipt, &state)
    receipt.energyUsageTotal = energy
    receipt.originEnergyUsage = sponsor.pay(for: energy, &state, at: headTime)
    receipt.energyUsage = min(staked, energy - receipt.originEnergyUsage)
    receipt.energyFee = (energy - receipt.originEnergyUsage - receipt.energyUsage) * parameters.energyPrice
    // No contract changes TRX accounts, so `account` is still what stands in the state.
    account[usage: .energy].use(receipt.energyUsage, at: headTime)
    account.balance -= receipt.energyFee
    state.setAccount(owner, account)
    var use = state.contractUse(target.address)
    use.energy += energy - receipt.energyPenaltyTotal
    state.setContractUse(target.address, use)
  }

  /// Runs the call, undoing its effects where its energy exceeds `limit`; returns the energy to pay for.
  private func runWithin(
    _ limit: Int64, _ contract: TriggerSmartContract, of target: any CallableContract, from owner: Address,
    _ receipt: inout Receipt, _ state: inout WorldState
  ) -> Int64 {
    if let forced { return end(in: forced, limit, &receipt) }
    let mark = state.mark
    let outcome = target.call(from: owner, data: contract.data, callValue: contract.callValue, state: &state)
    guard outcome.energy <= limit else {
      state.rollback(to: mark)
      receipt.contractRet = .outOfEnergy
      receipt.result = .outOfEnergy
      (receipt.energyPenaltyTotal, receipt.message) = outcome.exhausted(at: limit)
      return limit
    }
    receipt.energyPenaltyTotal = outcome.penalty
    receipt.output = outcome.output
    receipt.logs = outcome.logs
    receipt.contractRet = outcome.hasReverted ? .revert : .success
    receipt.result = receipt.contractRet
    if outcome.hasReverted { receipt.message = "REVERT opcode executed" }
    return outcome.energy
  }
}

extension PreparedTransaction {
  /// The name or number of the first contract's type, for a message.
  fileprivate var typeName: String {
    guard let type = transaction.raw.contracts.first?.type else { return "none" }
    return ContractType(rawValue: type)?.name ?? String(type)
  }
}
