// Proves what is told by webhook, that it is stored with the change that it tells, and who may tell it when.
import Foundation
import Ledger
import Payouts
import Testing

struct WebhookTests {
  @Test func `each change that is told makes one delivery, and payouts without a URL make none`() async throws {
    try await withLedger { test async throws in
      try await test.acceptTold(1...2)
      try await test.acceptTold(3...3, to: nil)
      _ = try await test.ledger.schedule((1...3).map(Sample.payoutID), maximumPerBatch: 100) { Sample.batchID(1) }
      try await test.sign()
      try await test.broadcast()
      #expect(try await test.events(1) == ["payout.queued|pending", "payout.broadcast|pending"])
      try await test.head(101, [test.txid(1)])
      try await test.solid(101, [test.txid(1): .paid(test.place(101), Sample.cost)])
      _ = try await test.ledger.confirm(headNumber: 200, requiredConfirmations: 19, atMost: 10)
      #expect(try await test.events(1).last == "payout.confirmed|pending")
      #expect(try await test.events(2).count == 2)
      #expect(try await test.events(3).isEmpty)
      let told = try await test.rows(
        """
        SELECT owner, url, origin, status, encode(txid, 'hex'), at = (SELECT max(at) FROM payout_events) AS is_its_time
        FROM webhook_deliveries WHERE event = 'payout.confirmed'
        """)
      #expect(
        told == [
          "owner-1|https://hooks.example/in?key=1|https://hooks.example|confirmed|\(test.txid(1))|true"
        ])
    }
  }

  @Test(arguments: ["rejected", "expired", "cancelled"])
  func `ends before signing are told`(end: String) async throws {
    try await withLedger { test async throws in
      try await test.acceptTold(1...1)
      try await test.run("UPDATE payouts SET status = '\(end)'")
      #expect(try await test.events(1) == ["payout.queued|pending", "payout.\(end)|pending"])
    }
  }

  @Test func `a hold is told with its reason, and what an operator makes of it`() async throws {
    try await withLedger { test async throws in
      try await test.acceptTold(1...1)
      try await test.run("UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'signer_limit'")
      #expect(
        try await test.value("SELECT hold_reason FROM webhook_deliveries WHERE status = 'held'") == "signer_limit")
      _ = try await test.ledger.decide(
        Sample.payoutID(1), .settle(proof: "p"), reason: "r", requiredConfirmations: 19)
      #expect(
        try await test.events(1).map { $0.prefix { $0 != "|" } } == [
          "payout.queued", "payout.held", "payout.settled_externally",
        ])
    }
  }

  // Proves "stored in the transaction of the change": what is rolled back leaves nothing to tell, of an acceptance and of
  // a change.
  @Test func `a change that is rolled back is not told`() async throws {
    try await withLedger { test async throws in
      try await test.acceptTold(1...1)
      #expect(
        try await test.refusal("UPDATE payouts SET status = 'cancelled'; SELECT 1 / 0") == "22012")
      #expect(try await test.events(1) == ["payout.queued|pending"])
      #expect(try await test.status(Sample.payoutID(1)) == .queued)
    }
  }

  @Test(arguments: [
    ("HTTPS://Hooks.Example:8443/a/b?c=d", "https://hooks.example:8443"), ("http://[::1]:80?x", "http://[::1]:80"),
    ("nonsense", "unknown"),
    ("https://" + String(repeating: "h", count: 3_000), "https://" + String(repeating: "h", count: 292)),
  ])
  func `a server is known by scheme, host and port, and no URL keeps a payout from moving`(
    url: String, origin: String
  ) async throws {
    try await withLedger { test async throws in
      try await test.acceptTold(1...1, to: url)
      #expect(try await test.value("SELECT origin FROM webhook_deliveries") == origin)
      #expect(try await test.claim()?.deliveries.map(\.url) == [url])
    }
  }

  @Test func `a server is held by one at a time, and free again when the lease ends`() async throws {
    // Proves the claim's lease, and that the same delivery comes again, as it was, where its holder died.
    try await withLedger { test async throws in
      try await test.acceptTold(1...2)
      let lot = try #require(try await test.claim())
      #expect(lot.deliveries.map(\.payout?.id) == [Sample.payoutID(1), Sample.payoutID(2)])
      #expect(lot.deliveries.map(\.payout?.externalID) == ["invoice 1", "invoice 2"])
      #expect(try await test.claim() == nil)
      try await test.moveClock(toMilliseconds: TestLedger.lease + 1_000)
      let again = try #require(try await test.claim())
      #expect(again.deliveries == lot.deliveries && again.claim == lot.claim + 1)
      // The one that was thought dead gives nothing back that is no longer its own.
      try await test.release(lot)
      #expect(try await test.claim() == nil)
      try await test.release(again)
      #expect(try await test.claim() != nil)
    }
  }

  @Test func `what two have sent is recorded once`() async throws {
    try await withLedger { test async throws in
      try await test.acceptTold(1...1)
      let delivery = try #require(try await test.claim()?.deliveries.first)
      #expect(try await test.ledger.record(.delivered("HTTP 204"), of: delivery) == .delivered)
      #expect(try await test.fail(delivery) == nil)
      #expect(try await test.events(1) == ["payout.queued|delivered"])
    }
  }

  @Test func `a later event waits for an earlier one until that has failed five times`() async throws {
    // Proves the rule of order, and that the later one becomes due with the earlier one: nobody looks at it in vain.
    try await withLedger { test async throws in
      try await test.acceptTold(1...2)
      try await test.run("UPDATE payouts SET status = 'cancelled' WHERE id = \(Sample.sql(Sample.payoutID(1)))")
      var now: Int64 = 0
      for failures in 1...5 {
        let lot = try #require(try await test.claim())
        #expect(lot.deliveries.filter { $0.payout?.id == Sample.payoutID(1) }.map(\.event) == ["payout.queued"])
        for delivery in lot.deliveries { try await test.fail(delivery, delay: 60_000) }
        try await test.release(lot)
        if failures < 5 { #expect(try await test.claim() == nil, "after \(failures) failures") }
        now += failures < 5 ? 61_000 : 1_000
        try await test.moveClock(toMilliseconds: now)
      }
      let lot = try #require(try await test.claim())
      #expect(lot.deliveries.map(\.event) == ["payout.cancelled"])
    }
  }

  @Test func `a later event is due at once when the earlier one is delivered`() async throws {
    try await withLedger { test async throws in
      try await test.acceptTold(1...1)
      let first = try #require(try await test.claim())
      try await test.run("UPDATE payouts SET status = 'cancelled'")
      try await test.fail(first.deliveries[0], delay: 60_000)
      try await test.release(first)
      #expect(try await test.claim() == nil)
      try await test.moveClock(toMilliseconds: 61_000)
      let second = try #require(try await test.claim())
      #expect(second.deliveries.map(\.tries) == [1])
      _ = try await test.ledger.record(.delivered("HTTP 200"), of: second.deliveries[0])
      try await test.release(second)
      #expect(try await test.claim()?.deliveries.map(\.event) == ["payout.cancelled"])
    }
  }

  @Test func `what fails for three days is given up with an alarm, also where it never had its turn`() async throws {
    try await withLedger { test async throws in
      try await test.acceptTold(1...2)
      let day: Int64 = 86_400_000
      try await test.fail(try #require(try await test.claim(atMost: 1)).deliveries[0], delay: 30 * day)
      try await test.moveClock(toMilliseconds: 3 * day + 1_000)
      // The delay was cut: the last try is at three days.
      let last = try #require(try await test.claim())
      #expect(last.deliveries.map(\.tries) == [0, 1])
      #expect(try await test.fail(last.deliveries[1]) == .givenUp)
      #expect(try await test.ledger.release(last, restMilliseconds: 5_000, lifetimeMilliseconds: 3 * day) == 1)
      #expect(try await test.rows("SELECT DISTINCT state FROM webhook_deliveries") == ["given_up"])
      #expect(
        try await test.rows("SELECT kind, subject, count FROM alarms") == [
          "webhook_given_up|https://hooks.example|2"
        ])
    }
  }

  @Test func `ten thousand due deliveries of a dead server hide no other`() async throws {
    // Proves that a claim passes them: by the few rows that the server reads, and by the other server being found.
    try await withLedger(connectionLimit: 1) { test async throws in
      try await test.acceptTold(1...1, to: "https://a.example/")
      try await test.acceptTold(2...2, to: "https://b.example/")
      try await test.run(
        """
        INSERT INTO webhook_deliveries (payout_id, owner, url, origin, event, status, at, next_try_at)
        SELECT payout_id, owner, url, origin, event, status, at, at - interval '1 hour'
        FROM webhook_deliveries, generate_series(1, 10000) WHERE origin = 'https://a.example';
        ANALYZE webhook_deliveries;
        """)
      let dead = try #require(try await test.claim())
      #expect(dead.origin == "https://a.example")
      #expect(try await test.claim()?.origin == "https://b.example")
      _ = try await test.ledger.release(dead, restMilliseconds: 60_000, lifetimeMilliseconds: 259_200_000)
      #expect(try await test.claim(after: "https://a.example")?.origin == nil)
      #expect(try await test.value("SELECT failures FROM webhook_origins WHERE origin = 'https://a.example'") == "1")
      let depth = try await test.ledger.webhookDepth()
      #expect(depth.dueCount == 10_002 && depth.oldestDueAgeMilliseconds >= 3_600_000)
      let before = try await reads(test)
      _ = try await test.claim()
      let after = try await reads(test)
      #expect(after.whole == before.whole && after.rows - before.rows < 100)
    }
  }

  /// How often the table was read from end to end, and how many rows its indexes gave.
  private func reads(_ test: TestLedger) async throws -> (whole: Int64, rows: Int64) {
    _ = try await test.pool.execute("SELECT pg_stat_force_next_flush()")
    let row = try await test.pool.execute(
      """
      SELECT seq_scan AS whole, idx_tup_fetch AS rows FROM pg_stat_user_tables WHERE relname = 'webhook_deliveries'
      """
    ).rows[0]
    return (try row.int8("whole"), try row.int8("rows"))
  }

  @Test func `two who make an owner's first secret get the same one`() async throws {
    try await withLedger { test async throws in
      #expect(try await test.ledger.webhookSecrets(of: "owner-1").isEmpty)
      let made = try await withThrowingTaskGroup(of: [WebhookSecret].self) { group in
        for number: UInt8 in 1...4 {
          group.addTask {
            try await test.ledger.makeWebhookSecret(
              of: "owner-1", WebhookSecret(bytes: [UInt8](repeating: number, count: 32)))
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(Set(made).count == 1 && made[0].count == 1)
      #expect(try await test.ledger.webhookSecrets(of: "owner-1") == made[0])
      #expect(try await test.ledger.webhookSecrets(of: "owner-2").isEmpty)
    }
  }

  @Test func `a secret that was rotated signs as well until its time is over`() async throws {
    try await withLedger { test async throws in
      let secrets = try (1...2).map { try WebhookSecret(bytes: [UInt8](repeating: UInt8($0), count: 24)) }
      _ = try await test.ledger.makeWebhookSecret(of: "owner-1", secrets[0])
      let both = try await test.ledger.rotateWebhookSecret(
        of: "owner-1", to: secrets[1], oldValidMilliseconds: 86_400_000)
      #expect(both == [secrets[1], secrets[0]])
      try await test.moveClock(toMilliseconds: 86_340_000)
      #expect(try await test.ledger.webhookSecrets(of: "owner-1") == both)
      try await test.moveClock(toMilliseconds: 86_460_000)
      #expect(try await test.ledger.webhookSecrets(of: "owner-1") == [secrets[1]])
      #expect(
        try await test.rows("SELECT subject, message FROM alarms") == [
          "webhook secret|ledger-tests: rotated the webhook secret of owner-1"
        ])
    }
  }
}
