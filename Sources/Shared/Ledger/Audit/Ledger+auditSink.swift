import Postgres

/// The chain of audit records, from its beginning, and how far it was delivered.
///
/// What is delivered is read in one short transaction that takes it for a while, posted outside of any, and then
/// recorded by compare-and-set: nothing is skipped, and what was posted by somebody who then died is posted again.
extension Ledger: AuditSinkLedger {
  private static let auditsBehind = PostgresStatement(
    "SELECT \(AuditRecord.columns) FROM audit_records l WHERE l.sequence > $1 ORDER BY l.sequence LIMIT $2",
    readsOnly: true)

  /// See `AuditChainLedger.audits(after:limit:)`.
  public func audits(after sequence: Int64, limit: Int) async throws -> [LinkedAudit] {
    try await execute(Ledger.auditsBehind, [.int8(sequence), .int8(Int64(limit))]).rows.map(LinkedAudit.init)
  }

  /// See `AuditChainLedger.deliveredAudits`.
  public func deliveredAudits() async throws -> Int64 {
    try await read("SELECT sequence FROM audit_sink").single().int8("sequence")
  }

  /// See `AuditSinkLedger.takeAudits`.
  public func takeAudits(leaseMilliseconds: Int64, atMost count: Int) async throws -> AuditBatch? {
    try await transaction { connection in
      let taken = try await connection.execute(Ledger.takeSink, [.int8(leaseMilliseconds)])
      guard let row = taken.rows.first else { return nil }
      let after = try row.int8("sequence")
      let audits = try await connection.execute(Ledger.auditsBehind, [.int8(after), .int8(Int64(count))])
      return AuditBatch(audits: try audits.rows.map(LinkedAudit.init), after: after, claim: try row.int8("claims"))
    }
  }

  /// Only where there is something, so that an idle Monitor writes nothing.
  private static let takeSink: PostgresStatement = """
    UPDATE audit_sink SET claims = claims + 1, taken_until = ledger_now() + $1 * interval '1 millisecond'
    WHERE only_row = (
      SELECT k.only_row FROM audit_sink k
      WHERE k.taken_until <= ledger_now() AND EXISTS (SELECT FROM audit_records r WHERE r.sequence > k.sequence)
      FOR UPDATE OF k SKIP LOCKED)
    RETURNING sequence, claims
    """

  /// See `AuditSinkLedger.recordDelivered`.
  public func recordDelivered(_ batch: AuditBatch) async throws -> Bool {
    guard let last = batch.audits.last else { return false }
    let moved = try await execute(
      """
      UPDATE audit_sink SET sequence = $3, moved_at = ledger_now(), taken_until = ledger_now()
      WHERE sequence = $1 AND claims = $2
      """, [.int8(batch.after), .int8(batch.claim), .int8(last.link.sequence)])
    return moved.affectedRows == 1
  }

  /// See `AuditSinkLedger.giveBack`.
  public func giveBack(_ batch: AuditBatch) async throws {
    _ = try await execute("UPDATE audit_sink SET taken_until = ledger_now() WHERE claims = $1", [.int8(batch.claim)])
  }

  /// See `AuditSinkLedger.auditSinkDepth`.
  public func auditSinkDepth() async throws -> AuditSinkDepth {
    let row = try await read(
      """
      SELECT coalesce(newest.sequence, 0) - s.sequence AS waiting,
        coalesce(unix_ms(ledger_now()) - unix_ms(oldest.at), 0) AS age
      FROM audit_sink s LEFT JOIN LATERAL (
        SELECT r.sequence FROM audit_records r WHERE r.sequence IS NOT NULL ORDER BY r.sequence DESC LIMIT 1
      ) newest ON true LEFT JOIN LATERAL (
        SELECT r.at FROM audit_records r WHERE r.sequence > s.sequence ORDER BY r.sequence LIMIT 1
      ) oldest ON true
      """
    ).single()
    return AuditSinkDepth(
      waitingCount: max(0, try row.int8("waiting")), oldestAgeMilliseconds: max(0, try row.int8("age")))
  }
}
