import Ledger
import Payouts
import TestSupport
import Testing
import Tron
import Worker

/// "All nodes away for an hour ends nothing" (DESIGN.md §3 point 6), over the whole path and by a moved clock.
@Suite struct OutageTests {
  private static func recipient(_ number: UInt8) -> Address {
    Address(account: [UInt8](repeating: 0x66, count: 19) + [number])
  }

  @Test func `with all nodes away for an hour payouts of every state stay, say what they wait for, and are paid once`()
    async throws
  {
    // The network goes on meanwhile, unseen: what was sent comes into a block, what no node took dies. Nothing is judged by
    // the clock alone, and nothing is signed into the dark.
    let system = try await OneProcess()
    try await system.run {
      var ids: [PayoutID] = []
      func pay(_ batchType: BatchType = .immediate) async throws {
        let number = UInt8(ids.count + 1)
        ids.append(
          try await system.pay(Self.recipient(number), "\(number).25", key: "key-\(number)", batchType: batchType))
      }
      // 1 is in a block, 2 is sent, 3 was refused by silence; then nobody answers, and 4 and 5 are accepted all the same.
      try await pay()
      try await system.settle()
      try await system.pass(slots: 1)
      try await pay()
      try await system.settle()
      await system.node.setBroadcast { _, _ in .error(.timeout, takes: false) }
      try await pay()
      _ = try await system.settleAsFarAsPossible()
      await system.node.setFault { _ in .unreachable }
      // What was last seen of the chain is too old by now to sign by.
      system.clock.advance(byMilliseconds: 10_000)
      try await pay()
      try await pay(.weekly)
      #expect(try await system.settleAsFarAsPossible().isSuperset(of: ["follow_head", "follow_solid"]))
      let states: [PayoutStatus] = [.confirming, .broadcast, .signed, .scheduled, .queued]
      #expect(try await system.statuses(ids) == states)

      for minute in 1...60 {
        for _ in 0..<20 {
          system.clock.advance(byMilliseconds: ScriptedNode.slotMilliseconds)
          await system.node.produce(at: system.clock.now())
        }
        #expect(try await system.settleAsFarAsPossible().isSuperset(of: ["follow_head", "follow_solid"]))
        let (statuses, waitings) = try await (system.statuses(ids), system.waitings(ids))
        #expect(statuses == states, "minute \(minute)")
        #expect(waitings == [.confirmations, .block, .broadcast, .chainWatch, .window], "minute \(minute)")
      }
      for id in ids {
        for attempt in try await system.ledger.attempts(of: id) { #expect(attempt.outcome == nil) }
      }
      // The window of the fifth ends while they are still away: due, and told what keeps it.
      let weekly = try #require(try await system.ledger.payout(ids[4])).windowEnd
      system.clock.advance(byMilliseconds: max(0, weekly.milliseconds(since: system.clock.now())) + 1_000)
      await system.node.produce(at: system.clock.now())
      _ = try await system.settleAsFarAsPossible()
      #expect(try await system.statuses(ids) == [.confirming, .broadcast, .signed, .scheduled, .scheduled])
      #expect(try await system.waitings(ids) == [.confirmations, .block, .broadcast, .chainWatch, .chainWatch])

      // They are back.
      await system.node.setFault(nil)
      await system.node.setBroadcast(nil)
      var slots = 0
      while try await system.statuses(ids).contains(where: { $0 != .confirmed }), slots < 200 {
        slots += 1
        try await system.pass(slots: 1)
      }
      #expect(try await system.statuses(ids) == [PayoutStatus](repeating: .confirmed, count: 5))
      for number in UInt8(1)...5 {
        let paid = await system.node.payments(to: Self.recipient(number))
        #expect(paid.count == 1)
        // The one that no node took was dead, and a second transaction paid.
        let attempts = try await system.ledger.attempts(of: ids[Int(number) - 1])
        #expect(attempts.map(\.outcome) == (number == 3 ? [.dead, .paid] : [.paid]), "payout \(number)")
        #expect(attempts.last?.txid == paid.first)
      }
    }
  }
}

extension OneProcess {
  /// As `settle`, where steps may fail; returns the names of those that did.
  func settleAsFarAsPossible() async throws -> Set<String> {
    var failed: Set<String> = []
    try await ledgerClock.set(clock.now())
    for _ in 0..<3 {
      for step in scheduler.all + [signer.vouch] + monitor.all + signer.all {
        var rounds = 1
        do {
          while try await step.run() == .worked, rounds < 200 { rounds += 1 }
        } catch {
          failed.insert(step.name)
        }
      }
    }
    return failed
  }

  /// Where payouts stand.
  func statuses(_ ids: [PayoutID]) async throws -> [PayoutStatus?] {
    var all: [PayoutStatus?] = []
    for id in ids { all.append(try await status(id)) }
    return all
  }

  /// What payouts are said to wait for.
  func waitings(_ ids: [PayoutID]) async throws -> [PayoutWaiting.Cause?] {
    var all: [PayoutWaiting.Cause?] = []
    for id in ids {
      guard let record = try await ledger.payout(id) else { throw SceneError("no payout \(id)") }
      let attempts = try await ledger.attempts(of: id)
      let conditions = try await ledger.conditions()
      all.append(
        PayoutWaiting(record, attempts: attempts, conditions: conditions, requiredConfirmations: 19)?.what)
    }
    return all
  }
}
