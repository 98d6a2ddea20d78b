public import Payouts

/// So many payouts, and what they are worth together.
public struct PayoutTally<Name: Sendable & Hashable>: Sendable, Hashable {
  /// What they have in common.
  public let name: Name
  /// How many were counted.
  public let payouts: Int64
  /// The sum of their amounts.
  public let amount: Amount
  /// Whether these are all: else the count ended at its bound, and there may be more.
  public let isComplete: Bool
}

/// The payouts that were accepted last.
public struct NewestPayouts: Sendable, Hashable {
  /// When the earliest of them was accepted; nil where there are none.
  public let since: Timestamp?
  /// Whether these are all of the last 24 hours: else there were more of them.
  public let isComplete: Bool
  /// Where they stand now: states that hold none of them are left out.
  public let byStatus: [PayoutTally<PayoutStatus>]
}

/// What is used of the windows of the present hour and day.
public struct WindowUse: Sendable, Hashable {
  /// What is counted: what was accepted in all, or for a router, or what was signed.
  public enum Scope: Sendable, Hashable {
    /// What Ingest accepted, less what has ended unpaid since; nil for all routers together.
    case accepted(RouterType?)
    /// What Signers signed, less what has ended unpaid since.
    case signed
  }

  /// What is counted.
  public let scope: Scope
  /// Which window.
  public let span: LimitSpan
  /// When it began.
  public let startsAt: Timestamp
  /// What is used of it.
  public let used: Amount

  /// When what is used begins anew.
  public var endsAt: Timestamp { startsAt.advanced(byMilliseconds: span.milliseconds) }
}

/// How the payments go, at a cost that does not grow with how many payouts there are.
public struct PayoutStats: Sendable, Hashable {
  /// When it was looked at, by the database's clock.
  public let at: Timestamp
  /// By each state but `confirmed`, whose payouts nothing counts: nearly all of them end there.
  public let byStatus: [PayoutTally<PayoutStatus>]
  /// What has not ended yet, by each router.
  public let byRouter: [PayoutTally<RouterType>]
  /// What waits in `queued`, the most urgent first.
  public let queue: [PayoutTally<Priority>]
  /// Those accepted last.
  public let newest: NewestPayouts
  /// Each scope's hour and day.
  public let windows: [WindowUse]
  /// `closed`, `open` or `half_open`.
  public let breakerState: String
  /// How many attempts have failed by no payout's own fault since one paid or the breaker was closed.
  public let failuresInRow: Int
  /// When the last such attempt of all ended.
  public let lastFailureAt: Timestamp?
}
