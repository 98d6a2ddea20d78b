import Foundation

/// Payouts by the hundred thousand, made by the server itself.
public enum ManyPayouts {
  /// How many the tests of size make: 100,000, so that their neighbours get on, or what `MANY_PAYOUTS` says: 1,000,000 is
  /// the number that the Scheduler is built for, and takes minutes.
  public static let count = ProcessInfo.processInfo.environment["MANY_PAYOUTS"].flatMap { Int($0) } ?? 100_000

  /// SQL that queues payouts for router v0 and keeps vacuum away from them, the worst case for whoever walks along an
  /// index. Made without triggers: only their number matters. For `PrivatePostgres.query`, whose session ends with it.
  ///
  /// - Parameters:
  ///   - due: how many windows of these have ended an hour ago, a quarter of each priority.
  ///   - waiting: how many wait for a window that ends in a day.
  public static func queued(due: Int, waiting: Int) -> String {
    """
    SET session_replication_role = replica;
    ALTER TABLE payouts SET (autovacuum_enabled = off);
    CREATE TEMP TABLE many AS
      SELECT i, ('00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid AS id, sha256(int8send(i)) AS r
      FROM generate_series(1, \(due + waiting)) i;
    INSERT INTO payout_references (reference, payout_id) SELECT r, id FROM many;
    INSERT INTO payouts (id, reference, owner, network, token, asset, recipient, amount, router, batch_type, created_at,
      seal_version, seal_key_id, seal_signature, priority, reason, request_id, accepted_status, window_end, hour_window,
      day_window, status, expires_at)
    SELECT id, r, 'o', 'devnet', '\\x41'::bytea || substr(r, 1, 20), 'USDT', '\\x41'::bytea || substr(r, 1, 20), 1, 'v0',
      'hourly', now(), 1, 'k', r, (ARRAY['urgent', 'high', 'normal', 'low'])[i % 4 + 1], 'custom', 'r', 'queued',
      CASE WHEN i <= \(due) THEN now() - interval '1 hour' ELSE now() + interval '1 day' END, now(), now(), 'queued',
      CASE WHEN i % 10 = 0 THEN now() + interval '2 days' END
    FROM many;
    """
  }
}
