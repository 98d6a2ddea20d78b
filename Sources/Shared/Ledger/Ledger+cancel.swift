public import Payouts
import Postgres

/// What came of withdrawing a payout.
public enum CancelOutcome: Sendable, Hashable {
  /// It has ended `cancelled`, now or when it was asked for before.
  case cancelled(PayoutRecord)
  /// It does not wait for its signature any more, or is held. Nothing was changed.
  case tooLate(PayoutStatus)
  /// A transaction may have paid it: one of its reference, or one that nobody has claimed. Nothing was changed.
  case mayBePaid
  /// Nothing ends unpaid while the history is not vouched for (DESIGN.md §3 "Continuity"). Nothing was changed.
  case historyNotTrusted
  /// There is no such payout.
  case unknownPayout
}

extension Ledger {
  /// See `IngestLedger.cancel`.
  ///
  /// The row is locked first and read after: whoever signs it holds it meanwhile. A journal's put-back makes attempts before
  /// it comes to the row; until that is committed nothing is trusted, or the finding that is adopted is unexplained.
  public func cancel(_ id: PayoutID, note: String) async throws -> CancelOutcome {
    try await transaction { connection in
      let result = try await connection.pipeline([
        ("SELECT FROM payouts WHERE id = $1 FOR UPDATE", [.uuid(id.bytes)]), (readForCancel, [.uuid(id.bytes)]),
      ])[1]
      guard let row = result.rows.first else { return .unknownPayout }
      let record = try PayoutRecord(row)
      switch record.status {
      case .cancelled: return .cancelled(record)
      case .kycPending, .compliancePending, .queued, .scheduled: break
      case .signed, .broadcast, .confirming, .held, .confirmed, .failed, .rejected, .expired, .settledExternally:
        return .tooLate(record.status)
      }
      guard try row.bool("is_trusted") else { return .historyNotTrusted }
      guard try !row.bool("may_be_paid") else { return .mayBePaid }
      let changed = try await connection.execute(
        PostgresStatement(
          """
          UPDATE payouts p SET status = 'cancelled', note = $2 WHERE id = $1 AND status = $3::payout_status
          RETURNING \(PayoutRecord.columns)
          """), [.uuid(id.bytes), .text(note), .text(record.status.rawValue)])
      return .cancelled(try PayoutRecord(changed.single()))
    }
  }

  private var readForCancel: PostgresStatement {
    PostgresStatement(
      """
      SELECT \(PayoutRecord.columns), history_is_trusted() AS is_trusted,
        \(Ledger.unclaimedTransferMayHavePaid) OR EXISTS (
          SELECT FROM attempts a WHERE a.reference = p.reference AND (a.outcome IS NULL OR a.outcome = 'paid')
        ) AS may_be_paid
      FROM payouts p WHERE p.id = $1
      """)
  }
}
