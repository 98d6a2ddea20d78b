import Payouts
import TestSupport
import Tron

/// Blocks of one chain up to below a number, and of another one from there on, told in one breath.
struct Patchwork: TronNode {
  let number: Int64
  let lower: ScriptedNode
  let upper: ScriptedNode

  init(below number: Int64, _ lower: ScriptedNode, above upper: ScriptedNode) {
    self.number = number
    self.lower = lower
    self.upper = upper
  }

  private func node(_ number: Int64) -> ScriptedNode { number < self.number ? lower : upper }

  func genesisBlockID() async throws(TronNodeError) -> BlockID { try await upper.genesisBlockID() }
  func latestBlock(_ view: ChainView) async throws(TronNodeError) -> Block { try await upper.latestBlock(view) }
  func block(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> Block? {
    try await node(number).block(number, view)
  }
  func blocks(from number: Int64, count: Int, _ view: ChainView) async throws(TronNodeError) -> [Block] { [] }
  func receipts(ofBlock number: Int64, _ view: ChainView) async throws(TronNodeError) -> [TransactionReceipt] {
    try await node(number).receipts(ofBlock: number, view)
  }
  func broadcast(_ bytes: [UInt8]) async throws(TronNodeError) -> BroadcastAnswer { try await upper.broadcast(bytes) }
  func energyPrice() async throws(TronNodeError) -> Sun { try await upper.energyPrice() }
  func account(_ address: Address, _ view: ChainView) async throws(TronNodeError) -> AccountState {
    try await upper.account(address, view)
  }
  func tokenBalance(
    token: Address, of owner: Address, _ view: ChainView
  ) async throws(TronNodeError) -> Amount { try await upper.tokenBalance(token: token, of: owner, view) }
  func simulate(_ call: TokenCall, _ view: ChainView) async throws(TronNodeError) -> TokenCallOutcome {
    try await upper.simulate(call, view)
  }
}
