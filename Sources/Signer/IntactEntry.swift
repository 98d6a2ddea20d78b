import Payouts
import Tron

extension JournalEntry {
  /// Whether its bytes are a transfer of exactly what stands beside them, signed by the wallet's key: what comes from the
  /// database is believed no further than that.
  func isIntact(of wallet: Address) -> Bool {
    guard let signed = try? SignedTransaction(bytes: signedBytes), let payout = payouts.first, payouts.count == 1 else {
      return false
    }
    let block = referenceBlockNumber
    return signed.txid == txid && signed.signer == wallet && signed.owner == wallet
      && signed.expiration == expiration && signed.contents.feeLimit == feeLimit
      // What the bytes carry of the reference block and of the payout's reference: the journal must not learn wrong ones.
      && signed.contents.referenceBlockBytes == [
        UInt8(truncatingIfNeeded: block >> 8), UInt8(truncatingIfNeeded: block),
      ]
      && signed.contents.carries(payout.reference)
      && signed.payment == .token(payout.token, recipient: payout.recipient, amount: payout.amount)
  }

  /// Whether its times are those that its bytes name, as of a transaction that an operator found on the chain: by them it
  /// counts in this Signer's limits, and nobody's journal remembers others.
  var hasTimesOfItsBytes: Bool {
    guard let contents = (try? SignedTransaction(bytes: signedBytes))?.contents, contents.timestamp < expiration else {
      return false
    }
    return signedAt == contents.timestamp && (contents.timestamp..<expiration).contains(headTime)
  }
}
