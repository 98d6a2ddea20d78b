import Ledger
import Payouts
import Streams
import TestSupport
import Testing

@testable import Payoutctl

/// What a restore takes from PostgreSQL and Redis still tells: nothing is signed before it is back, and nothing that ended
/// is paid (DESIGN.md §3 "Continuity"). Real snapshots of a real database, a real log.
@Suite(.timeLimit(.minutes(5))) struct IntentStoryTests {
  private func hasAlarm(_ kind: String, _ scene: PayingScene) async throws -> Bool {
    try await scene.alarms().contains(kind)
  }

  @Test func `acceptances and an end that a restore took come back before anything is signed`() async throws {
    // The backup knows payouts 1 and 2; then 3 and 4 are accepted and 1 is rejected; then the backup is restored.
    try await IntentScene.run { intents, signer in
      let scene = intents.scene
      try await intents.accept(1...2)
      try await scene.run(signer.checkpoint)
      let backup = try await intents.backUp()
      try await intents.accept(3...4)
      try await intents.reject(1)
      try await intents.restore(backup)
      #expect(try await scene.status(3) == nil)
      #expect(try await scene.status(1) == .queued)

      for _ in 0..<2 { _ = try await scene.failure(of: signer.vouch) }
      #expect(try await scene.ledger.conditions().isContinuous == false)
      #expect(try await hasAlarm("lost_acceptances", scene))
      let look = try await intents.replay(isDryRun: true)
      // A dry run cannot know of ends before their payouts are back; this one's payout is there.
      #expect(look.lost == 3 && look.putBack == 0)
      #expect(try await scene.status(3) == nil)
      let replay = try await intents.replay()
      #expect(replay.putBack == 2 && replay.ends == 1 && replay.complaint == nil)
      let again = try await intents.replay()
      #expect(again.lost == 0 && again.putBack == 0 && again.ends == 0)

      try await scene.run(signer.vouch)
      #expect(try await scene.ledger.conditions().isContinuous)
      #expect(try await scene.record(1).holdReason == HoldReason.endWasLost.rawValue)
      try await intents.batch(1...4)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      try await scene.produce(2)
      for number in 2...4 {
        #expect(await scene.node.payments(to: PayingScene.recipient(number)).count == 1)
        #expect(try await scene.attempts(number).count == 1)
      }
      #expect(await scene.node.payments(to: PayingScene.recipient(1)).isEmpty)
      try await intents.reject(1)
      #expect(try await scene.status(1) == .rejected)
    }
  }

  @Test func `payouts that were signed and lost with their rows are paid once`() async throws {
    // The row comes from the log, the attempt from the journal: neither alone would do.
    try await IntentScene.run { intents, signer in
      let scene = intents.scene
      try await scene.run(signer.checkpoint)
      let backup = try await intents.backUp()
      try await intents.accept(1...1)
      try await intents.batch(1...1)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      let txid = try await scene.txid(1)
      try await intents.restore(backup)
      _ = try await scene.failure(of: signer.vouch)
      #expect(try await intents.replay().putBack == 1)
      #expect(try await scene.status(1) == .queued)
      try await scene.run(signer.vouch)
      #expect(try await scene.status(1) == .signed)
      #expect(try await scene.attempts(1).map(\.txid) == [txid])
      try await scene.run(signer.sign)
      try await scene.wait(milliseconds: 15_000)
      try await scene.run(signer.broadcast)
      try await scene.produce(2)
      #expect(await scene.node.payments(to: PayingScene.recipient(1)) == [txid])
    }
  }

  @Test func `forged entries mint nothing and stop nobody`() async throws {
    // Proves that a good acceptance with another recipient or amount, and garbage, are told and passed over.
    try await IntentScene.run { intents, signer in
      let scene = intents.scene
      let backup = try await intents.backUp()
      let good = try #require(try await intents.accept([try scene.payout(1)]).first)
      try await intents.restore(backup)
      var forged = Intent.accepted(good).fields
      forged["recipient"] = Hex.text(PayingScene.recipient(66).bytes)
      forged["reference"] = Reference(exactly: [UInt8](repeating: 9, count: 32)).description
      forged["payout_id"] = PayingScene.payoutID(66).description
      try await intents.log.appendIntents([forged, ["v": "1", "kind": "nonsense"]])
      let replay = try await intents.replay()
      #expect(replay.putBack == 1 && replay.forged == 2 && replay.complaint?.contains("nobody of ours") == true)
      #expect(try await scene.count("SELECT count(*) FROM payouts") == 1)
      #expect(try await scene.status(66) == nil)
      try await scene.run(signer.vouch)
      #expect(try await hasAlarm("forged_intents", scene))
      #expect(try await scene.ledger.conditions().isContinuous)
    }
  }

  @Test func `an entry of a key that nobody names, or of a newer program, is waited for`() async throws {
    // Proves that what may be a good acceptance is never passed over.
    try await IntentScene.run { intents, signer in
      let scene = intents.scene
      let backup = try await intents.backUp()
      let good = try #require(try await intents.accept([try scene.payout(1)]).first)
      try await intents.restore(backup)
      let other = try await IntentScene.emptyLog()
      var fields = Intent.accepted(good).fields
      fields["seal_key"] = "k0"
      try await other.appendIntents([fields])
      _ = try await scene.failure(of: intents.signer(log: other).vouch)
      #expect(try await hasAlarm("lost_acceptances", scene))
      let newer = try await IntentScene.emptyLog()
      try await newer.appendIntents([["v": "2"]])
      let error = try await scene.failure(of: intents.signer(log: newer).vouch)
      #expect("\(error)".contains("has version 2"))
      #expect(try await scene.ledger.conditions().isContinuous == false)
    }
  }

  @Test func `where the log is gone too, a rollback holds all that waits unsigned, and a restart nothing`() async throws
  {
    try await IntentScene.run { intents, signer in
      let scene = intents.scene
      try await intents.accept(1...2)
      try await scene.run(signer.checkpoint)
      let backup = try await intents.backUp()
      try await intents.batch(2...2)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      // FLUSHALL and a restart: nothing of the database is lost, and nothing is held.
      try await intents.server.restart(mode: .immediate)
      let empty = try await IntentScene.emptyLog()
      try await scene.run(intents.signer(log: empty).vouch)
      #expect(try await scene.ledger.conditions().isContinuous)
      #expect(try await scene.status(1) == .queued)
      // FLUSHALL and a restore: the journal shows the rollback.
      try await intents.restore(backup)
      try await scene.run(intents.signer(log: empty).vouch)
      #expect(try await scene.ledger.conditions().isContinuous)
      #expect(try await scene.status(2) == .signed)
      #expect(try await scene.record(1).holdReason == HoldReason.historyUnproven.rawValue)
      #expect(try await hasAlarm("history_unproven", scene))
    }
  }

  @Test func `a payout that is freed after its lost end came to light is held, not signed again`() async throws {
    // The replay came while its put-back transaction was on its way: the Signer asks when its next attempt is due.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule(numbers: 1...2)
      let end = PayoutEnd(
        payout: PayingScene.payoutID(1), reference: try await scene.record(1).terms.reference, status: .cancelled,
        note: nil, at: scene.clock.now())
      try await scene.force(
        """
        INSERT INTO lost_ends (reference, payout_id, status, ended_at)
        VALUES (\(PayingScene.sql(end.reference.bytes)), '\(end.payout)', 'cancelled', now())
        """)
      try await scene.run(signer.sign)
      #expect(try await scene.record(1).holdReason == HoldReason.endWasLost.rawValue)
      #expect(try await scene.attempts(1).isEmpty)
      #expect(try await scene.status(2) == .signed)
    }
  }

  @Test func `nobody vouches while the log cannot be read, and operators are called after a minute`() async throws {
    try await IntentScene.run { intents, signer in
      let scene = intents.scene
      try await intents.server.restart(mode: .fast)
      await scene.streams.setFault { $0 == .readIntents ? .notDone : nil }
      let blind = try intents.signer(log: scene.streams)
      _ = try await scene.failure(of: blind.vouch)
      #expect(try await !hasAlarm("intents_unreadable", scene))
      try await scene.wait(milliseconds: 60_000)
      _ = try await scene.failure(of: blind.vouch)
      #expect(try await hasAlarm("intents_unreadable", scene))
      await scene.streams.setFault(nil)
      try await scene.run(blind.vouch)
      #expect(try await scene.ledger.conditions().isContinuous)
    }
  }
}

