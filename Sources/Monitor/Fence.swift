import Ledger
import Payouts
import Tron

/// What in a block may only be there if one of our Signers signed it (DESIGN.md §3 "The fence").
///
/// Anyone can send transfers of zero "from" the wallet, or let a token of their own log anything: no findings. Which of
/// the suspects are known is the ledger's to say, after the block arrived.
struct Fence: Sendable {
  /// The one contract whose logs count.
  let token: Address
  /// Router contracts, where there are any: watched like the wallets. A contract owns no transactions; money can be moved
  /// out of it.
  var routers: Set<Address> = []

  /// Transactions owned by a watched account, and transfers of the token out of one.
  func suspects(in block: ReadBlock, wallets: Set<Address>) -> [ChainFinding] {
    let watched = wallets.union(routers)
    return block.entries.flatMap { entry in
      owned(entry, by: watched) + transfers(in: entry, from: watched)
    }
  }

  /// Of any type, failed ones too: each needed the account's key.
  private func owned(_ entry: ReadBlock.Entry, by wallets: Set<Address>) -> [ChainFinding] {
    guard let owner = entry.transaction.owner, wallets.contains(owner) else { return [] }
    let contents = try? TransactionContents(rawData: entry.transaction.rawData)
    var recipient: Address?
    var amount: Amount?
    if case .token(_, let to, let value) = contents?.payment {
      recipient = to
      amount = value
    }
    return [
      ChainFinding(
        kind: .ownedTransaction, txid: entry.transaction.txid, logIndex: -1, wallet: owner, recipient: recipient,
        amountText: amount.map { "\($0.microUSDT)" },
        referenceBits: contents.map { $0.expiration.milliseconds & 0x3ff },
        timestamp: contents?.timestamp)
    ]
  }

  /// Logs are read only where the receipt says SUCCESS: a node does not clear them on a time-out (reference §5.6).
  private func transfers(in entry: ReadBlock.Entry, from wallets: Set<Address>) -> [ChainFinding] {
    guard entry.receipt.result == .success else { return [] }
    let contents = try? TransactionContents(rawData: entry.transaction.rawData)
    return entry.receipt.logs.enumerated().compactMap { index, log in
      guard log.address == token, let transfer = log.transfer, wallets.contains(transfer.sender), !transfer.isZero
      else { return nil }
      // Only a plain transfer by the account itself can be one of ours, and then its expiration tells of which payout.
      let own = contents?.expectedTransfer == transfer ? contents : nil
      return ChainFinding(
        kind: .tokenTransfer, txid: entry.transaction.txid, logIndex: index, wallet: transfer.sender,
        recipient: transfer.recipient, amountText: transfer.amount.map { "\($0.microUSDT)" },
        referenceBits: own.map { $0.expiration.milliseconds & 0x3ff }, timestamp: own?.timestamp)
    }
  }
}
