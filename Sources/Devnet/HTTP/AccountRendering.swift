extension Rendering {
  /// What getaccount says of an account.
  func account(_ account: Account, at address: Address, headTime: Int64) -> JSON {
    var object = JSONObject()
    object.set("address", .string(self.address(address.bytes)))
    object.set("balance", integer: account.balance)
    if account.isContract { object.set("type", .string("Contract")) }
    object.set("create_time", integer: account.createTime)
    object.set("latest_opration_time", integer: account.latestOperationTime)
    object.set("net_usage", integer: account[usage: .bandwidth].value(at: headTime))
    object.set("free_net_usage", integer: account.freeBandwidth.value(at: headTime))
    object.set("account_resource", accountResource(account, headTime: headTime))
    if !account.isContract {
      let permissions = account.permissions ?? AccountPermissions(defaultsOf: address.bytes)
      object.set("owner_permission", permission(permissions.owner))
      object.set("active_permission", .array(permissions.actives.map(permission)))
    }
    object.set("frozenV2", frozen(account))
    object.set("unfrozenV2", list: account.unfreezing.map(unfreezing))
    let bandwidth = account[stake: .bandwidth]
    object.set("delegated_frozenV2_balance_for_bandwidth", integer: bandwidth.lent)
    object.set("acquired_delegated_frozenV2_balance_for_bandwidth", integer: bandwidth.borrowed)
    object.set("asset_optimized", .bool(true))
    return .object(object)
  }

  private func accountResource(_ account: Account, headTime: Int64) -> JSON {
    var object = JSONObject()
    object.set("energy_usage", integer: account[usage: .energy].value(at: headTime))
    object.set("delegated_frozenV2_balance_for_energy", integer: account[stake: .energy].lent)
    object.set("acquired_delegated_frozenV2_balance_for_energy", integer: account[stake: .energy].borrowed)
    return .object(object)
  }

  /// The three kinds of stake, of which bandwidth is the default and hence nameless.
  private func frozen(_ account: Account) -> JSON {
    var (bandwidth, energy) = (JSONObject(), JSONObject())
    bandwidth.set("amount", integer: account[stake: .bandwidth].own)
    energy.set("type", .string("ENERGY"))
    energy.set("amount", integer: account[stake: .energy].own)
    return .array([.object(bandwidth), .object(energy), .object(["type": .string("TRON_POWER")])])
  }

  private func unfreezing(_ unfreezing: Unfreezing) -> JSON {
    var object = JSONObject()
    if unfreezing.resource != .bandwidth { object.set("type", .string(unfreezing.resource.name)) }
    object.set("unfreeze_amount", integer: unfreezing.amount)
    object.set("unfreeze_expire_time", integer: unfreezing.expiration)
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
  func resources(_ account: Account, _ network: NetworkState, headTime: Int64) -> JSON {
    var object = JSONObject()
    object.set("freeNetUsed", integer: account.freeBandwidth.value(at: headTime))
    object.set("freeNetLimit", integer: network.parameters.freeBandwidth)
    object.set("NetUsed", integer: account[usage: .bandwidth].value(at: headTime))
    object.set("NetLimit", integer: network.limit(of: .bandwidth, for: account))
    object.set("TotalNetLimit", integer: network.parameters.totalBandwidthLimit)
    object.set("TotalNetWeight", integer: network.totalBandwidthWeight)
    object.set("EnergyUsed", integer: account[usage: .energy].value(at: headTime))
    object.set("EnergyLimit", integer: network.limit(of: .energy, for: account))
    object.set("TotalEnergyLimit", integer: network.parameters.totalEnergyLimit)
    object.set("TotalEnergyWeight", integer: network.totalEnergyWeight)
    return .object(object)
  }

  /// getdelegatedresourcev2: what can be taken back, and what is bound, each on its own.
  func delegations(from: Address, to: Address, energy: Delegation, bandwidth: Delegation) -> JSON {
    var entries: [JSON] = []
    for isLocked in [false, true] {
      var object: JSONObject = ["from": .string(address(from.bytes)), "to": .string(address(to.bytes))]
      let bare = object
      object.set("frozen_balance_for_bandwidth", integer: isLocked ? bandwidth.locked : bandwidth.free)
      object.set("frozen_balance_for_energy", integer: isLocked ? energy.locked : energy.free)
      guard object != bare else { continue }
      object.set("expire_time_for_bandwidth", integer: isLocked ? bandwidth.lockedUntil : 0)
      object.set("expire_time_for_energy", integer: isLocked ? energy.lockedUntil : 0)
      entries.append(.object(object))
    }
    var answer = JSONObject()
    answer.set("delegatedResource", list: entries)
    return .object(answer)
  }
}
