import Payouts
import Postgres

extension Ledger {
  /// The stages that are told, in the order of a payout's way.
  static let stages: [PayoutStatus] = [.queued, .scheduled, .signed, .broadcast, .confirming, .held]

  /// See `OperatorLedger.stageDepths`.
  ///
  /// Each stage by the index that holds its rows and no others. `signed` and `broadcast` have none of their own: they are
  /// reached from the unsettled transactions, of which there are never many. OFFSET 0 keeps the server from turning that
  /// way around, which would read all finished payouts. What waits for its window is not late: the age of `queued` begins
  /// with the window's end.
  public func stageDepths() async throws -> [StageDepth] {
    let result = try await read(
      """
      WITH waiting AS (
        SELECT 'queued' AS status, count(*) AS count,
          min(greatest(status_since, window_end)) FILTER (WHERE window_end <= ledger_now()) AS since
          FROM payouts WHERE status = 'queued'
        UNION ALL
        SELECT 'scheduled', count(*), min(status_since) FROM payouts WHERE status = 'scheduled'
        UNION ALL
        SELECT 'confirming', count(*), min(status_since) FROM payouts WHERE status = 'confirming'
        UNION ALL
        SELECT 'held', count(*), min(status_since) FROM payouts WHERE status = 'held'
        UNION ALL
        SELECT p.status::text, count(*), min(p.status_since)
        FROM transactions t
          CROSS JOIN LATERAL (
            SELECT reference FROM attempts WHERE txid = t.txid AND outcome IS NULL OFFSET 0) a
          CROSS JOIN LATERAL (
            SELECT status, status_since FROM payouts WHERE reference = a.reference OFFSET 0) p
        WHERE t.status IN ('signed', 'sent', 'included', 'anomalous') AND p.status IN ('signed', 'broadcast')
        GROUP BY 1
      )
      SELECT status, count, (unix_ms(ledger_now()) - unix_ms(since)) AS age FROM waiting
      """)
    let depths = try Dictionary(
      result.rows.map { row -> (PayoutStatus, StageDepth) in
        let status: PayoutStatus = try row.named("status")
        let age = try row.int8OrNil("age").map { max(0, $0) }
        return (status, StageDepth(status: status, count: try row.int8("count"), oldestAgeMilliseconds: age))
      }
    ) { first, _ in first }
    return Ledger.stages.map {
      depths[$0] ?? StageDepth(status: $0, count: 0, oldestAgeMilliseconds: nil)
    }
  }
}
