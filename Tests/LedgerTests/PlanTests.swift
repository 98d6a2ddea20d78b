import Payouts
import Postgres
import Testing

@testable import Ledger

/// The questions that are asked again and again stay cheap however many payouts there are.
@Suite struct PlanTests {
  /// 200,000 payouts, most of them finished; 60,000 transactions, most of them solid. Made without triggers: only their
  /// number matters. Nothing but the one ANALYZE changes what the planner knows.
  private static let load = """
    ALTER TABLE payouts SET (autovacuum_enabled = off);
    ALTER TABLE payout_references SET (autovacuum_enabled = off);
    ALTER TABLE payout_events SET (autovacuum_enabled = off);
    ALTER TABLE transactions SET (autovacuum_enabled = off);
    ALTER TABLE attempts SET (autovacuum_enabled = off);
    INSERT INTO settlement_batches (id, router, batch_type, priority, window_end, payout_count, total_amount, created_at,
      released_at)
    SELECT \(Sample.sql(Sample.batchID(1))), 'v0', 'immediate', 'normal', now(), 100, 100, now(), now();
    CREATE TEMP TABLE n AS SELECT i, ('00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid AS id,
      sha256(int8send(i)) AS r,
      CASE WHEN i <= 500 THEN 'queued' WHEN i <= 600 THEN 'scheduled' WHEN i <= 900 THEN 'broadcast'
           WHEN i <= 1000 THEN 'confirming' WHEN i <= 1300 THEN 'held' ELSE 'confirmed' END AS status
      FROM generate_series(1, 200000) i;
    INSERT INTO payout_references (reference, payout_id) SELECT r, id FROM n;
    INSERT INTO payouts (id, reference, owner, network, token, asset, recipient, amount, router, batch_type, created_at,
      seal_version, seal_key_id, seal_signature, priority, reason, request_id, accepted_status, window_end, hour_window,
      day_window, status, status_since, held_from, hold_reason, settlement_batch_id, expires_at)
    SELECT id, r, 'o', 'devnet', '\\x41'::bytea || substr(r, 1, 20), 'USDT', '\\x41'::bytea || substr(r, 1, 20), 1, 'v0', 'immediate', now(), 1, 'k', r,
      'normal', 'custom', 'r', 'queued', now() - interval '1 hour', now(), now(), status::payout_status, now() - interval '1 hour',
      CASE WHEN status = 'held' THEN 'queued'::payout_status END, CASE WHEN status = 'held' THEN 'x' END,
      CASE WHEN i > 500 THEN \(Sample.sql(Sample.batchID(1))) END, CASE WHEN i % 10 = 0 THEN now() END
    FROM n;
    INSERT INTO payout_events (payout_id, to_status, actor, at) SELECT id, 'queued', 'a', now() FROM n;
    INSERT INTO transactions (txid, wallet, signer, signed_bytes, reference_block_number, head_time_ms, expiration_ms,
      fee_limit_sun, signed_at, status, block_number, block_id, block_time_ms, next_broadcast_at)
    SELECT r, \(Sample.sql(Sample.wallet.bytes)), 's', decode(repeat('ab', 70), 'hex'), 1, 1, unix_ms(now()) + i, 0,
      now(), (CASE status WHEN 'broadcast' THEN 'sent' WHEN 'confirming' THEN 'included' ELSE 'solid' END)
        ::transaction_status, 101, r, 1, now() - interval '1 hour'
    FROM n WHERE i BETWEEN 601 AND 60000 AND status <> 'held';
    INSERT INTO attempts (reference, payout_id, number, txid, token, recipient, amount, outcome, ended_at)
    SELECT r, id, 1, r, '\\x41'::bytea || substr(r, 1, 20), '\\x41'::bytea || substr(r, 1, 20), 1, CASE WHEN i > 1300 THEN 'paid'::attempt_outcome END,
      CASE WHEN i > 1300 THEN now() END
    FROM n WHERE i BETWEEN 601 AND 60000 AND status <> 'held';
    """

  /// How often an index, or one of two that serve as well, was used, and how often one of the large tables was read from
  /// end to end.
  private func usage(_ index: String, _ test: TestLedger) async throws -> (index: Int64, whole: Int64) {
    _ = try await test.pool.execute("SELECT pg_stat_force_next_flush()")
    let row = try await test.pool.execute(
      """
      SELECT (SELECT sum(idx_scan)::bigint FROM pg_stat_user_indexes
                WHERE indexrelname = ANY (string_to_array($1, ' or '))) AS of_index,
        (SELECT sum(seq_scan)::bigint FROM pg_stat_user_tables
         WHERE relname IN ('payouts', 'payout_references', 'transactions', 'attempts', 'payout_events')) AS whole
      """, [.text(index)]
    ).rows[0]
    return (try row.int8("of_index"), try row.int8("whole"))
  }

