import Ledger
import Monitor
import Payouts
import Signer
import TestSupport
import Testing
import Tron

/// A head on a false branch that no search back reaches, and the operator's order that sets it to the solid block.
@Suite struct ResetHeadTests {
  /// One node's own branch above block 40, which holds payout 1's transaction in block 41 and was followed up to block 60, while
  /// the other nodes' chain, on which the same transaction comes later, is solid up to block 52. What the branches have in
  /// common is no longer kept.
  private func misled(_ scene: PayingScene) async throws -> (twin: ScriptedNode, signer: SignerSteps) {
    let (_, signer) = try await scene.sent()
    let twin = ScriptedNode(headTime: PayingScene.noon)
    await twin.fork(above: 40)
    _ = try await twin.broadcast(try await scene.signed(1).bytes)
    await twin.produce(count: 20)
    let alone = try scene.monitor("monitor-2", node: CheckedNode(twin, genesis: scene.node.genesis))
    try await scene.run(alone.followHead)
    #expect(try await scene.ledger.cursor(.head) == (await twin.headPlace))
    #expect(try await scene.status(1) == .confirming)
    for _ in 0..<30 {
      try await scene.wait(milliseconds: ScriptedNode.slotMilliseconds)
      await scene.node.produce([])
    }
    let honest = try ThreeNodes(scene)
    try await scene.run(honest.monitor.followSolid)
    #expect(try await scene.ledger.cursor(.solid)?.number == 52)
    try await scene.force("DELETE FROM chain_blocks WHERE number <= 40")
    return (twin, signer)
  }

  @Test(arguments: [60, 45])
  func `a head that no node's branch goes on from is set to the agreed solid block, and the payout is paid once`(
    head: Int64
  ) async throws {
    // The head may stand above the solid block, or have been read behind it.
    try await PayingScene.run { scene in
      let (twin, signer) = try await misled(scene)
      if head < 60 {
        let place = await twin.place(head)
        try await scene.force(
          """
          DELETE FROM chain_blocks WHERE number > \(head);
          UPDATE chain_cursors SET number = \(head), block_id = \(PayingScene.sql(place.id.bytes)),
            block_time_ms = \(place.time.milliseconds) WHERE view = 'head';
          """)
      }
      let stuck = try await scene.ledger.cursor(.head)
      let three = try ThreeNodes(scene)
      for _ in 0..<5 { _ = try? await three.monitor.followHead.run() }
      #expect(try await scene.ledger.cursor(.head) == stuck)
      #expect(try await Set(scene.alarms()) == ["deep_fork"])

      #expect(try await scene.ledger.orderHeadReset(reason: "a node lied") == .ordered)
      #expect(try await three.monitor.followHead.run() == .worked)
      #expect(try await scene.ledger.headResets(atMost: 1).map(\.state) == [.done(from: head, to: 52)])
      #expect(try await scene.ledger.cursor(.head)?.number == 52)
      #expect(try await scene.status(1) == .broadcast)
      #expect(try await scene.attempts(1).map(\.outcome) == [nil])
      // Read on by the usual way, with the liar among the nodes: its branch is nobody's.
      let withLiar = try ThreeNodes(scene, first: twin)
      for _ in 0..<60 { _ = try? await withLiar.monitor.followHead.run() }
      #expect(try await scene.ledger.cursor(.head) == (await scene.node.headPlace))
      // The same bytes are sent again, and judged by the chain of the quorum.
      try await scene.run(signer.broadcast)
      try await scene.live(20, through: three.monitor)
      #expect(try await scene.status(1) == .confirmed)
      #expect(try await scene.attempts(1).map(\.outcome) == [.paid])
      #expect(await scene.node.payments(to: PayingScene.recipient(1)).count == 1)
    }
  }

