import Foundation
import Payouts
import TestSupport
import Testing

/// The built executables, real Redis, real PostgreSQL and a simulated network, seen from outside: by what the client
/// asked for and what the chain says. One stack at a time, those of the suites inside too.
@Suite(.serialized) struct EndToEndTests {
  @Test func `200 payouts are each paid exactly once while every worker is killed with work in its stage`() async throws
  {
    try await Stack.with { stack, client in
      try await stack.start()
      let before = try await stack.chain.requests()
      let began = ContinuousClock.now
      let wishes = try PayoutClient.Wish.draw(200, "kills")
      let account = Account()

      // A wave for each stage. The worker is killed at the moment it is seen, frozen, with work of its own half done.
      let stages: [(Stack.Replica, @Sendable () async throws -> Bool)] = [
        (.scheduler, { try await stack.pendingEntries("payouts.immediate", group: "scheduler") > 0 }),
        (.signer, { try await stack.has("payouts WHERE status = 'scheduled'") }),
        // Committed, and not yet known to be with the node: between the commit, the journal and the broadcast.
        (.signer, { try await stack.has("payouts WHERE status = 'signed'") }),
        (.monitor, { try await stack.has("payouts WHERE status IN ('broadcast', 'confirming')") }),
      ]
      for (wave, (role, hasWork)) in stages.enumerated() {
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask {
            try await client.pay(Array(wishes[(wave * 40)..<(wave * 40 + 40)]), concurrently: 2) {
              await account.record($0, $1)
            }
          }
          try await stack.freeze(role, when: hasWork)
          try await stack.killAndRestart(role)
          try await group.waitForAll()
        }
      }
      // From here on nothing becomes solid, so that what is in a block stays in `confirming` until that was measured.
      try await stack.chain.tell("slots", ["solid_frozen": true])
      // Ingest dies while requests are under way: when the tenth is answered, seven others are not.
      try await client.pay(Array(wishes[160...])) { wish, id in
        await account.record(wish, id)
        if await account.count == 170 { await account.attempt { try await stack.killAndRestart(.ingest) } }
      }
      #expect(await account.failure == nil)

      let ids = await account.ids
      #expect(Set(ids.values).count == 200)
      // Where payouts are stuck shows at Monitor.
      try await eventually("Monitor shows how many payouts are confirming") {
        let lines = try await stack.metrics(of: .monitor).split(separator: "\n")
        let shown = lines.first { $0.hasPrefix("payouts_monitor_queue_depth{queue=\"confirming\"} ") }
        return shown?.split(separator: " ").last.flatMap { Int($0) } ?? 0 > 0
      }
      try await stack.chain.tell("slots", ["solid_frozen": false])
      // And every worker shows every stage and stream.
      for replica in stack.replicas {
        let text = try await stack.metrics(of: replica)
        let stages = ["queued", "scheduled", "signed", "broadcast", "confirming", "held"]
        let streams = ["payouts.immediate", "payouts.hourly", "payouts.daily", "payouts.weekly", "batches.ready"]
        for (gauges, queues) in [
          (["depth", "oldest_age_seconds"], stages + streams + ["transactions.sent"]),
          (["pending_entries", "dead_letters"], streams + ["transactions.sent"]),
        ] {
          for line in gauges.flatMap({ gauge in queues.map { "_queue_\(gauge){queue=\"\($0)\"} " } }) {
            #expect(text.contains("payouts_\(replica.role)\(line)"), "\(replica) does not show \(line)")
          }
        }
      }
      try await client.waitUntilConfirmed(Array(ids.values))
      let after = try await stack.chain.requests()
      try await stack.expectExactlyOnce(wishes)
      #expect(try await stack.sql("SELECT state FROM breaker") == "closed")

      // However many payouts wait: broadcasts apart, requests grow with blocks alone.
      let asked =
        after.byPath.filter { $0.key != "/wallet/broadcasthex" }.values.reduce(0, +)
        - before.byPath.values.reduce(0, +)
      // A slot in which devnet had no processor has no block; the workers ask by the clock.
      let slots = Int((ContinuousClock.now - began) / .milliseconds(250))
      let perBlock = Double(asked) / Double(max(after.blocks - before.blocks, slots))
      print("node requests a block, broadcasts apart: \(perBlock) (\(asked) in \(after.blocks - before.blocks) blocks)")
      #expect(perBlock <= 8)
      #expect(after.byPath.keys.allSatisfy { !$0.contains("gettransactionbyid") && !$0.contains("infobyid") })
    }
  }

  @Test func `A payout that the wallet cannot fund reverts, is blamed on the wallet, and waits`() async throws {
    // The chain's own word, and a node's simulation over HTTP: what is short is not the payout's fault.
    try await Stack.with(funds: 5) { stack, client in
      try await stack.start()
      let rich = PayoutClient.Wish(
        key: "rich", recipient: Address(account: [UInt8](repeating: 0x77, count: 20)), amount: try Amount(decimal: "6"))
      let id = try await client.pay(rich)
      try await eventually("its revert is blamed on the wallet", within: .seconds(120)) {
        try await stack.has("attempts WHERE outcome = 'failed_on_chain' AND blame = 'wallet_short'")
      }
      #expect(try await stack.has("alarms WHERE kind = 'failure_wallet_short' AND acknowledged_at IS NULL"))
      #expect(try await !stack.has("payouts WHERE status = 'failed'"))
      #expect(try await !stack.has("attempts WHERE blame = 'payout'"))
      // Another that the wallet can fund is paid.
      let poor = PayoutClient.Wish(key: "poor", recipient: rich.recipient, amount: try Amount(decimal: "5"))
      try await client.waitUntilConfirmed([try await client.pay(poor)])
      #expect(try await stack.chain.balance(of: rich.recipient) == 5_000_000)
      #expect(try await !stack.has("payouts WHERE id = '\(id)' AND status = 'failed'"))
    }
  }

  @Test func `A transaction that the database lost is put back before anything is signed, and pays once`() async throws
  {
    try await Stack.with { stack, client in
      try await stack.start()
      let wishes = try PayoutClient.Wish.draw(3, "put-back")
      let kept = try await client.pay(wishes[0])
      let resigned = try await client.pay(wishes[1])
      try await eventually("both are sent") {
        try await stack.sql("SELECT count(*) FROM transactions WHERE status <> 'signed'") == "2"
      }
      #expect(try await stack.end() == [.ingest: 0, .scheduler: 0, .signer: 0, .monitor: 0])

      // As an older backup would have it: both transactions are gone, and one payout looks as if it was never signed.
      try await stack.sql(
        """
        SET session_replication_role = replica;
        DELETE FROM attempts; DELETE FROM transactions;
        UPDATE payouts SET status = 'scheduled' WHERE id = '\(resigned)';
        """)
      try await stack.postgres.restart(mode: .fast)
      #expect(try await stack.sql("SELECT continuous()") == "f")

      try await stack.start()
      let new = try await client.pay(wishes[2])
      try await client.waitUntilConfirmed([kept, resigned, new])
      #expect(try await stack.sql("SELECT count(*) FROM put_backs") == "2")
      // The one new signature came after both were back.
      #expect(try await stack.sql("SELECT count(*) FROM transactions") == "3")
      #expect(
        try await stack.sql(
          """
          SELECT (SELECT max(at) FROM put_backs) < (SELECT signed_at FROM transactions JOIN attempts USING (txid)
                                                    WHERE payout_id = '\(new)')
          """) == "t")
      try await stack.expectExactlyOnce(wishes)
    }
  }

  @Test func `Redis losing its data and PostgreSQL crashing cost no payout`() async throws {
    try await Stack.with { stack, client in
      try await stack.start()
      let wishes = try PayoutClient.Wish.draw(60, "losses")
      let account = Account()
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await client.pay(wishes, concurrently: 4) { await account.record($0, $1) } }
        try await eventually("some are accepted") { await account.count >= 10 }
        try await stack.redis.kill()
        try await stack.postgres.restart(mode: .immediate)
        try await stack.redis.restart()
        _ = try await ChildProcess.require("/usr/bin/env", ["redis-cli", "-p", "\(stack.redis.port)", "FLUSHALL"])
        try await group.waitForAll()
      }
      try await client.waitUntilConfirmed(Array(await account.ids.values))
      try await stack.expectExactlyOnce(wishes)
    }
  }

  @Test func `Every worker refuses the database of another installation with exit code 78`() async throws {
    try await Stack.with { stack, _ in
      for replica in stack.replicas {
        let outcome = try await stack.run(
          replica, changing: ["TRON_GENESIS_BLOCK_ID": String(repeating: "ab", count: 32)])
        #expect(outcome.exitCode == 78, "\(replica): \(outcome.errors)")
        #expect(outcome.errors.contains("genesis"), "\(replica): \(outcome.errors)")
      }
    }
  }

  @Test(arguments: ["ingest", "scheduler", "signer", "monitor"])
  func `A wrong configuration names every problem, shows no secret, and ends with exit code 78`(
    program: String
  ) async throws {
    let outcome = try await TestProcess.run(
      try TestProcess.builtExecutable(program),
      environment: [
        "LUCID_ENV": "production", "DATABASE_URL": "mysql://user:hunter2secret@nowhere", "LOG_LEVEL": "loud",
        "JWT_SECRET_KEY": "hunter2secret", "TRON_PRIVATE_KEY": "hunter2secret", "TRON_NETWORK": "moon",
      ], within: .seconds(30))
    #expect(outcome.exitCode == 78)
    for key in ["LUCID_ENV", "DATABASE_URL", "REDIS_URL", "LOG_LEVEL", "TRON_NETWORK"] {
      #expect(outcome.errors.contains(key), "\(key) is not named: \(outcome.errors)")
    }
    #expect(!(outcome.output + outcome.errors).contains("hunter2secret"))
    #expect(!outcome.errors.contains("Fatal error"))
  }
}
