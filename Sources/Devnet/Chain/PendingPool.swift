/// A transaction that waits for a block.
struct PendingTransaction: Sendable {
  let transaction: PreparedTransaction
  /// Wall time it was first seen, milliseconds: it is dropped 60 s later.
  fileprivate(set) var firstSeen: Int64
  /// What running it on the present head does: provisional.
  var receipt: Receipt
}

/// What this node has accepted and no block holds, in the order it came. In memory only (tron-protocol.md §3.5).
struct PendingPool: Sendable {
  private(set) var transactions: [PendingTransaction] = []
  private var indexes: [Hash32: Int] = [:]

  var count: Int { transactions.count }

  /// The pending transaction with this id.
  subscript(id: Hash32) -> PendingTransaction? {
    indexes[id].map { transactions[$0] }
  }

  /// Adds a transaction that is not in the pool yet, behind all others.
  mutating func append(_ pending: PendingTransaction) {
    indexes[pending.transaction.id] = transactions.count
    transactions.append(pending)
  }

  /// Makes a pending transaction so old that the next block drops it.
  mutating func forget(_ id: Hash32) {
    if let index = indexes[id] { transactions[index].firstSeen = 0 }
  }

  /// Empties the pool and returns what was in it, oldest first.
  mutating func takeAll() -> [PendingTransaction] {
    defer { self = PendingPool() }
    return transactions
  }
}
