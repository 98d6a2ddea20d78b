import Foundation
import Payouts
import TestSupport
import Testing

extension EndToEndTests {
  /// A copy of PostgreSQL is put back under the running system's nose: what happened since then is known to Redis, to
  /// the journal, to the chain and to the clients alone, or to some of them.
  struct RestoreTests {
    /// Ends payouts as a person does; those that wait in a batch are held first, as a stage would.
    private func reject(_ ids: [String], _ stack: Stack) async throws {
      let list = ids.map { "'\($0)'" }.joined(separator: ",")
      try await stack.sql(
        """
        UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'operator'
        WHERE id IN (\(list)) AND status <> 'held'
        """)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for id in ids {
          group.addTask { try await stack.payoutctl("reject", id, "--reason", "changed our mind") }
        }
        try await group.waitForAll()
      }
    }

    /// Payouts wait when the copy is made, and what the copy holds of the log of intents is known to be whole.
    private func copy(with wishes: [PayoutClient.Wish], _ stack: Stack, _ client: PayoutClient) async throws -> Account
    {
      try await stack.payoutctl("pause", "--reason", "a copy is made")
      let account = Account()
      try await client.pay(wishes) { await account.record($0, $1) }
      try await eventually("the log was compared") {
        try await stack.has("intent_checkpoint WHERE at > (SELECT max(created_at) FROM payouts)")
      }
      try await stack.postgres.takeBaseBackup()
      return account
    }

    /// While payments are paused these come into batches; then the network stands still until they are signed and with
    /// the node, in no block; then all workers die, and it goes on.
    private func dieWithPending(
      _ pending: [PayoutClient.Wish], unsigned: [PayoutClient.Wish], _ account: Account, _ stack: Stack,
      _ client: PayoutClient
    ) async throws {
      try await client.pay(pending) { await account.record($0, $1) }
      try await eventually("all wait in a batch") {
        try await stack.sql("SELECT count(*) FROM payouts WHERE status = 'scheduled'") == "\(pending.count)"
      }
      try await stack.chain.tell("slots", ["halted": true])
      try await stack.payoutctl("resume", "--reason", "the copy is made")
      try await eventually("they are with the node") {
        try await stack.sql("SELECT count(*) FROM transactions WHERE status = 'sent'") == "\(pending.count)"
      }
      try await stack.payoutctl("pause", "--reason", "let some wait unsigned")
      try await client.pay(unsigned) { await account.record($0, $1) }
      for replica in stack.replicas { await stack.signal(SIGKILL, to: replica) }
      for replica in stack.replicas { _ = try await stack.waitForExit(of: replica) }
      try await stack.chain.tell("slots", ["halted": false])
    }

    /// What `payoutctl reconcile` says of each transaction.
    private func outcomes(_ report: String) throws -> [String] {
      let report = try #require(try JSONSerialization.jsonObject(with: Data(report.utf8)) as? [String: Any])
      return (report["transactions"] as? [[String: Any]] ?? []).compactMap { $0["outcome"] as? String }
    }

