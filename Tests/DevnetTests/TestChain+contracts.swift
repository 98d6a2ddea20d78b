import Testing

@testable import Devnet

extension TestChain {
  /// A transaction with one contract of any type, signed by `signers`.
  mutating func signed(
    _ type: ContractType, _ value: Bytes, by signers: [TestWallet] = [.alice], permissionID: Int32 = 0
  ) -> PreparedTransaction {
    let raw = raw(Contract(type: type, value: value, permissionID: permissionID))
    let id = Hash32.sha256(raw.encoded)
    return PreparedTransaction(
      Transaction(raw: raw, signatures: signers.map { Secp256k1.sign(id, with: $0.privateKey) }))
  }

  /// Turns TRX of a wallet into stake.
  mutating func freeze(from wallet: TestWallet = .alice, _ resource: Resource, trx: Int64) -> PreparedTransaction {
    let message = StakeContract(
      owner: wallet.address.bytes, amount: trx * Self.trx, resource: resource.rawValue)
    return signed(.freezeBalanceV2, message.encoded, by: [wallet])
  }

  /// Turns stake of a wallet back.
  mutating func unfreeze(from wallet: TestWallet = .alice, _ resource: Resource, trx: Int64) -> PreparedTransaction {
    let message = StakeContract(
      owner: wallet.address.bytes, amount: trx * Self.trx, resource: resource.rawValue)
    return signed(.unfreezeBalanceV2, message.encoded, by: [wallet])
  }

  /// Lends stake, bound for `lockPeriod` slots where that is given.
  mutating func delegate(
    from wallet: TestWallet = .alice, to: Address, _ resource: Resource, trx: Int64, lockPeriod: Int64? = nil
  ) -> PreparedTransaction {
    let message = DelegateContract(
      owner: wallet.address.bytes, resource: resource.rawValue, balance: trx * Self.trx, receiver: to.bytes,
      isLocked: lockPeriod != nil, lockPeriod: lockPeriod ?? 0)
    return signed(.delegateResource, message.encoded, by: [wallet])
  }

  /// Takes lent stake back.
  mutating func undelegate(
    by wallet: TestWallet = .alice, from: Address, _ resource: Resource, trx: Int64
  ) -> PreparedTransaction {
    let message = DelegateContract(
      owner: wallet.address.bytes, resource: resource.rawValue, balance: trx * Self.trx, receiver: from.bytes)
    return signed(.unDelegateResource, message.encoded, by: [wallet])
  }

  /// What is left of a resource, in the head view.
  func left(_ resource: Resource, of address: Address) -> Int64 {
    let world = chain.world(.head)
    guard let account = world.account(address) else { return 0 }
    return world.network.left(of: resource, for: account, at: headTime)
  }

  /// The words of a refusal of a contract.
  static func invalid(_ text: String) -> Refusal {
    Refusal(code: .contractValidateError, message: "Contract validate error : \(text)")
  }
}
