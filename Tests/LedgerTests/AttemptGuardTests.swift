import Payouts
import Postgres
import Testing

/// What the database itself refuses about transactions and attempts.
@Suite struct AttemptGuardTests {
  /// Stores a transaction and an attempt of a payout by SQL alone.
  static func insert(
    _ txid: [UInt8], payout: Int = 1, expiration: String = "unix_ms(ledger_now()) + 60000",
    head: String = "unix_ms(ledger_now())", signedAt: String = "ledger_now()", status: String = "signed",
    outcome: String = "NULL"
  ) -> String {
    """
    INSERT INTO transactions (txid, wallet, signer, signed_bytes, reference_block_number, head_time_ms, expiration_ms,
      fee_limit_sun, signed_at, status)
    VALUES (\(Sample.sql(txid)), \(Sample.sql(Sample.wallet.bytes)), 's', decode(repeat('ab', 100), 'hex'), 1, \(head),
      \(expiration), 0, \(signedAt), '\(status)');
    \(insertAttempt(txid, payout: payout, outcome: outcome));
    """
  }

  static func insertAttempt(_ txid: [UInt8], payout: Int = 1, outcome: String = "NULL") -> String {
    """
    INSERT INTO attempts (reference, payout_id, number, txid, token, recipient, amount, outcome, ended_at)
    VALUES (\(Sample.sql(Sample.reference(payout).bytes)), \(Sample.sql(Sample.payoutID(payout))), 1,
      \(Sample.sql(txid)), \(Sample.sql(Sample.token.bytes)), \(Sample.sql(Sample.recipient(payout).bytes)), 5,
      \(outcome), CASE WHEN \(outcome) IS NOT NULL THEN now() END)
    """
  }

