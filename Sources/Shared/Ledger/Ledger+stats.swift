import Payouts
import Postgres

extension Ledger {
  /// How the payments go.
  ///
  /// Each part is read by an index, in its order, and no further than its bound; as for ``stageDepths(countingAtMost:)`` the
  /// server is not left the choice to read all payouts and sort. Each is of its own moment, some milliseconds apart.
  ///
  /// - Parameter maximum: so many payouts of each state and priority, and of the newest, are looked at.
  public func stats(countingAtMost maximum: Int64) async throws -> PayoutStats {
    let results = try await transaction { connection in
      try await connection.pipeline([
        ("SET LOCAL enable_sort = off", []), ("SET LOCAL enable_bitmapscan = off", []),
        ("SET LOCAL enable_seqscan = off", []), (Ledger.countStates, [.int8(maximum)]),
        (Ledger.countQueue, [.int8(maximum)]), (Ledger.countNewest, [.int8(maximum)]), (Ledger.readWindows, []),
        (Ledger.readFailures, []),
      ])
    }
    guard results.count == 8 else { throw LedgerError(.corrupt, "an answer of the statistics is missing") }
    let counts = try results[3].rows.map(StateCount.init)
    let failures = try results[7].single()
    return PayoutStats(
      at: try failures.time("now"), byStatus: try StateCount.byStatus(counts, maximum),
      byRouter: try StateCount.byRouter(counts, maximum), queue: try Ledger.queue(results[4], maximum),
      newest: try Ledger.newest(results[5]), windows: try results[6].rows.map(WindowUse.init),
      breakerState: try failures.text("state"), failuresInRow: Int(try failures.int4("failures_in_row")),
      lastFailureAt: try failures.timeOrNil("last_failure"))
  }

  /// The states whose payouts an index holds (M015Directory).
  static let countedStates = PayoutStatus.allCases.filter { $0 != .confirmed }

  private static let countStates = PostgresStatement(
    countedStates.map { status in
      """
      SELECT '\(status.rawValue)' AS status, c.router, count(*) AS payouts, sum(c.amount)::bigint AS amount
      FROM (
        SELECT p.router, p.amount FROM payouts p WHERE p.status = '\(status.rawValue)'
        ORDER BY p.owner, p.id LIMIT $1::bigint) c
      GROUP BY c.router
      """
    }.joined(separator: "\nUNION ALL\n"))

  private static let countQueue: PostgresStatement = """
    SELECT l.priority, c.payouts, c.amount
    FROM unnest(ARRAY['urgent', 'high', 'normal', 'low']) AS l (priority) CROSS JOIN LATERAL (
      SELECT count(*) AS payouts, coalesce(sum(q.amount), 0)::bigint AS amount FROM (
        SELECT p.amount FROM payouts p WHERE p.status = 'queued' AND p.priority = l.priority
        ORDER BY p.window_end LIMIT $1::bigint) q) c
    """

  /// The order of ids is that of time.
  private static let countNewest: PostgresStatement = """
    WITH newest AS MATERIALIZED (
      SELECT p.status, p.amount, p.created_at FROM payouts p ORDER BY p.id DESC LIMIT $1::bigint)
    SELECT n.status::text AS status, count(*) AS payouts, sum(n.amount)::bigint AS amount, min(n.created_at) AS since,
      (SELECT count(*) < $1::bigint OR min(created_at) < ledger_now() - interval '24 hours' FROM newest) AS is_complete
    FROM newest n WHERE n.created_at >= ledger_now() - interval '24 hours' GROUP BY n.status
    """

  static let readWindows: PostgresStatement = """
    SELECT scope.scope, span.span, window_start(span.span, ledger_now()) AS starts_at, coalesce(w.used, 0) AS used
    FROM unnest(ARRAY['accepted', 'accepted_kyc', 'accepted_v0', 'signed']) scope
      CROSS JOIN unnest(ARRAY['hour', 'day']) span
      LEFT JOIN limit_windows w
        ON w.scope = scope.scope AND w.span = span.span AND w.starts_at = window_start(span.span, ledger_now())
    """

  private static let readFailures: PostgresStatement = """
    SELECT state, failures_in_row, ledger_now() AS now,
      (SELECT ended_at FROM attempts WHERE blame <> 'payout' ORDER BY ended_at DESC LIMIT 1) AS last_failure
    FROM breaker
    """

  private static func queue(_ result: PostgresResult, _ maximum: Int64) throws -> [PayoutTally<Priority>] {
    try result.rows.map { row in
      let count = try row.int8("payouts")
      return PayoutTally(
        name: try row.named("priority"), payouts: count, amount: try Amount(microUSDT: row.int8("amount")),
        isComplete: count < maximum)
    }
  }

  private static func newest(_ result: PostgresResult) throws -> NewestPayouts {
    let isComplete = try result.rows.first?.bool("is_complete") ?? true
    return NewestPayouts(
      since: try result.rows.map { try $0.time("since") }.min(), isComplete: isComplete,
      byStatus: try result.rows.map { row in
        PayoutTally(
          name: try row.named("status"), payouts: try row.int8("payouts"),
          amount: try Amount(microUSDT: row.int8("amount")), isComplete: isComplete)
      })
  }
}

/// The payouts of a state and a router, as far as they were counted.
private struct StateCount {
  let status: PayoutStatus
  let router: RouterType
  let payouts: Int64
  let amount: Amount

  init(_ row: PostgresRow) throws {
    status = try row.named("status")
    router = try row.named("router")
    payouts = try row.int8("payouts")
    amount = try Amount(microUSDT: row.int8("amount"))
  }

  private static func sum<Name>(_ counts: [StateCount], _ name: Name, isComplete: Bool) throws -> PayoutTally<Name> {
    PayoutTally(
      name: name, payouts: counts.reduce(0) { $0 + $1.payouts },
      amount: try counts.reduce(.zero) { try $0.adding($1.amount) }, isComplete: isComplete)
  }

  private static func isComplete(_ status: PayoutStatus, _ counts: [StateCount], _ maximum: Int64) -> Bool {
    counts.filter { $0.status == status }.reduce(0) { $0 + $1.payouts } < maximum
  }

  static func byStatus(_ counts: [StateCount], _ maximum: Int64) throws -> [PayoutTally<PayoutStatus>] {
    try Ledger.countedStates.map { status in
      try sum(counts.filter { $0.status == status }, status, isComplete: isComplete(status, counts, maximum))
    }
  }

  /// Where a state was not counted to its end, whose payouts are missing is not known.
  static func byRouter(_ counts: [StateCount], _ maximum: Int64) throws -> [PayoutTally<RouterType>] {
    let underWay = counts.filter { !$0.status.isFinal }
    let areAll = Ledger.countedStates.allSatisfy { $0.isFinal || isComplete($0, counts, maximum) }
    return try RouterType.allCases.map { router in
      try sum(underWay.filter { $0.router == router }, router, isComplete: areAll)
    }
  }
}

extension WindowUse {
  init(_ row: PostgresRow) throws {
    let scope = try row.text("scope")
    let router = RouterType.allCases.first { "accepted_\($0.rawValue)" == scope }
    self.scope = scope == "signed" ? .signed : .accepted(router)
    span = try row.named("span")
    startsAt = try row.time("starts_at")
    used = try Amount(microUSDT: row.int8("used"))
  }
}
