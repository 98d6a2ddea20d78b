import Ledger
import Monitor
import Payouts
import Signer
import TestSupport
import Testing
import Tron
import Worker

/// Following head and solid chain: included, undone, confirmed (DESIGN.md §2, §3 point 5, §7).
@Suite struct FollowTests {
  @Test func `a payout goes from broadcast over confirming to confirmed`() async throws {
    // The whole way on a quiet chain; the block counts as the first confirmation: head − block + 1 = 19.
    try await PayingScene.run { scene in
      let (monitor, _) = try await scene.sent()
      try await scene.live(18, monitor)
      #expect(try await scene.status(1) == .confirming)
      try await scene.live(1, monitor)
      #expect(try await scene.status(1) == .confirmed)
      #expect(try await scene.states(1) == [.queued, .scheduled, .signed, .broadcast, .confirming, .confirmed])
      let attempt = try await scene.attempts(1)[0]
      #expect(attempt.outcome == .paid && attempt.status == .solid && attempt.result == "SUCCESS")
      #expect(attempt.cost == TransactionCost(fee: Sun(6_428_500), energyUsed: 64_285, bandwidthUsed: 345))
    }
  }

  @Test func `solid first and confirmations later, or the other way, both take the later one`() async throws {
    // "19 confirmations counted from the head is not solidity" (reference §3.3), nor is solidity 19 confirmations.
    for isSolidFirst in [true, false] {
      try await PayingScene.run { scene in
        let (monitor, _) = try await scene.sent()
        await scene.node.setSolid(22)
        try await scene.live(1, monitor)
        if isSolidFirst {
          await scene.node.setSolid(41)
          try await scene.live(17, monitor)
          #expect(try await scene.attempts(1)[0].outcome == .paid)
          #expect(try await scene.status(1) == .confirming)
          try await scene.live(1, monitor)
        } else {
          try await scene.live(25, monitor)
          #expect(try await scene.attempts(1)[0].outcome == nil)
          #expect(try await scene.status(1) == .confirming)
          await scene.node.setSolid(40)
          try await scene.read(monitor)
          #expect(try await scene.status(1) == .confirming)
          await scene.node.setSolid(41)
          try await scene.read(monitor)
        }
        #expect(try await scene.status(1) == .confirmed)
      }
    }
  }

