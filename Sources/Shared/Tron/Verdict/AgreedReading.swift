public import Payouts

/// Windows of solid blocks as one node gives them and a quorum agrees on them, for verdicts that free a payout
/// (DESIGN.md §3 point 5). One value a round: what several windows share is read and agreed once.
public struct AgreedReading: Sendable {
  private let log: DisagreementLog
  private var blocks: [Int64: ReadBlock] = [:]
  private var agreedIDs: Set<BlockID> = []
  private var agreedReceipts: Set<TxID> = []

  /// - Parameter log: takes what nodes disagree on.
  public init(noting log: DisagreementLog) { self.log = log }

  /// Takes up a block that was read already in this round.
  public mutating func take(_ block: ReadBlock) { blocks[block.place.number] = block }

  /// The window of a transaction, as `readPassedWindow`, with all in it that decides agreed by the quorum: the last block's
  /// id, and by it those below; bodies that are not proven by their headers' roots; the transaction's receipt.
  ///
  /// - Returns: the blocks from one above `reference` through the first at or after `expiration`.
  /// - Throws: `ChainReadError`.
  public nonisolated(nonsending) mutating func window(
    of txid: TxID, above reference: Int64, through expiration: Timestamp, by round: NodeRound
  ) async throws -> [ReadBlock] {
    let window = try await round.node.readPassedWindow(above: reference, through: expiration, sharing: &blocks)
    if let last = window.last, !agreedIDs.contains(last.place.id) {
      try await round.agree(on: last.header, .solid, noting: log)
      agreedIDs.insert(last.place.id)
    }
    for block in window {
      let number = block.place.number
      if !block.isBodyProven { blocks[number] = try await round.agreeOnBody(of: block, noting: log) }
      guard block.entries.contains(where: { $0.transaction.txid == txid }), !agreedReceipts.contains(txid) else {
        continue
      }
      try await round.agreeOnReceipts(of: [txid], in: block, noting: log)
      agreedReceipts.insert(txid)
    }
    return window.map { blocks[$0.place.number] ?? $0 }
  }
}
