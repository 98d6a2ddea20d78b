/// The fees of step 12 of tron-protocol.md §2.4: taken before and outside of `fee_limit`, in this order.
extension Execution {
  /// All or nothing, for the whole size: staked and borrowed bandwidth, else the free allowance, else TRX (§5.2).
  func payBandwidth(
    _ prepared: PreparedTransaction, _ receipt: inout Receipt, _ state: inout WorldState
  ) throws(Refusal) {
    guard let owner = prepared.owner, var account = state.account(owner) else {
      throw .contract("account [\(Base58Check.encode(prepared.ownerBytes))] does not exist")
    }
    let size = Int64(prepared.size + ChainParameters.billedResultSize)
    let activates = activates(prepared, state)
    if activates { try checkCreationSize(prepared) }
    account.latestOperationTime = headTime
    if size <= state.network.left(of: .bandwidth, for: account, at: headTime) {
      account[usage: .bandwidth].use(size, at: headTime)
      receipt.netUsage = size
    } else if activates {
      // The free allowance does not pay for transfers that create an account.
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

  /// More than one signature costs a fee, however many they are.
  func paySignatures(
    _ prepared: PreparedTransaction, _ receipt: inout Receipt, _ state: inout WorldState
  ) throws(Refusal) {
    guard prepared.transaction.signatures.count > 1 else { return }
    try pay(parameters.multiSignFee, prepared, &receipt, &state)
  }

  /// A memo costs a fee, however long it is.
  func payMemo(
    _ prepared: PreparedTransaction, _ receipt: inout Receipt, _ state: inout WorldState
  ) throws(Refusal) {
    guard !prepared.transaction.raw.data.isEmpty else { return }
    try pay(parameters.memoFee, prepared, &receipt, &state)
  }

  private func pay(
    _ fee: Int64, _ prepared: PreparedTransaction, _ receipt: inout Receipt, _ state: inout WorldState
  ) throws(Refusal) {
    guard let owner = prepared.owner, var account = state.account(owner) else { return }
    try burn(fee, from: &account)
    receipt.otherFee += fee
    state.setAccount(owner, account)
  }

  private func burn(_ sun: Int64, from account: inout Account) throws(Refusal) {
    guard account.balance >= sun else { throw .resources }
    account.balance -= sun
  }

  private func checkCreationSize(_ prepared: PreparedTransaction) throws(Refusal) {
    let size = Int64(prepared.size - 65 * prepared.transaction.signatures.count)
    guard size > parameters.createAccountSizeMax else { return }
    throw Refusal(
      code: .tooBigTransactionError,
      message: "Too big new account transaction, TxId \(prepared.id.hex), the size is \(size) bytes, "
        + "maxTxSize \(parameters.createAccountSizeMax)")
  }

  /// Whether it is a TRX transfer to an address that has no account yet.
  private func activates(_ prepared: PreparedTransaction, _ state: WorldState) -> Bool {
    guard case .transfer(let contract) = prepared.parameter else { return false }
    guard let to = Address(contract.to) else { return true }
    return state.account(to) == nil
  }
}