  @Test func `without a quorum the order stands and nothing moves, and one node alone cannot carry it out`()
    async throws
  {
    try await PayingScene.run { scene in
      let (twin, _) = try await misled(scene)
      let three = try ThreeNodes(scene)
      #expect(try await scene.ledger.orderHeadReset(reason: "a node lied") == .ordered)
      for node in three.others { await node.setAway(true) }
      for _ in 0..<5 { _ = try? await three.monitor.followHead.run() }
      #expect(try await scene.ledger.cursor(.head) == (await twin.headPlace))
      #expect(try await scene.ledger.headResets(atMost: 1).map(\.state) == [.ordered])
      #expect(try await scene.status(1) == .confirming)
      await three.others[0].setAway(false)
      try await scene.wait(milliseconds: 60_000)
      _ = try await three.monitor.followHead.run()
      #expect(try await scene.ledger.headResets(atMost: 1).map(\.state) == [.done(from: 60, to: 52)])
    }
  }

  @Test func `an order that found no quorum lets the head be followed for ten seconds before it asks again`()
    async throws
  {
    try await PayingScene.run { scene in
      _ = try await misled(scene)
      let three = try ThreeNodes(scene)
      #expect(try await scene.ledger.orderHeadReset(reason: "a node lied") == .ordered)
      for node in three.others { await node.setAway(true) }
      func asksForSolid() async -> Bool {
        _ = await three.liar.takeCalls()
        _ = try? await three.monitor.followHead.run()
        return await three.liar.takeCalls().contains { if case .latest(.solid) = $0 { true } else { false } }
      }
      #expect(await asksForSolid())
      #expect(await !asksForSolid())
      try await scene.wait(milliseconds: 9_000)
      #expect(await !asksForSolid())
      try await scene.wait(milliseconds: 1_000)
      #expect(await asksForSolid())
    }
  }

  @Test func `a head on the true branch is not set, although it is read behind the solid block`() async throws {
    try await PayingScene.run { scene in
      let three = try ThreeNodes(scene)
      try await scene.produce(30)
      for _ in 0..<10 { _ = try await three.monitor.followHead.run() }
      try await scene.run(three.monitor.followSolid)
      let head = try #require(try await scene.ledger.cursor(.head))
      try #require(try await scene.ledger.cursor(.solid)?.number ?? 0 > head.number)
      // Its branch cannot hold what it has not come to, so that the ledger alone cannot tell.
      #expect(try await scene.ledger.orderHeadReset(reason: "impatient") == .ordered)
      #expect(try await three.monitor.followHead.run() == .worked)
      guard case .refused(let why)? = try await scene.ledger.headResets(atMost: 1).first?.state else {
        Issue.record("not refused")
        return
      }
      #expect(why.contains("the head stands on the true branch"), "\(why)")
      #expect(try await scene.alarms() == ["operator", "head_reset_refused"])
      #expect(try await scene.ledger.cursor(.head) == head)
      try await scene.run(three.monitor.followHead)
      #expect(try await scene.ledger.cursor(.head) == (await scene.node.headPlace))
      #expect(try await scene.ledger.orderHeadReset(reason: "again") == .notNeeded)
    }
  }

  @Test func `nodes of another chain than the one that was followed move nothing`() async throws {
    // A quorum has another solid block than ours: no head of ours is set by their word, and no verdict is theirs.
    try await PayingScene.run { scene in
      let (twin, _) = try await misled(scene)
      await twin.produce(count: 20)
      let others = NodeGroup(
        (0..<3).map { _ in ReplicaNode(of: twin) }, genesis: scene.node.genesis,
        now: { [clock = scene.clock] in clock.now() })
      let monitor = try scene.monitor(node: others)
      #expect(try await scene.ledger.orderHeadReset(reason: "a node lied") == .ordered)
      let head = try await scene.ledger.cursor(.head)
      #expect(try await monitor.followHead.run() == .worked)
      guard case .refused(let why)? = try await scene.ledger.headResets(atMost: 1).first?.state else {
        Issue.record("not refused")
        return
      }
      #expect(why.contains("another block 52"), "\(why)")
      #expect(try await scene.ledger.cursor(.head) == head)
    }
  }
}
