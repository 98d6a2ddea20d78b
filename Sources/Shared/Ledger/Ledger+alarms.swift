import Payouts
import Postgres

/// Telling people of alarms: at least once for each that stands, by one Monitor at a time.
extension Ledger {
  /// How long an alarm that was taken to be told is left to its taker, in seconds: longer than a call may last. It doubles
  /// with each time, so that a receiver that is away is not called without end.
  static let alarmLeaseSeconds: Int64 = 30
  /// The longest wait between two calls, in seconds.
  static let alarmLeaseSecondsMaximum: Int64 = 900

  /// See `MonitorLedger.takeAlarms`.
  public func takeAlarms(atMost count: Int) async throws -> [AlarmRecord] {
    try await execute(
      PostgresStatement(
        """
        WITH due AS (
          SELECT id FROM alarms
          WHERE told_at IS NULL AND acknowledged_at IS NULL AND tell_at <= ledger_now()
          ORDER BY tell_at, id LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
        ), taken AS (
          UPDATE alarms a SET tell_count = a.tell_count + 1, tell_at = ledger_now()
            + interval '1 second' * least($2 << least(a.tell_count, 30), $3)
          FROM due WHERE a.id = due.id RETURNING a.*
        )
        SELECT \(AlarmRecord.columns) FROM taken ORDER BY id
        """),
      [.int8(Int64(count)), .int8(Ledger.alarmLeaseSeconds), .int8(Ledger.alarmLeaseSecondsMaximum)]
    ).rows.map(AlarmRecord.init)
  }

  /// See `MonitorLedger.recordTold`.
  public func recordTold(_ alarm: Int64) async throws {
    _ = try await execute(
      "UPDATE alarms SET told_at = ledger_now() WHERE id = $1 AND told_at IS NULL", [.int8(alarm)])
  }
}
