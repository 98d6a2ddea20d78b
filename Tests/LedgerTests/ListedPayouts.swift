import Payouts
import TestSupport

@testable import Ledger

/// Payouts of every kind that a list tells apart, made by the server itself: a second apart, of five owners.
enum ListedPayouts {
  /// SQL for a session of its own (``PrivatePostgres/query``). Without triggers; the directory is filled as the trigger does.
  static func sql(_ count: Int) -> String {
    """
    SET session_replication_role = replica;
    CREATE TEMP TABLE listed AS
      SELECT i, lpad(to_hex(\(begin) + i * 1000), 12, '0') AS t, sha256(int8send(i)) AS r
      FROM generate_series(1::bigint, \(count)) i;
    CREATE TEMP TABLE named AS
      SELECT i, r, (substr(t, 1, 8) || '-' || substr(t, 9, 4) || '-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid AS id,
        to_timestamp((\(begin) + i * 1000) / 1000.0) AS at FROM listed;
    INSERT INTO payouts (id, reference, owner, network, token, asset, recipient, amount, router, batch_type, created_at,
      seal_version, seal_key_id, seal_signature, priority, reason, request_id, accepted_status, window_end, hour_window,
      day_window, status, external_id, node_id, session_id, beneficiary_user_id,
      client_batch_id)
    SELECT id, r, 'o' || i * 7919 % 5, 'devnet', '\\x41'::bytea || substr(r, 1, 20), 'USDT',
      '\\x41'::bytea || substr(sha256(int8send(i % 11)), 1, 20), 1,
      CASE WHEN i % 13 = 0 THEN 'kyc' ELSE 'v0' END, (ARRAY['immediate', 'hourly', 'daily', 'weekly'])[i % 4 + 1], at, 1,
      'k', r, 'normal', 'custom', 'r', 'queued', at, at, at,
      (CASE WHEN i % 97 = 0 THEN 'failed' WHEN i % 101 = 0 THEN 'rejected' WHEN i % 10 = 3 THEN 'queued'
        ELSE 'confirmed' END)::payout_status,
      CASE WHEN i % 2 = 0 THEN 'e' || i % 20 END, CASE WHEN i % 3 = 0 THEN 'n' || i % 7 END,
      CASE WHEN i % 5 = 0 THEN 's' || i / 25 END, CASE WHEN i % 6 = 0 THEN 'o' || i % 4 END,
      CASE WHEN i % 7 = 0 THEN lpad(to_hex(i / 70), 32, '0')::uuid END
    FROM named;
    INSERT INTO payout_directory
      SELECT id, owner, beneficiary_user_id, recipient, client_batch_id, external_id, node_id, session_id FROM payouts;
    ANALYZE payouts, payout_directory;
    """
  }

  /// When the first one but one second was accepted, in milliseconds.
  static let begin: Int64 = 1_800_000_000_000

  /// What they may be asked for by, `i` one of them.
  static func word(_ number: Int, _ i: Int, in filter: inout PayoutFilter, of records: [PayoutRecord]) {
    let record = records[i]
    switch number {
    case 0: filter.status = record.status
    case 1: filter.router = record.terms.router
    case 2: filter.batchType = record.terms.batchType
    case 3: filter.recipient = record.terms.recipient
    case 4: filter.externalID = record.particulars.externalID
    case 5: filter.node = record.terms.node
    case 6: filter.session = record.particulars.sessionID
    case 7: filter.createdFrom = record.terms.createdAt
    case 8: filter.createdTo = record.terms.createdAt
    default: filter.clientBatch = record.terms.clientBatch
    }
  }
}

extension PayoutFilter {
  /// Whether a payout fits, by the words of api.md.
  func fits(_ record: PayoutRecord) -> Bool {
    func same<Value: Equatable>(_ wanted: Value?, _ value: Value?) -> Bool { wanted == nil || wanted == value }
    return same(status, record.status) && same(router, record.terms.router)
      && same(batchType, record.terms.batchType) && same(clientBatch, record.terms.clientBatch)
      && same(recipient, record.terms.recipient) && same(externalID, record.particulars.externalID)
      && same(node, record.terms.node) && same(session, record.particulars.sessionID)
      && createdFrom.map { record.terms.createdAt >= $0 } ?? true
      && createdTo.map { record.terms.createdAt < $0 } ?? true
  }
}
