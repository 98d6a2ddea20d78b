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
    return lies.told(found, of: id).map { request.rendering.transaction($0.0, ret: $0.1) } ?? Self.nothing
  }

  /// gettransactioninfobyid: only once it is in a block of the view.
  func transactionInfo(_ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    guard let id = try request.hash("value") else { return Self.nothing }
    let included = await host.withChain { $0.included(id, in: view) }
    return lies.told(included, of: id).map { request.rendering.info($0) } ?? Self.nothing
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
    var answer: Refusal?
    var isForgotten = false
    switch broadcastFault {
    case .refuse(let refusal, isAccepted: false): return refusal
    case .refuse(let refusal, isAccepted: true): answer = refusal
    case .forget: isForgotten = true
    case nil: break
    }
    do {
      try await host.broadcast(prepared, isForgotten: isForgotten)
      return answer
    } catch {
      return error
    }
  }
}
