import Payouts
import Signer
import TestSupport
import Testing
import Tron

/// Signing and sending by several nodes (DESIGN.md §3 points 3 to 5 and 7).
@Suite struct SeveralNodesTests {
  /// A Signer with two nodes of the scene's chain, which has vouched.
  private static func signer(
    _ scene: PayingScene
  ) async throws -> (first: ReplicaNode, second: ReplicaNode, group: NodeGroup, signer: SignerSteps) {
    try await scene.follow()
    let first = ReplicaNode(of: scene.node)
    let second = ReplicaNode(of: scene.node)
    let group = NodeGroup(
      [first, second], genesis: scene.node.genesis, quorum: 1, now: { [clock = scene.clock] in clock.now() })
    let signer = try scene.signer(node: group)
    try await scene.run(signer.vouch)
    return (first, second, group, signer)
  }

  @Test(arguments: [
    BroadcastAnswer(code: .success, message: "", txid: nil),
    BroadcastAnswer(code: .duplicateTransaction, message: "Dup transaction.", txid: nil),
  ])
  func `a node that says it took a transaction and forgets it strands nobody`(answer: BroadcastAnswer) async throws {
    // "Broadcast SUCCESS followed by nothing is a documented everyday event" (reference §3.5), as is DUP without end.
    try await PayingScene.run { scene in
      let (first, _, _, signer) = try await Self.signer(scene)
      await first.setForgetting(answer)
      try await scene.schedule(numbers: 1...3)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      for number in 1...3 { #expect(try await scene.status(number) == .broadcast) }
      try await scene.produce()
      for number in 1...3 { #expect(await scene.node.payments(to: PayingScene.recipient(number)).count == 1) }
    }
  }

  @Test func `both nodes get each transaction, and a node that is away delays none`() async throws {
    try await PayingScene.run { scene in
      let (first, second, _, signer) = try await Self.signer(scene)
      try await scene.schedule(numbers: 1...2)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      for node in [first, second] { #expect(await node.takeCalls().filter { $0 == .broadcast }.count == 2) }
      await first.setAway(true)
      try await scene.schedule(numbers: 3...3)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      #expect(try await scene.status(3) == .broadcast)
    }
  }

  @Test func `a transaction is built from one node's head, solid block and price`() async throws {
    // The first node tells its head and breaks off: nothing of it goes into what is signed.
    try await PayingScene.run { scene in
      let (first, second, _, signer) = try await Self.signer(scene)
      await second.setLag(2)
      await first.setFault { call in
        call == .latest(.solid) ? TronNodeError(.timeout, call: "latest", reason: "test") : nil
      }
      try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      let signed = try await scene.signed(1)
      let place = await scene.node.place(20)
      #expect(signed.contents.refers(to: place.id))
      let head = await scene.node.place(38)
      #expect((0...1_023).contains(120_000 - signed.expiration.milliseconds(since: head.time)))
    }
  }

  @Test func `a node that is ten minutes behind signs nothing while it is alone, and is passed over while it is not`()
    async throws
  {
    // Its head is older than the clock bound: a transaction's life must not be counted from it.
    try await PayingScene.run { scene in
      try await scene.produce(200)
      let (first, second, group, signer) = try await Self.signer(scene)
      await first.setLag(200)
      await second.setAway(true)
      try await scene.schedule(numbers: 1...1)
      _ = try await scene.failure(of: signer.sign)
      #expect(try await scene.status(1) == .scheduled)
      await second.setAway(false)
      try await scene.wait(milliseconds: 3_000)
      await group.look()
      try await scene.run(signer.sign)
      #expect(try await scene.status(1) == .signed)
    }
  }

  @Test func `an earlier attempt that one node cannot show is proven by the other, and nobody is called`() async throws
  {
    try await PayingScene.run { scene in
      let (first, _, _, signer) = try await Self.signer(scene)
      let batch = try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      await scene.node.dropPending()
      // So long after that an alarm would be raised by the first node's failure alone.
      try await scene.produce(300)
      try await scene.follow()
      try await scene.freeByForce(1)
      try await scene.announce(batch)
      try await scene.run(signer.sign)
      await first.setFault { call in
        if case .block = call { TronNodeError(.apiClosed, call: "block", reason: "pruned") } else { nil }
      }
      try await scene.run(signer.prove)
      #expect(try await scene.alarms().isEmpty)
      try await scene.announce(batch)
      try await scene.run(signer.sign)
      #expect(try await scene.attempts(1).count == 2)
    }
  }

  @Test func `a node that hangs on old blocks costs one time-out, and the other proves all`() async throws {
    // It tells its head. Three proofs are wanted; each time-out lasts for the whole time of a call.
    try await PayingScene.run { scene in
      let (first, _, _, signer) = try await Self.signer(scene)
      let batch = try await scene.schedule(numbers: 1...3)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      await scene.node.dropPending()
      try await scene.produce(70)
      try await scene.follow()
      for number in 1...3 { try await scene.freeByForce(number) }
      try await scene.announce(batch)
      try await scene.run(signer.sign)
      await first.setFault { call in
        if case .block = call { TronNodeError(.timeout, call: "block", reason: "hangs") } else { nil }
      }
      _ = await first.takeCalls()
      try await scene.run(signer.prove)
      let hung = await first.takeCalls().filter { if case .block = $0 { true } else { false } }
      #expect(hung.count == 1)
      try await scene.announce(batch)
      try await scene.run(signer.sign)
      for number in 1...3 { #expect(try await scene.attempts(number).count == 2) }
    }
  }

  @Test func `all nodes away for an hour sign nothing and end nothing`() async throws {
    try await PayingScene.run { scene in
      let (first, second, group, signer) = try await Self.signer(scene)
      try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      try await scene.schedule(numbers: 2...2)
      await first.setAway(true)
      await second.setAway(true)
      for _ in 0..<120 {
        try await scene.produce(10)
        await group.look()
        for step in [signer.sign, signer.broadcast] { _ = try await scene.failure(of: step) }
        try await scene.run(signer.prove)
      }
      #expect(try await scene.attempts(1).map(\.outcome) == [nil])
      #expect(try await scene.status(1) == .broadcast)
      #expect(try await scene.status(2) == .scheduled)
      await first.setAway(false)
      try await scene.follow()
      try await scene.run(signer.sign)
      #expect(try await scene.status(2) == .signed)
      #expect(try await scene.attempts(1).count == 1)
    }
  }
}
