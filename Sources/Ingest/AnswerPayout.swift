import Ledger
import Payouts

/// Tells a payout: the body of POST /payouts and of GET /payouts/{id} (api.md "Response").
struct AnswerPayout: Sendable {
  /// `REQUIRED_CONFIRMATIONS`.
  let requiredConfirmations: Int64

  /// The answer to the request that created it, told from what never changes: a replay is the same, byte for byte.
  func created(_ record: PayoutRecord) -> JSONValue {
    let time = record.terms.createdAt
    let windowEnd = EstimateConfirmation.windowEnd(ofAccepted: record)
    let waiting = PayoutWaiting(
      acceptedAs: record.acceptedStatus, batchType: record.terms.batchType, windowEnd: windowEnd, at: time)
    return .object(
      members(
        record.terms, record.particulars, status: record.acceptedStatus, settlementBatch: nil, holdReason: nil,
        waiting: waiting, txid: nil,
        estimate: EstimateConfirmation.time(ofAccepted: record, requiredConfirmations: requiredConfirmations)))
  }

  /// Where it stands now, with its history.
  func current(_ view: PayoutView) -> JSONValue {
    .object(members(view) + [.init("history", .array(view.history.map(Self.event)))])
  }

  /// A page of payouts as they stand now, without their histories.
  func page(_ views: [PayoutView], next: String?) -> JSONValue {
    .object([
      .init("payouts", .array(views.map { .object(members($0)) })), .init("next_cursor", .text(orNull: next)),
    ])
  }

  /// Payouts as they stand now, without their histories, where nothing follows.
  func all(_ views: [PayoutView]) -> JSONValue {
    .object([.init("payouts", .array(views.map { .object(members($0)) }))])
  }

  private func members(_ view: PayoutView) -> [JSONValue.Member] {
    let record = view.record
    let waiting = PayoutWaiting(
      record, attempts: view.attempts, conditions: view.conditions, requiredConfirmations: requiredConfirmations)
    return members(
      record.terms, record.particulars, status: record.status, settlementBatch: record.settlementBatch,
      holdReason: record.holdReason, waiting: waiting, txid: view.attempt?.txid,
      estimate: EstimateConfirmation.time(of: view, requiredConfirmations: requiredConfirmations))
  }

  private func members(
    _ terms: PayoutTerms, _ particulars: PayoutParticulars, status: PayoutStatus, settlementBatch: BatchID?,
    holdReason: String?, waiting: PayoutWaiting?, txid: TxID?, estimate: Timestamp?
  ) -> [JSONValue.Member] {
    [
      .init("payout_id", .text(terms.id.description)), .init("status", .text(status.rawValue)),
      .init("message", .text(Self.message(status))), .init("amount_usdt", .text(terms.amount.description)),
      .init("recipient_address", .text(terms.recipient.description)),
      .init("router_used", .text(terms.router.rawValue)), .init("priority", .text(particulars.priority.rawValue)),
      .init("batch_type", .text(terms.batchType.rawValue)),
      .init("batch_id", .text(orNull: terms.clientBatch?.description)),
      .init("settlement_batch_id", .text(orNull: settlementBatch?.description)),
      .init("external_id", .text(orNull: particulars.externalID)), .init("hold_reason", .text(orNull: holdReason)),
      .init("waiting_for", waiting.map(Self.waitingFor) ?? .null), .init("txid", .text(orNull: txid?.description)),
      .init("created_at", .text(terms.createdAt.description)),
      .init("estimated_confirmation", .text(orNull: estimate?.description)),
    ]
  }

  private static func waitingFor(_ waiting: PayoutWaiting) -> JSONValue {
    .object([
      .init("what", .text(waiting.what.rawValue)), .init("since", .text(waiting.since.description)),
      .init("detail", .text(waiting.detail)),
    ])
  }

  private static func event(_ event: PayoutEvent) -> JSONValue {
    .object([
      .init("status", .text(event.to.rawValue)), .init("from", .text(orNull: event.from?.rawValue)),
      .init("at", .text(event.at.description)), .init("note", .text(orNull: event.note)),
    ])
  }

  /// One sentence a state, for people.
  static func message(_ status: PayoutStatus) -> String {
    switch status {
    case .kycPending: "Accepted; it waits for the identity check of its node."
    case .compliancePending: "Accepted; it waits for a compliance signature."
    case .queued: "Accepted; it will be put into a batch."
    case .scheduled: "In a batch; it will be signed."
    case .signed: "Signed; its transaction will be broadcast."
    case .broadcast: "Broadcast; its transaction waits for a block."
    case .confirming: "In a block; it gathers confirmations."
    case .held: "Held; a person decides."
    case .confirmed: "Paid and confirmed."
    case .failed: "Failed; no money moved."
    case .rejected: "Rejected; no money moved."
    case .expired: "Expired before it was signed; no money moved."
    case .cancelled: "Cancelled before it was signed; no money moved."
    case .settledExternally: "Settled by an operator in another way."
    }
  }
}
