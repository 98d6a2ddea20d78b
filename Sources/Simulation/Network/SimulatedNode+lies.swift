import Payouts
import Tron

/// What a lying node makes of a block: it can leave out and turn round what it likes, and make up a block that hashes to an
/// id of its own; it cannot make a false body hash to a true header's root.
extension SimulatedNode {
  /// The block, or a lie about it.
  func told(_ true_: SimulatedChain.Produced) -> SimulatedChain.Produced {
    guard lie > 0, host.draw(below: 10_000) < lie else { return true_ }
    return switch host.draw(below: 4) {
    case 0: without(true_)
    case 1: turned(true_, inBody: true)
    case 2: turned(true_, inBody: false)
    default: forged(true_)
    }
  }

  private func without(_ produced: SimulatedChain.Produced) -> SimulatedChain.Produced {
    SimulatedChain.Produced(
      block: Block(header: produced.block.header, transactions: [], isBodyProven: produced.block.transactions.isEmpty),
      receipts: [], transactions: [])
  }

  /// What paid has failed, and what failed has paid.
  private func turned(_ produced: SimulatedChain.Produced, inBody: Bool) -> SimulatedChain.Produced {
    let receipts = zip(produced.transactions, produced.receipts).map { transaction, receipt in
      let paid = receipt.result != .success
      return TransactionReceipt(
        txid: receipt.txid, blockNumber: receipt.blockNumber, blockTimestamp: receipt.blockTimestamp, fee: receipt.fee,
        energyUsed: receipt.energyUsed, netUsage: receipt.netUsage, netFee: receipt.netFee,
        result: paid ? .success : .outOfTime, isFailed: !paid,
        logs: paid ? (transaction.contents.expectedTransfer.map { [EventLog($0)] } ?? []) : [])
    }
    guard inBody else {
      return SimulatedChain.Produced(block: produced.block, receipts: receipts, transactions: produced.transactions)
    }
    let body = zip(produced.transactions, receipts).compactMap { transaction, receipt in
      try? BlockTransaction(rawData: transaction.rawData, contractResult: receipt.result)
    }
    let block = Block(header: produced.block.header, transactions: body, isBodyProven: body.isEmpty)
    return SimulatedChain.Produced(block: block, receipts: receipts, transactions: produced.transactions)
  }

  /// An empty block of its own in this one's place, whole in itself.
  private func forged(_ produced: SimulatedChain.Produced) -> SimulatedChain.Produced {
    let header = produced.block.header
    let root = [UInt8](repeating: 0, count: 32)
    let forged = BlockHeader(
      number: header.number, id: BlockHashing.blockID(number: header.number, headerRawData: header.id.bytes + root),
      parentID: header.parentID, timestamp: header.timestamp, transactionRoot: root, witness: header.witness,
      isIDProven: true, signature: .byWitness)
    return SimulatedChain.Produced(
      block: Block(header: forged, transactions: [], isBodyProven: true), receipts: [], transactions: [])
  }
}
