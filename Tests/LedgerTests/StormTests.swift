import Payouts
import Postgres
import TestSupport
import Testing

@testable import Ledger

/// All of the ledger at once.
@Suite(.serialized) struct StormTests {
  // Proves that all functions, two replicas of each, run beside one another for some seconds on random data without an
  // error and without a deadlock, and that the two laws hold in what they leave: one live or paid attempt a reference,
  // windows that are the sums of their rows, chains of events that are legal from the acceptance to the present state.
  @Test func `everybody at once leaves a consistent ledger`() async throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("storm seed \(seed)")
    try await withLedger(connectionLimit: 6) { test async throws in
      let pools = (0..<4).map { _ in TestLedger.pool(test.url, connectionLimit: 5) }
      let storm = Storm(test: test, ledgers: pools.map(TestLedger.ledger), seed: seed, seconds: 5)
      do {
        try await storm.run()
      } catch {
        Issue.record("seed \(seed): \(error)")
      }
      for pool in pools { await pool.close() }
      print("storm worked \(storm.worked.withLock { $0.sorted { $0.key < $1.key } })")
      let worked = storm.worked.withLock { $0.filter { $0.value >= Storm.workMinimum($0.key) } }
      #expect(worked.count == Storm.stepCount, "seed \(seed): some steps found too little to do")
      try await expectConsistent(test, seed: seed)
    }
  }

  private func expectConsistent(_ test: TestLedger, seed: UInt64) async throws {
    let questions: [(String, String)] = [
      (
        "a reference has two live or paid attempts",
        "SELECT 1 FROM attempts WHERE outcome IS NULL OR outcome = 'paid' GROUP BY reference HAVING count(*) > 1"
      ),
      (
        "a window of acceptance is not the sum of its payouts",
        """
        SELECT 1 FROM limit_windows w WHERE scope <> 'signed' AND used <> coalesce((
          SELECT sum(amount) FROM payouts p
          WHERE status NOT IN ('failed', 'rejected', 'expired', 'cancelled', 'settled_externally')
            AND w.scope IN ('accepted', 'accepted_' || p.router)
            AND CASE w.span WHEN 'hour' THEN hour_window ELSE day_window END = w.starts_at), 0)
        """
      ),
      (
        "a window of signing is not the sum of its attempts",
        """
        SELECT 1 FROM limit_windows w WHERE scope = 'signed' AND used <> coalesce((
          SELECT sum(amount) FROM attempts a JOIN transactions t USING (txid)
          WHERE (outcome IS NULL OR outcome = 'paid') AND window_start(w.span, t.signed_at) = w.starts_at), 0)
        """
      ),
      (
        "an event does not follow the one before it, or is not in the table of states",
        """
        SELECT 1 FROM (
          SELECT from_status, to_status, lag(to_status) OVER (PARTITION BY payout_id ORDER BY id) AS before
          FROM payout_events) e
        WHERE before IS DISTINCT FROM from_status OR from_status IS NOT NULL AND NOT payout_may_go(from_status, to_status)
        """
      ),
      (
        "a payout is not where its last event says, or did not begin where it was accepted",
        """
        SELECT 1 FROM payouts p WHERE status <> (
            SELECT to_status FROM payout_events e WHERE e.payout_id = p.id ORDER BY id DESC LIMIT 1)
          OR accepted_status <> (
            SELECT to_status FROM payout_events e WHERE e.payout_id = p.id ORDER BY id LIMIT 1)
        """
      ),
      (
        "a payout's state does not fit its attempts",
        """
        SELECT 1 FROM (
          SELECT p.status, bool_or(a.outcome IS NULL AND a.txid IS NOT NULL) AS live,
            coalesce(bool_or(a.outcome = 'paid'), false) AS paid
          FROM payouts p LEFT JOIN attempts a USING (reference) GROUP BY p.id) s
        WHERE status IN ('signed', 'broadcast') AND NOT live OR status = 'confirming' AND NOT (live OR paid)
          OR status = 'confirmed' AND NOT paid
          OR status IN ('queued', 'scheduled', 'expired', 'failed', 'rejected', 'cancelled') AND (live OR paid)
        """
      ),
      (
        "an attempt did not end as its transaction",
        """
        SELECT 1 FROM attempts a JOIN transactions t USING (txid)
        WHERE (outcome IS NULL) <> (t.status NOT IN ('solid', 'failed_on_chain', 'dead'))
        """
      ),
      (
        "a batch is not the sum of its payouts",
        """
        SELECT 1 FROM settlement_batches b JOIN payouts p ON p.settlement_batch_id = b.id
        GROUP BY b.id HAVING payout_count <> count(*) OR total_amount <> sum(amount)
        """
      ),
    ]
    for (what, question) in questions {
      #expect(try await test.rows(question) == [], "seed \(seed): \(what)")
    }
    let deadlocks = try await test.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    #expect(deadlocks == "0", "seed \(seed)")
    if deadlocks != "0" {
      let folder = try await PrivatePostgres.shared().folder
      print(try await ChildProcess.run("grep", ["-A", "40", "deadlock detected", "\(folder)/log"]).standardOutput)
    }
  }
}
