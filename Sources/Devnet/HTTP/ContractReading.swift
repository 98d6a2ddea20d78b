/// Reads the message of a transaction's one order from JSON.
extension TransactionReading {
  /// The canonical bytes of a message of `type` with the fields of `value`.
  func message(_ type: ContractType, _ value: JSON) throws(NodeError) -> Bytes {
    let owner = try address(value, "owner_address")
    switch type {
    case .transfer:
      return TransferContract(
        owner: owner, to: try address(value, "to_address"), amount: try integer(value["amount"], "amount")
      ).encoded
    case .triggerSmart:
      var message = TriggerSmartContract(
        owner: owner, contract: try address(value, "contract_address"),
        data: try hex(value["data"], "data"), callValue: try integer(value["call_value"], "call_value"))
      message.callTokenValue = try integer(value["call_token_value"], "call_token_value")
      message.tokenID = try integer(value["token_id"], "token_id")
      return message.encoded
    case .accountPermissionUpdate:
      var message = PermissionUpdateContract(account: owner, owner: try permission(value["owner"]), actives: [])
      message.witness = try permission(value["witness"])
      for element in try list(value["actives"], "actives") {
        if let active = try permission(element) { message.actives.append(active) }
      }
      return message.encoded
    case .freezeBalanceV2: return try stake(owner, value, amount: "frozen_balance").encoded
    case .unfreezeBalanceV2: return try stake(owner, value, amount: "unfreeze_balance").encoded
    case .delegateResource, .unDelegateResource:
      return DelegateContract(
        owner: owner, resource: try resource(value), balance: try integer(value["balance"], "balance"),
        receiver: try address(value, "receiver_address"), isLocked: value["lock"] == .bool(true),
        lockPeriod: try integer(value["lock_period"], "lock_period")
      ).encoded
    case .withdrawExpireUnfreeze, .cancelAllUnfreezeV2:
      var writer = ProtobufWriter()
      writer.bytes(1, owner)
      return writer.bytes
    }
  }

  private func stake(_ owner: Bytes, _ value: JSON, amount: String) throws(NodeError) -> StakeContract {
    StakeContract(owner: owner, amount: try integer(value[amount], amount), resource: try resource(value))
  }

  /// A resource by name or number; bandwidth when absent.
  private func resource(_ value: JSON) throws(NodeError) -> Int32 {
    if case .string(let name)? = value["resource"], let resource = Resource.allCases.first(where: { $0.name == name }) {
      return resource.rawValue
    }
    guard let number = Int32(exactly: try integer(value["resource"], "resource")) else {
      throw .field("resource", "BANDWIDTH or ENERGY")
    }
    return number
  }

  private func list(_ json: JSON?, _ name: String) throws(NodeError) -> [JSON] {
    switch json {
    case nil, .null: return []
    case .array(let elements): return elements
    default: throw .field(name, "a list")
    }
  }

  /// A permission, nil when absent; its kind by name or number.
  private func permission(_ json: JSON?) throws(NodeError) -> Permission? {
    guard let json, json != .null else { return nil }
    var permission = Permission(kind: .owner, id: 0, name: "", threshold: 0, operations: [], keys: [])
    if case .string(let name)? = json["type"] {
      guard let kind = Permission.Kind(rawValue: name) else { throw .field("type", "Owner, Witness or Active") }
      permission.kind = kind
    } else {
      guard let number = Int32(exactly: try integer(json["type"], "type")), let kind = Permission.Kind(number: number)
      else { throw .field("type", "0, 1 or 2") }
      permission.kind = kind
    }
    permission.id = Int32(truncatingIfNeeded: try integer(json["id"], "id"))
    if case .string(let name)? = json["permission_name"] { permission.name = name }
    permission.threshold = try integer(json["threshold"], "threshold")
    permission.parentID = Int32(truncatingIfNeeded: try integer(json["parent_id"], "parent_id"))
    permission.operations = try hex(json["operations"], "operations")
    for key in try list(json["keys"], "keys") {
      permission.keys.append(
        Permission.Key(address: try address(key, "address"), weight: try integer(key["weight"], "weight")))
    }
    return permission
  }
}
