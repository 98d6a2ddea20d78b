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

  /// Where it stands.
  public let place: BlockPlace
  /// The block below it.
  public let parentID: BlockID
  /// In the block's order.
  public let entries: [Entry]
  /// See `Block.isBodyProven`.
  public let isBodyProven: Bool

  /// A block whose receipts are those of its transactions, one for one.
  public init(_ block: Block, receipts: [TransactionReceipt]) {
    place = BlockPlace(number: block.header.number, id: block.header.id, time: block.header.timestamp)
    parentID = block.header.parentID
    isBodyProven = block.isBodyProven
    entries = zip(block.transactions, receipts).map { Entry(transaction: $0, receipt: $1) }
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
  /// frees no payout (DESIGN.md §3 point 5).
  case unproven(Int64)

  /// What happened.
  public var description: String {
    switch self {
    case .node(let error): "\(error)"
    case .gap(let number): "the block after \(number) is not its child: the node changed its branch"
    case .absent(let number): "the node does not give block \(number), which is there: it pruned it, or is behind"
    case .unproven(let number):
      "the transactions of block \(number) do not hash to its header's root: what they leave out proves nothing"
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
