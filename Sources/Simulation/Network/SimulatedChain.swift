import Payouts
import Synchronization
import Tron

/// The TRON network of a simulated world: one chain that all its nodes show, with a pool of what is pending.
///
/// It does what the reference tells (§2.2 to §2.7, §3.3, §3.5): a transaction is packed into a block whose parent's time
/// is before its expiration, at most once on a branch; a fork takes it out again; what is pending is forgotten after 60 s.
/// It is also the oracle: it saw every broadcast, and it knows what was paid.
final class SimulatedChain: Sendable {
  /// The length of a slot.
  static let slotMilliseconds: Int64 = 3_000
  /// How long a node remembers what is pending.
  static let pendingMilliseconds: Int64 = 60_000

  /// A block with its receipts.
  struct Produced: Sendable {
    let block: Block
    let receipts: [TransactionReceipt]
    let transactions: [SignedTransaction]
  }

  struct Pending {
    let transaction: SignedTransaction
    let since: Int64
  }

  /// A transaction of somebody else's, taken into a block whatever anybody sends; a fork puts it into another one.
  struct Foreign: Sendable {
    let transaction: BlockTransaction
    let logs: [EventLog]
  }

  struct State {
    var blocks: [Produced]
    var foreign: [Foreign] = []
    var branch: UInt64 = 0
    var pool: [Pending] = []
    var solid: Int64 = 0
    /// Until then the solid block stands still.
    var frozenUntil: Int64 = 0
    /// Until then there is no new block.
    var haltedUntil: Int64 = 0
    var included: [TxID: Int64] = [:]
    var results: [TxID: ContractResult] = [:]
    var broadcasts: [SignedTransaction] = []
    var seen: Set<TxID> = []
    var reverting: Set<Address> = []
  }

  /// How many producers take turns, slot by slot.
  let producers: Int
  /// The identity of block 0.
  let genesis: BlockID
  let state: Mutex<State>
  /// How far the solid block is below the head.
  private let solidLag: Int64

  /// A chain of empty blocks up to the present.
  init(now: Int64, solidLag: Int64, height: Int64 = 40) {
    self.solidLag = solidLag
    let producers = SimulatedChain.producers(forSolidLag: solidLag)
    self.producers = producers
    var blocks = [
      SimulatedChain.block(
        0, parent: BlockID(exactly: [UInt8](repeating: 0, count: 32)), time: now - height * Self.slotMilliseconds,
        branch: 0, producers, [])
    ]
    genesis = blocks[0].block.header.id
    for number in 1...height {
      let parent = blocks[blocks.count - 1].block.header
      blocks.append(
        SimulatedChain.block(
          number, parent: parent.id, time: parent.timestamp.milliseconds + Self.slotMilliseconds, branch: 0,
          producers, []))
    }
    state = Mutex(State(blocks: blocks, solid: height - solidLag))
  }

  // MARK: What happens on the network

  /// Produces the next block out of what is pending.
  ///
  /// - Parameters:
  ///   - now: the world's time; blocks come at whole slots.
  ///   - isTaken: which of the pending go into it.
  func produce(at now: Int64, isTaken: (TxID) -> Bool = { _ in true }) {
    state.withLock { state in
      guard now >= state.haltedUntil else { return }
      let parent = state.blocks[state.blocks.count - 1].block.header
      let chosen = state.pool.map(\.transaction).filter { transaction in
        parent.timestamp < transaction.expiration && state.included[transaction.txid] == nil
          && isTaken(transaction.txid)
      }
      let results = chosen.map { transaction -> (SignedTransaction, ContractResult) in
        let fails = state.reverting.contains(transaction.recipient)
        return (transaction, state.results[transaction.txid] ?? (fails ? .revert : .success))
      }
      let foreign = state.foreign.filter { state.included[$0.transaction.txid] == nil }
      state.blocks.append(
        SimulatedChain.block(
          parent.number + 1, parent: parent.id, time: now, branch: state.branch, producers, results, foreign))
      for other in foreign { state.included[other.transaction.txid] = parent.number + 1 }
      for transaction in chosen { state.included[transaction.txid] = parent.number + 1 }
      state.pool.removeAll { pending in
        state.included[pending.transaction.txid] != nil || pending.transaction.expiration.milliseconds <= now
          || now - pending.since > Self.pendingMilliseconds
      }
      if now >= state.frozenUntil { state.solid = max(state.solid, parent.number + 1 - solidLag) }
    }
  }

  /// Drops the newest blocks, never solid ones. What they held is pending again, or lost.
  func fork(depth: Int64, at now: Int64, pendsAgain: Bool) {
    state.withLock { state in
      let head = Int64(state.blocks.count - 1)
      let keep = max(state.solid, head - depth)
      guard keep < head else { return }
      let undone = state.blocks[Int(keep + 1)...].flatMap(\.transactions)
      state.blocks.removeSubrange(Int(keep + 1)...)
      state.branch += 1
      state.included = state.included.filter { $0.value <= keep }
      if pendsAgain { state.pool = undone.map { Pending(transaction: $0, since: now) } + state.pool }
    }
  }

  /// Somebody else's transaction, for the next block.
  func add(_ foreign: Foreign) { state.withLock { $0.foreign.append(foreign) } }

  /// Forgets what is pending without a word.
  func dropPending() { state.withLock { $0.pool = [] } }