  static func txid(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

  private static func putBack(_ txid: [UInt8]) -> String {
    "INSERT INTO put_backs (txid, signer, journal_id) VALUES (\(Sample.sql(txid)), 's', 'j');"
  }

  // Proves the first law in one index: no second live attempt, none after a paid one, one after a dead one.
  @Test func `a reference has one live or paid attempt`() async throws {
    try await withLedger { test async throws in
      let index = "one_live_or_paid_attempt_a_reference"
      try await test.run(Self.insert(Self.txid(1)))
      #expect(try await test.refusal(Self.insert(Self.txid(2))) == index)
      try await test.run("UPDATE transactions SET status = 'dead'; UPDATE attempts SET outcome = 'dead'")
      try await test.run(Self.insert(Self.txid(2)))
      #expect(try await test.refusal(Self.insert(Self.txid(3))) == index)
      try await test.run(
        """
        UPDATE transactions SET status = 'solid', block_number = 1 WHERE txid = \(Sample.sql(Self.txid(2)));
        UPDATE attempts SET outcome = 'paid' WHERE txid = \(Sample.sql(Self.txid(2)))
        """)
      #expect(try await test.refusal(Self.insert(Self.txid(3))) == index)
      // Not even when it is put back: what is paid stays alone.
      #expect(try await test.refusal(Self.putBack(Self.txid(3)) + Self.insert(Self.txid(3))) == index)
    }
  }

  // Proves that names are used once: a reference by one payout, a txid by one signing.
  @Test func `a reference and a txid are used once`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      #expect(try await test.refusal(Self.insert(test.txid(1).bytes, payout: 2)) == "transactions_pkey")
      #expect(try await test.refusal(Self.insertAttempt(test.txid(1).bytes, payout: 2)) == "TP002")
      let claim = "INSERT INTO payout_references (reference, payout_id) VALUES "
      let reference = Sample.sql(Sample.reference(1).bytes)
      #expect(
        try await test.refusal(claim + "(\(reference), gen_random_uuid())") == "payout_references_pkey")
      #expect(
        try await test.refusal(claim + "(sha256('x'), \(Sample.sql(Sample.payoutID(1))))")
          == "payout_references_payout_id_key")
      let second = """
        CREATE TEMP TABLE twin AS SELECT * FROM payouts;
        UPDATE twin SET id = gen_random_uuid(), status = 'queued', settlement_batch_id = NULL, note = NULL;
        INSERT INTO payouts SELECT * FROM twin
        """
      #expect(try await test.refusal(second) == "payouts_reference_key")
    }
  }

  // Proves that nothing is signed while the history is not trusted, in each of the three tables, put-back being the
  // only exception; and that acknowledging a finding ends it.
  @Test(arguments: [false, true])
  func `nothing is signed while the history is not trusted, but put back`(isFinding: Bool) async throws {
    try await withLedger { test async throws in
      try await test.schedule(2)
      if isFinding { try await test.addFinding() } else { try await test.loseContinuity() }
      #expect(try await test.refusal(Self.insert(Self.txid(1))) == "TP003")
      let sign = "UPDATE payouts SET status = 'signed' WHERE id = \(Sample.sql(Sample.payoutID(1)));"
      try await test.force(Self.insert(Self.txid(1)))
      #expect(try await test.refusal(sign) == "TP003")
      #expect(try await test.refusal(Self.insertAttempt(Self.txid(1), payout: 2)) == "TP003")
      // A put-back of another transaction excuses nothing.
      #expect(try await test.refusal(Self.putBack(Self.txid(2)) + sign) == "TP003")
      try await test.run(Self.putBack(Self.txid(1)) + sign)
      try await test.run(Self.putBack(Self.txid(2)) + Self.insert(Self.txid(2), payout: 2))
      // What was put back earlier excuses nothing now.
      #expect(try await test.refusal(Self.insert(Self.txid(3), payout: 3)) == "TP003")
      #expect(try await test.refusal(Self.insertAttempt(Self.txid(1), payout: 3)) == "TP003")
      for status in ["rejected", "expired", "cancelled"] {
        #expect(
          try await test.refusal(
            "UPDATE payouts SET status = '\(status)' WHERE id = \(Sample.sql(Sample.payoutID(2)))") == "TP003")
      }
      if isFinding {
        try await test.run("UPDATE unclaimed_transfers SET acknowledged_at = now()")
        try await test.run(Self.insert(Self.txid(4), payout: 4))
      }
    }
  }

  // Proves both bounds on a transaction's life, on both sides of each: from the head's time, and from the server's own.
  @Test func `no transaction lives longer than MAX_EXPIRATION_SECONDS`() async throws {
    try await withLedger { test async throws in
      let now = "unix_ms(ledger_now())"
      try await test.run(Self.insert(Self.txid(1), payout: 1, expiration: "\(now) + 600000"))
      #expect(try await test.refusal(Self.insert(Self.txid(2), payout: 2, expiration: "\(now) + 600001")) == "TP006")
      // A head from the future must not stretch it: 600 s of life and 60 s between the clocks.
      let head = "\(now) + 90000"
      try await test.run(Self.insert(Self.txid(3), payout: 3, expiration: "\(now) + 660000", head: head))
      #expect(
        try await test.refusal(Self.insert(Self.txid(4), payout: 4, expiration: "\(now) + 660001", head: head))
          == "TP006")
      // Nor does putting it back.
      #expect(
        try await test.refusal(
          Self.putBack(Self.txid(5)) + Self.insert(Self.txid(5), payout: 5, expiration: "\(now) + 600001"))
          == "TP006")
      #expect(try await test.refusal(Self.insert(Self.txid(6), payout: 6, expiration: now)) == "transactions_check")
    }
  }

  // Proves that a transaction and its attempts appear together and new; or by a put-back, as old as it is.
  @Test func `an attempt begins live, with its transaction, when it is signed`() async throws {
    try await withLedger { test async throws in
      for status in TransactionStatus.allCases where status != .signed {
        #expect(
          try await test.refusal(Self.insert(Self.txid(1), status: status.rawValue)).map {
            ["TP001", "transactions_check1"].contains($0)
          } == true)
      }
      for outcome in AttemptOutcome.allCases {
        #expect(try await test.refusal(Self.insert(Self.txid(1), outcome: "'\(outcome.rawValue)'")) == "TP001")
      }
      try await test.run(
        Self.putBack(Self.txid(1)) + Self.insert(Self.txid(1), signedAt: "ledger_now() - interval '1 day'"))
      try await test.run(Self.insert(Self.txid(2), payout: 2) + Self.insertAttempt(Self.txid(2), payout: 3))
    }
  }

  // Proves the table of transaction states, all 42 pairs, in SQL alone. What a block held is not dead: a fork undoes that
  // block first, and a solid one cannot be undone.
  @Test func `a transaction goes only where DESIGN.md lets it`() async throws {
    let successors: [TransactionStatus: Set<TransactionStatus>] = [
      .signed: [.sent, .included, .solid, .failedOnChain, .dead, .anomalous],
      .sent: [.included, .solid, .failedOnChain, .dead, .anomalous],
      .included: [.sent, .solid, .failedOnChain, .anomalous],
      .anomalous: [.solid, .failedOnChain],
    ]
    try await withLedger { test async throws in
      for from in TransactionStatus.allCases {
        for to in TransactionStatus.allCases where to != from {
          let isAllowed = try await Self.mayGo(from, to, test)
          #expect(isAllowed == (successors[from]?.contains(to) == true), "\(from) to \(to)")
        }
      }
    }
  }

  /// Whether the database lets a transaction go from one state to another, tried and undone.
  static func mayGo(_ from: TransactionStatus, _ to: TransactionStatus, _ test: TestLedger) async throws -> Bool {
    let answer = try await test.refusal(
      """
      SET LOCAL session_replication_role = replica;
      \(insert(txid(1)))
      UPDATE transactions SET status = '\(from.rawValue)', block_number = 1;
      SET LOCAL session_replication_role = origin;
      UPDATE transactions SET status = '\(to.rawValue)', block_number = 1;
      DO $$ BEGIN RAISE EXCEPTION 'undo' USING ERRCODE = 'TP999'; END $$
      """)
    #expect(answer == "TP999" || answer == "TP001", "\(from) to \(to): \(answer ?? "done")")
    return answer == "TP999"
  }

  // Proves that an attempt ends once and only as its transaction did: all pairs of outcome and state.
  @Test func `an attempt ends as its transaction did, and only once`() async throws {
    let endings: [TransactionStatus: AttemptOutcome] = [
      .solid: .paid, .failedOnChain: .failedOnChain, .dead: .dead,
    ]
    try await withLedger { test async throws in
      for status in TransactionStatus.allCases {
        for outcome in AttemptOutcome.allCases {
          let prepared = """
            SET LOCAL session_replication_role = replica;
            \(Self.insert(Self.txid(1)))
            UPDATE transactions SET status = '\(status.rawValue)', block_number = 1;
            SET LOCAL session_replication_role = origin;
            UPDATE attempts SET outcome = '\(outcome.rawValue)';
            """
          let undo = "DO $$ BEGIN RAISE EXCEPTION 'undo' USING ERRCODE = 'TP999'; END $$"
          let answer = try await test.refusal(prepared + undo)
          #expect(answer == (endings[status] == outcome ? "TP999" : "TP004"), "\(outcome) of \(status)")
          guard endings[status] == outcome else { continue }
          let others = AttemptOutcome.allCases.filter { $0 != outcome }.map { "'\($0.rawValue)'" } + ["NULL"]
          for other in others {
            let change = """
              UPDATE attempts SET outcome = \(other),
                ended_at = CASE WHEN \(other) IS NULL THEN NULL ELSE ended_at END
              """
            let refusal = try await test.refusal(prepared + change)
            #expect(refusal == "TP002", "\(outcome) to \(other)")
          }
        }
      }
    }
  }

  // Proves that neither what was signed nor how it ended can be rewritten, column by column.
  @Test func `what was signed and how it ended cannot be changed`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      for change in [
        "txid = sha256('x')", "wallet = substr(sha256('x'), 1, 21)", "signer = 'x'",
        "signed_bytes = decode(repeat('cd', 100), 'hex')", "reference_block_number = 99", "head_time_ms = 1",
        "expiration_ms = expiration_ms + 1", "fee_limit_sun = 1", "signed_at = now() - interval '1 day'",
      ] {
        #expect(try await test.refusal("UPDATE transactions SET \(change)") == "TP002", "\(change)")
      }
      for change in [
        "reference = sha256('x')", "payout_id = gen_random_uuid()", "number = 2",
        "token = substr(sha256('x'), 1, 21)", "recipient = substr(sha256('x'), 1, 21)", "amount = 1",
      ] {
        #expect(try await test.refusal("UPDATE attempts SET \(change)") == "TP002", "\(change)")
      }
      let cost = Sample.cost
      try await test.ledger.settle([test.txid(1): .paid(test.place(101), cost)], retryDelayMilliseconds: 0)
      for change in ["block_number = 1", "fee_sun = 0", "result = 'REVERT'", "last_answer = 'x'"] {
        #expect(try await test.refusal("UPDATE transactions SET \(change)") == "TP002", "\(change)")
      }
    }
  }
}