  @Test func `a block costs one request for itself and one for its receipts, an empty one none for receipts`()
    async throws
  {
    // "One request for a block and one for all its receipts, however many payouts wait", and none in between: the next
    // look comes when the next block is due.
    try await PayingScene.run { scene in
      let (monitor, _) = try await scene.sent(5)
      _ = await scene.node.takeCalls()
      for (number, hasTransactions) in [(Int64(41), true), (42, false), (43, false)] {
        try await scene.produce()
        #expect(try await monitor.followHead.run() == .idle(milliseconds: 3_000))
        let calls = await scene.node.takeCalls()
        #expect(calls == [.latest(.head)] + (hasTransactions ? [.receipts(number, .head)] : []))
      }
      // Overdue blocks are asked for more and more seldom, but at least once a second.
      for (age, pause) in [(3_000, 300), (3_000, 600), (60_000, 1_000)] {
        try await scene.wait(milliseconds: Int64(age))
        #expect(try await monitor.followHead.run() == .idle(milliseconds: Int64(pause)))
      }
      for number in 1...5 { #expect(try await scene.status(number) == .confirming) }
    }
  }

  @Test(arguments: [1, 5])
  func `a fork takes a payout back to broadcast, and its other block confirms it`(depth: Int64) async throws {
    // "Undoes what a fork undid." The transaction is in the newest block's branch at another height afterwards.
    try await PayingScene.run { scene in
      let (monitor, signer) = try await scene.sent()
      try await scene.live(1, monitor)
      let first = try await scene.attempts(1)[0].block
      try await scene.live(Int(depth) - 1, monitor)
      #expect(try await scene.status(1) == .confirming)
      await scene.node.fork(above: 40)
      await scene.node.produce([])
      for _ in 0..<depth { await scene.node.produce([]) }
      try await scene.read(monitor)
      #expect(try await scene.status(1) == .broadcast)
      #expect(try await scene.attempts(1)[0].status == .sent)
      // It is sent again at once: only nodes that held the losing block re-push it.
      try await scene.run(signer.broadcast)
      try await scene.live(1, monitor)
      #expect(try await scene.status(1) == .confirming)
      let second = try await scene.attempts(1)[0].block
      #expect(second != nil && second != first)
      try await scene.live(18, monitor)
      #expect(try await scene.status(1) == .confirmed)
      #expect(await scene.node.payments(to: PayingScene.recipient(1)).count == 1)
      #expect(try await scene.alarms().isEmpty)
    }
  }

  @Test func `a fork of equal height is noticed before another block comes`() async throws {
    // The node's head has our head's number and another id: what ours included is undone now, what theirs holds is taken.
    try await PayingScene.run { scene in
      let (monitor, _) = try await scene.sent(2)
      let ours = try await scene.txid(1)
      let theirs = try await scene.txid(2)
      await scene.node.produce([ours])
      try await scene.read(monitor)
      #expect(try await scene.status(1) == .confirming)
      #expect(try await scene.status(2) == .broadcast)
      await scene.node.fork(above: 40)
      await scene.node.produce([theirs])
      try await scene.read(monitor)
      #expect(try await scene.status(1) == .broadcast)
      #expect(try await scene.status(2) == .confirming)
      #expect(try await scene.ledger.cursor(.head) == (await scene.node.headPlace))
    }
  }

  @Test func `a node that is behind undoes nothing`() async throws {
    // "A pool of nodes behind one host is not monotonic" (reference §3.4): its head is an older block of our branch.
    try await PayingScene.run { scene in
      let (monitor, _) = try await scene.sent()
      try await scene.live(3, monitor)
      let blocks = try await [scene.node.block(42, .head), scene.node.block(10, .head)].compactMap { $0 }
      for block in blocks {
        await scene.node.setBlockTampering { _, _ in block }
        for _ in 0..<3 { _ = try await monitor.followHead.run() }
        #expect(try await scene.status(1) == .confirming)
        #expect(try await scene.ledger.cursor(.head)?.number == 43)
      }
      #expect(try await scene.alarms().isEmpty)
    }
  }

  @Test func `a fork below all we kept raises an alarm and changes nothing`() async throws {
    // "Forks end above the solid block by construction": one that does not is another chain, or a lie.
    try await PayingScene.run { scene in
      let (monitor, _) = try await scene.sent()
      try await scene.live(25, monitor)
      let before = try await scene.ledger.cursor(.head)
      await scene.node.fork(above: 20)
      await scene.node.produce(count: 60)
      _ = try await scene.failure(of: monitor.followHead)
      #expect(try await scene.alarms() == ["deep_fork"])
      #expect(try await scene.ledger.cursor(.head) == before)
      #expect(try await scene.status(1) == .confirmed)
    }
  }

  @Test func `a solid chain that changes raises an alarm, and decides nothing`() async throws {
    try await PayingScene.run { scene in
      let (monitor, _) = try await scene.sent()
      await scene.node.setSolid(30)
      try await scene.live(1, monitor)
      await scene.node.fork(above: 25)
      await scene.node.produce(count: 60)
      await scene.node.setSolid(70)
      let before = try await scene.ledger.cursor(.solid)
      #expect(before?.number == 30)
      _ = try await scene.failure(of: monitor.followSolid)
      #expect(try await scene.alarms() == ["solid_chain_changed"])
      #expect(try await scene.ledger.cursor(.solid) == before)
      #expect(try await scene.attempts(1)[0].outcome == nil)
    }
  }

  @Test func `missing receipts stop the reading and never give a verdict`() async throws {
    // An empty answer is also what a node says that has lost its history.
    try await PayingScene.run { scene in
      let (monitor, _) = try await scene.sent()
      try await scene.produce()
      await scene.node.setReceiptTampering { _, _, _ in [] }
      _ = try await scene.failure(of: monitor.followHead)
      #expect(try await scene.status(1) == .broadcast)
      await scene.node.setReceiptTampering { _, view, receipts in view == .solid ? [] : receipts }
      try await scene.run(monitor.followHead)
      for _ in 0..<70 { try await scene.produce() }
      _ = try await scene.failure(of: monitor.followSolid)
      try await scene.run(monitor.followHead)
      #expect(try await scene.attempts(1)[0].outcome == nil)
      await scene.node.setReceiptTampering(nil)
      try await scene.read(monitor)
      #expect(try await scene.status(1) == .confirmed)
    }
  }

  @Test func `two Monitors on one ledger do everything once`() async throws {
    // "Replicas may run side by side": both read every block at the same time, through a fork too.
    try await PayingScene.run { scene in
      let (first, _) = try await scene.sent(3)
      let second = try scene.monitor("monitor-2")
      func both() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for monitor in [first, second] {
            group.addTask { for _ in 0..<3 { try await scene.read(monitor) } }
          }
          try await group.waitForAll()
        }
      }
      for _ in 0..<4 {
        try await scene.produce()
        try await both()
      }
      await scene.node.fork(above: 40)
      for _ in 0..<6 { await scene.node.produce() }
      try await both()
      for _ in 0..<20 {
        try await scene.produce()
        try await both()
      }
      for number in 1...3 {
        #expect(try await scene.status(number) == .confirmed)
        #expect(try await scene.states(number).filter { $0 == .confirmed }.count == 1)
        #expect(await scene.node.payments(to: PayingScene.recipient(number)).count == 1)
      }
      #expect(try await scene.alarms().isEmpty)
    }
  }

  @Test func `what Signers say they sent is held against the ledger`() async throws {
    // A txid that the ledger does not know: lost history, or somebody writes in the stream.
    try await PayingScene.run { scene in
      let (monitor, _) = try await scene.sent(2)
      try await scene.run(monitor.takeUpSent)
      #expect(try await scene.alarms().isEmpty)
      try await scene.streams.append(
        [["txid": String(repeating: "ab", count: 32)], ["txid": "no txid"]], to: .transactionsSent)
      try await scene.run(monitor.takeUpSent)
      #expect(try await scene.alarms() == ["unknown_announcement"])
      #expect(try await scene.streams.length(of: .transactionsSent) == 0)
    }
  }
}
