/// How a node prints the one order of a transaction.
extension Rendering {
  /// An entry of `raw_data.contract`.
  func contract(_ contract: Contract) -> JSON {
    var object = JSONObject()
    object.set("parameter", .object(["value": .object(value(contract)), "type_url": .string(contract.typeURL)]))
    object.set("type", .string(ContractType(rawValue: contract.type)?.name ?? String(contract.type)))
    object.set("Permission_id", integer: Int64(contract.permissionID))
    return .object(object)
  }

  /// An address field, which is absent when empty.
  func set(_ name: String, _ bytes: Bytes, in object: inout JSONObject) {
    if !bytes.isEmpty { object.set(name, .string(address(bytes))) }
  }

  private func value(_ contract: Contract) -> JSONObject {
    var value = JSONObject()
    switch contract.parameter {
    case .transfer(let message):
      value.set("amount", integer: message.amount)
      set("owner_address", message.owner, in: &value)
      set("to_address", message.to, in: &value)
    case .trigger(let message):
      value.set("data", hex: message.data)
      value.set("call_value", integer: message.callValue)
      value.set("call_token_value", integer: message.callTokenValue)
      value.set("token_id", integer: message.tokenID)
      set("owner_address", message.owner, in: &value)
      set("contract_address", message.contract, in: &value)
    case .permissionUpdate(let message):
      set("owner_address", message.account, in: &value)
      if let owner = message.owner { value.set("owner", permission(owner)) }
      if let witness = message.witness { value.set("witness", permission(witness)) }
      value.set("actives", list: message.actives.map(permission))
    case .freeze(let message): stake(message, amount: "frozen_balance", in: &value)
    case .unfreeze(let message): stake(message, amount: "unfreeze_balance", in: &value)
    case .delegate(let message), .undelegate(let message):
      set("owner_address", message.owner, in: &value)
      resource(message.resource, in: &value)
      value.set("balance", integer: message.balance)
      set("receiver_address", message.receiver, in: &value)
      if message.isLocked { value.set("lock", .bool(true)) }
      value.set("lock_period", integer: message.lockPeriod)
    case .withdrawUnfrozen(let owner): set("owner_address", owner, in: &value)
    case .other: set("owner_address", contract.owner, in: &value)
    }
    return value
  }

  private func stake(_ message: StakeContract, amount: String, in value: inout JSONObject) {
    set("owner_address", message.owner, in: &value)
    value.set(amount, integer: message.amount)
    resource(message.resource, in: &value)
  }

  /// BANDWIDTH is the default and not printed.
  private func resource(_ number: Int32, in value: inout JSONObject) {
    if number != 0 { value.set("resource", .string(Resource(rawValue: number)?.name ?? String(number))) }
  }
}
