import Payouts
import Postgres

/// What a vouching does where the log of intents cannot tell what a rollback took (DESIGN.md §3 "Continuity").
extension Ledger {
  /// Holds all that waits unsigned: nobody can say any more whether it ended, and paying what was settled another way
  /// would be paying twice. Does nothing where no rollback was seen, or where this life of the server was dealt with.
  ///
  /// The checkpoint moves to the end of what is left, so that this happens once in a life.
  static func holdUnproven(upTo lastID: String?, on connection: PostgresConnection) async throws {
    let seen = try await connection.execute(rollbackWasSeen, []).single()
    guard try seen.bool("rollback") else { return }
    let held = try await connection.execute(
      """
      UPDATE payouts p SET status = 'held', held_from = status, hold_reason = $1,
        note = 'the database went back in time and the log of intents is gone: it may have ended'
      WHERE status IN ('kyc_pending', 'compliance_pending', 'queued', 'scheduled')
        AND NOT EXISTS (SELECT FROM attempts a
                        WHERE a.reference = p.reference AND (a.outcome IS NULL OR a.outcome = 'paid'))
      """, [.text(HoldReason.historyUnproven.rawValue)])
    // One that a person had held may have been settled outside in the lost part: its old reason must not let it go.
    let marked = try await connection.execute(
      """
      UPDATE payouts SET hold_reason = $1, note = concat_ws('; it was held before: ',
        'the database went back in time and the log of intents is gone: it may have ended', hold_reason)
      WHERE status = 'held' AND hold_reason IS DISTINCT FROM $1
      """, [.text(HoldReason.historyUnproven.rawValue)])
    try await storeIntentCheckpoint(lastID ?? "0-0", on: connection)
    try await raiseAlarm(
      HoldReason.historyUnproven.rawValue, "database",
      "the database went back in time and the log of intents does not reach back to it: \(held.affectedRows) unsigned "
        + "payouts are held, \(marked.affectedRows) were before; acceptances may be lost: compare with your clients' books, then release or reject each",
      on: connection)
  }

  /// Anything put back since the server started, from a journal or from the log, or another server, timeline or table than
  /// at the last vouching of an earlier life. A mere restart is none of these.
  private static let rollbackWasSeen: PostgresStatement = PostgresStatement(
    """
    SELECT NOT EXISTS (SELECT FROM intent_checkpoint c WHERE \(checkpointIsOfPresentLife)) AND (
        EXISTS (SELECT FROM put_backs WHERE at >= s.server_start)
        OR EXISTS (SELECT FROM intent_replays WHERE at >= s.server_start)
        OR coalesce((
          SELECT (v.system_identifier, v.timeline, v.transactions_oid, v.transactions_file_node)
            <> (s.system_identifier, s.timeline, s.transactions_oid, s.transactions_file_node)
          FROM vouchings v
          WHERE (v.system_identifier, v.timeline, v.server_start, v.transactions_oid, v.transactions_file_node)
            <> (s.system_identifier, s.timeline, s.server_start, s.transactions_oid, s.transactions_file_node)
          ORDER BY v.id DESC LIMIT 1), false)) AS rollback
    FROM server_life() s
    """)
}