  /// Lets the solid block stand still until then.
  func freezeSolid(until moment: Int64) { state.withLock { $0.frozenUntil = moment } }

  /// Lets the head stand still until then.
  func halt(until moment: Int64) { state.withLock { $0.haltedUntil = moment } }

  /// How a transaction will end in a block.
  func setResult(_ result: ContractResult, of txid: TxID) { state.withLock { $0.results[txid] = result } }

  /// Lets every transfer to a recipient revert, in blocks and in simulations.
  func revert(to recipient: Address) { state.withLock { _ = $0.reverting.insert(recipient) } }

  /// Whether transfers to a recipient revert.
  func reverts(to recipient: Address) -> Bool { state.withLock { $0.reverting.contains(recipient) } }

  // MARK: What nodes show

  /// The newest block's number of a view.
  func height(_ view: ChainView) -> Int64 {
    state.withLock { view == .head ? Int64($0.blocks.count - 1) : $0.solid }
  }

  /// A block of the present branch.
  func produced(_ number: Int64, _ view: ChainView) -> Produced? {
    state.withLock { state in
      let height = view == .head ? Int64(state.blocks.count - 1) : state.solid
      return (0...height).contains(number) ? state.blocks[Int(number)] : nil
    }
  }

  /// The newest block of a view.
  func latest(_ view: ChainView) -> Produced {
    state.withLock { state in state.blocks[view == .head ? state.blocks.count - 1 : Int(state.solid)] }
  }

  /// A transaction is on its way to a node: from now on it may be executed.
  func noteBroadcast(_ transaction: SignedTransaction) {
    state.withLock { state in
      if state.seen.insert(transaction.txid).inserted { state.broadcasts.append(transaction) }
    }
  }

  /// Takes a transaction, by the checks of reference §2.4 that a well-formed transfer can fail.
  func broadcast(_ transaction: SignedTransaction, at now: Int64) -> BroadcastAnswer {
    state.withLock { state in
      func answer(_ code: BroadcastCode, _ message: String = "") -> BroadcastAnswer {
        BroadcastAnswer(code: code, message: message, txid: transaction.txid)
      }
      if state.seen.insert(transaction.txid).inserted { state.broadcasts.append(transaction) }
      let head = state.blocks[state.blocks.count - 1].block.header
      if transaction.expiration <= head.timestamp { return answer(.transactionExpired, "Transaction expired") }
      if state.included[transaction.txid] != nil
        || state.pool.contains(where: { $0.transaction.txid == transaction.txid })
      {
        return answer(.duplicateTransaction, "Dup transaction.")
      }
      let isKnown = state.blocks.contains { transaction.contents.refers(to: $0.block.header.id) }
      guard isKnown else { return answer(.taposError, "Tapos check error.") }
      state.pool.append(Pending(transaction: transaction, since: now))
      return answer(.success)
    }
  }

  /// The fewest producers whose latest blocks make blocks solid that far below the head (reference §3.3): 27 for 18.
  private static func producers(forSolidLag lag: Int64) -> Int {
    (1...).first { Int64($0 - $0 * 3 / 10) > lag } ?? 1
  }

  private static func block(
    _ number: Int64, parent: BlockID, time: Int64, branch: UInt64, _ producers: Int,
    _ ours: [(SignedTransaction, ContractResult)], _ foreign: [Foreign] = []
  ) -> Produced {
    let turn = UInt8(truncatingIfNeeded: time / slotMilliseconds % Int64(producers))
    let witness = Address(account: [UInt8](repeating: 0xb0, count: 19) + [turn])
    let time = Timestamp(milliseconds: time)
    let transactions =
      ours.compactMap { transaction, result in
        try? BlockTransaction(
          rawData: transaction.rawData, contractResult: result, signatures: [[UInt8](transaction.bytes.suffix(65))])
      } + foreign.map(\.transaction)
    let words = withUnsafeBytes(of: (number, time.milliseconds, branch)) { [UInt8]($0) }
    let root = BlockHashing.root(ofLeaves: transactions.map(\.txid.bytes))
    let header = BlockHeader(
      number: number, id: BlockHashing.blockID(number: number, headerRawData: parent.bytes + root + words),
      parentID: parent, timestamp: time, transactionRoot: root, witness: witness, isIDProven: true,
      signature: .byWitness)
    func receipt(_ txid: TxID, _ result: ContractResult, _ logs: [EventLog]) -> TransactionReceipt {
      TransactionReceipt(
        txid: txid, blockNumber: number, blockTimestamp: time, fee: Sun(6_428_500), energyUsed: 64_285,
        netUsage: 345, netFee: Sun(0), result: result, isFailed: result != .success, logs: logs)
    }
    let receipts =
      ours.map { transaction, result in
        receipt(
          transaction.txid, result,
          result == .success ? (transaction.contents.expectedTransfer.map { [EventLog($0)] } ?? []) : [])
      } + foreign.map { receipt($0.transaction.txid, .success, $0.logs) }
    return Produced(
      block: Block(header: header, transactions: transactions, isBodyProven: true), receipts: receipts,
      transactions: ours.map(\.0))
  }
}

extension SignedTransaction {
  /// Whom it pays; a transaction that pays nobody names its owner.
  var recipient: Address { contents.expectedTransfer?.recipient ?? owner }
  /// How much.
  var amount: Amount { contents.expectedTransfer?.amount ?? .zero }
}
