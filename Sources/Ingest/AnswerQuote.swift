import Ledger
import Payouts

/// Tells what would become of a request for payouts.
enum AnswerQuote {
  /// The whole request would be accepted where each of its payouts would: all or none.
  static func quote(_ quote: Quote) -> JSONValue {
    let count = Int64(quote.payouts.count)
    return .object([
      .init("would_be", word(quote.payouts.allSatisfy(\.objections.isEmpty))),
      .init("payouts", .array(quote.payouts.map(payout))),
      .init("total_amount_usdt", .text(quote.total.description)),
      .init("estimated_energy", times(quote.cost?.energy, count).map { .integer($0) } ?? .null),
      .init("estimated_fee_trx", .text(orNull: times(quote.cost?.fee.count, count).map { Sun($0).trx })),
      .init("limits", .array(quote.full.map(limit))),
    ])
  }

  private static func word(_ isAccepted: Bool) -> JSONValue { .text(isAccepted ? "accepted" : "refused") }

  /// Nil where nothing was seen, or no number holds it.
  private static func times(_ one: Int64?, _ count: Int64) -> Int64? {
    guard let product = one?.multipliedReportingOverflow(by: count), !product.overflow else { return nil }
    return product.partialValue
  }

  private static func payout(_ payout: Quote.Payout) -> JSONValue {
    let isAccepted = payout.objections.isEmpty
    return .object([
      .init("would_be", word(isAccepted)),
      .init(
        "problems",
        .array(
          payout.objections.map { objection in
            .object([
              .init("type", .text(objection.kind.type)), .init("field", .text(orNull: objection.field)),
              .init("message", .text(objection.message)),
            ])
          })),
      .init("duplicate_of", .text(orNull: payout.twin?.description)),
      .init("estimated_confirmation", .text(orNull: isAccepted ? payout.estimate.description : nil)),
      .init("priority", .text(payout.request.priority.rawValue)),
      .init("batch_type", .text(payout.request.batchType.rawValue)),
    ])
  }

  private static func limit(_ use: LimitUse) -> JSONValue {
    .object([
      .init("router_type", .text(orNull: use.router?.rawValue)), .init("window", .text(use.span.rawValue)),
      .init("used_usdt", .text(use.used.description)), .init("limit_usdt", .text(use.limit.description)),
      .init("window_started_at", .text(use.startsAt.description)), .init("resets_at", .text(use.endsAt.description)),
    ])
  }
}
