/// A chain of blocks, its state at the head and at the solid block, and what is pending: a node's whole memory.
///
/// Pure and synchronous: time comes in with every call, nothing waits, and the same calls give the same chain. The
/// order of checks and the answers follow tron-protocol.md §2.4. Blocks hold their changes, so that the head state can
/// go back and the solid state forward by whole blocks.
struct Chain: Sendable {
  let token: TokenContract
  private(set) var producers: Producers
  /// By number, the genesis block first.
  private(set) var blocks: [Block]
  private(set) var pending = PendingPool()
  /// What the next block does before its transactions; the head state shows it already.
  private(set) var waitingActions: [ChainAction] = []
  private var cache = TransactionCache()
  /// Head state with what is pending on top; its journal holds just the pending part.
  private var state: WorldState
  private var solidState: WorldState
  /// The latest solidified block; never goes back.
  private(set) var solidNumber: Int64 = 0
  /// Where the solid view stands: `solidNumber`, or a block below it where that is asked for (§3.4).
  private(set) var solidViewNumber: Int64 = 0
  /// What is done to this chain on demand.
  var interference = Interference()
  /// Every transaction of `blocks`.
  private var places: [Hash32: Place] = [:]

  private struct Place: Sendable {
    let block: Int64
    let index: Int
  }

  /// Which state a question is about: the head with what is pending, or the solid block.
  enum View: Sendable { case head, solid }

  /// A chain of just its genesis block, which is head and solid at once.
  init(genesis: Genesis, parameters: ChainParameters = ChainParameters()) {
    token = TokenContract(address: genesis.tokenAddress)
    producers = Producers(count: genesis.producerCount)
    var state = WorldState(parameters: parameters, genesisTime: genesis.time)
    genesis.write(to: &state)
    let header = genesis.header
    blocks = [
      Block(header: header, id: header.id, witnessSignature: [], transactions: [], changes: state.takeJournal())
    ]
    self.state = state
    solidState = state
  }

  // MARK: Reading

  /// The rules and prices in force for the next block.
  var parameters: ChainParameters { state.network.parameters }

  /// What a view of the chain knows of accounts, contracts and the network.
  func world(_ view: View) -> WorldState { view == .head ? state : solidState }

  var genesis: Block { blocks[0] }
  var head: Block { blocks[blocks.count - 1] }
  var solid: Block { blocks[Int(solidNumber)] }

  /// The last block that `view` knows.
  func top(_ view: View) -> Block { view == .head ? head : blocks[Int(solidViewNumber)] }

  /// The block with this number, or nil where `view` has none.
  func block(_ number: Int64, in view: View = .head) -> Block? {
    (0...top(view).header.number).contains(number) ? blocks[Int(number)] : nil
  }

  /// The block with this id, or nil. The number stands in the id's first eight bytes.
  func block(id: Hash32, in view: View = .head) -> Block? {
    let number = id.bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard let number = Int64(exactly: number), let block = block(number, in: view), block.id == id else { return nil }
    return block
  }

  /// A transaction that stands in a block of `view`.
  func included(_ id: Hash32, in view: View) -> IncludedTransaction? {
    guard let place = places[id], place.block <= top(view).header.number else { return nil }
    return blocks[Int(place.block)].transactions[place.index]
  }

  /// An account; in the head view with the effects of what is pending.
  func account(_ address: Address, in view: View) -> Account? {
    view == .head ? state.account(address) : solidState.account(address)
  }

  /// A token balance in micro-units; in the head view with the effects of what is pending.
  func tokenBalance(_ address: Address, in view: View) -> UInt64 {
    view == .head ? state.tokenBalance(address) : solidState.tokenBalance(address)
  }

  /// The token's switches.
  func tokenSettings(in view: View) -> TokenSettings { view == .head ? state.token : solidState.token }

  /// Runs a call without a transaction and leaves no trace of it.
  mutating func call(
    from caller: Address, contract: Address, data: Bytes, callValue: Int64, in view: View
  ) throws(Refusal) -> CallOutcome {
    switch view {
    case .head:
      return try execution.simulate(
        from: caller, contract: contract, data: data, callValue: callValue, on: &state)
    case .solid:
      return try execution.simulate(
        from: caller, contract: contract, data: data, callValue: callValue, on: &solidState)
    }
  }

