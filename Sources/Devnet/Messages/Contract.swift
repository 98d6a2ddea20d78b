/// One order inside a transaction: its type, and the message of that type wrapped in `google.protobuf.Any`.
struct Contract: Equatable, Sendable {
  /// The number of the contract type; see ``ContractType``.
  var type: Int32
  var typeURL: String
  /// The wrapped message, which a node hashes exactly as it came.
  var value: Bytes
  var provider: Bytes = []
  var name: Bytes = []
  /// 0 = owner, 2… = active permissions.
  var permissionID: Int32 = 0
  var unknown: Bytes = []

  /// What `value` says.
  enum Parameter: Equatable, Sendable {
    case transfer(TransferContract)
    case trigger(TriggerSmartContract)
    case permissionUpdate(PermissionUpdateContract)
    case freeze(StakeContract)
    case unfreeze(StakeContract)
    /// Just the owner, whose unstaked TRX it withdraws.
    case withdrawUnfrozen(owner: Bytes)
    case delegate(DelegateContract)
    case undelegate(DelegateContract)
    /// A type this network does not run, or a value that does not fit its type.
    case other
  }

  /// An order of a known type around its encoded message.
  init(type: ContractType, value: Bytes, permissionID: Int32 = 0) {
    self.type = type.rawValue
    typeURL = type.url
    self.value = value
    self.permissionID = permissionID
  }

  /// The order that `bytes` encode.
  init(decoding bytes: Bytes) throws(ProtobufError) {
    (type, typeURL, value) = (0, "", [])
    var any: Bytes = []
    var reader = ProtobufReader(bytes)
    while let field = try reader.next() {
      switch field.number {
      case 1: type = try field.integer32()
      case 2: any += try field.bytes()
      case 3: provider = try field.bytes()
      case 4: name = try field.bytes()
      case 5: permissionID = try field.integer32()
      default: unknown += field.raw
      }
    }
    var anyReader = ProtobufReader(any)
    while let field = try anyReader.next() {
      switch field.number {
      case 1: typeURL = String(decoding: try field.bytes(), as: UTF8.self)
      case 2: value = try field.bytes()
      default: break
      }
    }
  }

  /// The canonical bytes.
  var encoded: Bytes {
    var any = ProtobufWriter()
    any.bytes(1, Bytes(typeURL.utf8))
    any.bytes(2, value)
    var writer = ProtobufWriter()
    writer.integer(1, Int64(type))
    if !any.bytes.isEmpty { writer.message(2, any.bytes) }
    writer.bytes(3, provider)
    writer.bytes(4, name)
    writer.integer(5, Int64(permissionID))
    writer.unknown(unknown)
    return writer.bytes
  }

  /// The wrapped message, read. Type and type_url must agree, as `Any.unpack` demands.
  var parameter: Parameter {
    guard let type = ContractType(rawValue: type), type.url == typeURL else { return .other }
    do {
      switch type {
      case .transfer: return .transfer(try TransferContract(decoding: value))
      case .triggerSmart: return .trigger(try TriggerSmartContract(decoding: value))
      case .accountPermissionUpdate: return .permissionUpdate(try PermissionUpdateContract(decoding: value))
      case .freezeBalanceV2: return .freeze(try StakeContract(decoding: value))
      case .unfreezeBalanceV2: return .unfreeze(try StakeContract(decoding: value))
      case .withdrawExpireUnfreeze: return .withdrawUnfrozen(owner: owner)
      case .delegateResource: return .delegate(try DelegateContract(decoding: value))
      case .unDelegateResource: return .undelegate(try DelegateContract(decoding: value))
      case .cancelAllUnfreezeV2: return .other
      }
    } catch {
      return .other
    }
  }

  /// The owner's address bytes: field 1 of every contract message that matters here; empty where there is none.
  var owner: Bytes {
    var reader = ProtobufReader(value)
    var owner: Bytes = []
    do {
      while let field = try reader.next() {
        if field.number == 1 { owner = try field.bytes() }
      }
    } catch {
      return []
    }
    return owner
  }
}

