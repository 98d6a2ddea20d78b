import Ledger
import Payouts
import Tron

/// Tells a payout's transaction: the body of GET /payouts/{id}/transaction, and each of POST /payouts/transactions/bulk.
struct AnswerTransaction: Sendable {
  /// Whose explorer shows it.
  let network: Network
  /// `REQUIRED_CONFIRMATIONS`.
  let requiredConfirmations: Int64

  /// The transaction as it stands. Without one, everything about it is null and its status `pending`.
  func current(_ view: PayoutView) -> JSONValue {
    let attempt = view.attempt
    let confirmations = attempt?.block.flatMap { block in
      view.conditions.headNumber.map { PayoutWaiting.confirmations(of: block, head: $0) }
    }
    let estimate = EstimateConfirmation.time(of: view, requiredConfirmations: requiredConfirmations)
    return .object([
      .init("payout_id", .text(view.record.id.description)), .init("txid", .text(orNull: attempt?.txid.description)),
      .init("status", .text(Self.status(view.record.status))), .init("confirmations", .integer(confirmations ?? 0)),
      .init("required_confirmations", .integer(requiredConfirmations)),
      .init("block_number", attempt?.block.map { .integer($0.number) } ?? .null),
      .init("block_timestamp", .text(orNull: attempt?.block?.time.description)),
      .init("energy_used", attempt?.cost.map { .integer($0.energyUsed) } ?? .null),
      .init("bandwidth_used", attempt?.cost.map { .integer($0.bandwidthUsed) } ?? .null),
      .init("fee_trx", .text(orNull: attempt?.cost?.fee.trx)),
      .init("estimated_completion", .text(orNull: estimate?.description)),
      .init("explorer_url", .text(orNull: attempt.flatMap { network.explorerURL(of: $0.txid) })),
    ])
  }

  /// Those of several payouts.
  func all(_ views: [PayoutView]) -> JSONValue { .object([.init("transactions", .array(views.map(current)))]) }

  /// A payout that goes on is pending, whatever became of an earlier attempt; one that ended unpaid here has failed.
  static func status(_ status: PayoutStatus) -> String {
    switch status {
    case .confirmed: "confirmed"
    case .failed, .rejected, .expired, .cancelled, .settledExternally: "failed"
    case .kycPending, .compliancePending, .queued, .scheduled, .signed, .broadcast, .confirming, .held: "pending"
    }
  }
}
