import Ledger
import Payouts

/// Tells how the payments go.
enum AnswerStats {
  /// What was counted, beside what may be accepted.
  static func stats(_ stats: PayoutStats, _ limits: AcceptanceLimits) -> JSONValue {
    .object([
      .init("totals", .array(stats.byStatus.map { tally($0, named: "status") })),
      .init("last_24_hours", newest(stats.newest)),
      .init("amounts", amounts(stats.windows)),
      .init("limits", .array(stats.windows.compactMap { limit($0, limits) })),
      .init("queue", .array(stats.queue.map { tally($0, named: "priority") })),
      .init("routers", .array(stats.byRouter.map { tally($0, named: "router_type") })),
      .init(
        "breaker",
        .object([
          .init("open", .flag(stats.breakerState != "closed")), .init("state", .text(stats.breakerState)),
          .init("failures", .integer(stats.failuresInRow)),
          .init("last_failure", .text(orNull: stats.lastFailureAt?.description)),
        ])),
      .init("timestamp", .text(stats.at.description)),
    ])
  }

  private static func tally<Name: RawRepresentable>(_ tally: PayoutTally<Name>, named name: String) -> JSONValue
  where Name.RawValue == String {
    .object([
      .init(name, .text(tally.name.rawValue)), .init("payouts", .integer(tally.payouts)),
      .init("amount_usdt", .text(tally.amount.description)), .init("is_complete", .flag(tally.isComplete)),
    ])
  }

  private static func newest(_ newest: NewestPayouts) -> JSONValue {
    .object([
      .init("since", .text(orNull: newest.since?.description)), .init("is_complete", .flag(newest.isComplete)),
      .init("totals", .array(newest.byStatus.map { tally($0, named: "status") })),
    ])
  }

  private static func amounts(_ windows: [WindowUse]) -> JSONValue {
    func used(_ scope: WindowUse.Scope, _ span: LimitSpan) -> JSONValue {
      let window = windows.first { $0.scope == scope && $0.span == span }
      return .text((window?.used ?? .zero).description)
    }
    return .object([
      .init("accepted_this_hour_usdt", used(.accepted(nil), .hour)),
      .init("accepted_today_usdt", used(.accepted(nil), .day)),
      .init("signed_this_hour_usdt", used(.signed, .hour)), .init("signed_today_usdt", used(.signed, .day)),
    ])
  }

  /// Nil for what Signers sign, whose limit they alone know.
  private static func limit(_ window: WindowUse, _ limits: AcceptanceLimits) -> JSONValue? {
    guard case .accepted(let router) = window.scope else { return nil }
    return .object([
      .init("router_type", .text(orNull: router?.rawValue)), .init("window", .text(window.span.rawValue)),
      .init("used_usdt", .text(window.used.description)),
      .init("limit_usdt", .text(orNull: limits[window.span, of: router]?.description)),
      .init("window_started_at", .text(window.startsAt.description)),
      .init("resets_at", .text(window.endsAt.description)),
    ])
  }
}
