public import Payouts

/// What the producer's signature over a header came to (reference §1.6).
public enum ProducerSignature: Sendable, Hashable {
  /// Made by the key of the account that the header names.
  case byWitness
  /// Made by another key. The account's witness permission may name one, which blocks do not tell: `CountProducers`
  /// has a quorum show it.
  case byAnotherKey(Address)
  /// It recovers nobody, or there is none.
  case invalid
}

/// What a block says about itself (reference §1.6, §4.2).
public struct BlockHeader: Sendable, Hashable {
  /// Height; 0 is the genesis block.
  public let number: Int64
  /// The block's identity, which carries its number.
  public let id: BlockID
  /// The identity of the block below.
  public let parentID: BlockID
  /// A multiple of 3,000 ms on TRON's networks.
  public let timestamp: Timestamp
  /// `txTrieRoot`, 32 bytes, zeros for an empty block.
  public let transactionRoot: [UInt8]
  /// The account of the producer; nil in the genesis block alone, which has a text there.
  public let witness: Address?
  /// Whether these fields were seen to hash to `id`.
  public let isIDProven: Bool
  /// Whose signature the header carries.
  public let signature: ProducerSignature

  /// All fields, as a node or a test gives them.
  public init(
    number: Int64, id: BlockID, parentID: BlockID, timestamp: Timestamp, transactionRoot: [UInt8], witness: Address?,
    isIDProven: Bool = false, signature: ProducerSignature = .invalid
  ) {
    self.number = number
    self.id = id
    self.parentID = parentID
    self.timestamp = timestamp
    self.transactionRoot = transactionRoot
    self.witness = witness
    self.isIDProven = isIDProven
    self.signature = signature
  }

  /// What is wrong with it by its own content, so that it is taken from no node: it does not hash to its id, or nobody
  /// signed it. Nil where nothing is; the genesis block has no producer.
  public var flaw: String? {
    if number == 0 { return nil }
    if !isIDProven { return "its header does not hash to its id" }
    return signature == .invalid ? "its producer's signature recovers nobody" : nil
  }

  /// Takes it from no node where it has a flaw.
  /// - Throws: `TronNodeError.inconsistent`.
  public func refuseFlaw() throws(TronNodeError) {
    if let flaw { throw TronNodeError(.inconsistent, call: "block \(number)", reason: flaw) }
  }
}

/// A transaction as a block holds it.
public struct BlockTransaction: Sendable, Hashable {
  /// SHA-256 of `rawData`, checked by whoever made this value from a node's answer.
  public let txid: TxID
  /// The serialized `raw_data`.
  public let rawData: [UInt8]
  /// Its signatures as the block holds them; outside of the txid.
  public let signatures: [[UInt8]]
  /// `ret[0].contractRet`; nil when the node left it out.
  public let contractResult: ContractResult?
  /// The account that owns the transaction, whatever its type, read from `rawData`; nil where its contract has none.
  public let owner: Address?
  /// The contract type's number on the wire: 1 TransferContract, 31 TriggerSmartContract … (reference §1.2).
  public let contractType: Int32
  /// A block whose parent is that old, or younger, cannot hold it (reference §2.2).
  public let expiration: Timestamp

  /// Reads owner, type and expiration out of `rawData` and computes the txid.
  /// - Throws: `TransactionError.malformed` where the bytes are no `raw_data`.
  public init(
    rawData: [UInt8], contractResult: ContractResult?, signatures: [[UInt8]] = []
  ) throws(TransactionError) {
    let envelope = try ContractEnvelope(rawData: rawData)
    self.txid = TxID(hashing: rawData)
    self.rawData = rawData
    self.contractResult = contractResult
    self.signatures = signatures
    self.owner = envelope.owner
    self.contractType = envelope.contractType
    self.expiration = envelope.expiration
  }
}

/// A block with its body, as one view of one node gave it.
public struct Block: Sendable, Hashable {
  /// What it says about itself.
  public let header: BlockHeader
  /// Its transactions in the block's order.
  public let transactions: [BlockTransaction]
  /// Whether the body was proven: the header hashes to the block's id, and the transactions with their signatures and
  /// results hash to the header's root (DESIGN.md §3 point 5, reference §1.6).
  ///
  /// False says that it could not be shown from the node's JSON, not that the node lied.
  public let isBodyProven: Bool

  /// A block as a node or a test gives it.
  public init(header: BlockHeader, transactions: [BlockTransaction], isBodyProven: Bool = false) {
    self.header = header
    self.transactions = transactions
    self.isBodyProven = isBodyProven
  }
}

/// Whether a node's receipts of a block are those of the block's own transactions, one for one.
///
/// `gettransactioninfobyblocknum` answers `[]` for an empty block, for one that does not exist yet, and for one whose
/// history is missing (reference §0 trap 4): only the comparison with the block tells them apart.
public enum ReceiptsCheck: Sendable, Hashable {
  /// One receipt a transaction, of this block, in the block's order.
  case complete([TransactionReceipt])
  /// Another number of receipts than transactions: a lag, a lost history or a lie. Ask again.
  case countDiffers(transactions: Int, receipts: Int)
  /// A transaction of the block has no receipt.
  case missing(TxID)
  /// A receipt names another block: the node stands on another branch by now.
  case otherBlock(TxID, blockNumber: Int64)
}

extension Block {
  /// Whether the header says that there are no transactions (reference §1.6).
  var hasEmptyRoot: Bool { header.transactionRoot.allSatisfy { $0 == 0 } }

  /// Compares receipts with this block's transactions by txid, number of the block and its time.
  public func checkReceipts(_ receipts: [TransactionReceipt]) -> ReceiptsCheck {
    guard receipts.count == transactions.count else {
      return .countDiffers(transactions: transactions.count, receipts: receipts.count)
    }
    let byTxID = Dictionary(receipts.map { ($0.txid, $0) }) { first, _ in first }
    var ordered: [TransactionReceipt] = []
    ordered.reserveCapacity(transactions.count)
    for transaction in transactions {
      guard let receipt = byTxID[transaction.txid] else { return .missing(transaction.txid) }
      guard receipt.blockNumber == header.number, receipt.blockTimestamp == header.timestamp else {
        return .otherBlock(transaction.txid, blockNumber: receipt.blockNumber)
      }
      ordered.append(receipt)
    }
    return .complete(ordered)
  }
}
