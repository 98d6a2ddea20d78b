import Payouts
import Tron

/// What a lying node makes of a block: it can leave out and turn round what it likes, and make up a block that hashes to an
/// id of its own; it cannot make a false body hash to a true header's root.
extension SimulatedNode {
  /// What a lying node answers to a transaction that it does not take; nil where it takes it.
  func refusal(of transaction: SignedTransaction) -> BroadcastAnswer? {
    guard isLying, let lie = gate.lie("lie about broadcast", to: process, among: Channel.refusals) else { return nil }
    return refuse(transaction, lie)
  }

  /// What a node says of a transaction that it does not take; it has seen it all the same, and may do with it what it likes.
  func refuse(_ transaction: SignedTransaction, _ lie: Happening) -> BroadcastAnswer {
    chain.noteBroadcast(transaction)
    let (code, message): (BroadcastCode, String) =
      switch lie {
      case .saysKnown: (.duplicateTransaction, "Dup transaction.")
      case .saysTaken: (.success, "")
      default: (.serverBusy, "Server is busy.")
      }
    return BroadcastAnswer(code: code, message: message, txid: transaction.txid)
  }

  /// A block, or a lie about it.
  func toldBlock(_ site: String, _ produced: SimulatedChain.Produced) -> Block {
    told(site, produced, [.forges] + (hasFalseBranches ? [.branches] : []) + contentLies(produced)).block
  }

  /// A block's header, or a lie about it.
  func toldHeader(_ site: String, _ produced: SimulatedChain.Produced) -> BlockHeader {
    told(site, produced, [.forges]).block.header
  }

  /// A block's receipts, or a lie about them.
  func toldReceipts(_ site: String, _ produced: SimulatedChain.Produced) -> [TransactionReceipt] {
    told(site, produced, contentLies(produced)).receipts
  }

  private func contentLies(_ produced: SimulatedChain.Produced) -> [Happening] {
    (produced.transactions.isEmpty ? [] : [.leavesOut, .turnsRound])
      + (chain.latestAbsent == nil ? [] : [.putsIn])
  }

  private func told(
    _ site: String, _ produced: SimulatedChain.Produced, _ lies: [Happening]
  ) -> SimulatedChain.Produced {
    guard isLying else { return produced }
    if let branch = falseBlock(produced) { return branch }
    return switch gate.lie("lie about \(site)", to: process, among: lies) {
    case .leavesOut: without(produced)
    case .turnsRound: turned(produced)
    case .forges: forged(produced)
    case .branches: branching(produced)
    case .putsIn: chain.latestAbsent.map { with($0, produced) } ?? produced
    default: produced
    }
  }

  private func without(_ produced: SimulatedChain.Produced) -> SimulatedChain.Produced {
    SimulatedChain.Produced(
      block: Block(header: produced.block.header, transactions: [], isBodyProven: produced.block.transactions.isEmpty),
      receipts: [], transactions: [])
  }

  private func branching(_ produced: SimulatedChain.Produced) -> SimulatedChain.Produced {
    falseBranch.begin(above: produced.block.header.number - 1, at: host.now)
    return falseBlock(produced) ?? produced
  }

  /// What a node that holds to a branch of its own tells in a block's place.
  private func falseBlock(_ produced: SimulatedChain.Produced) -> SimulatedChain.Produced? {
    falseBranch.block(inPlaceOf: produced, of: chain, at: host.now).map {
      SimulatedChain.Produced(block: $0, receipts: [], transactions: [])
    }
  }

  /// With a transaction that is in no block, as if it had paid in this one: in each second block under a header that fits,
  /// which then has another id, in the others under the true one, to which the body does not hash.
  private func with(
    _ transaction: SignedTransaction, _ produced: SimulatedChain.Produced
  ) -> SimulatedChain.Produced {
    let header = produced.block.header
    guard
      let added = try? BlockTransaction(
        rawData: transaction.rawData, contractResult: .success, signatures: [[UInt8](transaction.bytes.suffix(65))])
    else { return produced }
    let body = produced.block.transactions + [added]
    let receipt = TransactionReceipt(
      txid: transaction.txid, blockNumber: header.number, blockTimestamp: header.timestamp, fee: Sun(6_428_500),
      energyUsed: 64_285, netUsage: 345, netFee: Sun(0), result: .success, isFailed: false,
      logs: transaction.contents.expectedTransfer.map { [EventLog($0)] } ?? [])
    let isWhole = header.number % 2 == 0
    let root = isWhole ? BlockHashing.root(ofLeaves: body.map(\.txid.bytes)) : header.transactionRoot
    let id =
      isWhole ? BlockHashing.blockID(number: header.number, headerRawData: header.parentID.bytes + root) : header.id
    let told = BlockHeader(
      number: header.number, id: id, parentID: header.parentID, timestamp: header.timestamp, transactionRoot: root,
      witness: header.witness, isIDProven: true, signature: .byWitness)
    return SimulatedChain.Produced(
      block: Block(header: told, transactions: body, isBodyProven: isWhole), receipts: produced.receipts + [receipt],
      transactions: produced.transactions + [transaction])
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