    @Test func `After a restore each accepted payout is paid once, and none that had ended`() async throws {
      // (i) Twenty payouts wait when a base backup is made and are rejected afterwards; twenty more are accepted
      // afterwards, and the first of them signed and sent. Some clients send their requests again before the replay,
      // all of them after it.
      try await Stack.with(expirationSeconds: 60) { stack, client in
        try await stack.start()
        let (ended, accepted) = (try PayoutClient.Wish.draw(20, "ended"), try PayoutClient.Wish.draw(20, "accepted"))
        let first = try await copy(with: ended, stack, client)
        try await reject(Array(await first.ids.values), stack)
        try await dieWithPending(
          Array(accepted[..<10]), unsigned: Array(accepted[10...]), first, stack, client)
        try await stack.postgres.restoreBaseBackup()

        // Nobody vouches, and so nobody signs, before what the log tells is back.
        try await stack.start([.ingest, .scheduler, .monitor])
        async let signer: Void = stack.start([.signer])
        try await eventually("operators are called") {
          try await stack.has("alarms WHERE kind = 'lost_acceptances' AND acknowledged_at IS NULL")
        }
        try await eventually("the fence has found what nobody knows") {
          try await stack.sql("SELECT count(DISTINCT txid) FROM unclaimed_transfers") == "10"
        }
        let again = Account()
        for wish in [ended[0], ended[1], accepted[0], accepted[1], accepted[10], accepted[11]] {
          await again.record(wish, try await client.pay(wish))
        }
        #expect(await again.ids[ended[0]] == first.ids[ended[0]])
        #expect(try await stack.sql("SELECT continuous()") == "f")
        #expect(try await stack.sql("SELECT count(*) FROM payouts") == "24")

        let answer = try await stack.payoutctl("intents", "replay", "--json")
        let report = try #require(try JSONSerialization.jsonObject(with: Data(answer.utf8)) as? [String: Any])
        #expect(report["put_back"] as? Int == 16 && report["ends"] as? Int == 20, "\(answer)")
        try await signer
        for _ in 1...2 { try await client.pay(ended + accepted) { await again.record($0, $1) } }
        #expect(try await stack.sql("SELECT count(*) FROM payouts") == "40")
        #expect(
          try await stack.sql("SELECT count(*) FROM payouts WHERE status = 'held' AND hold_reason = 'end_was_lost'")
            == "20")
        // Who sent nothing before the replay finds the payout that was promised.
        for wish in accepted[2..<10] { #expect(await again.ids[wish] == first.ids[wish]) }

        // A person decides on two of the held ones.
        let (released, rejected) = (try #require(await again.ids[ended[0]]), try #require(await again.ids[ended[1]]))
        try await stack.payoutctl("release", released, "--reason", "still owed", "--although-it-ended")
        try await stack.payoutctl("reject", rejected, "--reason", "it had ended")
        try await stack.payoutctl("resume", "--reason", "all is back")
        let ids = await again.ids
        try await client.waitUntilConfirmed((accepted + [ended[0]]).compactMap { ids[$0] })
        try await stack.expectExactlyOnce(accepted + [ended[0]])
        #expect(try await client.status(of: rejected) == "rejected")
        #expect(try await stack.sql("SELECT count(*) FROM payouts WHERE status = 'held'") == "18")
        // The Signer's journal has explained them all.
        #expect(try await outcomes(stack.payoutctl("reconcile", "--json")).isEmpty)
        #expect(try await stack.sql("SELECT state FROM breaker") == "closed")
      }
    }

    /// Wishes of which neighbours are twins, of equal recipient and amount.
    private func twins(_ count: Int, _ name: String, to account: UInt8) throws -> [PayoutClient.Wish] {
      try (0..<count).map { number in
        PayoutClient.Wish(
          key: "\(name)-\(number)",
          recipient: Address(account: [UInt8](repeating: account, count: 19) + [UInt8(number / 2)]),
          amount: try Amount(decimal: "4"))
      }
    }

    /// What befell the Signer's disk when the copy of PostgreSQL was put back.
    enum JournalFate: String, CaseIterable {
      /// (v) Its own disk is lost.
      case lost
      /// (viii) It is taken back together with the database, as by a snapshot of the machine.
      case takenBack

      var cause: String { self == .lost ? "journal_lost" : "both_started" }
      /// How long transactions live, and how long they might at most.
      var expirationSeconds: Int { self == .lost ? 60 : 30 }
      var maximumExpirationSeconds: Int { 70 }
      var clockBoundSeconds: Int { self == .lost ? 20 : 10 }
      /// DESIGN.md §3 "Continuity": a block is waited for whose time is as long after the beginning as twice the clock bound
      /// and the longest life; the configured life, where one snapshot may have taken both back.
      var waitMilliseconds: Int64 {
        Int64(2 * clockBoundSeconds + (self == .lost ? maximumExpirationSeconds : expirationSeconds)) * 1_000
      }
      /// Outside dev, as every installation that pays real money, no Signer believes a snapshot.
      var settings: [String: String] {
        let bounds = [
          "MAX_EXPIRATION_SECONDS": "\(maximumExpirationSeconds)", "CLOCK_BOUND_SECONDS": "\(clockBoundSeconds)",
        ]
        guard self == .takenBack else { return bounds }
        return bounds.merging([
          "LUCID_ENV": "staging", "BATCH_HOURLY_SECONDS": "", "BATCH_DAILY_SECONDS": "", "BATCH_WEEKLY_SECONDS": "",
          "SIGNER_HOURLY_LIMIT_USDT": "100000", "SIGNER_DAILY_LIMIT_USDT": "100000",
        ]) { $1 }
      }
    }

    /// Waits until the wait has begun, and holds what it waits for against the settings.
    private func expectWait(of fate: JournalFate, since restored: Date, _ stack: Stack) async throws {
      let begun = "quarantines WHERE until_ms IS NOT NULL AND cause = '\(fate.cause)'"
      try await eventually("the wait has begun") { try await stack.has(begun) }
      let answer = try await stack.sql("SELECT unix_ms(began_at), until_ms FROM \(begun) AND ended_at IS NULL")
      let times = answer.split(separator: "|").compactMap { Int64($0) }
      try #require(times.count == 2, "one wait, and no other: \(answer)")
      #expect(times[1] - times[0] == fate.waitMilliseconds)
      let past = Int64(restored.timeIntervalSince1970 * 1_000)...Int64(Date().timeIntervalSince1970 * 1_000)
      #expect(past.contains(times[0]), "it began at \(times[0]), not in \(past)")
    }

    @Test(arguments: JournalFate.allCases)
    func `What a restore and the Signer's disk lost together is found on the chain, adopted, and paid once`(
      fate: JournalFate
    ) async throws {
      // "Quarantine replaces a vouching that cannot be had (… a journal lost)"; "where Signer and server have both started
      // since the last vouching, one snapshot may have taken both back"; "reconcile matches it to a payout by recipient,
      // amount and reference bits and adopts it; a payout that equals an unclaimed one in these is held."
      try await Stack.with(expirationSeconds: fate.expirationSeconds, changing: fate.settings) { stack, client in
        try await stack.start()
        let journal = "\(try stack.files())/signer-1"
        let ended = try twins(6, "ended", to: 0x41)
        let included = try twins(10, "included", to: 0x42)
        let (pending, unsigned) = (try twins(10, "pending", to: 0x43), try twins(10, "unsigned", to: 0x44))
        let (owed, lost) = (included + pending + unsigned, included.count + pending.count)
        let first = try await copy(with: ended, stack, client)
        try FileManager.default.copyItem(atPath: journal, toPath: journal + ".copy")
        try await reject(Array(await first.ids.values), stack)
        try await stack.payoutctl("resume", "--reason", "the copy is made")
        try await client.pay(included) { await first.record($0, $1) }
        try await eventually("some are in solid blocks") {
          try await stack.sql("SELECT count(*) FROM transactions WHERE status = 'solid'") == "\(included.count)"
        }
        try await stack.payoutctl("pause", "--reason", "let some wait in a batch")
        try await dieWithPending(pending, unsigned: unsigned, first, stack, client)
        let died = ContinuousClock.now
        try await stack.postgres.restoreBaseBackup()
        try FileManager.default.removeItem(atPath: journal)
        if fate == .takenBack { try FileManager.default.moveItem(atPath: journal + ".copy", toPath: journal) }

        try await stack.start([.ingest, .scheduler, .monitor])
        let again = Account()
        try await client.pay(ended + owed) { await again.record($0, $1) }
        try await stack.payoutctl("intents", "replay")
        if fate == .lost { try await stack.payoutctl(on: .signer, "signer", "init", "--journal-lost") }
        let restored = Date()
        try await stack.start([.signer])
        try await stack.payoutctl("resume", "--reason", "the pause is of the copy")
        try await expectWait(of: fate, since: restored, stack)
        let ids = await again.ids
        let tooEarly = await #expect(throws: Stack.Failure.self) {
          try await stack.payoutctl("reject", ids[ended[0]] ?? "", "--reason", "it had ended")
        }
        #expect(tooEarly?.description.contains("nothing ends unpaid") == true)
        #expect(try await stack.sql("SELECT continuous(), (SELECT count(*) FROM transactions)") == "f|0")

        try await eventually("the breaker is open by what nobody knows", within: .seconds(300)) {
          try await stack.sql(
            """
            SELECT state || ' ' || cause || ' '
              || (SELECT count(DISTINCT txid) FROM unclaimed_transfers WHERE judged_at IS NOT NULL) FROM breaker
            """) == "open unknown_transaction \(lost)"
        }
        print("a disk that is \(fate): vouched for and judged \(ContinuousClock.now - died) after the disaster")
        // A person who does not know better lets signing go on: nothing of it is signed again.
        try await stack.payoutctl("breaker", "close", "--reason", "does not know better")
        try await eventually("all that may be paid is held, the rest is signed") {
          try await stack.sql(
            """
            SELECT count(*) FILTER (WHERE hold_reason = 'unclaimed_transfer'),
              count(*) FILTER (WHERE status IN ('queued', 'scheduled')) FROM payouts
            """) == "\(lost)|0"
        }
        let look = try await stack.payoutctl("reconcile", "--json")
        #expect(try outcomes(look) == [String](repeating: "matches", count: lost), "\(look)")
        try await stack.payoutctl("reconcile", "--apply", "--reason", "the restore took them")
        try await client.pay(ended + owed) { await again.record($0, $1) }
        #expect(await again.ids == ids)
        try await client.waitUntilConfirmed(owed.compactMap { ids[$0] })
        try await reject(ended.compactMap { ids[$0] }, stack)
        try await stack.expectExactlyOnce(owed)
        #expect(
          try await stack.sql(
            """
            SELECT count(*) FROM payout_events
            WHERE actor LIKE 'payoutctl:%' AND note LIKE 'adopted txid %the restore took them'
            """
          ) == "\(lost)")
        #expect(try await stack.sql("SELECT count(*) FROM unclaimed_transfers WHERE explained_at IS NULL") == "0")
        // And life goes on.
        let next = try twins(2, "next", to: 0x45)
        try await client.pay(next) { await again.record($0, $1) }
        let all = await again.ids
        try await client.waitUntilConfirmed(next.compactMap { all[$0] })
        try await stack.expectExactlyOnce(owed + next)
        try await stack.expectExactLimits(of: owed + next)
      }
    }
  }
}
