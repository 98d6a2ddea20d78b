public import Payouts
import Postgres

extension Ledger {
  /// The stages that are told, in the order of a payout's way.
  public static let stages: [PayoutStatus] = [.queued, .scheduled, .signed, .broadcast, .confirming, .held]

  /// See `OperatorLedger.stageDepths`.
  ///
  /// Each stage by the index that holds its rows and no others, in that index's order, so that neither a bounded count nor
  /// the oldest one costs more however many payouts there are. With statistics from before a flood, or from amid one, the
  /// server would else read all of them and sort: it is not left the choice. What waits for its window is not late: the age
  /// of `queued` begins with the window's end.
  public func stageDepths(countingAtMost maximum: Int64?) async throws -> [StageDepth] {
    let result = try await transaction { connection in
      try await connection.pipeline([
        ("SET LOCAL enable_sort = off", []), ("SET LOCAL enable_bitmapscan = off", []),
        ("SET LOCAL enable_seqscan = off", []),
        (Ledger.measureStages, [maximum.map { .int8($0) } ?? .null]),
      ])[3]
    }
    return try result.rows.map { row in
      StageDepth(
        status: try row.named("status"), count: try row.int8("count"),
        oldestAgeMilliseconds: try row.int8OrNil("age").map { max(0, $0) })
    }
  }

  private static let measureStages = PostgresStatement(
    """
    SELECT status, count, (unix_ms(ledger_now()) - unix_ms(since)) AS age
    FROM (\(stages.map(measure).joined(separator: "\nUNION ALL\n"))) stages
    """)

  private static func measure(_ stage: PayoutStatus) -> String {
    let order = stage == .queued ? "priority, window_end" : "status_since"
    let oldest =
      stage == .queued
      ? """
      SELECT min(oldest.window_end) FROM unnest(ARRAY['urgent', 'high', 'normal', 'low']) AS l (priority)
        CROSS JOIN LATERAL (
          SELECT window_end FROM payouts p
          WHERE p.status = 'queued' AND p.priority = l.priority AND p.window_end <= ledger_now()
          ORDER BY window_end LIMIT 1) oldest
      """ : "SELECT status_since FROM payouts WHERE status = '\(stage.rawValue)' ORDER BY status_since LIMIT 1"
    return """
      SELECT '\(stage.rawValue)' AS status,
        (SELECT count(*) FROM (
          SELECT FROM payouts WHERE status = '\(stage.rawValue)' ORDER BY \(order) LIMIT $1::bigint) counted) AS count,
        (\(oldest)) AS since
      """
  }
}