  /// The earliest time the next block can have.
  var nextSlotTime: Int64 { state.network.nextSlotTime(after: head.header.timestamp) }

  /// Runs transactions and calls on the head.
  var execution: Execution {
    Execution(parameters: parameters, token: token, headTime: head.header.timestamp)
  }

  // MARK: Broadcast

  /// Takes a transaction into the pending pool, or refuses it; `now` is wall time in milliseconds.
  ///
  /// The steps are numbered as in tron-protocol.md §2.4; steps 1 and 2 concern peers.
  mutating func broadcast(_ prepared: PreparedTransaction, now: Int64) throws(Refusal) {
    let transaction = prepared.transaction
    // 0
    for signature in transaction.signatures where !ChainParameters.signatureSizes.contains(signature.count) {
      throw .signature("Signature size is \(signature.count)")
    }
    // 3
    guard pending.count <= parameters.pendingMax else { throw .serverBusy }
    // 4
    if parameters.cachesTransactions, cache.holds(prepared.id, at: now) { throw .alreadyExists }
    // 5
    guard !transaction.raw.contracts.isEmpty else { throw .contract("No contract!") }
    // 6
    guard transaction.raw.expiration >= nextSlotTime else { throw .expired }
    // 7
    try checkSignatures(prepared)
    // 8 to 11
    try checkAgainstChain(prepared)
    // 12 to 14
    let receipt = try execution.run(prepared, on: &state)
    // 15
    pending.append(PendingTransaction(transaction: prepared, firstSeen: now, receipt: receipt))
  }

  /// Step 7, by the permissions that the account has now.
  private func checkSignatures(_ prepared: PreparedTransaction) throws(Refusal) {
    let count = prepared.transaction.signatures.count
    guard count > 0 else { throw .signature("miss sig or contract") }
    guard count <= ChainParameters.signatureCountMax else { throw .signature("too many signatures") }
    guard let permission = permissions(of: prepared.ownerBytes, in: .head)[prepared.permissionID] else {
      throw .signature("permission isn't exit")
    }
    guard permission.allows(prepared.transaction.raw.contracts[0].type) else { throw .signature("Permission denied") }
    let weight: Int64
    do {
      weight = try permission.weight(of: prepared)
    } catch {
      throw .signature(error.text)
    }
    guard weight >= permission.threshold else { throw .signature("sig error") }
  }

  /// Steps 8 to 11, which a block repeats for every transaction it takes.
  private func checkAgainstChain(_ prepared: PreparedTransaction) throws(Refusal) {
    let raw = prepared.transaction.raw
    guard raw.contracts.count == 1 else {
      throw .contract(
        "tx \(prepared.id.hex) contract size should be exactly 1, this is extend feature ,actual :\(raw.contracts.count)"
      )
    }
    guard knowsReference(raw) else { throw .tapos }
    let size = prepared.size + ChainParameters.resultAllowance
    guard size <= ChainParameters.transactionSizeMax else {
      throw Refusal(
        code: .tooBigTransactionError,
        message: "Too big transaction with result, TxId \(prepared.id.hex), the size is \(size) bytes, "
          + "maxTxSize \(ChainParameters.transactionSizeMax)")
    }
    let headTime = head.header.timestamp
    guard raw.expiration > headTime, raw.expiration <= headTime + ChainParameters.expirationMax,
      parameters.consensusLogicOptimization == 0 || raw.expiration >= nextSlotTime
    else { throw .expired }
    guard places[prepared.id] == nil, pending[prepared.id] == nil else { throw .duplicate }
  }

  /// Whether the reference block is one of the last 65,536 of this chain (§2.1).
  private func knowsReference(_ raw: Transaction.RawData) -> Bool {
    guard raw.refBlockBytes.count == 2, raw.refBlockHash.count == 8 else { return false }
    let low = Int64(raw.refBlockBytes[0]) << 8 | Int64(raw.refBlockBytes[1])
    let headNumber = head.header.number
    // The highest number not above the head whose last 16 bits are these.
    var number = headNumber - headNumber % ChainParameters.referenceDepth + low
    if number > headNumber { number -= ChainParameters.referenceDepth }
    guard number >= 0 else { return false }
    return Bytes(blocks[Int(number)].id.bytes[8..<16]) == raw.refBlockHash
  }

