/// The node's HTTP API: which endpoint does what, without any HTTP.
///
/// `/wallet` is the head view with what is pending, `/walletsolidity` the solid view with fewer endpoints
/// (tron-protocol.md §3.4, §4.4).
struct NodeAPI: Sendable {
  let host: ChainHost

  /// The endpoints of `/wallet`; those of the solid view are marked.
  enum Endpoint: String, CaseIterable, Sendable {
    case getnowblock, getblock, getblockbynum, getblockbyid, getblockbylimitnext
    case gettransactioninfobyblocknum, gettransactionbyid, gettransactioninfobyid
    case gettransactionfrompending, gettransactionlistfrompending, getpendingsize
    case broadcasthex, broadcasttransaction, getsignweight
    case triggerconstantcontract, getcontract
    case getaccount, getaccountresource
    case getchainparameters, getnodeinfo, getenergyprices, getbandwidthprices

    /// Whether `/walletsolidity` has it too.
    var isSolid: Bool {
      switch self {
      case .getnowblock, .getblock, .getblockbynum, .getblockbyid, .getblockbylimitnext,
        .gettransactioninfobyblocknum, .gettransactionbyid, .gettransactioninfobyid,
        .triggerconstantcontract, .getaccount, .getnodeinfo, .getenergyprices, .getbandwidthprices:
        true
      case .gettransactionfrompending, .gettransactionlistfrompending, .getpendingsize, .broadcasthex,
        .broadcasttransaction, .getsignweight, .getcontract, .getaccountresource, .getchainparameters:
        false
      }
    }
  }

  /// The answer of `endpoint` in `view`.
  func answer(_ endpoint: Endpoint, _ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    switch endpoint {
    case .getnowblock: await nowBlock(request, in: view)
    case .getblock: try await block(request, in: view)
    case .getblockbynum: try await blockByNumber(request, in: view)
    case .getblockbyid: try await blockByID(request, in: view)
    case .getblockbylimitnext: try await blockRange(request, in: view)
    case .gettransactioninfobyblocknum: try await infosOfBlock(request, in: view)
    case .gettransactionbyid: try await transaction(request, in: view)
    case .gettransactioninfobyid: try await transactionInfo(request, in: view)
    case .gettransactionfrompending: try await pendingTransaction(request)
    case .gettransactionlistfrompending: await pendingList()
    case .getpendingsize: .object(["pendingSize": .integer(Int64(await pendingIDs().count))])
    case .broadcasthex: try await broadcastHex(request)
    case .broadcasttransaction: try await broadcastTransaction(request)
    case .getsignweight: try await signWeight(request)
    case .triggerconstantcontract: try await constantCall(request, in: view)
    case .getcontract: try await contract(request)
    case .getaccount: try await account(request, in: view)
    case .getaccountresource: try await accountResource(request)
    case .getchainparameters: NetworkRendering.chainParameters(await parameters())
    case .getnodeinfo: await nodeInfo()
    case .getenergyprices: NetworkRendering.prices(await parameters().energyPrice)
    case .getbandwidthprices: NetworkRendering.prices(await parameters().bandwidthPrice)
    }
  }

  /// What a node answers where it has nothing.
  static let nothing = JSON.object(JSONObject())

  private func parameters() async -> ChainParameters { await host.withChain { $0.parameters } }

  private func nodeInfo() async -> JSON {
    let (head, solid) = await host.withChain { ($0.head, $0.solid) }
    return NetworkRendering.nodeInfo(head: head, solid: solid)
  }

  // MARK: Accounts

  private func account(_ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    guard let address = try request.address("address") else { return Self.nothing }
    let (account, headTime) = await host.withChain {
      ($0.account(address, in: view), $0.top(view).header.timestamp)
    }
    return account.map { request.rendering.account($0, at: address, headTime: headTime) } ?? Self.nothing
  }

  private func accountResource(_ request: NodeRequest) async throws(NodeError) -> JSON {
    guard let address = try request.address("address") else { return Self.nothing }
    let (account, headTime, parameters) = await host.withChain {
      ($0.account(address, in: .head), $0.head.header.timestamp, $0.parameters)
    }
    return account.map { request.rendering.resources($0, parameters: parameters, headTime: headTime) } ?? Self.nothing
  }

  // MARK: Contracts

  private func contract(_ request: NodeRequest) async throws(NodeError) -> JSON {
    let token = await host.withChain { $0.token }
    guard try request.address("value") == token.address else { return Self.nothing }
    return NetworkRendering.tokenContract(token, rendering: request.rendering)
  }

  private func constantCall(_ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    let rendering = request.rendering
    guard let owner = try request.address("owner_address") else { throw .field("owner_address", "an address") }
    guard let contract = try request.address("contract_address") else {
      throw .field("contract_address", "an address")
    }
    var data = try request.bytes("data") ?? []
    if let signature = try request.text("function_selector") {
      data = TokenContract.selector(signature) + (try request.bytes("parameter") ?? [])
    }
    let callData = data
    let callValue = try request.integer("call_value") ?? 0
    let message = TriggerSmartContract(
      owner: owner.bytes, contract: contract.bytes, data: callData, callValue: callValue)
    do {
      let (outcome, reference) = try await host.withChain { chain throws(Refusal) in
        let outcome = try chain.call(
          from: owner, contract: contract, data: callData, callValue: callValue, in: view)
        return (outcome, chain.top(view))
      }
      return constantAnswer(outcome, call: message, reference: reference, rendering)
    } catch {
      return .object([
        "result": .object(["code": .string(error.code.name), "message": .string(rendering.message(error.message))])
      ])
    }
  }

  /// What a constant call answers: a revert still has `result.result` true (tron-protocol.md §4.4).
  private func constantAnswer(
    _ outcome: CallOutcome, call: TriggerSmartContract, reference: Block, _ rendering: Rendering
  ) -> JSON {
    var raw = Transaction.RawData()
    raw.refBlockBytes = Bytes(reference.id.bytes[6..<8])
    raw.refBlockHash = Bytes(reference.id.bytes[8..<16])
    raw.expiration = reference.header.timestamp + 60_000
    raw.timestamp = host.clock()
    raw.contracts = [Contract(type: .triggerSmart, value: call.encoded)]
    let ret: JSONObject = outcome.hasReverted ? ["ret": .string("FAILED")] : [:]
    var result: JSONObject = ["result": .bool(true)]
    if outcome.hasReverted { result.set("message", .string(rendering.message("REVERT opcode executed"))) }
    var object: JSONObject = ["result": .object(result)]
    object.set("energy_used", integer: outcome.energy)
    object.set("energy_penalty", integer: outcome.penalty)
    object.set("constant_result", .array([.string(Hex.encode(outcome.output))]))
    object.set("logs", list: outcome.logs.map(rendering.log))
    object.set(
      "transaction", rendering.transaction(PreparedTransaction(Transaction(raw: raw)), ret: .object(ret)))
    return .object(object)
  }
}
