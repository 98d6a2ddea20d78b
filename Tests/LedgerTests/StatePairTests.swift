import Payouts
import Postgres
import Testing

/// Every pair of the fourteen states, tried in SQL alone under every condition that could matter.
@Suite struct StatePairTests {
  /// Everything a change can depend on.
  struct Case: Hashable {
    /// What the payout's reference has; `elsewhere` is one that paid another amount.
    enum Attempt: String, CaseIterable { case none, live, anomalous, paid, elsewhere, dead }
    /// Whether anything may be signed or end unpaid.
    enum History: String, CaseIterable { case trusted, discontinuous, finding }

    let from: PayoutStatus
    let to: PayoutStatus
    /// Where it was held from; nil unless it is held.
    let origin: PayoutStatus?
    let attempt: Attempt
    let history: History
    let isPutBack: Bool

    /// All of them.
    static var all: [Case] {
      var all: [Case] = []
      for from in PayoutStatus.allCases {
        for to in PayoutStatus.allCases where to != from {
          let origins: [PayoutStatus?] =
            from == .held ? PayoutStatus.allCases.filter { !$0.isFinal && $0 != .held } : [nil]
          for origin in origins {
            for attempt in Attempt.allCases {
              for history in History.allCases {
                for isPutBack in attempt == .live ? [false, true] : [false] {
                  all.append(
                    Case(
                      from: from, to: to, origin: origin, attempt: attempt, history: history, isPutBack: isPutBack))
                }
              }
            }
          }
        }
      }
      return all
    }

    /// What DESIGN.md §2 and §3 say.
    var isAllowed: Bool {
      guard from.successors.contains(to) else { return false }
      if from == .held {
        let isExit: Bool =
          switch to {
          case .rejected, .settledExternally, .confirmed: true
          case .signed: isPutBack || to == origin
          case .scheduled: to == origin || [.signed, .broadcast, .confirming].contains(origin)
          default: to == origin
          }
        guard isExit else { return false }
      }
      let isUnpaid = attempt == .none || attempt == .dead
      let isLive = attempt == .live || attempt == .anomalous
      // A person's exits, where the attempt keeps nothing else from being said.
      let isOver = from == .held && (attempt == .elsewhere || attempt == .anomalous && to == .settledExternally)
      return switch to {
      case .signed: isLive && (isPutBack || history == .trusted && [.scheduled, .held].contains(from))
      case .broadcast: isLive
      case .confirming: isLive || attempt == .paid || attempt == .elsewhere
      case .confirmed: attempt == .paid
      case .scheduled: isUnpaid
      case .rejected, .settledExternally: (isUnpaid || isOver) && history == .trusted
      case .failed, .expired, .cancelled: isUnpaid && history == .trusted
      case .queued, .kycPending, .compliancePending, .held: true
      }
    }
  }

  /// Makes a payout that is as the case says, tries the change, and undoes all: the SQLSTATE, `TP999` for allowed.
  private static let tryChange = """
    CREATE FUNCTION try_change(
      was text, becomes text, origin text, attempt text, history text, put_back boolean) RETURNS text
    LANGUAGE plpgsql AS $$
    DECLARE
      target uuid := gen_random_uuid();
      reference bytea := sha256(target::text::bytea);
      changed integer;
    BEGIN
      INSERT INTO payout_references (reference, payout_id) VALUES (reference, target);
      INSERT INTO settlement_batches (id, router, batch_type, priority, window_end, payout_count, total_amount)
        VALUES (target, 'v0', 'immediate', 'normal', ledger_now(), 1, 5);
      SET LOCAL session_replication_role = replica;
      IF history = 'discontinuous' THEN DELETE FROM continuity; END IF;
      IF history = 'finding' THEN
        INSERT INTO unclaimed_transfers (txid, kind, wallet, block_number, block_id)
          VALUES (reference, 'owned_transaction', '\\x41', 1, reference);
      END IF;
      INSERT INTO payouts (id, reference, owner, network, token, asset, recipient, amount, router, batch_type,
        created_at, seal_version, seal_key_id, seal_signature, priority, reason, request_id, accepted_status,
        window_end, hour_window, day_window, status, held_from, hold_reason, settlement_batch_id)
      VALUES (target, reference, 'o', 'devnet', decode('41', 'hex') || substr(reference, 1, 20), 'USDT', decode('41', 'hex') || substr(reference, 1, 20), 5, 'v0',
        'immediate', now(), 1, 'k', reference, 'normal', 'custom', 'r', 'queued', now(), window_start('hour', now()),
        window_start('day', now()), was::payout_status, origin::payout_status,
        CASE WHEN origin IS NOT NULL THEN 'test' END, target);
      IF attempt <> 'none' THEN
        INSERT INTO transactions (txid, wallet, signer, signed_bytes, reference_block_number, head_time_ms,
          expiration_ms, fee_limit_sun, signed_at, status, block_number)
        VALUES (reference, decode('41', 'hex') || substr(reference, 1, 20), 's', decode(repeat('ab', 100), 'hex'), 1, 1, 2, 0, ledger_now(),
          (CASE attempt WHEN 'live' THEN 'signed' WHEN 'paid' THEN 'solid' WHEN 'elsewhere' THEN 'solid'
           ELSE attempt END)::transaction_status, 1);
        INSERT INTO attempts (reference, payout_id, number, txid, token, recipient, amount, outcome, ended_at)
        VALUES (reference, target, 1, reference, decode('41', 'hex') || substr(reference, 1, 20), decode('41', 'hex') || substr(reference, 1, 20),
          CASE attempt WHEN 'elsewhere' THEN 6 ELSE 5 END,
          (CASE attempt WHEN 'live' THEN NULL WHEN 'anomalous' THEN NULL WHEN 'elsewhere' THEN 'paid'
           ELSE attempt END)::attempt_outcome,
          CASE WHEN attempt NOT IN ('live', 'anomalous') THEN now() END);
      END IF;
      IF put_back THEN
        INSERT INTO put_backs (txid, signer, journal_id) VALUES (reference, 's', 'j');
      END IF;
      SET LOCAL session_replication_role = origin;
      UPDATE payouts p SET status = becomes::payout_status,
        held_from = CASE WHEN becomes = 'held' THEN p.status END,
        hold_reason = CASE WHEN becomes = 'held' THEN 'test' END WHERE id = target;
      GET DIAGNOSTICS changed = ROW_COUNT;
      ASSERT changed = 1;
      RAISE EXCEPTION 'undo' USING ERRCODE = 'TP999';
    EXCEPTION WHEN OTHERS THEN
      RETURN SQLSTATE;
    END
    $$
    """

