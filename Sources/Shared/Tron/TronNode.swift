public import Payouts

/// Which of a node's two views answers (reference §3.4, §4.1).
public enum ChainView: Sendable, Hashable {
  /// `/wallet`: the head block, which a fork may still undo, plus what is pending at this node.
  case head
  /// `/walletsolidity`: a block that 19 producers have built upon; it never goes back.
  case solid
}

/// A node of a TRON network, as far as paying out needs it, or several that stand in for one (`NodeGroup`).
///
/// Every call of a single node is one request. Nothing here retries: the caller knows whether and when to ask again. Reads
/// that belong together go through `round`, so that several nodes are never mixed in them.
public protocol TronNode: Sendable {
  /// The identity of block 0, the only thing that tells networks apart.
  func genesisBlockID() async throws(TronNodeError) -> BlockID
  /// The newest block of a view with its transactions (`getnowblock`).
  func latestBlock(_ view: ChainView) async throws(TronNodeError) -> Block
  /// The header of the newest block of a view, without its transactions (`getblock` without detail): some hundred bytes, where
  /// a full block is more than a megabyte.
  func latestHeader(_ view: ChainView) async throws(TronNodeError) -> BlockHeader
  /// The header of a block, without its transactions (`getblock` without detail); nil where the view does not have it yet.
  func header(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> BlockHeader?
  /// A block with its transactions (`getblockbynum`); nil where the view does not have it yet.
  func block(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> Block?
  /// Blocks in ascending order without a gap (`getblockbylimitnext`), fewer than asked for where the view ends.
  /// - Parameter count: 1 to `TronNodeLimits.blocksPerRequestMax`.
  func blocks(from number: Int64, count: Int, _ view: ChainView) async throws(TronNodeError) -> [Block]
  /// The receipts of a block (`gettransactioninfobyblocknum`). Empty may mean an empty block, no such block, or a lost
  /// history: compare with `Block.checkReceipts`.
  func receipts(ofBlock number: Int64, _ view: ChainView) async throws(TronNodeError) -> [TransactionReceipt]
  /// Hands over a whole signed transaction (`broadcasthex`). An error that `isUnknownOutcome` may have taken effect.
  func broadcast(_ signedTransaction: [UInt8]) async throws(TronNodeError) -> BroadcastAnswer
  /// The price of a unit of energy (`getchainparameters`, getEnergyFee). Absent is an error, never 0.
  func energyPrice() async throws(TronNodeError) -> Sun
  /// An account's TRX and permissions (`getaccount`).
  func account(_ address: Address, _ view: ChainView) async throws(TronNodeError) -> AccountState
  /// What an account holds of a token (`triggerconstantcontract`, balanceOf).
  func tokenBalance(token: Address, of owner: Address, _ view: ChainView) async throws(TronNodeError) -> Amount
  /// What a call of a token would come to (`triggerconstantcontract`). A node that does not execute it, or whose
  /// execution ends otherwise than by a return or a revert, is an error (`nodeError`): that says nothing of the call.
  func simulate(_ call: TokenCall, _ view: ChainView) async throws(TronNodeError) -> TokenCallOutcome
  /// The nodes that may serve a round of reads now, the best first: this one, unless it stands for several. Callers use
  /// `round`.
  func choices(_ view: ChainView) -> [NodeChoice]
  /// Who has a say in what one of the nodes says: nobody else, unless it stands for several.
  var electorate: Electorate { get }
}

/// Named maxima of talking to a node.
public enum TronNodeLimits {
  /// The largest range that `getblockbylimitnext` serves (reference §4.2).
  public static let blocksPerRequestMax = 100
}

extension TronNode {
  /// For a node that has no shorter way.
  public func latestHeader(_ view: ChainView) async throws(TronNodeError) -> BlockHeader {
    try await latestBlock(view).header
  }

  /// For a node that has no shorter way.
  public func header(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> BlockHeader? {
    try await block(number, view)?.header
  }

  /// Alone it decides.
  public var electorate: Electorate { Electorate(voters: [], quorum: 1) }

  /// Makes sure that the node belongs to the network: a node counts only once this passed (DESIGN.md §3 point 7).
  /// - Throws: `TronNodeError` with code `wrongNetwork`, or why the node could not be asked.
  public func checkGenesis(_ expected: BlockID) async throws(TronNodeError) {
    let found = try await genesisBlockID()
    guard found == expected else {
      throw TronNodeError(
        .wrongNetwork, call: "getblockbynum 0",
        reason: "the genesis block is \(found), expected \(expected): check TRON_NETWORK and TRON_RPC_URL")
    }
  }
}
