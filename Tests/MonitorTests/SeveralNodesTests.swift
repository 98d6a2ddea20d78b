import Ledger
import Monitor
import Payouts
import Signer
import TestSupport
import Testing
import Tron

/// Following the chain by several nodes that differ: one lags, one stands on a branch that loses, one has lost its history
/// (reference §3.4, §3.6). None of it may look like a fork, and none of it may end an attempt.
@Suite struct SeveralNodesTests {
  private static func group(_ scene: PayingScene, _ nodes: [any TronNode]) -> NodeGroup {
    NodeGroup(nodes, genesis: scene.node.genesis, quorum: 1, now: { [clock = scene.clock] in clock.now() })
  }

  private static func replicas(_ scene: PayingScene) -> (first: ReplicaNode, second: ReplicaNode, group: NodeGroup) {
    let first = ReplicaNode(of: scene.node)
    let second = ReplicaNode(of: scene.node)
    return (first, second, group(scene, [first, second]))
  }

  /// Another chain with the same blocks up to the present head, which goes its own way from here.
  private static func twin(_ scene: PayingScene) -> ScriptedNode { ScriptedNode(headTime: PayingScene.noon) }

  @Test func `a payout goes its whole way while one node after the other is away`() async throws {
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let (first, second, group) = Self.replicas(scene)
      let monitor = try scene.monitor(node: group)
      for block in 0..<19 {
        await first.setAway(block % 3 == 1)
        await second.setAway(block % 3 == 2)
        try await scene.live(1, monitor)
      }
      #expect(try await scene.status(1) == .confirmed)
      #expect(try await scene.states(1) == [.queued, .scheduled, .signed, .broadcast, .confirming, .confirmed])
      #expect(try await scene.alarms().isEmpty)
    }
  }

  @Test func `a node that lags takes over without a fork, and is taken up where it comes to ours`() async throws {
    // The head goes back from 45 to 38 and up again: nothing is undone.
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let (first, second, group) = Self.replicas(scene)
      let monitor = try scene.monitor(node: group)
      try await scene.live(5, monitor)
      #expect(try await scene.status(1) == .confirming)
      await first.setAway(true)
      await second.setLag(7)
      for _ in 0..<3 { try await scene.read(monitor) }
      #expect(try await scene.ledger.cursor(.head)?.number == 45)
      #expect(try await scene.ledger.cursor(.solid)?.number == 27)
      #expect(try await scene.states(1).last == .confirming)
      await second.setLag(0)
      try await scene.live(14, monitor)
      #expect(try await scene.states(1) == [.queued, .scheduled, .signed, .broadcast, .confirming, .confirmed])
    }
  }

  @Test(arguments: [1, 2])
  func `another node's branch undoes ours only when it is longer`(theirs: Int) async throws {
    // Ours is at 42 by the first node. The second one stands on a branch that ends at 41, or at 42 as ours does, and which
    // is the chain's is open: "a node switches when a branch gets longer than its own" (reference §3.6).
    try await PayingScene.run { scene in
      let twin = Self.twin(scene)
      _ = try await scene.sent()
      let first = ReplicaNode(of: scene.node)
      let monitor = try scene.monitor(node: Self.group(scene, [first, twin]))
      try await scene.live(2, monitor)
      #expect(try await scene.status(1) == .confirming)
      await twin.fork(above: 40)
      for _ in 0..<theirs { await twin.produce([]) }
      await first.setAway(true)
      for _ in 0..<3 { try await scene.run(monitor.followHead) }
      #expect(try await scene.status(1) == .confirming)
      #expect(try await scene.ledger.cursor(.head) == (await scene.node.headPlace))
      // Longer than ours it is the chain's, and the payout's block is undone.
      while await twin.head.number < 43 { await twin.produce([]) }
      try await scene.run(monitor.followHead)
      #expect(try await scene.status(1) == .broadcast)
      #expect(try await scene.ledger.cursor(.head) == (await twin.headPlace))
    }
  }

  @Test func `receipts of another branch are never put to a block`() async throws {
    // The first node breaks off between block and receipts. The second has another block of that number, with a receipt of
    // the same transaction that says that it failed.
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let twin = Self.twin(scene)
      await twin.fork(above: 40)
      let bytes = try await scene.signed(1).bytes
      _ = try await twin.broadcast(bytes)
      let txid = try await scene.txid(1)
      await twin.setExecution(.failure(.outOfTime), of: txid)
      try await scene.produce(20)
      await twin.produce(count: 20)
      let first = ReplicaNode(of: scene.node)
      await first.setFault { call in
        if case .receipts = call { TronNodeError(.timeout, call: "receipts", reason: "test") } else { nil }
      }
      let group = Self.group(scene, [first, twin])
      let read = try await group.round(of: .solid) { try await $0.node.readBlock(41, .solid) }
      let entry = try #require(read?.entries.first)
      #expect(entry.transaction.contractResult == .outOfTime && entry.receipt.result == .outOfTime)
      #expect(read?.place == (await twin.place(41)))
    }
  }

  @Test func `a node with another solid chain decides nothing, and the reading goes on when the first is back`()
    async throws
  {
    try await PayingScene.run { scene in
      let twin = Self.twin(scene)
      _ = try await scene.sent()
      let first = ReplicaNode(of: scene.node)
      let monitor = try scene.monitor(node: Self.group(scene, [first, twin]))
      try await scene.live(5, monitor)
      let before = try await scene.ledger.cursor(.solid)
      await twin.fork(above: 25)
      await twin.produce(count: 15)
      await twin.setSolid(30)
      await first.setAway(true)
      _ = try await scene.failure(of: monitor.followSolid)
      #expect(try await scene.alarms() == ["solid_chain_changed"])
      #expect(try await scene.ledger.cursor(.solid) == before)
      await first.setAway(false)
      try await scene.live(14, monitor)
      #expect(try await scene.status(1) == .confirmed)
    }
  }

  @Test func `what one node has pruned is proven by the other in the same round, and nobody is called about it`()
    async throws
  {
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let (first, _, group) = Self.replicas(scene)
      let monitor = try scene.monitor(node: group)
      await scene.node.dropPending()
      for _ in 0..<70 {
        try await scene.produce()
        try await scene.run(monitor.followHead)
        try await scene.run(monitor.followSolid)
      }
      // Long overdue, so that an alarm would be raised by the first node's failure alone.
      try await scene.wait(milliseconds: 600_000)
      await first.setFault { call in
        if case .block(let number, .solid) = call, number < 60 {
          TronNodeError(.apiClosed, call: "block", reason: "pruned")
        } else {
          nil
        }
      }
      try await scene.run(monitor.judgeLate)
      #expect(try await scene.attempts(1)[0].outcome == .dead)
      // The death itself is told, the first node's trouble is not.
      #expect(try await scene.alarms() == ["failure_expired"])
    }
  }

  @Test func `a node that hangs on old blocks costs one time-out a round, and the other one judges`() async throws {
    // It tells its head, and each time-out lasts for the whole time of a call.
    try await PayingScene.run { scene in
      _ = try await scene.sent(3)
      let (first, _, group) = Self.replicas(scene)
      let monitor = try scene.monitor(node: group)
      await scene.node.dropPending()
      for _ in 0..<70 {
        try await scene.produce()
        try await scene.run(monitor.followHead)
        try await scene.run(monitor.followSolid)
      }
      await first.setFault { call in
        if case .block(let number, .solid) = call, number < 60 {
          TronNodeError(.timeout, call: "block", reason: "hangs")
        } else {
          nil
        }
      }
      _ = await first.takeCalls()
      #expect(try await monitor.judgeLate.run() == .idle(milliseconds: 1_000))
      for number in 1...3 { #expect(try await scene.attempts(number)[0].outcome == .dead) }
      let hung = await first.takeCalls().filter { if case .block(..<60, .solid) = $0 { true } else { false } }
      #expect(hung.count == 1)
    }
  }

  @Test func `a window at which the only node hangs keeps no other from its verdict, and has its turn again`()
    async throws
  {
    // Two lost transactions, the older of which begins in blocks that the node does not give.
    try await PayingScene.run { scene in
      let (_, signer) = try await scene.sent()
      let alone = ReplicaNode(of: scene.node)
      let monitor = try scene.monitor(node: Self.group(scene, [alone]))
      await scene.node.dropPending()
      try await scene.produce(30)
      try await scene.read(monitor)
      try await scene.schedule(numbers: 2...2)
      try await scene.run(signer.sign)
      await scene.node.dropPending()
      for _ in 0..<70 {
        try await scene.produce()
        try await scene.run(monitor.followHead)
        try await scene.run(monitor.followSolid)
      }
      await alone.setFault { call in
        if case .block(let number, .solid) = call, number < 40 {
          TronNodeError(.timeout, call: "block", reason: "hangs")
        } else {
          nil
        }
      }
      #expect(try await scene.failure(of: monitor.judgeLate) is ChainReadError)
      #expect(try await scene.attempts(2)[0].outcome == nil)
      try await scene.run(monitor.judgeLate)
      #expect(try await scene.attempts(2)[0].outcome == .dead)
      #expect(try await scene.attempts(1)[0].outcome == nil)
      await alone.setFault(nil)
      try await scene.run(monitor.judgeLate)
      #expect(try await scene.attempts(1)[0].outcome == .dead)
    }
  }

  @Test func `a node whose solid chain is behind ours gives no verdict`() async throws {
    // The whole window is passed on the followed chain; the only node that answers has not come that far.
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let (first, second, group) = Self.replicas(scene)
      let monitor = try scene.monitor(node: group)
      await scene.node.dropPending()
      for _ in 0..<70 {
        try await scene.produce()
        try await scene.run(monitor.followHead)
        try await scene.run(monitor.followSolid)
      }
      await first.setAway(true)
      await second.setLag(1)
      _ = await second.takeCalls()
      _ = try await scene.failure(of: monitor.judgeLate)
      #expect(await second.takeCalls().filter { $0 != .genesis } == [.latest(.solid)])
      #expect(try await scene.attempts(1)[0].outcome == nil)
      await second.setLag(0)
      try await scene.run(monitor.judgeLate)
      #expect(try await scene.attempts(1)[0].outcome == .dead)
    }
  }

  @Test func `all nodes away for an hour end nothing, and the payout is confirmed afterwards`() async throws {
    // The transaction is in a block that nobody here has read, and has long expired when they are back.
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let (first, second, group) = Self.replicas(scene)
      let monitor = try scene.monitor(node: group)
      try await scene.read(monitor)
      await first.setAway(true)
      await second.setAway(true)
      for _ in 0..<120 {
        try await scene.produce(10)
        await group.look()
        for step in [monitor.followHead, monitor.followSolid] { _ = try await scene.failure(of: step) }
        try await scene.run(monitor.judgeLate)
        try await scene.run(monitor.confirm)
      }
      #expect(try await scene.status(1) == .broadcast)
      #expect(try await scene.attempts(1).map(\.outcome) == [nil])
      #expect(try await scene.alarms().isEmpty)
      await second.setAway(false)
      // More blocks than one reading takes up.
      for _ in 0..<1_200 { for step in [monitor.followHead, monitor.followSolid] { _ = try await step.run() } }
      try await scene.read(monitor)
      #expect(try await scene.status(1) == .confirmed)
      #expect(try await scene.attempts(1).map(\.outcome) == [.paid])
      #expect(await scene.node.payments(to: PayingScene.recipient(1)).count == 1)
    }
  }
}
