public import Payouts
public import Tron

/// A TRON node with a chain in memory, driven by hand: blocks come when a test produces them, with what it says.
///
/// By default it behaves as a node does (reference §2.2 to §2.7, §3.5, §3.6): a transaction is taken once, packed into
/// the next block whose parent's time is before its expiration, forgotten 60 s after it was first seen, and pending again
/// after a fork. Scripts, faults and tampering make it answer otherwise. The solid block is the 18th below the head and
/// never goes back, unless a test sets it.
public actor ScriptedNode: TronNode {
  /// A request, as it was asked.
  public enum Call: Sendable, Hashable {
    case genesis
    case latest(ChainView)
    case header(Int64, ChainView)
    case block(Int64, ChainView)
    case receipts(Int64, ChainView)
    case broadcast
    case energyPrice
    case account
    case tokenBalance
    case simulate(TokenCall)
  }

  /// What a broadcast comes to.
  public enum BroadcastScript: Sendable {
    /// An answer; where `takes`, the transaction is pending here now.
    case answer(BroadcastCode, String = "", takes: Bool)
    /// No answer, although the transaction may be pending here now.
    case error(TronNodeError.Code, takes: Bool)
  }

  /// How a transaction ends in a block, as block and receipt tell it.
  public struct Execution: Sendable {
    /// `ret[0].contractRet` in the block.
    public var inBlock: ContractResult?
    /// `receipt.result`.
    public var inReceipt: ContractResult?
    /// Whether the receipt is marked FAILED.
    public var isFailed: Bool
    /// Its logs; nil for what the transaction itself says, if it succeeded.
    public var logs: [EventLog]?

    /// All parts by hand.
    public init(inBlock: ContractResult?, inReceipt: ContractResult?, isFailed: Bool, logs: [EventLog]? = nil) {
      self.inBlock = inBlock
      self.inReceipt = inReceipt
      self.isFailed = isFailed
      self.logs = logs
    }

    /// Paid as it says.
    public static let success = Execution(inBlock: .success, inReceipt: .success, isFailed: false)

    /// The same named failure in block and receipt.
    public static func failure(_ result: ContractResult) -> Execution {
      Execution(inBlock: result, inReceipt: result, isFailed: true)
    }

    /// SUCCESS with these logs.
    public static func success(logs: [EventLog]) -> Execution {
      Execution(inBlock: .success, inReceipt: .success, isFailed: false, logs: logs)
    }
  }

  private struct Pending {
    let transaction: SignedTransaction
    let firstSeen: Timestamp
  }

  private struct Produced {
    let block: Block
    let receipts: [TransactionReceipt]
    let ours: [SignedTransaction]
  }

  /// The length of a slot.
  public static let slotMilliseconds: Int64 = 3_000
  /// How long a node remembers what is pending (reference §3.5).
  public static let pendingMillisecondsMax: Int64 = 60_000
  /// How far the solid block is below the head where all producers take part (reference §3.3).
  public static let usualSolidLag: Int64 = 18

  /// The identity of block 0.
  public nonisolated let genesis: BlockID
  private var chain: [Produced]
  private var branch: UInt64 = 0
  private var producers: Int64 = 1
  private var pool: [Pending] = []
  private var highestSolid: Int64 = 0
  private var chosenSolid: Int64?
  private var price = Sun(100)
  private var accounts: [Address: AccountState] = [:]
  private var token = ScriptedToken()
  private var executions: [TxID: Execution] = [:]
  private var script: (@Sendable (_ number: Int, TxID) -> BroadcastScript?)?
  private var fault: (@Sendable (Call) -> TronNodeError.Code?)?
  private var blockTampering: (@Sendable (Block, ChainView) -> Block)?
  private var receiptTampering: (@Sendable (Int64, ChainView, [TransactionReceipt]) -> [TransactionReceipt])?
  /// Every request since the last `takeCalls`, in order.
  private var calls: [Call] = []
  /// Every broadcast ever asked for, in order.
  public private(set) var broadcasts: [TxID] = []

  /// A chain of empty blocks, the newest of which has the time `headTime`.
  ///
  /// - Parameter height: the number of the newest block.
  public init(headTime: Timestamp, height: Int64 = 40) {
    let genesisTime = headTime.advanced(byMilliseconds: -height * Self.slotMilliseconds)
    let zero = BlockID(exactly: [UInt8](repeating: 0, count: 32))
    var chain = [Self.produce(number: 0, parent: zero, time: genesisTime, branch: 0, [], [])]
    genesis = chain[0].block.header.id
    for number in 1...height {
      let time = genesisTime.advanced(byMilliseconds: number * Self.slotMilliseconds)
      chain.append(
        Self.produce(number: number, parent: chain[Int(number) - 1].block.header.id, time: time, branch: 0, [], []))
    }
    self.chain = chain
    highestSolid = max(0, height - Self.usualSolidLag)
  }

  // MARK: The chain by hand

  /// The head block's header.
  public var head: BlockHeader { chain[chain.count - 1].block.header }
  /// The head block's place.
  public var headPlace: BlockPlace { place(head.number) }
  /// The number of the solid block.
  public var solidNumber: Int64 { min(chosenSolid ?? highestSolid, head.number) }
  /// What is pending, oldest first.
  public var pending: [TxID] { pool.map(\.transaction.txid) }

  /// Where a block of the present branch stands.
  public func place(_ number: Int64) -> BlockPlace {
    let header = chain[Int(number)].block.header
    return BlockPlace(number: header.number, id: header.id, time: header.timestamp)
  }

  /// The number of the block of the present branch that holds a transaction.
  public func blockNumber(of txid: TxID) -> Int64? {
    chain.first { $0.block.transactions.contains { $0.txid == txid } }?.block.header.number
  }

  /// All transactions of the present branch that paid somebody, by their receipts: what the chain saw.
  public func payments(to recipient: Address) -> [TxID] {
    chain.flatMap(\.receipts).filter { receipt in
      receipt.result == .success && receipt.logs.contains { $0.transfer?.recipient == recipient }
    }.map(\.txid)
  }

  /// How often anybody was paid, by recipient.
  public var payments: [Address: Int] {
    chain.flatMap(\.receipts).filter { $0.result == .success }.flatMap { $0.logs.compactMap(\.transfer?.recipient) }
      .reduce(into: [:]) { $0[$1, default: 0] += 1 }
  }

  /// Produces the next block.
  ///
  /// - Parameters:
  ///   - txids: what of the pending it holds; nil for all.
  ///   - foreign: transactions of others, after ours.
  ///   - time: nil for one slot after the head.
  @discardableResult
  public func produce(_ txids: [TxID]? = nil, foreign: [Foreign] = [], at time: Timestamp? = nil) -> Block {
    let parent = head
    let ours = pool.map(\.transaction).filter { txids?.contains($0.txid) ?? true }.filter {
      parent.timestamp < $0.expiration && blockNumber(of: $0.txid) == nil
    }
    let time = time ?? parent.timestamp.advanced(byMilliseconds: Self.slotMilliseconds)
    chain.append(
      Self.produce(
        number: parent.number + 1, parent: parent.id, time: time, branch: branch,
        ours.map { ($0, executions[$0.txid] ?? .success) }, foreign, by: Self.producer((parent.number + 1) % producers))
    )
    let included = Set(ours.map(\.txid))
    pool.removeAll { pending in
      included.contains(pending.transaction.txid) || pending.transaction.expiration <= time
        || time.milliseconds(since: pending.firstSeen) > Self.pendingMillisecondsMax
    }
    highestSolid = max(highestSolid, head.number - Self.usualSolidLag)
    return chain[chain.count - 1].block
  }

  /// Produces blocks that hold whatever is pending.
  public func produce(count: Int) {
    for _ in 0..<count { produce() }
  }

  /// Drops the blocks above a number, as a node does that finds a longer branch: what is produced from now on is that
  /// branch, with other ids.
  ///
  /// - Parameter pendsAgain: whether what they held is pending again, or lost.
  public func fork(above number: Int64, pendsAgain: Bool = true) {
    let undone = chain[Int(number + 1)...]
    branch += 1
    let newest = head.timestamp
    if pendsAgain {
      pool = undone.flatMap(\.ours).map { Pending(transaction: $0, firstSeen: newest) } + pool
    }
    chain.removeSubrange(Int(number + 1)...)
  }

  /// Sets the solid block by hand; nil for the usual lag.
  public func setSolid(_ number: Int64?) { chosenSolid = number }

  /// Forgets what is pending without a word.
  public func dropPending() { pool = [] }

  /// How a transaction ends in the blocks produced from now on.
  public func setExecution(_ execution: Execution, of txid: TxID) { executions[txid] = execution }

  /// What energy costs.
  public func setEnergyPrice(_ price: Sun) { self.price = price }

  /// An account as both views show it.
  public func setAccount(_ account: AccountState, of address: Address) { accounts[address] = account }

  /// What an account holds of any token.
  public func setTokenBalance(_ balance: Amount, of address: Address) { token.balances[address] = balance }

  /// Changes what the token's contract says and does.
  public func changeToken(_ change: @Sendable (inout ScriptedToken) -> Void) { change(&token) }

  /// How many producers take turns in the blocks produced from now on; one by default.
  public func setProducers(_ count: Int64) { producers = count }

  // MARK: Misbehaviour

  /// Lets broadcasts (numbered from 1) come to what `script` says from now on; nil for what a node would do.
  public func setBroadcast(_ script: (@Sendable (_ number: Int, TxID) -> BroadcastScript?)?) { self.script = script }

  /// Lets requests fail as `fault` says from now on; nil ends that. A broadcast that fails so was never received.
  public func setFault(_ fault: (@Sendable (Call) -> TronNodeError.Code?)?) { self.fault = fault }

  /// Changes blocks on their way out; nil ends that.
  public func setBlockTampering(_ tampering: (@Sendable (Block, ChainView) -> Block)?) { blockTampering = tampering }

  /// Changes receipts on their way out; nil ends that.
  public func setReceiptTampering(
    _ tampering: (@Sendable (_ number: Int64, ChainView, [TransactionReceipt]) -> [TransactionReceipt])?
  ) { receiptTampering = tampering }

  /// The requests since this was asked last.
  public func takeCalls() -> [Call] {
    defer { calls = [] }
    return calls
  }

  private func receive(_ call: Call) throws(TronNodeError) {
    calls.append(call)
    if let code = fault?(call) { throw TronNodeError(code, call: "\(call)", reason: "the test lets it fail") }
  }

  // MARK: TronNode

  /// See `TronNode`.
  public func genesisBlockID() throws(TronNodeError) -> BlockID {
    try receive(.genesis)
    return genesis
  }

  /// See `TronNode`.
  public func latestBlock(_ view: ChainView) throws(TronNodeError) -> Block {
    try receive(.latest(view))
    return shown(view == .head ? head.number : solidNumber, view)
  }

  /// See `TronNode`.
  public func header(_ number: Int64, _ view: ChainView) throws(TronNodeError) -> BlockHeader? {
    try receive(.header(number, view))
    return has(number, view) ? shown(number, view).header : nil
  }

  /// See `TronNode`.
  public func block(_ number: Int64, _ view: ChainView) throws(TronNodeError) -> Block? {
    try receive(.block(number, view))
    return has(number, view) ? shown(number, view) : nil
  }

  /// See `TronNode`.
  public func blocks(from number: Int64, count: Int, _ view: ChainView) throws(TronNodeError) -> [Block] {
    try receive(.block(number, view))
    return (number..<number + Int64(count)).filter { has($0, view) }.map { shown($0, view) }
  }

  /// See `TronNode`.
  public func receipts(ofBlock number: Int64, _ view: ChainView) throws(TronNodeError) -> [TransactionReceipt] {
    try receive(.receipts(number, view))
    let receipts = has(number, view) ? chain[Int(number)].receipts : []
    return receiptTampering?(number, view, receipts) ?? receipts
  }

  /// See `TronNode`.
  public func energyPrice() throws(TronNodeError) -> Sun {
    try receive(.energyPrice)
    return price
  }

  /// See `TronNode`.
  public func account(_ address: Address, _ view: ChainView) throws(TronNodeError) -> AccountState {
    try receive(.account)
    return accounts[address] ?? .absent
  }

  /// See `TronNode`.
  public func tokenBalance(
    token: Address, of owner: Address, _ view: ChainView
  ) throws(TronNodeError) -> Amount {
    try receive(.tokenBalance)
    return self.token.balances[owner] ?? .zero
  }

  /// See `TronNode`.
  public func simulate(_ call: TokenCall, _ view: ChainView) throws(TronNodeError) -> TokenCallOutcome {
    try receive(.simulate(call))
    return token.answer(to: call)
  }

  /// See `TronNode`.
  public func broadcast(_ signedTransaction: [UInt8]) throws(TronNodeError) -> BroadcastAnswer {
    let transaction: SignedTransaction
    do { transaction = try SignedTransaction(bytes: signedTransaction) } catch {
      throw TronNodeError(.nodeError, call: "broadcast", reason: "\(error)")
    }
    broadcasts.append(transaction.txid)
    try receive(.broadcast)
    switch script?(broadcasts.count, transaction.txid) {
    case nil:
      return answer(to: transaction)
    case .answer(let code, let message, let takes):
      if takes { _ = answer(to: transaction) }
      return BroadcastAnswer(code: code, message: message, txid: transaction.txid)
    case .error(let code, let takes):
      if takes { _ = answer(to: transaction) }
      throw TronNodeError(code, call: "broadcast", reason: "the test loses the answer")
    }
  }

  /// The checks of reference §2.4 that a well-formed transfer can fail.
  private func answer(to transaction: SignedTransaction) -> BroadcastAnswer {
    func refuse(_ code: BroadcastCode, _ message: String) -> BroadcastAnswer {
      BroadcastAnswer(code: code, message: message, txid: transaction.txid)
    }
    if transaction.expiration <= head.timestamp { return refuse(.transactionExpired, "Transaction expired") }
    guard chain.contains(where: { transaction.contents.refers(to: $0.block.header.id) }) else {
      return refuse(.taposError, "Tapos check error.")
    }
    if blockNumber(of: transaction.txid) != nil || pending.contains(transaction.txid) {
      return refuse(.duplicateTransaction, "Dup transaction.")
    }
    pool.append(Pending(transaction: transaction, firstSeen: head.timestamp))
    return BroadcastAnswer(code: .success, message: "", txid: transaction.txid)
  }

  // MARK: Inside

  private func has(_ number: Int64, _ view: ChainView) -> Bool {
    (0...(view == .head ? head.number : solidNumber)).contains(number)
  }

  private func shown(_ number: Int64, _ view: ChainView) -> Block {
    let block = chain[Int(number)].block
    return blockTampering?(block, view) ?? block
  }

  private static func produce(
    number: Int64, parent: BlockID, time: Timestamp, branch: UInt64, _ ours: [(SignedTransaction, Execution)],
    _ foreign: [Foreign], by witness: Address = producer(0)
  ) -> Produced {
    let executed = ours.compactMap { transaction, execution -> (BlockTransaction, Execution)? in
      let inBlock = try? BlockTransaction(
        rawData: transaction.rawData, contractResult: execution.inBlock,
        signatures: [[UInt8](transaction.bytes.suffix(65))])
      guard let inBlock else { return nil }
      return (inBlock, execution)
    }
    let all = executed + foreign.map { ($0.transaction, $0.execution) }
    let root = BlockHashing.root(ofLeaves: all.map { $0.0.txid.bytes })
    let words = withUnsafeBytes(of: (number, time.milliseconds, branch)) { [UInt8]($0) }
    let id = BlockHashing.blockID(number: number, headerRawData: parent.bytes + root + words)
    let header = BlockHeader(
      number: number, id: id, parentID: parent, timestamp: time, transactionRoot: root, witness: witness,
      isIDProven: true, signature: .byWitness)
    let receipts = all.map { receipt(of: $0.0, $0.1, number: number, time: time) }
    return Produced(
      block: Block(header: header, transactions: all.map(\.0), isBodyProven: true), receipts: receipts,
      ours: ours.map(\.0))
  }

  private static func receipt(
    of transaction: BlockTransaction, _ execution: Execution, number: Int64, time: Timestamp
  ) -> TransactionReceipt {
    let says = (try? TransactionContents(rawData: transaction.rawData))?.expectedTransfer.map { [EventLog($0)] } ?? []
    let succeeded = execution.inReceipt == .success && !execution.isFailed
    return TransactionReceipt(
      txid: transaction.txid, blockNumber: number, blockTimestamp: time, fee: Sun(6_428_500), energyUsed: 64_285,
      netUsage: 345, netFee: Sun(0), result: execution.inReceipt, isFailed: execution.isFailed,
      logs: execution.logs ?? (succeeded ? says : []))
  }
}
