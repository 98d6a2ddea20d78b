public import Payouts
public import Tron

/// Another node of a scripted chain: it shows the same blocks, as far as it has come, and fails by itself.
public actor ReplicaNode: TronNode {
  private let chain: ScriptedNode
  private var lag: Int64 = 0
  private var fault: (@Sendable (ScriptedNode.Call) -> TronNodeError?)?
  private var answer: BroadcastAnswer?
  private var calls: [ScriptedNode.Call] = []

  /// A node that is at the chain's head and without fault.
  public init(of chain: ScriptedNode) { self.chain = chain }

  /// From now on it is so many blocks behind, in both views.
  public func setLag(_ blocks: Int64) { lag = blocks }

  /// Lets requests fail as `fault` says from now on; nil ends that. A broadcast that fails so was never received.
  public func setFault(_ fault: (@Sendable (ScriptedNode.Call) -> TronNodeError?)?) { self.fault = fault }

  /// Makes every request fail, or none.
  public func setAway(_ isAway: Bool) {
    fault = nil
    guard isAway else { return }
    fault = { call in TronNodeError(.unreachable, call: "\(call)", reason: "the test has switched it off") }
  }

  /// Lets it answer broadcasts so and tell nobody of what it was given; nil ends that.
  public func setForgetting(_ answer: BroadcastAnswer?) { self.answer = answer }

  /// The requests since this was asked last.
  public func takeCalls() -> [ScriptedNode.Call] {
    defer { calls = [] }
    return calls
  }

  private func receive(_ call: ScriptedNode.Call) throws(TronNodeError) {
    calls.append(call)
    if let error = fault?(call) { throw error }
  }

  private func last(_ view: ChainView) async throws(TronNodeError) -> Int64 {
    try await chain.latestBlock(view).header.number - lag
  }

  /// See `TronNode`.
  public func genesisBlockID() async throws(TronNodeError) -> BlockID {
    try receive(.genesis)
    return try await chain.genesisBlockID()
  }

  /// See `TronNode`.
  public func latestBlock(_ view: ChainView) async throws(TronNodeError) -> Block {
    try receive(.latest(view))
    guard let block = try await chain.block(last(view), view) else {
      throw TronNodeError(.nodeError, call: "latest", reason: "the chain is shorter than the lag")
    }
    return block
  }

  /// See `TronNode`.
  public func block(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> Block? {
    try receive(.block(number, view))
    return try await number <= last(view) ? chain.block(number, view) : nil
  }

  /// See `TronNode`.
  public func blocks(from number: Int64, count: Int, _ view: ChainView) async throws(TronNodeError) -> [Block] {
    try receive(.block(number, view))
    let last = try await last(view)
    return try await chain.blocks(from: number, count: count, view).filter { $0.header.number <= last }
  }

  /// See `TronNode`.
  public func receipts(
    ofBlock number: Int64, _ view: ChainView
  ) async throws(TronNodeError) -> [TransactionReceipt] {
    try receive(.receipts(number, view))
    return try await number <= last(view) ? chain.receipts(ofBlock: number, view) : []
  }

  /// See `TronNode`.
  public func broadcast(_ signedTransaction: [UInt8]) async throws(TronNodeError) -> BroadcastAnswer {
    try receive(.broadcast)
    if let answer { return answer }
    return try await chain.broadcast(signedTransaction)
  }

  /// See `TronNode`.
  public func energyPrice() async throws(TronNodeError) -> Sun {
    try receive(.energyPrice)
    return try await chain.energyPrice()
  }

  /// See `TronNode`.
  public func account(_ address: Address, _ view: ChainView) async throws(TronNodeError) -> AccountState {
    try receive(.account)
    return try await chain.account(address, view)
  }

  /// See `TronNode`.
  public func tokenBalance(
    token: Address, of owner: Address, _ view: ChainView
  ) async throws(TronNodeError) -> Amount {
    try receive(.tokenBalance)
    return try await chain.tokenBalance(token: token, of: owner, view)
  }

  /// See `TronNode`.
  public func simulate(_ call: TokenCall, _ view: ChainView) async throws(TronNodeError) -> TokenCallOutcome {
    try receive(.simulate(call))
    return try await chain.simulate(call, view)
  }
}
