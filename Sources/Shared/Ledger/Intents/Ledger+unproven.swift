import Payouts
import Postgres

/// What a vouching does where the log of intents cannot tell what a rollback took (DESIGN.md §3 "Continuity").
extension Ledger {
  private static let mayHaveEnded = "the database went back in time and the log of intents is gone: it may have ended"

  /// See `SignerLedger.holdUnproven(atMost:)`.
  public func holdUnproven(atMost count: Int) async throws -> Bool {
    try await transaction { connection in
      // Not beside a vouching that does the same: what is accepted after that one is proven.
      try await Ledger.lockVouching(on: connection)
      guard try await Ledger.wasRollbackSeen(on: connection) else { return false }
      return try await Ledger.hold(atMost: Int64(count), on: connection).contains { $0 == count }
    }
  }

  /// Holds all that waits unsigned: nobody can say any more whether it ended, and paying what was settled another way
  /// would be paying twice. What is signed is held once its attempt has ended unpaid. Does nothing where no rollback was
  /// seen, or where this life of the server was dealt with.
  ///
  /// Each of the three rules looks anew: what goes from signed to unsigned, or is released, between two of them would escape
  /// them all. So nobody changes a payout, or holds one's row, until this is committed; whoever did is done before the first
  /// rule looks.
  ///
  /// The checkpoint moves to the end of what is left, so that this happens once in a life. Most was held before, some at a
  /// time (`holdUnproven(atMost:)`).
  static func holdUnproven(upTo lastID: String?, on connection: PostgresConnection) async throws {
    guard try await wasRollbackSeen(on: connection) else { return }
    _ = try await connection.execute("LOCK TABLE payouts IN EXCLUSIVE MODE", [])
    _ = try await hold(atMost: .max, on: connection)
    try await storeIntentCheckpoint(lastID ?? "0-0", on: connection)
    let counts = try await connection.execute(
      """
      SELECT count(*) FILTER (WHERE status = 'held') AS held, count(*) FILTER (WHERE status <> 'held') AS signed
      FROM payouts WHERE status = 'held' AND hold_reason = $1
        OR is_unproven AND status IN ('signed', 'broadcast', 'confirming')
      """, [.text(HoldReason.historyUnproven.rawValue)]
    ).single()
    try await raiseAlarm(
      HoldReason.historyUnproven.rawValue, "database",
      "the database went back in time and the log of intents does not reach back to it: \(try counts.int8("held")) "
        + "unsigned payouts are held, and \(try counts.int8("signed")) signed ones will be if their transactions do not "
        + "pay; acceptances may be lost: compare with your clients' books, then release or reject each",
      on: connection)
  }

  /// The rows are chosen in a list of their own, which PostgreSQL makes once whatever its plan; inside IN it may choose anew
  /// for each row that it looks at.
  ///
  /// - Returns: how many rows each of the three rules has changed.
  private static func hold(atMost count: Int64, on connection: PostgresConnection) async throws -> [Int] {
    let parameters: [PostgresParameter] = [
      .int8(count), .text(HoldReason.historyUnproven.rawValue), .text(mayHaveEnded),
    ]
    return try await connection.pipeline([
      (
        """
        WITH chosen AS MATERIALIZED (
          SELECT id FROM payouts p WHERE status IN ('kyc_pending', 'compliance_pending', 'queued', 'scheduled')
            AND NOT EXISTS (SELECT FROM attempts a
                            WHERE a.reference = p.reference AND (a.outcome IS NULL OR a.outcome = 'paid'))
          ORDER BY id LIMIT $1 FOR UPDATE)
        UPDATE payouts SET status = 'held', held_from = status, hold_reason = $2, note = $3
        FROM chosen WHERE payouts.id = chosen.id
        """, parameters
      ),
      // One that a person had held may have been settled outside in the lost part: its old reason must not let it go.
      (
        """
        WITH chosen AS MATERIALIZED (
          SELECT id FROM payouts WHERE status = 'held' AND hold_reason IS DISTINCT FROM $2
          ORDER BY id LIMIT $1 FOR UPDATE)
        UPDATE payouts SET hold_reason = $2, note = concat_ws('; it was held before: ', $3::text, hold_reason)
        FROM chosen WHERE payouts.id = chosen.id
        """, parameters
      ),
      // In the lost part its attempt may have died, and a person settled it outside.
      (
        """
        WITH chosen AS MATERIALIZED (
          SELECT id FROM payouts WHERE status IN ('signed', 'broadcast', 'confirming') AND NOT is_unproven
          ORDER BY id LIMIT $1 FOR UPDATE)
        UPDATE payouts SET is_unproven = true FROM chosen WHERE payouts.id = chosen.id
        """, [.int8(count)]
      ),
    ]).map(\.affectedRows)
  }

  private static func wasRollbackSeen(on connection: PostgresConnection) async throws -> Bool {
    try await connection.execute(rollbackWasSeen, []).single().bool("rollback")
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