  // MARK: Blocks

  /// Does something besides transactions: at once in the head view, for good with the next block.
  mutating func perform(_ action: ChainAction) {
    if case .propose(let key, let value) = action { precondition(key.range.contains(value), "out of range") }
    waitingActions.append(action)
    action.write(to: &state, token: token.address)
  }

  /// Begins a block on the bare head state with what was done besides transactions.
  mutating func takeWaitingActions() -> [ChainAction] {
    state.rollback(to: .start)
    defer { waitingActions = [] }
    for action in waitingActions { action.write(to: &state, token: token.address) }
    return waitingActions
  }

  /// Makes the block of the slot at `time` from what is pending, and re-validates the rest; `now` is wall time.
  ///
  /// - `time`: a multiple of the slot after the genesis time, later than the head's; slots in between stay empty.
  /// - Dropped without a word, as a node does: what was first seen more than 60 s ago, and what is no longer valid.
  @discardableResult
  mutating func produceBlock(at time: Int64, now: Int64) -> Block {
    precondition(time >= nextSlotTime, "a block has a slot after its parent's, the third after a maintenance")
    precondition((time - genesis.header.timestamp) % parameters.slot == 0, "block times are whole slots")
    let actions = takeWaitingActions()
    // Whose permissions this block changes: what else they sent stays out of it (§6).
    var closedOwners: Set<Bytes> = []
    var waiting: [PendingTransaction] = []
    var chosen: [(PreparedTransaction, Receipt)] = []
    var size = 0
    for candidate in pending.takeAll() where now - candidate.firstSeen <= parameters.pendingTimeout {
      let prepared = candidate.transaction
      let encodedSize = prepared.size + Self.framingSize
      guard size + encodedSize <= parameters.blockSizeMax, chosen.count < parameters.blockTransactionsMax,
        !closedOwners.contains(prepared.ownerBytes)
      else {
        waiting.append(candidate)
        continue
      }
      let forced = interference.takeForcedResult(for: prepared)
      guard let receipt = revalidate(prepared, forced: forced) else { continue }
      chosen.append((prepared, receipt))
      size += encodedSize
      if case .permissionUpdate = prepared.parameter { closedOwners.insert(prepared.ownerBytes) }
    }
    let block = seal(chosen, actions, at: time)
    append(block)
    if parameters.cachesTransactions {
      for included in block.transactions { cache.note(included.transaction.id, at: now) }
    }
    for var candidate in waiting {
      guard let receipt = revalidate(candidate.transaction) else { continue }
      candidate.receipt = receipt
      pending.append(candidate)
    }
    return block
  }

  /// What a transaction takes in a block beyond its own bytes: `ret` (4) and its key and length (at most 4).
  private static let framingSize = 8

  /// Runs a transaction that was pending on the present head; nil where it is no longer valid.
  ///
  /// - `forced`: how a contract call ends, whatever it does.
  mutating func revalidate(_ prepared: PreparedTransaction, forced: ContractResult? = nil) -> Receipt? {
    do {
      // Again by the permissions: they may have changed since.
      try checkSignatures(prepared)
      try checkAgainstChain(prepared)
      var execution = execution
      execution.forced = forced
      return try execution.run(prepared, on: &state)
    } catch {
      return nil
    }
  }

  /// Runs a transaction as it ended before: by itself, or forced where it does not end so by itself.
  mutating func rerun(_ prepared: PreparedTransaction, _ result: ContractResult) -> (PreparedTransaction, Receipt)? {
    let mark = state.mark
    if let receipt = revalidate(prepared), receipt.contractRet == result { return (prepared, receipt) }
    state.rollback(to: mark)
    return revalidate(prepared, forced: result).map { (prepared, $0) }
  }

