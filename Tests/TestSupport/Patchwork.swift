public import Payouts
public import Tron

/// Blocks of one chain up to below a number, and of another one from there on, told in one breath.
public struct Patchwork: TronNode {
  private let number: Int64
  private let lower: ScriptedNode
  private let upper: ScriptedNode

  /// - Parameter number: the first that is the upper chain's, whose head and solid block it shows.
  public init(below number: Int64, _ lower: ScriptedNode, above upper: ScriptedNode) {
    self.number = number
    self.lower = lower
    self.upper = upper
  }

  private func node(_ number: Int64) -> ScriptedNode { number < self.number ? lower : upper }

  /// See `TronNode`.
  public func genesisBlockID() async throws(TronNodeError) -> BlockID { try await upper.genesisBlockID() }
  /// See `TronNode`.
  public func latestBlock(_ view: ChainView) async throws(TronNodeError) -> Block { try await upper.latestBlock(view) }
  /// See `TronNode`.
  public func block(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> Block? {
    try await node(number).block(number, view)
  }
  /// See `TronNode`.
  public func blocks(from number: Int64, count: Int, _ view: ChainView) async throws(TronNodeError) -> [Block] { [] }
  /// See `TronNode`.
  public func receipts(ofBlock number: Int64, _ view: ChainView) async throws(TronNodeError) -> [TransactionReceipt] {
    try await node(number).receipts(ofBlock: number, view)
  }
  /// See `TronNode`.
  public func broadcast(_ bytes: [UInt8]) async throws(TronNodeError) -> BroadcastAnswer {
    try await upper.broadcast(bytes)
  }
  /// See `TronNode`.
  public func energyPrice() async throws(TronNodeError) -> Sun { try await upper.energyPrice() }
  /// See `TronNode`.
  public func account(_ address: Address, _ view: ChainView) async throws(TronNodeError) -> AccountState {
    try await upper.account(address, view)
  }
  /// See `TronNode`.
  public func tokenBalance(
    token: Address, of owner: Address, _ view: ChainView
  ) async throws(TronNodeError) -> Amount { try await upper.tokenBalance(token: token, of: owner, view) }
  /// See `TronNode`.
  public func simulate(_ call: TokenCall, _ view: ChainView) async throws(TronNodeError) -> TokenCallOutcome {
    try await upper.simulate(call, view)
  }
}
