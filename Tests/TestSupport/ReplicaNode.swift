public import Payouts
public import Tron

/// Another node of a scripted chain: it shows the same blocks, as far as it has come, and fails by itself.
public actor ReplicaNode: TronNode {
  private let chain: ScriptedNode
  private var lag: Int64 = 0
  private var fault: (@Sendable (ScriptedNode.Call) -> TronNodeError?)?
  private var answer: BroadcastAnswer?
  private var blockLie: (@Sendable (Block, ChainView) -> Block)?
  private var headerLie: (@Sendable (BlockHeader, ChainView) -> BlockHeader)?
  private var receiptLie: (@Sendable (Int64, [TransactionReceipt]) -> [TransactionReceipt])?
  private var simulationLie: (@Sendable (TokenCall, TokenCallOutcome) -> TokenCallOutcome)?
  private var accountLie: (@Sendable (AccountState) -> AccountState)?
  private var isSolidEarly = false
  private var headBranch: ScriptedNode?
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

  /// Changes blocks on their way out, their headers with them; nil ends that.
  public func setBlockLie(_ lie: (@Sendable (Block, ChainView) -> Block)?) { blockLie = lie }

  /// Changes headers on their way out, alone and with their blocks; nil ends that.
  public func setHeaderLie(_ lie: (@Sendable (BlockHeader, ChainView) -> BlockHeader)?) { headerLie = lie }

  /// Changes receipts of a block on their way out; nil ends that.
  public func setReceiptLie(_ lie: (@Sendable (Int64, [TransactionReceipt]) -> [TransactionReceipt])?) {
    receiptLie = lie
  }

  /// Changes what simulations come to; nil ends that.
  public func setSimulationLie(_ lie: (@Sendable (TokenCall, TokenCallOutcome) -> TokenCallOutcome)?) {
    simulationLie = lie
  }

  /// Changes accounts on their way out; nil ends that.
  public func setAccountLie(_ lie: (@Sendable (AccountState) -> AccountState)?) { accountLie = lie }

  /// Lets it call every block solid at once.
  public func setSolidEarly(_ isEarly: Bool) { isSolidEarly = isEarly }

  /// Lets it follow another chain with its head, and show its blocks alone; nil ends that.
  public func setHeadBranch(_ branch: ScriptedNode?) { headBranch = branch }

  private func chain(_ view: ChainView) -> ScriptedNode { view == .head ? headBranch ?? chain : chain }

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
    try await chain(view).latestBlock(shown(view)).header.number - lag
  }

  private func shown(_ view: ChainView) -> ChainView { isSolidEarly ? .head : view }

  /// See `TronNode`.
  public func genesisBlockID() async throws(TronNodeError) -> BlockID {
    try receive(.genesis)
    return try await chain.genesisBlockID()
  }

  /// See `TronNode`.
  public func latestBlock(_ view: ChainView) async throws(TronNodeError) -> Block {
    try receive(.latest(view))
    guard let block = try await chain(view).block(last(view), shown(view)) else {
      throw TronNodeError(.nodeError, call: "latest", reason: "the chain is shorter than the lag")
    }
    return tell(block, view)
  }

  /// See `TronNode`.
  public func header(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> BlockHeader? {
    try receive(.header(number, view))
    return try await number <= last(view) ? chain(view).header(number, shown(view)).map { tell($0, view) } : nil
  }

  /// See `TronNode`.
  public func block(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> Block? {
    try receive(.block(number, view))
    return try await number <= last(view) ? chain(view).block(number, shown(view)).map { tell($0, view) } : nil
  }

  private func tell(_ header: BlockHeader, _ view: ChainView) -> BlockHeader { headerLie?(header, view) ?? header }

  private func tell(_ block: Block, _ view: ChainView) -> Block {
    let told = blockLie?(block, view) ?? block
    let header = tell(told.header, view)
    return Block(header: header, transactions: told.transactions, isBodyProven: told.isBodyProven)
  }

  /// See `TronNode`.
  public func blocks(from number: Int64, count: Int, _ view: ChainView) async throws(TronNodeError) -> [Block] {
    try receive(.block(number, view))
    let last = try await last(view)
    return try await chain(view).blocks(from: number, count: count, view).filter { $0.header.number <= last }
  }

  /// See `TronNode`.
  public func receipts(
    ofBlock number: Int64, _ view: ChainView
  ) async throws(TronNodeError) -> [TransactionReceipt] {
    try receive(.receipts(number, view))
    let receipts = try await number <= last(view) ? chain(view).receipts(ofBlock: number, shown(view)) : []
    return receiptLie?(number, receipts) ?? receipts
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
    let account = try await chain.account(address, view)
    return accountLie?(account) ?? account
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
    let outcome = try await chain.simulate(call, view)
    return simulationLie?(call, outcome) ?? outcome
  }
}
