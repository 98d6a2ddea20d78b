/// Runs one transaction on the world state: fees, then the contract (steps 12 to 14 of tron-protocol.md §2.4).
struct Execution: Sendable {
  let parameters: ChainParameters
  let token: TokenContract
  /// Time of the head block on which it runs, milliseconds.
  let headTime: Int64

  /// Runs `prepared`, whose checks up to step 11 have passed.
  ///
  /// A refusal leaves the state as it was. A call that reverts or runs out of energy is no refusal: its receipt says so,
  /// and its fees are paid.
  func run(_ prepared: PreparedTransaction, on state: inout WorldState) throws(Refusal) -> Receipt {
    let mark = state.mark
    do throws(Refusal) {
      var receipt = Receipt()
      try payBandwidth(prepared, &receipt, &state)
      try payMemo(prepared, &receipt, &state)
      switch prepared.parameter {
      case .transfer(let contract): try transfer(contract, &receipt, &state)
      case .trigger(let contract):
        try trigger(contract, feeLimit: prepared.transaction.raw.feeLimit, &receipt, &state)
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
    guard contract == token.address else { throw .contract("No contract or not a smart contract") }
    let mark = state.mark
    defer { state.rollback(to: mark) }
    return token.call(from: caller, data: data, callValue: callValue, state: &state)
  }

  // MARK: Fees

  /// All or nothing: the free allowance for the whole size, else TRX for the whole size (§5.2).
  private func payBandwidth(
    _ prepared: PreparedTransaction, _ receipt: inout Receipt, _ state: inout WorldState
  ) throws(Refusal) {
    guard let owner = prepared.owner, var account = state.account(owner) else {
      throw .contract("account [\(Base58Check.encode(prepared.ownerBytes))] does not exist")
    }
    let size = Int64(prepared.size + ChainParameters.billedResultSize)
    account.latestOperationTime = headTime
    if activates(prepared, state) {
      // The free allowance does not pay for transfers that create an account.
      try checkCreationSize(prepared)
      try burn(parameters.createAccountFee, from: &account)
      receipt.netFee = parameters.createAccountFee
    } else if account.freeBandwidth.value(at: headTime) + size <= parameters.freeBandwidth {
      account.freeBandwidth.use(size, at: headTime)
      receipt.netUsage = size
    } else {
      try burn(size * parameters.bandwidthPrice, from: &account)
      receipt.netFee = size * parameters.bandwidthPrice
    }
    state.setAccount(owner, account)
  }

  private func checkCreationSize(_ prepared: PreparedTransaction) throws(Refusal) {
    let size = prepared.size - 65 * prepared.transaction.signatures.count
    guard size > ChainParameters.createAccountSizeMax else { return }
    throw Refusal(
      code: .tooBigTransactionError,
      message: "Too big new account transaction, TxId \(prepared.id.hex), the size is \(size) bytes, "
        + "maxTxSize \(ChainParameters.createAccountSizeMax)")
  }

  private func payMemo(
    _ prepared: PreparedTransaction, _ receipt: inout Receipt, _ state: inout WorldState
  ) throws(Refusal) {
    guard !prepared.transaction.raw.data.isEmpty, let owner = prepared.owner,
      var account = state.account(owner)
    else { return }
    try burn(parameters.memoFee, from: &account)
    receipt.otherFee += parameters.memoFee
    state.setAccount(owner, account)
  }

  private func burn(_ sun: Int64, from account: inout Account) throws(Refusal) {
    guard account.balance >= sun else { throw .resources }
    account.balance -= sun
  }

  /// Whether it is a TRX transfer to an address that has no account yet.
  private func activates(_ prepared: PreparedTransaction, _ state: WorldState) -> Bool {
    guard case .transfer(let contract) = prepared.parameter else { return false }
    guard let to = Address(contract.to) else { return true }
    return state.account(to) == nil
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
    guard contract.contract == token.address.bytes else { throw .contract("No contract or not a smart contract") }
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
    let staked = account.energyLeft(at: headTime)
    let limit = min(
      staked + (account.balance - contract.callValue) / parameters.energyPrice,
      feeLimit / parameters.energyPrice)
    receipt.contract = token.address
    let outcome = runWithin(limit, contract, from: owner, &receipt, &state)
    receipt.energyUsageTotal = outcome
    receipt.energyUsage = min(staked, outcome)
    receipt.energyFee = (outcome - receipt.energyUsage) * parameters.energyPrice
    // The token never changes TRX accounts, so `account` is still what stands in the state.
    account.energy.use(receipt.energyUsage, at: headTime)
    account.balance -= receipt.energyFee
    state.setAccount(owner, account)
  }

  /// Runs the call, undoing its effects where its energy exceeds `limit`; returns the energy to pay for.
  private func runWithin(
    _ limit: Int64, _ contract: TriggerSmartContract, from owner: Address, _ receipt: inout Receipt,
    _ state: inout WorldState
  ) -> Int64 {
    let mark = state.mark
    let outcome = token.call(from: owner, data: contract.data, callValue: contract.callValue, state: &state)
    guard outcome.energy <= limit else {
      state.rollback(to: mark)
      receipt.contractRet = .outOfEnergy
      receipt.result = .outOfEnergy
      receipt.message = """
        Not enough energy for 'SSTORE' operation executing: curInvokeEnergyLimit[\(limit)], \
        curOpEnergy[20000], penaltyEnergy[68000], usedEnergy[\(limit / 2)]
        """
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
