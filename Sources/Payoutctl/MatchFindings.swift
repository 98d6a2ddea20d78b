import Ledger
import Payouts
import Tron

/// Which payout a transaction on the chain pays: equal recipient and amount, and the bits of its reference in the
/// transaction's times, which tell lost twins apart (DESIGN.md §3 point 1, "The fence"). Pure.
struct MatchFindings {
  /// What became of a transaction.
  enum Match: Sendable {
    /// It pays this payout, and nothing else does.
    case payout(PayoutRecord)
    /// Several payouts fit it, or several transactions fit the payout: a person chooses.
    case choice([PayoutRecord], rivals: [TxID])
    /// No payout that waits fits. Those that fit and have ended unpaid.
    case nobody(ended: [PayoutRecord])
  }

  /// What a person chose: the payout of a transaction.
  let chosen: [TxID: PayoutID]

  /// Matches each transaction.
  ///
  /// - Parameters:
  ///   - transfers: all that stand unexplained, so that rivals are seen.
  ///   - payouts: all that have recipient and amount of one of them.
  func match(_ transfers: [SolidTransfer], with payouts: [PayoutRecord]) -> [TxID: Match] {
    var fitting: [TxID: [PayoutRecord]] = [:]
    for transfer in transfers { fitting[transfer.signed.txid] = payouts.filter { transfer.pays($0.terms) } }
    let taken = Set(
      chosen.filter { txid, payout in fitting[txid]?.contains { $0.id == payout } ?? false }.values)
    return Dictionary(
      uniqueKeysWithValues: transfers.map { transfer in
        (transfer.signed.txid, match(transfer, transfers, fitting, taken: taken))
      })
  }

  private func match(
    _ transfer: SolidTransfer, _ all: [SolidTransfer], _ fitting: [TxID: [PayoutRecord]], taken: Set<PayoutID>
  ) -> Match {
    let txid = transfer.signed.txid
    let candidates = fitting[txid] ?? []
    let waiting = candidates.filter(\.status.waitsForAttempt)
    if let choice = chosen[txid], let payout = waiting.first(where: { $0.id == choice }) { return .payout(payout) }
    let free = waiting.filter { !taken.contains($0.id) }
    guard let first = free.first else { return .nobody(ended: candidates.filter(\.status.isUnpaidFinal)) }
    let rivals = all.filter { other in
      // What failed moved nothing: it keeps no payment from being the payment.
      other.signed.txid != txid && (transfer.hasFailed || !other.hasFailed) && chosen[other.signed.txid] == nil
        && fitting[other.signed.txid]?.contains { candidate in free.contains { $0.id == candidate.id } } ?? false
    }
    return free.count == 1 && rivals.isEmpty ? .payout(first) : .choice(free, rivals: rivals.map(\.signed.txid))
  }
}

extension SolidTransfer {
  /// Whether it was signed for a payout with these terms, as far as its bytes tell.
  func pays(_ terms: PayoutTerms) -> Bool {
    (terms.token, terms.recipient, terms.amount) == (transfer.token, transfer.to, transfer.amount)
      && signed.contents.carries(terms.reference)
  }

  /// The order to adopt it for a payout.
  func adoption(for payout: PayoutID, reason: String) -> AdoptionOrder {
    AdoptionOrder(
      payout: payout, txid: signed.txid, wallet: transfer.from, signedBytes: signed.bytes,
      referenceBlockNumber: referenceBlockNumber, expiration: signed.expiration, timestamp: signed.contents.timestamp,
      feeLimit: signed.contents.feeLimit, transfer: transfer, block: block, reason: reason)
  }
}
