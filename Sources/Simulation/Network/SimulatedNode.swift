import Payouts
import Tron

/// One process's connection to a node of the simulated network, with what can go wrong on the way.
struct SimulatedNode: TronNode {
  let chain: SimulatedChain
  let host: SimulationHost
  let gate: FaultGate
  let process: SimulatedProcess
  let oracle: Oracle
  /// The journal's disk of the Signer that asks; nil where somebody else does.
  var disk: SimulatedDisk?
  /// Whether it may lie about a block or its receipts.
  var isLying = false
  /// Whether its lies about blocks may be branches of its own.
  var hasFalseBranches = true
  /// What it holds to once it has told of it.
  let falseBranch = FalseBranch()

  private static let errors = FaultGate.Errors(
    notDone: { TronNodeError(.unreachable, call: $0, reason: "the simulator lets it fail") },
    unknown: { TronNodeError(.timeout, call: $0, reason: "the simulator loses the answer") })

  private func pass<Value: Sendable>(
    _ site: String, _ effect: @escaping @Sendable () throws -> Value
  ) async throws(TronNodeError) -> Value {
    try await pass(site, .nodeRead, Passage { try effect() })
  }

  private func pass<Value: Sendable>(
    _ site: String, _ channel: Channel, _ passage: Passage<Value>
  ) async throws(TronNodeError) -> Value {
    do {
      return try await gate.pass(site, channel, of: process, Self.errors, passage)
    } catch let error as TronNodeError {
      throw error
    } catch {
      throw TronNodeError(.cancelled, call: site, reason: "\(error)")
    }
  }

  func genesisBlockID() async throws(TronNodeError) -> BlockID { try await pass("genesis") { chain.genesis } }

  func latestBlock(_ view: ChainView) async throws(TronNodeError) -> Block {
    try await pass("latest block") { toldBlock("latest block", chain.latest(view)) }
  }

  func header(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> BlockHeader? {
    try await pass("header") { chain.produced(number, view).map { toldHeader("header", $0) } }
  }

  func block(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> Block? {
    try await pass("block") { chain.produced(number, view).map { toldBlock("block", $0) } }
  }

  func blocks(from number: Int64, count: Int, _ view: ChainView) async throws(TronNodeError) -> [Block] {
    try await pass("blocks") {
      (number..<number + Int64(count)).compactMap { chain.produced($0, view).map { toldBlock("blocks", $0) } }
    }
  }

  func receipts(ofBlock number: Int64, _ view: ChainView) async throws(TronNodeError) -> [TransactionReceipt] {
    try await pass("receipts") { chain.produced(number, view).map { toldReceipts("receipts", $0) } ?? [] }
  }

  func broadcast(_ signedTransaction: [UInt8]) async throws(TronNodeError) -> BroadcastAnswer {
    let transaction: SignedTransaction
    do { transaction = try SignedTransaction(bytes: signedTransaction) } catch {
      throw TronNodeError(.nodeError, call: "broadcast", reason: "\(error)")
    }
    let (chain, host, oracle) = (chain, host, oracle)
    if let disk { oracle.sees(transaction.txid, leave: disk) }
    var passage = Passage {
      oracle.sees(broadcast: transaction)
      return refusal(of: transaction) ?? chain.broadcast(transaction, at: host.now)
    }
    passage.told = { lie in
      oracle.sees(broadcast: transaction)
      return refuse(transaction, lie)
    }
    passage.departs = { _ in
      // From now on it may come to any node, whatever happens.
      oracle.sees(broadcast: transaction)
      chain.noteBroadcast(transaction)
      return { _ = chain.broadcast(transaction, at: host.now) }
    }
    return try await pass("broadcast", .broadcast, passage)
  }

  func energyPrice() async throws(TronNodeError) -> Sun { try await pass("energy price") { Sun(100) } }

  func account(_ address: Address, _ view: ChainView) async throws(TronNodeError) -> AccountState {
    try await pass("account") { .absent }
  }

  func tokenBalance(
    token: Address, of owner: Address, _ view: ChainView
  ) async throws(TronNodeError) -> Amount {
    try await pass("token balance") { Self.plenty }
  }

  func simulate(_ call: TokenCall, _ view: ChainView) async throws(TronNodeError) -> TokenCallOutcome {
    try await pass("simulate") { Self.outcome(of: call, on: chain) }
  }

  private static let plenty = (try? Amount(microUSDT: 1_000_000_000_000)) ?? .zero
}

extension SimulatedNode {
  /// What a call of the token would come to: it refuses exactly the recipients that the chain lets revert.
  private static func outcome(of call: TokenCall, on chain: SimulatedChain) -> TokenCallOutcome {
    switch call {
    case .isPaused, .isBlacklisted: return .returned([UInt8](repeating: 0, count: 32))
    case .transfer(let transfer):
      return chain.reverts(to: transfer.to) ? .reverted([]) : .returned([UInt8](repeating: 0, count: 32))
    }
  }
}
