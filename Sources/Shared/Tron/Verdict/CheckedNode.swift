public import Payouts

/// A node that is asked nothing before its genesis block was seen to be the right one (DESIGN.md §3 point 7).
///
/// Checked once for each value, on the view of the head: a node that answers for another network is refused on every call
/// until it does not. Verdicts are anchored by themselves: their windows begin above the block that was referred to.
public actor CheckedNode: TronNode {
  private let node: any TronNode
  private let genesis: BlockID
  private var isChecked = false

  /// - Parameter genesis: the id of block 0 of the network that is paid on.
  public init(_ node: any TronNode, genesis: BlockID) {
    self.node = node
    self.genesis = genesis
  }

  private func checked() async throws(TronNodeError) -> any TronNode {
    if !isChecked {
      try await node.checkGenesis(genesis)
      isChecked = true
    }
    return node
  }

  /// See `TronNode`.
  public func genesisBlockID() async throws(TronNodeError) -> BlockID { try await node.genesisBlockID() }

  /// See `TronNode`.
  public func latestBlock(_ view: ChainView) async throws(TronNodeError) -> Block {
    try await checked().latestBlock(view)
  }

  /// See `TronNode`.
  public func latestHeader(_ view: ChainView) async throws(TronNodeError) -> BlockHeader {
    try await checked().latestHeader(view)
  }

  /// See `TronNode`.
  public func header(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> BlockHeader? {
    try await checked().header(number, view)
  }

  /// See `TronNode`.
  public func block(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> Block? {
    try await checked().block(number, view)
  }

  /// See `TronNode`.
  public func blocks(from number: Int64, count: Int, _ view: ChainView) async throws(TronNodeError) -> [Block] {
    try await checked().blocks(from: number, count: count, view)
  }

  /// See `TronNode`.
  public func receipts(
    ofBlock number: Int64, _ view: ChainView
  ) async throws(TronNodeError) -> [TransactionReceipt] {
    try await checked().receipts(ofBlock: number, view)
  }

  /// See `TronNode`.
  public func broadcast(_ signedTransaction: [UInt8]) async throws(TronNodeError) -> BroadcastAnswer {
    try await checked().broadcast(signedTransaction)
  }

  /// See `TronNode`.
  public func energyPrice() async throws(TronNodeError) -> Sun { try await checked().energyPrice() }

  /// See `TronNode`.
  public func account(_ address: Address, _ view: ChainView) async throws(TronNodeError) -> AccountState {
    try await checked().account(address, view)
  }

  /// See `TronNode`.
  public func tokenBalance(
    token: Address, of owner: Address, _ view: ChainView
  ) async throws(TronNodeError) -> Amount {
    try await checked().tokenBalance(token: token, of: owner, view)
  }

  /// See `TronNode`.
  public func simulate(_ call: TokenCall, _ view: ChainView) async throws(TronNodeError) -> TokenCallOutcome {
    try await checked().simulate(call, view)
  }
}
