import Payouts

/// `broadcasthex`. Property names are the API's own, here and below.
struct BroadcastReply: Decodable {
  let result: Bool?
  let code: String?
  let message: String?
  let txid: String?

  /// `code` is always there, says the reference (§4.3); a node that leaves out its default says `result: true` alone.
  func answer(of call: NodeCall) throws(TronNodeError) -> BroadcastAnswer {
    let txid = try self.txid.map { text throws(TronNodeError) in
      try call.checked { () throws(MalformedValue) in try TxID(hex: text) }
    }
    if let code {
      return BroadcastAnswer(
        code: BroadcastCode(name: code), message: NodeCall.quote(message ?? ""), txid: txid)
    }
    guard result == true else { throw call.missing("code") }
    return BroadcastAnswer(code: .success, message: NodeCall.quote(message ?? ""), txid: txid)
  }
}

/// `getchainparameters`; a value of 0 is absent.
struct ChainParametersAnswer: Decodable {
  struct Parameter: Decodable {
    let key: String?
    let value: Int64?
  }
  let chainParameter: [Parameter]?
}

/// `getaccount`; `{}` for an account that was never activated.
struct AccountAnswer: Decodable {
  struct Permission: Decodable {
    struct Key: Decodable {
      let address: String?
      let weight: Int64?
    }
    let id: Int32?
    let threshold: Int64?
    let operations: String?
    let keys: [Key]?
  }
  let address: String?
  let balance: Int64?
  /// java-tron's own spelling (AccountCapsule.getLatestOperationTime).
  let latest_opration_time: Int64?
  let latest_consume_time: Int64?
  let latest_consume_free_time: Int64?
  let owner_permission: Permission?
  let active_permission: [Permission]?

  func state(of account: Address, _ call: NodeCall) throws(TronNodeError) -> AccountState {
    guard address != nil else {
      guard balance == nil, owner_permission == nil, active_permission == nil else { throw call.missing("address") }
      return .absent
    }
    guard try call.address(address, "address") == account else {
      throw call.inconsistent("the answer is about another account")
    }
    var active: [AccountPermission] = []
    for permission in active_permission ?? [] { active.append(try permission.value(of: call)) }
    return AccountState(
      exists: true, balance: Sun(balance ?? 0), latestOperation: latestOperation,
      ownerPermission: try owner_permission.map { permission throws(TronNodeError) in try permission.value(of: call) },
      activePermissions: active)
  }
}

extension AccountAnswer {
  /// The latest of the times at which the account used bandwidth as an owner; 0 and absent mean never.
  fileprivate var latestOperation: Timestamp? {
    let times = [latest_opration_time, latest_consume_time, latest_consume_free_time].compactMap { $0 }
    return times.max().flatMap { $0 > 0 ? Timestamp(milliseconds: $0) : nil }
  }
}

extension AccountAnswer.Permission {
  fileprivate func value(of call: NodeCall) throws(TronNodeError) -> AccountPermission {
    var members: [AccountPermission.Key] = []
    for key in keys ?? [] {
      members.append(.init(address: try call.address(key.address, "address of a key"), weight: key.weight ?? 0))
    }
    return AccountPermission(
      id: id ?? 0, threshold: threshold ?? 0, operations: try call.hex(operations, "operations"), keys: members)
  }
}

/// `triggerconstantcontract` (reference §4.4).
struct ConstantCallAnswer: Decodable {
  struct Outcome: Decodable {
    let result: Bool?
    let code: String?
    let message: String?
  }
  struct Transaction: Decodable {
    struct Result: Decodable {
      let ret: String?
    }
    let ret: [Result]?
  }
  let result: Outcome?
  let constant_result: [String]?
  let transaction: Transaction?

  /// How the call ended. A revert still has `result.result` true; its sign is `transaction.ret[0].ret`, which other ends
  /// of an execution have too (a time-out, an invalid opcode): only the message tells them apart.
  func outcome(of call: NodeCall) throws(TronNodeError) -> TokenCallOutcome {
    guard let result else { throw call.missing("result") }
    let message = text(of: result)
    guard result.result == true else {
      throw call.error(.nodeError, "\(result.code ?? "refused"): \(NodeCall.quote(message))")
    }
    if transaction?.ret?.first?.ret == "FAILED" {
      guard message.isEmpty || message.hasPrefix("REVERT") else {
        throw call.error(.nodeError, "the call ended without a return or a revert: \(NodeCall.quote(message))")
      }
      return .reverted(try call.hex(constant_result?.first, "constant_result"))
    }
    guard let first = constant_result?.first else { throw call.missing("constant_result") }
    return .returned(try call.hex(first, "constant_result"))
  }

  /// What the call returned, where only a return makes sense.
  func word(of call: NodeCall) throws(TronNodeError) -> [UInt8] {
    guard case .returned(let word) = try outcome(of: call) else {
      throw call.error(.nodeError, "the call reverted: \(NodeCall.quote(result.map(text) ?? ""))")
    }
    return word
  }

  /// Messages are hexadecimal.
  private func text(of result: Outcome) -> String {
    Hex.bytes(result.message ?? "").map { String(decoding: $0, as: UTF8.self) } ?? result.message ?? ""
  }
}
