extension NodeAPI {
  /// gettransactionbyid: in the head view also while merely pending, with a provisional `ret`.
  func transaction(_ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    guard let id = try request.hash("value") else { return Self.nothing }
    let found = await host.withChain { chain -> (PreparedTransaction, ContractResult)? in
      if let included = chain.included(id, in: view) {
        return (included.transaction, included.receipt.contractRet)
      }
      guard view == .head, let pending = chain.pending[id] else { return nil }
      return (pending.transaction, pending.receipt.contractRet)
    }
    return found.map { request.rendering.transaction($0.0, ret: $0.1) } ?? Self.nothing
  }

  /// gettransactioninfobyid: only once it is in a block of the view.
  func transactionInfo(_ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    guard let id = try request.hash("value") else { return Self.nothing }
    let included = await host.withChain { $0.included(id, in: view) }
    return included.map { request.rendering.info($0) } ?? Self.nothing
  }

  /// gettransactionfrompending: `{}` unless it waits for a block.
  func pendingTransaction(_ request: NodeRequest) async throws(NodeError) -> JSON {
    guard let id = try request.hash("value") else { return Self.nothing }
    let pending = await host.withChain { $0.pending[id] }
    return pending.map { request.rendering.transaction($0.transaction, ret: $0.receipt.contractRet) } ?? Self.nothing
  }

  /// gettransactionlistfrompending: the ids of all that waits.
  func pendingList() async -> JSON {
    var object = JSONObject()
    object.set("txId", list: await pendingIDs().map { .string($0.hex) })
    return .object(object)
  }

  /// The ids of what waits for a block, oldest first.
  func pendingIDs() async -> [Hash32] {
    await host.withChain { $0.pending.transactions.map(\.transaction.id) }
  }

  // MARK: Broadcast

  /// broadcasthex: code and message are always there, the message as text, the transaction as JSON in a string.
  func broadcastHex(_ request: NodeRequest) async throws(NodeError) -> JSON {
    guard let bytes = try request.bytes("transaction") else { throw .field("transaction", "hex of a transaction") }
    let transaction: Transaction
    do {
      transaction = try Transaction(decoding: bytes)
    } catch {
      throw NodeError("com.google.protobuf.InvalidProtocolBufferException", error.reason)
    }
    let prepared = PreparedTransaction(transaction)
    let refusal = await broadcast(prepared)
    return .object([
      "result": .bool(refusal == nil),
      "code": .string((refusal?.code ?? .success).name),
      "message": .string(refusal?.message ?? ""),
      "transaction": .string(request.rendering.transaction(prepared, ret: JSON?.none).text),
      "txid": .string(prepared.id.hex),
    ])
  }

  /// broadcasttransaction: no code when accepted, no result when refused.
  func broadcastTransaction(_ request: NodeRequest) async throws(NodeError) -> JSON {
    let prepared = PreparedTransaction(try TransactionReading.read(request.object))
    guard let refusal = await broadcast(prepared) else {
      return .object(["result": .bool(true), "txid": .string(prepared.id.hex)])
    }
    return .object([
      "code": .string(refusal.code.name),
      "message": .string(request.rendering.message(refusal.message)),
      "txid": .string(prepared.id.hex),
    ])
  }

  private func broadcast(_ prepared: PreparedTransaction) async -> Refusal? {
    let now = host.clock()
    do {
      try await host.withChain { chain throws(Refusal) in try chain.broadcast(prepared, now: now) }
      return nil
    } catch {
      return error
    }
  }

  // MARK: Signatures

  /// getsignweight: how far a transaction's signatures reach; ENOUGH_PERMISSION and SUCCESS are defaults, hence absent.
  func signWeight(_ request: NodeRequest) async throws(NodeError) -> JSON {
    let prepared = PreparedTransaction(try TransactionReading.read(request.object))
    let owner = prepared.ownerBytes
    let account = await host.withChain { chain in Address(owner).flatMap { chain.account($0, in: .head) } }
    var answer = JSONObject()
    var result = JSONObject()
    if account == nil {
      result = ["code": .string("PERMISSION_ERROR"), "message": .string("Account does not exist!")]
    } else if let permission = Permission.of(owner, id: prepared.permissionID) {
      answer.set("permission", request.rendering.permission(permission))
      result = weigh(prepared, permission, request.rendering, &answer)
    } else {
      result = ["code": .string("PERMISSION_ERROR"), "message": .string("Permission for this, does not exist!")]
    }
    answer.set("result", .object(result))
    answer.set(
      "transaction",
      .object([
        "result": .object(["result": .bool(true)]),
        "txid": .string(prepared.id.hex),
        "transaction": request.rendering.transaction(prepared, ret: JSON?.none),
      ]))
    return .object(answer)
  }

  private func weigh(
    _ prepared: PreparedTransaction, _ permission: Permission, _ rendering: Rendering, _ answer: inout JSONObject
  ) -> JSONObject {
    guard permission.allows(prepared.transaction.raw.contracts[0].type) else {
      return ["code": .string("PERMISSION_ERROR"), "message": .string("Permission denied!")]
    }
    var approved: [JSON] = []
    do {
      let weight = try permission.weight(of: prepared)
      for case .success(let signer) in prepared.signers { approved.append(.string(rendering.address(signer.bytes))) }
      answer.set("approved_list", list: approved)
      answer.set("current_weight", integer: weight)
      return weight >= permission.threshold ? [:] : ["code": .string("NOT_ENOUGH_PERMISSION")]
    } catch {
      let code = error.kind == .format ? "SIGNATURE_FORMAT_ERROR" : "PERMISSION_ERROR"
      return ["code": .string(code), "message": .string(error.text)]
    }
  }
}
