public import Payouts

extension TransactionVerdict {
  /// What a solid block says of a transaction that it holds (DESIGN.md §3 point 5).
  ///
  /// | block and receipt | verdict |
  /// | --- | --- |
  /// | both SUCCESS, not marked FAILED, logs exactly the expected Transfers | paid |
  /// | both the same named failure, marked FAILED | failed on chain |
  /// | anything else: a result missing, unknown or different, SUCCESS with other logs | anomalous |
  ///
  /// - Parameters:
  ///   - entry: the transaction and its receipt in a solid block.
  ///   - place: that block.
  ///   - expected: the Transfers that were written down when it was signed.
  public static func judge(
    _ entry: ReadBlock.Entry, at place: BlockPlace, expected: [ExpectedTransfer]
  ) -> TransactionVerdict {
    let receipt = entry.receipt
    let cost = TransactionCost(fee: receipt.fee, energyUsed: receipt.energyUsed, bandwidthUsed: receipt.netUsage)
    guard let inBlock = entry.transaction.contractResult, let inReceipt = receipt.result else {
      return .anomalous(place, finding: "a result is missing in the block or in its receipt")
    }
    guard inBlock == inReceipt else {
      return .anomalous(place, finding: "the block says \(inBlock), its receipt says \(inReceipt)")
    }
    if inReceipt.isNamedFailure {
      guard receipt.isFailed else {
        return .anomalous(place, finding: "\(inReceipt), but the receipt is not marked as failed")
      }
      return .failedOnChain(place, cost, result: "\(inReceipt)")
    }
    guard inReceipt == .success, !receipt.isFailed else {
      return .anomalous(place, finding: "the result \(inReceipt) proves nothing")
    }
    guard receipt.logs.count == expected.count, logs(receipt.logs, are: expected) else {
      return .anomalous(place, finding: "SUCCESS, but not exactly the Transfer that was signed")
    }
    return .paid(place, cost)
  }

  /// What a solid block says of a transaction, or nil where it does not hold it.
  ///
  /// - Throws: `.unproven` where payment or failure stand in a body that is not proven.
  public static func judge(
    _ txid: TxID, expected: [ExpectedTransfer], in block: ReadBlock
  ) throws(ChainReadError) -> TransactionVerdict? {
    guard let entry = block.entries.first(where: { $0.transaction.txid == txid }) else { return nil }
    let verdict = judge(entry, at: block.place, expected: expected)
    switch verdict {
    // What frees nothing and confirms nothing is taken as it is told: nothing is signed then, and a person looks.
    case .anomalous: return verdict
    case .paid, .failedOnChain, .dead: break
    }
    guard block.isBodyProven else { throw .unproven(block.place.number) }
    return verdict
  }

  /// The verdict on a transaction by the whole window in which it could be.
  ///
  /// - Parameter window: solid blocks from one above its reference block through the first at or after its expiration.
  /// - Throws: `.unproven` where the payout would be freed by a body that is not proven.
  public static func judge(
    _ txid: TxID, expected: [ExpectedTransfer], window: [ReadBlock]
  ) throws(ChainReadError) -> TransactionVerdict {
    for block in window {
      if let verdict = try judge(txid, expected: expected, in: block) { return verdict }
    }
    if let unproven = window.first(where: { !$0.isBodyProven }) { throw .unproven(unproven.place.number) }
    return .dead
  }

  private static func logs(_ logs: [EventLog], are expected: [ExpectedTransfer]) -> Bool {
    zip(logs, expected).allSatisfy { log, transfer in
      log.transfer
        == TokenTransfer(token: transfer.token, sender: transfer.from, recipient: transfer.to, amount: transfer.amount)
    }
  }
}
