extension NodeAPI {
  /// getcontract and getcontractinfo: `{}` where no contract stands.
  func contract(
    _ request: NodeRequest, _ print: @Sendable (any CallableContract, WorldState, Rendering) -> JSON
  ) async throws(NodeError) -> JSON {
    guard let address = try request.address("value") else { return Self.nothing }
    let (contract, world) = await host.withChain { ($0.contract(at: address), $0.world(.head)) }
    return contract.map { print($0, world, request.rendering) } ?? Self.nothing
  }

  /// triggerconstantcontract: runs a call, tells what it would do, and leaves no trace of it.
  func constantCall(_ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    switch try await simulate(request, in: view) {
    case .success(let call): return constantAnswer(call, request.rendering)
    case .failure(let refusal): return refused(refusal, request.rendering)
    }
  }

  /// estimateenergy: off unless the node was told otherwise; searches by whole TRX, so that it answers up to one TRX's
  /// worth of energy too much.
  func estimate(_ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    let parameters = await host.withChain { $0.parameters }
    guard parameters.estimatesEnergy else {
      return refused(.contract("this node does not support estimate energy"), request.rendering)
    }
    switch try await simulate(request, in: view) {
    case .success(let call):
      guard !call.outcome.hasReverted else {
        let text = request.rendering.message("REVERT opcode executed")
        return .object(["result": .object(["result": .bool(true), "message": .string(text)])])
      }
      let step = max(1, Account.sunPerTRX / parameters.energyPrice)
      return .object([
        "result": .object(["result": .bool(true)]),
        "energy_required": .integer((call.outcome.energy + step - 1) / step * step),
      ])
    case .failure(let refusal): return refused(refusal, request.rendering)
    }
  }

  /// A call that was run without a transaction.
  private struct SimulatedCall: Sendable {
    let message: TriggerSmartContract
    let outcome: CallOutcome
    /// The last block of the view it ran on.
    let reference: Block
  }

  private func simulate(
    _ request: NodeRequest, in view: Chain.View
  ) async throws(NodeError) -> Result<SimulatedCall, Refusal> {
    guard let owner = try request.address("owner_address") else { throw .field("owner_address", "an address") }
    guard let contract = try request.address("contract_address") else {
      throw .field("contract_address", "an address")
    }
    var data = try request.bytes("data") ?? []
    if let signature = try request.text("function_selector") {
      data = TokenContract.selector(signature) + (try request.bytes("parameter") ?? [])
    }
    let message = TriggerSmartContract(
      owner: owner.bytes, contract: contract.bytes, data: data, callValue: try request.integer("call_value") ?? 0)
    do {
      return .success(
        try await host.withChain { chain throws(Refusal) in
          let outcome = try chain.call(
            from: owner, contract: contract, data: message.data, callValue: message.callValue, in: view)
          return SimulatedCall(message: message, outcome: outcome, reference: chain.top(view))
        })
    } catch {
      return .failure(error)
    }
  }

  private func refused(_ refusal: Refusal, _ rendering: Rendering) -> JSON {
    .object([
      "result": .object(["code": .string(refusal.code.name), "message": .string(rendering.message(refusal.message))])
    ])
  }

  /// What a constant call answers: a revert still has `result.result` true (tron-protocol.md §4.4).
  private func constantAnswer(_ call: SimulatedCall, _ rendering: Rendering) -> JSON {
    let (outcome, reference) = (call.outcome, call.reference)
    var raw = Transaction.RawData()
    raw.refBlockBytes = Bytes(reference.id.bytes[6..<8])
    raw.refBlockHash = Bytes(reference.id.bytes[8..<16])
    raw.expiration = reference.header.timestamp + 60_000
    raw.timestamp = host.clock()
    raw.contracts = [Contract(type: .triggerSmart, value: call.message.encoded)]
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
