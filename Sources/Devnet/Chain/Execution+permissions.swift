/// Permissions: who may sign for an account (tron-protocol.md §6).
extension Execution {
  private static let activesMax = 8
  private static let nameLengthMax = 32
  private static let operationsSize = 32

  /// Replaces all permissions of an account; checks and texts of AccountPermissionUpdateActuator, in its order.
  func updatePermissions(
    _ contract: PermissionUpdateContract, _ receipt: inout Receipt, _ state: inout WorldState
  ) throws(Refusal) {
    guard let address = Address(contract.account) else { throw .contract("invalidate ownerAddress") }
    guard var account = state.account(address) else { throw .contract("ownerAddress account does not exist") }
    guard let owner = contract.owner else { throw .contract("owner permission is missed") }
    guard contract.witness == nil else { throw .contract("account isn't witness can't set witness permission") }
    guard !contract.actives.isEmpty else { throw .contract("active permission is missed") }
    guard contract.actives.count <= Self.activesMax else { throw .contract("active permission is too many") }
    guard owner.kind == .owner else { throw .contract("owner permission type is error") }
    try check(owner)
    for active in contract.actives {
      guard active.kind == .active else { throw .contract("active permission type is error") }
      try check(active)
    }
    let fee = parameters.permissionUpdateFee
    guard account.balance >= fee else {
      throw .execution("\(address) insufficient balance, balance: \(account.balance), amount: \(fee)")
    }
    account.balance -= fee
    receipt.otherFee += fee
    account.permissions = AccountPermissions(owner: owner, actives: contract.actives)
    state.setAccount(address, account)
  }

  private func check(_ permission: Permission) throws(Refusal) {
    guard permission.keys.count <= ChainParameters.signatureCountMax else {
      throw .contract(
        "number of keys in permission should not be greater than \(ChainParameters.signatureCountMax)")
    }
    guard !permission.keys.isEmpty else { throw .contract("key's count should be greater than 0") }
    guard permission.threshold > 0 else { throw .contract("permission's threshold should be greater than 0") }
    guard permission.name.utf16.count <= Self.nameLengthMax else {
      throw .contract("permission's name is too long")
    }
    guard permission.parentID == 0 else { throw .contract("permission's parent should be owner") }
    let kind = permission.kind.rawValue
    guard Set(permission.keys.map(\.address)).count == permission.keys.count else {
      throw .contract("address should be distinct in permission \(kind)")
    }
    var weight: Int64 = 0
    for key in permission.keys {
      guard Address(key.address) != nil else { throw .contract("key is not a validate address") }
      guard key.weight > 0 else { throw .contract("key's weight should be greater than 0") }
      let (sum, overflow) = weight.addingReportingOverflow(key.weight)
      guard !overflow else { throw .contract("long overflow") }
      weight = sum
    }
    guard weight >= permission.threshold else {
      throw .contract("sum of all key's weight should not be less than threshold in permission \(kind)")
    }
    try checkOperations(permission)
  }

  private func checkOperations(_ permission: Permission) throws(Refusal) {
    guard permission.kind == .active else {
      guard permission.operations.isEmpty else {
        throw .contract("\(permission.kind.rawValue) permission needn't operations")
      }
      return
    }
    guard permission.operations.count == Self.operationsSize else { throw .contract("operations size must 32") }
    for type in 0..<Int32(Self.operationsSize * 8)
    where Permission.names(type, in: permission.operations)
      && !Permission.names(type, in: Permission.availableOperations)
    {
      throw .contract("\(type) isn't a validate ContractType")
    }
  }
}