  /// Builds and signs the block of a slot; the state's journal holds just its changes.
  mutating func seal(
    _ chosen: [(PreparedTransaction, Receipt)], _ actions: [ChainAction] = [], at time: Int64
  ) -> Block {
    state.closeBlock(at: time)
    let producer = producers.index(at: time, genesisTime: genesis.header.timestamp, slot: parameters.slot)
    let root = MerkleTree.root(of: chosen.map { $0.0.transaction.encoded(ret: $0.1.contractRet) })
    let header = BlockHeader(
      timestamp: time, transactionRoot: root, parentHash: head.id, number: head.header.number + 1,
      witness: producers.addresses[producer].bytes, version: ChainParameters.blockVersion)
    return Block(
      header: header, id: header.id, witnessSignature: producers.sign(header.digest, by: producer),
      transactions: chosen.map {
        IncludedTransaction(transaction: $0.0, receipt: $0.1, blockNumber: header.number, blockTime: time)
      },
      actions: actions, changes: state.takeJournal())
  }

  /// Makes a block the head and moves the solid block on.
  mutating func append(_ block: Block) {
    blocks.append(block)
    for (index, included) in block.transactions.enumerated() {
      places[included.transaction.id] = Place(block: block.header.number, index: index)
    }
    let producer = producers.index(
      at: block.header.timestamp, genesisTime: genesis.header.timestamp, slot: parameters.slot)
    producers.note(block: block.header.number, by: producer)
    guard !interference.isSolidFrozen else { return }
    solidNumber = max(solidNumber, producers.solidNumber)
    while solidViewNumber < solidNumber - interference.solidViewLag {
      solidViewNumber += 1
      solidState.apply(blocks[Int(solidViewNumber)].changes)
    }
  }

  // MARK: Going back

  /// Empties the pool and undoes what it did to the head state.
  mutating func takePending() -> [PendingTransaction] {
    state.rollback(to: .start)
    return pending.takeAll()
  }

  /// Shows again in the head view what waits for the next block, after the pool was taken.
  mutating func showWaitingActions() {
    for action in waitingActions { action.write(to: &state, token: token.address) }
  }

  /// Puts a transaction back into the pool; false where it is no longer valid, and then it is gone without a trace.
  mutating func repush(_ prepared: PreparedTransaction, firstSeen: Int64) -> Bool {
    guard let receipt = revalidate(prepared) else { return false }
    pending.append(PendingTransaction(transaction: prepared, firstSeen: firstSeen, receipt: receipt))
    return true
  }

  /// Lets what waits be dropped with the next block, as if its minute had passed.
  mutating func forget(_ id: Hash32) { pending.forget(id) }

  /// Takes the head block off, whose number is not 0. The pool has been taken before.
  mutating func removeHead() -> Block {
    precondition(head.header.number > 0, "the genesis block stays")
    if solidViewNumber == head.header.number { lowerSolidView() }
    let block = blocks.removeLast()
    for included in block.transactions { places[included.transaction.id] = nil }
    state.undo(block.changes)
    solidNumber = min(solidNumber, head.header.number)
    producers.recount(blocks, slot: parameters.slot)
    return block
  }

  /// Takes solidity back to what the present blocks give: for a copy that plays a node which is behind.
  mutating func lowerSolid() {
    solidNumber = min(solidNumber, producers.solidNumber)
    while solidViewNumber > solidNumber - interference.solidViewLag, solidViewNumber > 0 { lowerSolidView() }
  }

  private mutating func lowerSolidView() {
    solidState.undo(blocks[Int(solidViewNumber)].changes)
    solidViewNumber -= 1
  }

  /// Makes a block of just these transactions, in this order and as far as they are valid; the pool is empty.
  ///
  /// - `actions`: what the simulation does before them. What waits for the next block goes on waiting.
  mutating func appendBlock(
    of transactions: [(PreparedTransaction, forced: ContractResult?)], after actions: [ChainAction], at time: Int64
  ) -> Block {
    for action in actions { action.write(to: &state, token: token.address) }
    var chosen: [(PreparedTransaction, Receipt)] = []
    for (prepared, forced) in transactions {
      if let receipt = revalidate(prepared, forced: forced) { chosen.append((prepared, receipt)) }
    }
    let block = seal(chosen, actions, at: time)
    append(block)
    return block
  }
}
