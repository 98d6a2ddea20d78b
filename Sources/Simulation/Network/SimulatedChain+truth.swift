import Payouts
import Tron

/// What the oracle knows of the chain, whatever nodes say of it.
extension SimulatedChain {
  /// Every transaction that any node was ever handed, in order.
  var broadcasts: [SignedTransaction] { state.withLock { $0.broadcasts } }

  /// The latest of them that is in no block of the present branch.
  var latestAbsent: SignedTransaction? {
    state.withLock { state in state.broadcasts.last { state.included[$0.txid] == nil } }
  }

  /// What a block may still take up.
  var pending: Set<TxID> { state.withLock { Set($0.pool.map(\.transaction.txid)) } }

  /// The transfers of ours that succeeded on the present branch, in order.
  var payments: [SignedTransaction] {
    state.withLock { state in
      state.blocks.flatMap { produced in
        zip(produced.transactions, produced.receipts).filter { $0.1.result == .success }.map(\.0)
      }
    }
  }

  /// Where a transaction stands on the present branch.
  func block(of txid: TxID) -> BlockPlace? {
    state.withLock { state in
      state.included[txid].map { number in
        let header = state.blocks[Int(number)].block.header
        return BlockPlace(number: number, id: header.id, time: header.timestamp)
      }
    }
  }

  /// Whether a transaction can never pay any more, proven by solid blocks.
  func isOver(_ transaction: SignedTransaction) -> Bool {
    state.withLock { state in
      let solid = state.blocks[Int(state.solid)].block.header
      guard let number = state.included[transaction.txid] else { return solid.timestamp >= transaction.expiration }
      let receipt = state.blocks[Int(number)].receipts.first { $0.txid == transaction.txid }
      return number <= state.solid && receipt?.result != .success
    }
  }
}
