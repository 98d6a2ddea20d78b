/// A switch to another, longer branch, as it is asked for (tron-protocol.md §3.6).
struct ForkPlan: Sendable {
  /// How many blocks are popped.
  var depth: Int64
  /// How many blocks the winning branch has above the common ancestor; more than `depth`.
  var length: Int64
  /// What becomes of a popped transaction that `fates` does not name.
  var otherwise = Fate.repush
  var fates: [Hash32: Fate] = [:]
  /// In which order popped transactions come back: those of each losing block within the block that takes its place, and
  /// all that are re-pushed.
  var order = Order.asPopped

  /// What becomes of a popped transaction.
  enum Fate: Equatable, Sendable {
    /// It is in no block of the winning branch, and goes back into the pool with a fresh minute.
    case repush
    /// No node remembers it.
    case drop
    /// It stands in the winning branch too; a contract call ends there in the given failure, if any.
    case include(ContractResult?)
  }

  /// An order of popped transactions.
  enum Order: Equatable, Sendable {
    case asPopped
    /// Each block's the other way round.
    case reversed
    /// Those that are listed first, in this order; then the others as they were.
    case listed([Hash32])
  }
}

/// What a fork did, ids in chain order.
struct ForkOutcome: Sendable {
  var removed: [Hash32] = []
  var added: [Hash32] = []
  var included: [Hash32] = []
  var repushed: [Hash32] = []
  var dropped: [Hash32] = []
  /// Neither valid on the winning branch nor asked to be dropped: gone without a trace.
  var invalid: [Hash32] = []
}

extension ForkPlan.Order {
  /// The same transactions in this order.
  fileprivate func applied(to transactions: [PreparedTransaction]) -> [PreparedTransaction] {
    switch self {
    case .asPopped: return transactions
    case .reversed: return transactions.reversed()
    case .listed(let ids):
      let byID = Dictionary(transactions.map { ($0.id, $0) }) { first, _ in first }
      let named = Set(ids)
      return ids.compactMap { byID[$0] } + transactions.filter { !named.contains($0.id) }
    }
  }
}

extension Chain {
  /// The deepest fork there can be: down to the solid block.
  var forkDepthMax: Int64 { head.header.number - solidNumber }

  /// Switches to another branch; `now` is wall time in milliseconds.
  ///
  /// The winning branch is built at once, slot after slot from the common ancestor on; where its first block would take
  /// the slot of the losing one it begins a slot later, so that all its ids are new. Its tip may so lie up to a few slots
  /// ahead of wall time; those slots then pass without another block.
  ///
  /// - Requires: `depth` in 1...`forkDepthMax`, `length` above `depth`.
  mutating func fork(_ plan: ForkPlan, now: Int64) -> ForkOutcome {
    precondition((1...forkDepthMax).contains(plan.depth) && plan.length > plan.depth, "no such fork can be")
    let waiting = takePending()
    var losing: [Block] = []
    for _ in 0..<plan.depth { losing.insert(removeHead(), at: 0) }

    var outcome = ForkOutcome(removed: losing.map(\.id))
    var repushed: [PreparedTransaction] = []
    for index in 0..<Int(plan.length) {
      var included: [(PreparedTransaction, forced: ContractResult?)] = []
      let popped = index < losing.count ? losing[index].transactions.map(\.transaction) : []
      for transaction in plan.order.applied(to: popped) {
        switch plan.fates[transaction.id] ?? plan.otherwise {
        case .repush: repushed.append(transaction)
        case .drop: outcome.dropped.append(transaction.id)
        case .include(let forced): included.append((transaction, forced: forced))
        }
      }
      let collides = index == 0 && nextSlotTime == losing[0].header.timestamp
      let block = appendBlock(
        of: included, after: index < losing.count ? losing[index].actions : [],
        at: collides ? nextSlotTime + parameters.slot : nextSlotTime)
      let taken = block.transactions.map(\.transaction.id)
      outcome.added.append(block.id)
      outcome.included += taken
      outcome.invalid += included.map { $0.0.id }.filter { !taken.contains($0) }
    }
    showWaitingActions()
    // Block by block where nothing else is asked for; a list orders across the blocks.
    if case .listed = plan.order { repushed = plan.order.applied(to: repushed) }
    for transaction in repushed {
      if repush(transaction, firstSeen: now) {
        outcome.repushed.append(transaction.id)
      } else {
        outcome.invalid.append(transaction.id)
      }
    }
    for candidate in waiting where now - candidate.firstSeen <= parameters.pendingTimeout {
      _ = repush(candidate.transaction, firstSeen: candidate.firstSeen)
    }
    return outcome
  }

  /// This chain as a node sees it that is `count` blocks behind; `now` is wall time in milliseconds.
  ///
  /// The node knows by gossip what the missing blocks hold, so that those transactions are pending there.
  func behind(by count: Int64, now: Int64) -> Chain {
    var chain = self
    let waiting = chain.takePending()
    var missing: [Block] = []
    for _ in 0..<min(count, head.header.number) { missing.append(chain.removeHead()) }
    chain.lowerSolid()
    chain.showWaitingActions()
    for block in missing.reversed() {
      for included in block.transactions { _ = chain.repush(included.transaction, firstSeen: now) }
    }
    for candidate in waiting { _ = chain.repush(candidate.transaction, firstSeen: candidate.firstSeen) }
    return chain
  }
}
