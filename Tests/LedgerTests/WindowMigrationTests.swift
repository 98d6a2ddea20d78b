import Logging
import Payouts
import Postgres
import TestSupport
import Testing

@testable import Ledger

/// An installation from before batch windows and limits per router goes on with what it has.
@Suite struct WindowMigrationTests {
  /// Brings an empty database to an earlier number, by the very scripts of then.
  private func schema(at number: Int32, _ url: String) async throws {
    let pool = TestLedger.pool(url)
    do {
      try await pool.executeScript(
        """
        CREATE TABLE schema_migrations (
          number integer PRIMARY KEY, name text NOT NULL, checksum bytea NOT NULL,
          applied_at timestamptz NOT NULL DEFAULT now())
        """)
      for migration in Migrator.all where migration.number <= number {
        try await pool.executeScript(migration.sql)
        _ = try await pool.execute(
          "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)",
          [.int4(migration.number), .text(migration.name), .bytes(migration.checksum)])
      }
    } catch {
      await pool.close()
      throw error
    }
    await pool.close()
  }

  // Proves that an installation at migration 4 keeps its payouts and what is used of its limits: payouts that were queued
  // then are scheduled, those in a batch stay there, and an unpaid end gives its amount back in all and to its router.
  @Test func `an installation at migration 4 keeps its payouts and what is used of its limits`() async throws {
    let url = try await PrivatePostgres.shared().createDatabase()
    try await schema(at: 4, url)
    try await withLedger(at: url) { test async throws in
      try await test.run(
        """
        INSERT INTO ledger_settings (environment, network, genesis_block_id, max_expiration_ms, clock_bound_ms)
        VALUES ('dev', 'devnet', \(Sample.sql(Sample.blockID(0).bytes)), 600000, 60000);
        INSERT INTO limit_windows (scope, span, starts_at, used)
        SELECT scope, span, window_start(span, now()), used
        FROM unnest(ARRAY['hour', 'day']) span, (VALUES ('accepted', 1000), ('signed', 70)) s (scope, used);
        INSERT INTO settlement_batches (id, router, batch_type, priority, window_end, payout_count, total_amount,
          released_at)
        VALUES (\(Sample.sql(Sample.batchID(1))), 'v0', 'immediate', 'normal', now(), 1, 400, now());
        """)
      for (number, amount) in [(1, 600), (2, 400)] {
        let reference = Sample.sql(Sample.reference(number).bytes)
        try await test.run(
          """
          INSERT INTO payout_references (reference, payout_id)
          VALUES (\(reference), \(Sample.sql(Sample.payoutID(number))));
          INSERT INTO payouts (id, reference, owner, network, token, asset, recipient, amount, router, batch_type,
            created_at, seal_version, seal_key_id, seal_signature, priority, reason, request_id, accepted_status,
            hour_window, day_window, status)
          VALUES (\(Sample.sql(Sample.payoutID(number))), \(reference), 'owner-1', 'devnet',
            \(Sample.sql(Sample.token.bytes)), 'USDT', \(Sample.sql(Sample.recipient(number).bytes)), \(amount), 'v0',
            'immediate', now(), 1, 'key', '', 'normal', 'custom', 'r', 'queued', window_start('hour', now()),
            window_start('day', now()), 'queued');
          """)
      }
      try await test.run(
        """
        UPDATE payouts SET status = 'scheduled', settlement_batch_id = \(Sample.sql(Sample.batchID(1)))
        WHERE id = \(Sample.sql(Sample.payoutID(2)))
        """)

      try await test.ledger.prepare(TestLedger.installation)
      #expect(
        try await test.rows("SELECT scope, span, used FROM limit_windows ORDER BY 1, 2") == [
          "accepted|day|1000", "accepted|hour|1000", "accepted_v0|day|1000", "accepted_v0|hour|1000", "signed|day|70",
          "signed|hour|70",
        ])
      #expect(try await test.status(Sample.payoutID(2)) == .scheduled)
      #expect(
        try await test.ledger.payouts(fitting: PayoutFilter(), readableBy: "owner-1", before: nil, limit: 9).records
          .map(\.id) == [2, 1].map { Sample.payoutID($0) })
      let batches = try await test.ledger.scheduleDue(atMost: 10, maximumPerBatch: 10) { Sample.batchID(2) }
      #expect(batches.flatMap(\.payouts) == [Sample.payoutID(1)])
      try await test.run(
        """
        INSERT INTO continuity (system_identifier, timeline, server_start, transactions_oid, transactions_file_node,
          vouched_by) SELECT s.*, 'test' FROM server_life() s;
        UPDATE payouts SET status = 'cancelled' WHERE id = \(Sample.sql(Sample.payoutID(1)));
        """)
      #expect(
        try await test.rows("SELECT scope, span, used FROM limit_windows WHERE scope <> 'signed' ORDER BY 1, 2") == [
          "accepted|day|400", "accepted|hour|400", "accepted_v0|day|400", "accepted_v0|hour|400",
        ])
    }
  }

  // Proves the fence against an Ingest from before: what it would insert, without a window, is refused.
  @Test func `a payout without a window is refused, and a window never changes`() async throws {
    try await withLedger { test async throws in
      try await test.accept([Sample.payout(1)])
      #expect(
        try await test.refusal("UPDATE payouts SET window_end = window_end + interval '1 microsecond'") == "TP002")
      #expect(try await test.refusal("UPDATE payouts SET window_end = window_end") == nil)
      #expect(
        try await test.refusal(
          """
          INSERT INTO payout_references (reference, payout_id) SELECT sha256('r'), gen_random_uuid();
          CREATE TEMP TABLE twin AS SELECT * FROM payouts;
          UPDATE twin SET window_end = NULL, reference = sha256('r'), id = gen_random_uuid();
          INSERT INTO payouts SELECT * FROM twin
          """) == "23502")
      // And the ledger itself lets nothing into a batch before its time, nor out of one.
      #expect(
        try await test.refusal(
          """
          SET LOCAL session_replication_role = replica;
          INSERT INTO settlement_batches (id, router, batch_type, priority, window_end, payout_count, total_amount)
          VALUES (\(Sample.sql(Sample.batchID(1))), 'v0', 'hourly', 'normal', now() + interval '1 hour', 1, 1);
          UPDATE payouts SET window_end = now() + interval '1 second';
          SET LOCAL session_replication_role = origin;
          UPDATE payouts SET status = 'scheduled', settlement_batch_id = \(Sample.sql(Sample.batchID(1)))
          """) == "TP001")
      #expect(
        try await test.refusal(
          """
          INSERT INTO settlement_batches (id, router, batch_type, priority, window_end, payout_count, total_amount,
            created_at, released_at)
          VALUES (\(Sample.sql(Sample.batchID(1))), 'v0', 'hourly', 'normal', now() + interval '1 hour', 1, 1, now(), now())
          """) == "released_after_its_window")
    }
  }
}