  // Proves that the database allows a change of state exactly where DESIGN.md does: all 182 pairs, under every
  // attempt, history, origin and put-back, against the program's own table. Legal pairs are reachable, illegal never.
  @Test func `the database allows exactly the changes of the table of states, each under its conditions`() async throws
  {
    try await withLedger(connectionLimit: 1) { test async throws in
      try await test.run(Self.tryChange)
      let cases = Case.all
      let result = try await test.pool.execute(
        """
        SELECT try_change(c.was, c.becomes, c.origin, c.attempt, c.history, c.put_back) AS answer
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[]) WITH ORDINALITY
          AS c (was, becomes, origin, attempt, history, put_back, place) ORDER BY c.place
        """,
        [
          .textArray(cases.map(\.from.rawValue)), .textArray(cases.map(\.to.rawValue)),
          .textArray(cases.map(\.origin?.rawValue)), .textArray(cases.map(\.attempt.rawValue)),
          .textArray(cases.map(\.history.rawValue)), .boolArray(cases.map(\.isPutBack)),
        ])
      let answers = try result.rows.map { try $0.text("answer") }
      #expect(answers.count == cases.count)
      var reached: [PayoutStatus: Set<PayoutStatus>] = [:]
      for (found, answer) in zip(cases, answers) {
        #expect((answer == "TP999") == found.isAllowed, "\(found): \(answer)")
        #expect(answer.hasPrefix("TP"), "refused for another reason than a guard's: \(found): \(answer)")
        if answer == "TP999" { reached[found.from, default: []].insert(found.to) }
        if !found.from.successors.contains(found.to) { #expect(answer == "TP001", "\(found)") }
      }
      for status in PayoutStatus.allCases { #expect(reached[status] ?? [] == status.successors, "\(status)") }
    }
  }

  // Proves that the table holds in SQL as a whole: every label of the type is one of the program's, in both directions.
  @Test func `the database knows the program's states and no others`() async throws {
    try await withLedger { test async throws in
      for (type, names) in [
        ("payout_status", PayoutStatus.allCases.map(\.rawValue)),
        ("transaction_status", TransactionStatus.allCases.map(\.rawValue)),
        ("attempt_outcome", AttemptOutcome.allCases.map(\.rawValue)),
      ] {
        let labels = try await test.rows("SELECT unnest(enum_range(NULL::\(type)))::text")
        #expect(labels.sorted() == names.sorted())
      }
    }
  }

  // Proves that a payout begins only in the three states of DESIGN.md §2.
  @Test func `a payout begins queued or waiting, never further on`() async throws {
    try await withLedger { test async throws in
      for (number, status) in PayoutStatus.allCases.enumerated() {
        let outcomes = try await test.ledger.accept(
          [Sample.payout(number + 1, status: status)], limits: TestLedger.unlimited)
        switch (status, outcomes.first) {
        case (.queued, .accepted), (.kycPending, .accepted), (.compliancePending, .accepted): break
        case (.queued, _), (.kycPending, _), (.compliancePending, _): Issue.record("\(status) was refused")
        case (_, .refused): break
        default: Issue.record("\(status) was accepted")
        }
      }
      #expect(try await test.value("SELECT count(*) FROM payouts") == "3")
    }
  }

  // Proves that neither the state a payout is held from can be invented, nor changed afterwards to leave elsewhere.
  @Test func `a held payout remembers truly where it was held from`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      let id = Sample.sql(Sample.payoutID(1))
      let hold = "UPDATE payouts SET status = 'held', hold_reason = 'test', held_from = "
      #expect(try await test.refusal(hold + "'queued' WHERE id = \(id)") == "TP001")
      #expect(try await test.refusal(hold + "NULL WHERE id = \(id)") == "TP001")
      try await test.run(hold + "'signed' WHERE id = \(id)")
      for origin in PayoutStatus.allCases where origin != .signed {
        let refusal = try await test.refusal("UPDATE payouts SET held_from = '\(origin.rawValue)' WHERE id = \(id)")
        #expect(refusal == "TP002", "\(origin)")
      }
      #expect(try await test.refusal("UPDATE payouts SET hold_reason = NULL WHERE id = \(id)") != nil)
      try await test.run("UPDATE payouts SET hold_reason = 'another' WHERE id = \(id)")
    }
  }
}
