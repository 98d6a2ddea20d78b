public import Payouts

/// A block with the receipts of all its transactions, read whole from one view and checked against itself.
public struct ReadBlock: Sendable {
  /// One transaction and its receipt.
  public struct Entry: Sendable {
    /// As the block holds it.
    public let transaction: BlockTransaction
    /// As the node's receipts tell it.
    public let receipt: TransactionReceipt
  }

  /// What it says about itself, seen to hash to its id.
  public let header: BlockHeader
  /// In the block's order.
  public let entries: [Entry]
  /// Whether its body counts for verdicts: see `Block.isBodyProven`, or a quorum gave the same.
  public private(set) var isBodyProven: Bool

  /// Where it stands.
  public var place: BlockPlace { BlockPlace(number: header.number, id: header.id, time: header.timestamp) }
  /// The block below it.
  public var parentID: BlockID { header.parentID }

  /// A block whose receipts are those of its transactions, one for one.
  public init(_ block: Block, receipts: [TransactionReceipt]) {
    header = block.header
    isBodyProven = block.isBodyProven
    entries = zip(block.transactions, receipts).map { Entry(transaction: $0, receipt: $1) }
  }

  /// What no producer builds above a block of this time (reference §2.2): whoever makes it up could show what expired long ago
  /// as new, for ever. Nil where nothing is wrong. The block above the genesis block may have any time.
  public func flaw(after parent: BlockPlace) -> String? {
    if place.time <= parent.time, parent.number > 0 { return "its time is not after its parent's" }
    let latest = parent.time.advanced(byMilliseconds: Self.lifeMaximumMilliseconds)
    for transaction in entries.map(\.transaction) {
      if transaction.expiration <= parent.time {
        return "it holds \(transaction.txid), which had expired by its parent"
      }
      if transaction.expiration > latest { return "it holds \(transaction.txid), which expires in more than a day" }
    }
    return nil
  }

  /// How far after the head's time a transaction may expire, in milliseconds (reference §2.2).
  private static let lifeMaximumMilliseconds: Int64 = 86_400_000

  /// The same with a body that a quorum gave alike.
  var withAgreedBody: ReadBlock {
    var block = self
    block.isBodyProven = true
    return block
  }
}

/// Why a block could not be taken up just now. Reading again later is always right.
public enum ChainReadError: Error, Sendable, CustomStringConvertible {
  /// The node could not be asked, or its answers do not fit together (receipts of another block: a lag, a lost history,
  /// another branch, or a lie).
  case node(TronNodeError)
  /// Two blocks in a row are not parent and child.
  case gap(above: Int64)
  /// The node has none at this number, although it must: it pruned it, or another node answers that is behind.
  case absent(Int64)
  /// The body of this block could not be shown to be its header's, so that what is not in it may be in the block: it
  /// frees no payout, and confirms none (DESIGN.md §3 point 5).
  case unproven(Int64)
  /// A quorum of nodes says something else of this block than the node that was asked.
  case outvoted(Int64, Disputed)
  /// The nodes say different things of this block, and none of them has a quorum.
  case disputed(Int64, Disputed)
  /// Enough nodes answer, and not all of those that are needed have this block in that view yet.
  case awaitsQuorum(Int64)
  /// Too few nodes answer.
  case noQuorum(Int64, agreeing: Int, needed: Int)
  /// The node has another block than the one that was followed.
  case otherChain(Int64)
  /// Too few producers have built upon this block, by what the node shows of its head's branch.
  case notYetSolid(Int64, producers: Int, needed: Int)

  /// What happened.
  public var description: String {
    switch self {
    case .node(let error): "\(error)"
    case .gap(let number): "the block after \(number) is not its child: the node changed its branch"
    case .absent(let number): "the node does not give block \(number), which is there: it pruned it, or is behind"
    case .unproven(let number):
      "the transactions of block \(number) do not hash to its header's root: they prove nothing"
    case .outvoted(let number, let matter):
      "a quorum of the other nodes says something else of block \(number) (\(matter.rawValue))"
    case .disputed(let number, let matter):
      "the nodes disagree on block \(number) (\(matter.rawValue)), and there is no quorum"
    case .awaitsQuorum(let number): "not enough nodes have block \(number) yet"
    case .noQuorum(let number, let agreeing, let needed):
      "\(agreeing) nodes answer for block \(number), and \(needed) must agree"
    case .otherChain(let number): "the node's block \(number) is not the one that was followed"
    case .notYetSolid(let number, let producers, let needed):
      "\(producers) producers have built upon block \(number) by our own count, \(needed) must"
    }
  }

