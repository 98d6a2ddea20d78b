import Payouts
import Tron

/// What a lying node makes of a block: it can leave out and turn round what it likes, and make up a block that hashes to an
/// id of its own; it cannot make a false body hash to a true header's root.
extension SimulatedNode {
  /// A block, or a lie about it.
  func toldBlock(_ site: String, _ produced: SimulatedChain.Produced) -> Block {
    told(site, produced, produced.transactions.isEmpty ? [.forges] : [.leavesOut, .turnsRound, .forges]).block
  }

  /// A block's header, or a lie about it.
  func toldHeader(_ site: String, _ produced: SimulatedChain.Produced) -> BlockHeader {
    told(site, produced, [.forges]).block.header
  }

  /// A block's receipts, or a lie about them.
  func toldReceipts(_ site: String, _ produced: SimulatedChain.Produced) -> [TransactionReceipt] {
    told(site, produced, produced.transactions.isEmpty ? [] : [.leavesOut, .turnsRound]).receipts
  }

  private func told(
    _ site: String, _ produced: SimulatedChain.Produced, _ lies: [Happening]
  ) -> SimulatedChain.Produced {
    guard isLying else { return produced }
    return switch gate.lie("lie about \(site)", to: process, among: lies) {
    case .leavesOut: without(produced)
    case .turnsRound: turned(produced)
    case .forges: forged(produced)
    default: produced
    }
  }

  private func without(_ produced: SimulatedChain.Produced) -> SimulatedChain.Produced {
    SimulatedChain.Produced(
      block: Block(header: produced.block.header, transactions: [], isBodyProven: produced.block.transactions.isEmpty),
      receipts: [], transactions: [])
  }

  /// What paid has failed, and what failed has paid.
  private func turned(_ produced: SimulatedChain.Produced) -> SimulatedChain.Produced {
    let receipts = zip(produced.transactions, produced.receipts).map { transaction, receipt in
      let paid = receipt.result != .success
      return TransactionReceipt(
        txid: receipt.txid, blockNumber: receipt.blockNumber, blockTimestamp: receipt.blockTimestamp, fee: receipt.fee,
        energyUsed: receipt.energyUsed, netUsage: receipt.netUsage, netFee: receipt.netFee,
        result: paid ? .success : .outOfTime, isFailed: !paid,
        logs: paid ? (transaction.contents.expectedTransfer.map { [EventLog($0)] } ?? []) : [])
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
