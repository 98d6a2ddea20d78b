import Ledger
import Payouts
import Postgres
import Testing

/// What the database itself refuses about all other rows, and what it writes down by itself.
@Suite struct RowGuardTests {
  /// Another valid value for each column that the seal covers, and for those that belong to the acceptance.
  static let sealedChanges = [
    "id = gen_random_uuid()", "reference = sha256('x')", "owner = 'x'", "network = 'nile'",
    "token = substr(sha256('x'), 1, 21)", "asset = 'x'", "recipient = substr(sha256('x'), 1, 21)", "amount = 1",
    "router = 'kyc'", "batch_type = 'daily'", "client_batch_id = gen_random_uuid()", "node_id = 'x'",
    "kyc_hash = sha256('x')", "created_at = now()", "expires_at = now()", "seal_version = 2", "seal_key_id = 'x'",
    "seal_signature = 'x'", "beneficiary_user_id = 'x'", "external_id = 'x'", "session_id = 'x'",
    "accepted_status = 'kyc_pending'", "hour_window = now()", "day_window = now()",
  ]

  // Proves that what was accepted stays as it was, column by column, in a state that changes and in one that does not.
  @Test func `sealed columns cannot change`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(1)
      for change in Self.sealedChanges {
        #expect(try await test.refusal("UPDATE payouts SET \(change)") == "TP002", "\(change)")
        #expect(try await test.refusal("UPDATE payouts SET status = 'cancelled', \(change)") == "TP002", "\(change)")
      }
      try await test.run("UPDATE payouts SET note = 'a word', not_before = now()")
    }
  }

  // Proves that no table of the ledger loses a row by DELETE or TRUNCATE, but for the head's branch, which forks undo.
  // The list is the database's own, so that a table that is added later must be thought of.
  @Test func `nothing is deleted or truncated`() async throws {
    try await withLedger { test async throws in
      let tables = try await test.rows(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
      #expect(tables.count == 43)
      for table in tables where !["chain_blocks", "schema_migrations"].contains(table) {
        #expect(try await test.refusal("DELETE FROM \(table)") == "TP005", "\(table)")
        #expect(try await test.refusal("TRUNCATE \(table) CASCADE") == "TP005", "\(table)")
      }
    }
  }

  // Proves that history and names are written once: events, put-backs, vouchings, wallets, client batches;
  // a journal only where a quarantine has ended.
  @Test func `what is only ever added cannot be changed`() async throws {
    try await withLedger { test async throws in
      try await test.schedule(1)
      for change in [
        "payout_events SET note = 'x'", "put_backs SET signer = 'x'", "vouchings SET put_back = 5",
        "wallets SET begin_block_number = 1",
        "client_batches SET owner = 'x'", "intent_replays SET ends = 5",
        "payout_directory SET owner = 'x'",
      ] {
        #expect(try await test.refusal("UPDATE \(change)") == "TP005", "\(change)")
      }
      for change in ["journal_id = decode(repeat('00', 16), 'hex')", "signer = 'x'", "declared_at = now()"] {
        #expect(try await test.refusal("UPDATE journals SET \(change)") == "TP002", "\(change)")
      }
      for change in [
        "reference = sha256('x')", "payout_id = gen_random_uuid()", "owner = 'x'", "claimed_at = now()",
        "request_fingerprint = sha256('x')",
      ] {
        #expect(try await test.refusal("UPDATE payout_references SET \(change)") == "TP002", "\(change)")
      }
    }
  }

  // Proves that an API key is revoked once and nothing else of it changes, and that none goes beyond its role, by the
  // program's own table.
  @Test func `an API key is revoked once, and stays within its role`() async throws {
    try await withLedger { test async throws in
      func insert(_ role: CallerRole, _ permissions: String) -> String {
        """
        INSERT INTO api_keys (id, secret_digest, name, owner, role, permissions, node_ids, created_by, created_proof,
          seal_key_id, seal_signature)
        VALUES (decode('00112233445566aa', 'hex'), sha256('x'), 'n', 'o', '\(role.rawValue)', '\(permissions)', '{}', 'r',
          'jwt', 'k', decode(repeat('00', 64), 'hex'))
        """
      }
      for role in CallerRole.allCases {
        let stored = try await test.rows("SELECT unnest(role_permissions('\(role.rawValue)')) AS permission")
        #expect(Set(stored) == Set(role.permissions.map(\.rawValue)) && stored.count == role.permissions.count)
        let others = CallerPermission.allCases.filter { !role.permissions.contains($0) }
        for permissions in others.map({ "{payment:read,\($0.rawValue)}" }) + ["{}", "{payment:all}", "{NULL}"] {
          #expect(
            try await test.refusal(insert(role, permissions)) == "api_key_within_its_role", "\(role) \(permissions)")
        }
      }
      try await test.run(insert(.service, "{payment:read}"))
      let changes = [
        "id = decode('00', 'hex')", "secret_digest = sha256('y')", "name = 'x'", "owner = 'x'", "role = 'end_user'",
        "permissions = '{payment:list}'", "node_ids = '{n}'", "created_by = 'x'", "created_at = now()",
        "expires_at = now() + interval '1 day'", "created_proof = 'gateway'", "seal_key_id = 'x'",
        "seal_signature = decode(repeat('01', 64), 'hex')",
      ]
      for change in changes + ["revoked_at = NULL"] + changes.map({ "revoked_at = now(), revoked_by = 'r', \($0)" }) {
        #expect(try await test.refusal("UPDATE api_keys SET \(change)") == "TP002", "\(change)")
      }
      try await test.run("UPDATE api_keys SET revoked_at = now(), revoked_by = 'r'")
      for change in changes + ["revoked_at = NULL", "revoked_at = now(), revoked_by = 'r'"] {
        #expect(try await test.refusal("UPDATE api_keys SET \(change)") == "TP002", "\(change)")
      }
    }
  }

  // Proves that the clock can be moved in dev only, and that no other installation becomes dev by a statement.
  @Test func `the clock can be moved in dev only`() async throws {
    try await withLedger { test async throws in
      try await test.run("UPDATE ledger_settings SET clock_offset_ms = 3600000")
      let moved = try await test.value("SELECT round(extract(epoch FROM ledger_now() - now()))::int")
      #expect(moved == "3600")
      for environment in ["staging", "production"] {
        try await test.force("UPDATE ledger_settings SET clock_offset_ms = 0, environment = '\(environment)'")
        #expect(
          try await test.refusal("UPDATE ledger_settings SET clock_offset_ms = 1") == "clock_offset_only_in_dev")
        #expect(
          try await test.refusal("UPDATE ledger_settings SET environment = 'dev', clock_offset_ms = 1") == "TP002")
      }
      for change in ["network = 'mainnet'", "genesis_block_id = sha256('x')"] {
        #expect(try await test.refusal("UPDATE ledger_settings SET \(change)") == "TP002", "\(change)")
      }
    }
  }

  // Proves that each change has its event with its actor, in the same database transaction, and no event without it.
  @Test func `every change writes one event, with its actor, in its own transaction`() async throws {
    try await withLedger { test async throws in
      try await test.signed(2)
      let history = try await test.ledger.history(of: Sample.payoutID(1))
      #expect(history.map(\.from) == [nil, .queued, .scheduled])
      #expect(history.map(\.to) == [.queued, .scheduled, .signed])
      #expect(history.allSatisfy { $0.actor == TestLedger.actor })
      #expect(history.last?.note == "txid \(test.txid(1))")
      #expect(
        try await test.value(
          "SELECT count(*) FROM payout_events e JOIN payouts p ON p.id = e.payout_id AND p.xmin = e.xmin") == "2")
      try await test.run("UPDATE payouts SET note = 'no change of state'")
      let undone = """
        SET LOCAL application_name = 'somebody';
        UPDATE payouts SET status = 'held', held_from = 'signed', hold_reason = 'why', note = 'more';
        """
      #expect(try await test.refusal(undone + "SELECT 1/0") == "22012")
      #expect(try await test.ledger.history(of: Sample.payoutID(1)).count == 3)
      try await test.run(undone)
      let held = try await test.ledger.history(of: Sample.payoutID(2))
      #expect(held.count == 4)
      #expect(held.last?.actor == "somebody")
      #expect(held.last?.note == "why: more")
    }
  }

  // Proves that an unpaid end gives its amount back once, into the windows it was taken from, whatever the hour is now.
  @Test func `limits are released exactly once into the same windows`() async throws {
    try await withLedger { test async throws in
      try await test.accept(try (1...3).map { try Sample.payout($0, amount: 1_000) })
      // The next day: other windows are the present ones.
      try await test.run("UPDATE ledger_settings SET clock_offset_ms = 86400000")
      try await test.accept([try Sample.payout(4, amount: 10)])
      #expect(try await test.used("accepted") == ["hour": 3_010, "day": 3_010])
      try await test.run(
        "UPDATE payouts SET status = 'cancelled' WHERE id = \(Sample.sql(Sample.payoutID(1)))")
      let windows = "SELECT used FROM limit_windows WHERE scope = 'accepted' ORDER BY span, starts_at"
      #expect(try await test.rows(windows) == ["2000", "10", "2000", "10"])
      // Changing it again in any way releases nothing more.
      try await test.run("UPDATE payouts SET note = 'again', status = status")
      #expect(try await test.rows(windows) == ["2000", "10", "2000", "10"])
      try await test.run("UPDATE payouts SET status = 'rejected' WHERE status = 'queued'")
      #expect(try await test.rows(windows) == ["0", "0", "0", "0"])
      #expect(try await test.used("accepted_v0") == ["hour": 0, "day": 0])
    }
  }

  // Proves that Signer's windows count attempts while they are live or paid, in the window they were signed in.
  @Test func `signer's windows count attempts`() async throws {
    try await withLedger { test async throws in
      try await test.signed(3)
      #expect(try await test.used("signed") == ["hour": 3_000_000, "day": 3_000_000])
      try await test.run("UPDATE ledger_settings SET clock_offset_ms = 86400000")
      try await test.ledger.settle(
        [
          test.txid(1): .dead, test.txid(2): .failedOnChain(test.place(101), Sample.cost, result: "REVERT"),
          test.txid(3): .paid(test.place(101), Sample.cost),
        ], retryDelayMilliseconds: 0)
      #expect(try await test.used("signed") == ["hour": 1_000_000, "day": 1_000_000])
      // Both are signed again, a day later: their second attempts count in the new windows.
      try await test.blame(.passed)
      try await test.sign(lifeMilliseconds: 60_000)
      #expect(
        try await test.rows("SELECT used FROM limit_windows WHERE scope = 'signed' ORDER BY span, starts_at")
          == ["1000000", "2000000", "1000000", "2000000"])
    }
  }
}