  /// Whether the next node may do better, and this one is to be left alone for a while. Not where all of them were asked.
  var isFailureOfNode: Bool {
    switch self {
    case .node(let error): error.code != .cancelled
    // Where bodies are disputed, the next node's may be proven by its header's root.
    case .disputed(_, let matter): matter == .body
    case .gap, .absent, .unproven, .outvoted, .otherChain: true
    case .awaitsQuorum, .noQuorum, .notYetSolid: false
    }
  }

  /// Of several errors of one node's reading the one that says most of it: silence, or another failure of the node, for which
  /// the next node may do better; else the first.
  public static func worst(of errors: [any Error]) -> (any Error)? {
    errors.first(where: TronNodeError.isSilence) ?? errors.first { ($0 as? ChainReadError)?.isFailureOfNode == true }
      ?? errors.first
  }

  /// Whether it is everyday business that ends by waiting: nodes do not come to a block at the same moment.
  public var isWaiting: Bool {
    switch self {
    case .awaitsQuorum, .notYetSolid: true
    case .node, .gap, .absent, .unproven, .outvoted, .disputed, .noQuorum, .otherChain: false
    }
  }
}

extension TronNode {
  /// One request for a block (none where `known` is that block) and one for all its receipts (none for an empty block).
  ///
  /// - Returns: nil where the view does not have the block yet.
  public func readBlock(
    _ number: Int64, _ view: ChainView, known: Block? = nil
  ) async throws(ChainReadError) -> ReadBlock? {
    do throws(TronNodeError) {
      let block: Block
      if let known, known.header.number == number {
        block = known
      } else if let found = try await self.block(number, view) {
        block = found
      } else {
        return nil
      }
      try block.header.refuseFlaw()
      // A body that was left out looks like an empty block, for which no receipts would be asked.
      guard block.transactions.isEmpty == block.hasEmptyRoot else {
        throw TronNodeError(
          .inconsistent, call: "block \(number)",
          reason: "it came with \(block.transactions.count) transactions, and its header says otherwise")
      }
      if block.transactions.isEmpty { return ReadBlock(block, receipts: []) }
      let receipts = try await self.receipts(ofBlock: number, view)
      return try checked(block, receipts)
    } catch {
      throw .node(error)
    }
  }

  /// Reads the solid blocks from one above `reference` through the first whose time is at or after `expiration`, that
  /// one included: the only blocks that can hold a transaction with these bounds (reference §2.2, §2.7).
  ///
  /// - Parameter read: blocks of this very reading, so that several windows that overlap are read once.
  /// - Returns: nil where the solid chain is not that far yet.
  /// - Throws: `.gap` where the blocks do not follow one another.
  public func readWindow(
    above reference: Int64, through expiration: Timestamp, sharing read: inout [Int64: ReadBlock]
  ) async throws(ChainReadError) -> [ReadBlock]? {
    var window: [ReadBlock] = []
    var number = reference + 1
    while true {
      if read[number] == nil { read[number] = try await readBlock(number, .solid) }
      guard let block = read[number] else { return nil }
      if let last = window.last, block.parentID != last.place.id { throw .gap(above: last.place.number) }
      window.append(block)
      if block.place.time >= expiration { return window }
      number += 1
    }
  }

  /// The same for a window that the solid chain has passed, so that a block which the node does not give is lost to it.
  ///
  /// - Throws: `.absent` with that block's number, too.
  public func readPassedWindow(
    above reference: Int64, through expiration: Timestamp, sharing read: inout [Int64: ReadBlock]
  ) async throws(ChainReadError) -> [ReadBlock] {
    if let window = try await readWindow(above: reference, through: expiration, sharing: &read) { return window }
    var missing = reference + 1
    while read[missing] != nil { missing += 1 }
    throw .absent(missing)
  }

  private func checked(_ block: Block, _ receipts: [TransactionReceipt]) throws(TronNodeError) -> ReadBlock {
    let reason: String
    switch block.checkReceipts(receipts) {
    case .complete(let ordered): return ReadBlock(block, receipts: ordered)
    case .countDiffers(let transactions, let count): reason = "\(transactions) transactions, \(count) receipts"
    case .missing(let txid): reason = "none for \(txid)"
    case .otherBlock(let txid, let number): reason = "that of \(txid) names block \(number)"
    }
    throw TronNodeError(
      .inconsistent, call: "gettransactioninfobyblocknum \(block.header.number)",
      reason: "the receipts are not those of the block: \(reason)")
  }
}
