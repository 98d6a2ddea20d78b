public import Payouts

/// Reads that stand alone; those that belong together go through `round`.
extension NodeGroup {
  /// See `TronNode`.
  public func genesisBlockID() async throws(TronNodeError) -> BlockID {
    try await ask(.head) { node throws(TronNodeError) in try await node.genesisBlockID() }
  }

  /// See `TronNode`.
  public func latestBlock(_ view: ChainView) async throws(TronNodeError) -> Block {
    try await ask(view) { node throws(TronNodeError) in try await node.latestBlock(view) }
  }

  /// See `TronNode`.
  public func latestHeader(_ view: ChainView) async throws(TronNodeError) -> BlockHeader {
    try await ask(view) { node throws(TronNodeError) in try await node.latestHeader(view) }
  }

  /// See `TronNode`.
  public func header(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> BlockHeader? {
    try await ask(view) { node throws(TronNodeError) in try await node.header(number, view) }
  }

  /// See `TronNode`.
  public func block(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> Block? {
    try await ask(view) { node throws(TronNodeError) in try await node.block(number, view) }
  }

  /// See `TronNode`.
  public func blocks(from number: Int64, count: Int, _ view: ChainView) async throws(TronNodeError) -> [Block] {
    try await ask(view) { node throws(TronNodeError) in try await node.blocks(from: number, count: count, view) }
  }

  /// See `TronNode`.
  public func receipts(
    ofBlock number: Int64, _ view: ChainView
  ) async throws(TronNodeError) -> [TransactionReceipt] {
    try await ask(view) { node throws(TronNodeError) in try await node.receipts(ofBlock: number, view) }
  }

  /// See `TronNode`.
  public func energyPrice() async throws(TronNodeError) -> Sun {
    try await ask(.head) { node throws(TronNodeError) in try await node.energyPrice() }
  }

  /// See `TronNode`.
  public func account(_ address: Address, _ view: ChainView) async throws(TronNodeError) -> AccountState {
    try await ask(view) { node throws(TronNodeError) in try await node.account(address, view) }
  }

  /// See `TronNode`.
  public func tokenBalance(
    token: Address, of owner: Address, _ view: ChainView
  ) async throws(TronNodeError) -> Amount {
    try await ask(view) { node throws(TronNodeError) in
      try await node.tokenBalance(token: token, of: owner, view)
    }
  }

  /// See `TronNode`.
  public func simulate(_ call: TokenCall, _ view: ChainView) async throws(TronNodeError) -> TokenCallOutcome {
    try await ask(view) { node throws(TronNodeError) in try await node.simulate(call, view) }
  }
}