  // Proves, by the server's own counts, that each question asked again and again goes through its index and reads none of
  // the large tables from end to end; on the real statements, not on copies of them.
  @Test func `claims and sweepers use their indexes on 200,000 payouts`() async throws {
    let url = try await withLedger { test async throws in
      try await test.force(Self.load)
      // So many rows are read for the statistics that none is left to chance.
      try await test.run("SET LOCAL default_statistics_target = 1000; ANALYZE")
      return test.url
    }
    // The time of the test is read after the loading, which takes long on a busy machine.
    try await withLedger(at: url, connectionLimit: 1) { test async throws in
      let ledger = test.ledger
      let later = test.now.advanced(byMilliseconds: 3_600_000)
      let txid = TxID(exactly: [UInt8](repeating: 0, count: 32))
      let steps: [(String, String, () async throws -> Int)] = [
        ("due", "payouts_in_turn", { try await ledger.duePayouts(atMost: 100).count }),
        (
          "schedule due", "payouts_in_turn",
          { try await ledger.scheduleDue(atMost: 100, maximumPerBatch: 100) { Sample.batchID(8) }.count }
        ),
        (
          "to sign", "payouts_scheduled or payouts_under_way",
          { try await ledger.batchesToSign(waitingFor: 1_000, atMost: 100).count }
        ),
        ("expire", "payouts_expiring", { try await ledger.expire(atMost: 20).count }),
        (
          "confirm", "payouts_under_way",
          { try await ledger.confirm(headNumber: 200, requiredConfirmations: 19, atMost: 100).count + 1 }
        ),
        (
          "sign", "payouts_scheduled", { if case .done(let signed, _, _) = try await test.sign() { signed } else { 0 } }
        ),
        (
          // Both hold few rows; which one serves depends on how many have expired by the test's time.
          "in flight", "transactions_to_broadcast or transactions_unsettled",
          {
            _ = try await test.sign(); return 1
          }
        ),
        ("take", "transactions_to_broadcast or transactions_unsettled", { try await test.take(atMost: 50).count }),
        (
          "unjudged", "transactions_unsettled",
          {
            try await test.solid(101, at: later)
            return try await ledger.unjudged(atMost: 50).count
          }
        ),
        (
          "settle", "attempts_by_txid",
          {
            try await ledger.settle([txid: .dead], retryDelayMilliseconds: 0); return 1
          }
        ),
        ("head", "transactions_pkey", { try await test.head(101, [txid], branch: 1) ? 1 : 0 }),
        ("undo", "transactions_included", { try await ledger.undoHead(above: 100)?.count ?? 0 }),
        ("known", "transactions_pkey", { try await ledger.known([txid]).count + 1 }),
        (
          "accept", "payout_references_pkey",
          {
            try await test.accept([Sample.payout(1)]); return 1
          }
        ),
        (
          "schedule", "payouts_pkey",
          { try await ledger.schedule([Sample.payoutID(1)], maximumPerBatch: 1) { Sample.batchID(9) }.count }
        ),
        ("held", "payouts_held", { try await ledger.heldPayouts(atMost: 100).count }),
        ("depths of queued", "payouts_in_turn", { try await ledger.stageDepths(countingAtMost: 10_000).count }),
        ("depths", "payouts_under_way", { try await ledger.stageDepths(countingAtMost: 10_000).count }),
        ("depths of held", "payouts_held", { try await ledger.stageDepths(countingAtMost: nil).count }),
        ("attempts", "attempts_by_payout", { try await ledger.attempts(of: Sample.payoutID(1)).count + 1 }),
        (
          "longest life", "transactions_life",
          {
            let request = QuarantineRequest(signer: TestLedger.signer, cause: .bothStarted, reason: "a test")
            return try await ledger.requestQuarantine(request) == .requested ? 1 : 0
          }
        ),
        ("history", "payout_events_by_payout", { try await ledger.history(of: Sample.payoutID(1)).count }),
      ]
      for (name, index, step) in steps {
        // Often enough that the server may change from plans for one value to a plan for all.
        let before = try await usage(index, test)
        #expect(try await step() > 0, "\(name) found nothing")
        let after = try await usage(index, test)
        #expect(after.index > before.index, "\(name) does not use \(index)")
        #expect(after.whole == before.whole, "\(name) reads a large table from end to end")
      }
    }
  }
}
