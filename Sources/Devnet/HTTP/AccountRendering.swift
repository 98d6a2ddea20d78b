extension Rendering {
  /// What getaccount says of an account.
  func account(_ account: Account, at address: Address, headTime: Int64) -> JSON {
    var object = JSONObject()
    object.set("address", .string(self.address(address.bytes)))
    object.set("balance", integer: account.balance)
    if account.isContract { object.set("type", .string("Contract")) }
    object.set("create_time", integer: account.createTime)
    object.set("latest_opration_time", integer: account.latestOperationTime)
    object.set("free_net_usage", integer: account.freeBandwidth.value(at: headTime))
    object.set("account_resource", .object(JSONObject()))
    if !account.isContract {
      object.set("owner_permission", permission(.defaultOwner(of: address.bytes)))
      object.set("active_permission", .array([permission(.defaultActive(of: address.bytes))]))
    }
    object.set(
      "frozenV2",
      .array([
        .object(JSONObject()), .object(["type": .string("ENERGY")]), .object(["type": .string("TRON_POWER")]),
      ]))
    object.set("asset_optimized", .bool(true))
    return .object(object)
  }

  /// A permission as getaccount and getsignweight show it; the owner's type and id are defaults and stay away.
  func permission(_ permission: Permission) -> JSON {
    var object = JSONObject()
    if permission.kind != .owner { object.set("type", .string(permission.kind.rawValue)) }
    object.set("id", integer: Int64(permission.id))
    object.set("permission_name", text: permission.name)
    object.set("threshold", integer: permission.threshold)
    object.set("operations", hex: permission.operations)
    object.set(
      "keys",
      list: permission.keys.map { key in
        .object(["address": .string(address(key.address)), "weight": .integer(key.weight)])
      })
    return .object(object)
  }

  /// What getaccountresource says of an account.
  func resources(_ account: Account, parameters: ChainParameters, headTime: Int64) -> JSON {
    var object = JSONObject()
    object.set("freeNetUsed", integer: account.freeBandwidth.value(at: headTime))
    object.set("freeNetLimit", integer: parameters.freeBandwidth)
    object.set("TotalNetLimit", .integer(43_200_000_000))
    object.set("TotalNetWeight", .integer(26_000_000_000))
    object.set("EnergyUsed", integer: account.energy.value(at: headTime))
    object.set("EnergyLimit", integer: account.energyLimit)
    object.set("TotalEnergyLimit", .integer(NetworkRendering.totalEnergyLimit))
    object.set("TotalEnergyWeight", .integer(19_000_000_000))
    return .object(object)
  }
}