/// The contract types that are named here; numbers of Tron.proto, `Transaction.Contract.ContractType`.
enum ContractType: Int32, CaseIterable, Sendable {
  case transfer = 1
  case triggerSmart = 31
  case accountPermissionUpdate = 46
  case freezeBalanceV2 = 54
  case unfreezeBalanceV2 = 55
  case withdrawExpireUnfreeze = 56
  case delegateResource = 57
  case unDelegateResource = 58
  case cancelAllUnfreezeV2 = 59

  /// The message's name, which a node prints as `type`.
  var name: String {
    switch self {
    case .transfer: "TransferContract"
    case .triggerSmart: "TriggerSmartContract"
    case .accountPermissionUpdate: "AccountPermissionUpdateContract"
    case .freezeBalanceV2: "FreezeBalanceV2Contract"
    case .unfreezeBalanceV2: "UnfreezeBalanceV2Contract"
    case .withdrawExpireUnfreeze: "WithdrawExpireUnfreezeContract"
    case .delegateResource: "DelegateResourceContract"
    case .unDelegateResource: "UnDelegateResourceContract"
    case .cancelAllUnfreezeV2: "CancelAllUnfreezeV2Contract"
    }
  }

  /// The `type_url` of its message.
  var url: String { "type.googleapis.com/protocol.\(name)" }
}

/// `TransferContract`: TRX from one account to another.
struct TransferContract: Equatable, Sendable {
  /// 21 bytes where it is valid; the chain judges that, not the decoder.
  var owner: Bytes = []
  var to: Bytes = []
  /// Sun.
  var amount: Int64 = 0

  /// A message of these fields.
  init(owner: Bytes, to: Bytes, amount: Int64) {
    (self.owner, self.to, self.amount) = (owner, to, amount)
  }

  /// The message that `bytes` encode.
  init(decoding bytes: Bytes) throws(ProtobufError) {
    var reader = ProtobufReader(bytes)
    while let field = try reader.next() {
      switch field.number {
      case 1: owner = try field.bytes()
      case 2: to = try field.bytes()
      case 3: amount = try field.integer()
      default: break
      }
    }
  }

  /// The canonical bytes.
  var encoded: Bytes {
    var writer = ProtobufWriter()
    writer.bytes(1, owner)
    writer.bytes(2, to)
    writer.integer(3, amount)
    return writer.bytes
  }
}

/// `TriggerSmartContract`: a call of a contract.
struct TriggerSmartContract: Equatable, Sendable {
  var owner: Bytes = []
  var contract: Bytes = []
  /// Sun sent along.
  var callValue: Int64 = 0
  /// Selector and arguments.
  var data: Bytes = []
  var callTokenValue: Int64 = 0
  var tokenID: Int64 = 0

  /// A message of these fields.
  init(owner: Bytes, contract: Bytes, data: Bytes, callValue: Int64 = 0) {
    (self.owner, self.contract, self.data, self.callValue) = (owner, contract, data, callValue)
  }

  /// The message that `bytes` encode.
  init(decoding bytes: Bytes) throws(ProtobufError) {
    var reader = ProtobufReader(bytes)
    while let field = try reader.next() {
      switch field.number {
      case 1: owner = try field.bytes()
      case 2: contract = try field.bytes()
      case 3: callValue = try field.integer()
      case 4: data = try field.bytes()
      case 5: callTokenValue = try field.integer()
      case 6: tokenID = try field.integer()
      default: break
      }
    }
  }

  /// The canonical bytes.
  var encoded: Bytes {
    var writer = ProtobufWriter()
    writer.bytes(1, owner)
    writer.bytes(2, contract)
    writer.integer(3, callValue)
    writer.bytes(4, data)
    writer.integer(5, callTokenValue)
    writer.integer(6, tokenID)
    return writer.bytes
  }
}