/// The checkpoint never runs ahead of what is committed, and late entries are found.
@Suite(.timeLimit(.minutes(5))) struct IntentCheckpointTests {
  @Test func `the checkpoint stands on entries whose rows were found, and on nothing else`() async throws {
    // Stops between commit and append, and between a restore's loss and its replay.
    try await IntentScene.run { intents, signer in
      let scene = intents.scene
      try await scene.run(signer.checkpoint)
      let marker = try #require(try await intents.log.intentExtent()?.last)
      #expect(try await scene.ledger.intentCheckpoint().lastID == "\(marker)")
      // Committed, and its writer stands still before the append: the checkpoint cannot know of it.
      _ = try await scene.ledger.accept([try scene.payout(1)], limits: AcceptanceLimits(hourly: nil, daily: nil))
      try await scene.run(signer.checkpoint)
      #expect(try await scene.ledger.intentCheckpoint().lastID == "\(marker)")
      // An entry whose row is not there: its writer stood still until after a restore and a vouching.
      let late = try scene.payout(2)
      let intent = AcceptedPayout(
        late, limitWindows: LimitWindows(at: scene.clock.now()), windowEnd: scene.clock.now())
      try await intents.log.appendIntents([Intent.accepted(intent).fields])
      try await scene.run(signer.checkpoint)
      #expect(try await scene.ledger.intentCheckpoint().lastID == "\(marker)")
      #expect(try await scene.alarms().contains("lost_acceptances"))
      #expect(try await intents.replay().putBack == 1)
      #expect(try await scene.status(2) == .queued)
      try await scene.run(signer.checkpoint)
      let last = try #require(try await intents.log.intentExtent()?.last)
      #expect(try await scene.ledger.intentCheckpoint().lastID == "\(last)")
    }
  }

  @Test func `while the history is not vouched for the checkpoint stands still`() async throws {
    try await IntentScene.run { intents, signer in
      let scene = intents.scene
      try await scene.run(signer.checkpoint)
      let before = try await scene.ledger.intentCheckpoint().lastID
      try await intents.server.restart(mode: .fast)
      try await intents.log.appendIntents([Intent.marker.fields])
      try await scene.run(signer.checkpoint)
      #expect(try await scene.ledger.intentCheckpoint().lastID == before)
    }
  }

  @Test func `a log that was lost and began anew is compared from its beginning`() async throws {
    try await IntentScene.run { intents, signer in
      let scene = intents.scene
      _ = try await scene.ledger.moveIntentCheckpoint(
        to: "99999999999999-0", under: try await scene.ledger.intentCheckpoint().life)
      try await scene.run(signer.checkpoint)
      let last = try #require(try await intents.log.intentExtent()?.last)
      #expect(try await scene.ledger.intentCheckpoint().lastID == "\(last)")
    }
  }
}
