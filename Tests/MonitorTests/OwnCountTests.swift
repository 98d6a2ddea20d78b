import Ledger
import Monitor
import Payouts
import TestSupport
import Testing
import Tron

/// Solidity by our own count of producers (DESIGN.md §3 point 5): "producer signature, and solidity counted by itself from
/// distinct producers; it uses the lower of its own and the node's solid height".
@Suite struct OwnCountTests {
  @Test(arguments: [(27 as Int64, 27 as Int?, 19 as Int64), (5, nil, 4), (3, nil, 3), (1, nil, 1)])
  func `a block that all nodes call solid too early waits for our own count of producers`(
    producers: Int64, known: Int?, needed: Int64
  ) async throws {
    // "Solidity counted by itself from distinct producers; it uses the lower of its own and the node's solid height." The
    // numbers are those of reference §3.3.
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      await scene.node.setProducers(producers)
      // All the blocks that are looked back on are by these producers.
      try await scene.produce(60)
      let three = try ThreeNodes(scene, knownProducers: known)
      for node in three.all { await node.setSolidEarly(true) }
      for _ in 0..<3 {
        await scene.readThrough(three.monitor)
        let head = await scene.node.head.number
        #expect(try await scene.ledger.cursor(.solid)?.number == head - needed + 1)
        try await scene.produce()
      }
      // A producer that is silent for the others' sake: the same few build on and on.
      await scene.node.setProducers(1)
      try await scene.produce(2)
      await scene.readThrough(three.monitor)
      #expect(try await scene.alarms().isEmpty)
    }
  }

  @Test(arguments: [false, true], [false, true])
  func `headers that one node makes up count for nothing`(namesProducers: Bool, othersGoOn: Bool) async throws {
    // Thirty blocks above the head that nobody else has, each of another producer and each hashing to its id: signed by a key
    // of the node's own, or by accounts of its own, which nobody elected.
    try await PayingScene.run { scene in
      let twin = ScriptedNode(headTime: PayingScene.noon)
      for node in [scene.node, twin] {
        await node.setProducers(27)
        for _ in 0..<60 { await node.produce() }
      }
      let common = await scene.node.head
      try #require(await twin.head.id == common.id)
      await twin.fork(above: common.number)
      for _ in 0..<30 { await twin.produce() }
      if othersGoOn { try await scene.produce(5) }
      let liar = ReplicaNode(of: twin)
      await liar.setHeaderLie { header, _ in
        guard header.number > common.number, let witness = header.witness else { return header }
        return namesProducers
          ? header.signed(.byAnotherKey(PayingScene.recipient(99)), as: witness)
          : header.signed(.byWitness, as: Address(account: [0xee] + witness.account.dropFirst()))
      }
      let three = try ThreeNodes(scene, first: liar, knownProducers: 27)
      for node in [liar] + three.others { await node.setSolidEarly(true) }
      for _ in 0..<100 { try? await scene.run(three.monitor.followSolid) }
      let (cursor, head) = (try await scene.ledger.cursor(.solid), await scene.node.head)
      #expect(cursor?.number == head.number - 18)
      // Who is on another branch says nothing of them: an everyday fork is no disagreement.
      #expect(try await scene.alarms().isEmpty)
    }
  }

  @Test func `a node that shows other signatures of true blocks is outvoted, and the others count`() async throws {
    try await PayingScene.run { scene in
      await scene.node.setProducers(27)
      try await scene.produce(60)
      let head = await scene.node.head
      let three = try ThreeNodes(scene, knownProducers: 27)
      for node in three.all { await node.setSolidEarly(true) }
      await three.liar.setHeaderLie { header, _ in
        guard header.number > head.number - 18, let witness = header.witness else { return header }
        return header.signed(.byAnotherKey(PayingScene.recipient(99)), as: witness)
      }
      for _ in 0..<100 { try? await scene.run(three.monitor.followSolid) }
      #expect(try await scene.ledger.cursor(.solid)?.number == head.number - 18)
      #expect(try await scene.alarms() == ["nodes_disagree"])
    }
  }

  @Test(arguments: [0, 1, 2])
  func `the count goes on from its start with one node of three away, or two of them a block behind`(
    away: Int
  ) async throws {
    try await PayingScene.run { scene in
      await scene.node.setProducers(27)
      try await scene.produce(60)
      let head = await scene.node.head
      let three = try ThreeNodes(scene, knownProducers: 27)
      for node in three.all { await node.setSolidEarly(true) }
      if away < 2 { await three.all[away].setAway(true) } else { for node in three.others { await node.setLag(1) } }
      for _ in 0..<100 { try? await scene.run(three.monitor.followSolid) }
      // The newest block's producer is known by an earlier block, so that its signature counts before the others have it.
      #expect(try await scene.ledger.cursor(.solid)?.number == head.number - 18)
      #expect(try await scene.alarms().isEmpty)
    }
  }

  @Test func `a node that hangs costs the count after a start one time-out, whatever number of producers is unknown`()
    async throws
  {
    // A round's voters are those that do not pause when it begins: asked for each producer's signature, one after the other,
    // a node that hangs for 10 s would hold solidity up for minutes.
    try await PayingScene.run { scene in
      await scene.node.setProducers(27)
      try await scene.produce(60)
      let three = try ThreeNodes(scene, knownProducers: 27)
      for node in three.all { await node.setSolidEarly(true) }
      _ = try await three.monitor.followSolid.run()
      let begin = try #require(try await scene.ledger.cursor(.solid)).number
      await three.others[1].hangOnHeaders()
      #expect(try await three.monitor.followSolid.run() == .worked)
      #expect(try await scene.ledger.cursor(.solid)?.number == begin + 1)
      #expect(await three.others[1].takeCalls().filter(\.isHeader).count == 1)
    }
  }

  @Test func `a node that failed has no vote, and a quorum stays one of all nodes`() async throws {
    // Of three one hangs: what the other two do not both show counts for nothing.
    try await PayingScene.run { scene in
      await scene.node.setProducers(27)
      try await scene.produce(60)
      let three = try ThreeNodes(scene, knownProducers: 27)
      for node in three.all { await node.setSolidEarly(true) }
      _ = try await three.monitor.followSolid.run()
      let begin = try #require(try await scene.ledger.cursor(.solid)).number
      await three.others[1].hangOnHeaders()
      await three.others[0].setHeaderLie { header, _ in
        guard header.number > begin + 1, let witness = header.witness else { return header }
        return header.signed(.byAnotherKey(PayingScene.recipient(99)), as: witness)
      }
      for _ in 0..<5 { _ = try? await three.monitor.followSolid.run() }
      #expect(try await scene.ledger.cursor(.solid)?.number == begin)
      await three.others[0].setHeaderLie(nil)
      try await scene.run(three.monitor.followSolid)
      #expect(try await scene.ledger.cursor(.solid)?.number == (await scene.node.head.number) - 18)
    }
  }

  @Test(arguments: [nil, 27])
  func `producers that sign by another key than their own count once a quorum shows it`(known: Int?) async throws {
    // "The signer is the SR's witness-permission key" (reference §1.6); permissions change, all at once at the worst.
    try await PayingScene.run { scene in
      await scene.node.setProducers(27)
      try await scene.produce(60)
      let (head, change) = (await scene.node.head.number, await scene.node.head.number - 10)
      let three = try ThreeNodes(scene, knownProducers: known)
      for node in three.all {
        await node.setSolidEarly(true)
        await node.setHeaderLie { header, _ in
          guard let witness = header.witness else { return header }
          let era: UInt8 = header.number > change ? 2 : 1
          return header.signed(.byAnotherKey(Address(account: [era] + witness.account.dropFirst())), as: witness)
        }
      }
      for _ in 0..<100 { try? await scene.run(three.monitor.followSolid) }
      #expect(try await scene.ledger.cursor(.solid)?.number == head - 18)
      #expect(try await scene.alarms().isEmpty)
    }
  }

  @Test func `one node that calls blocks solid too early moves nothing, and stops nobody`() async throws {
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let three = try ThreeNodes(scene)
      await three.liar.setSolidEarly(true)
      try await scene.live(5, through: three.monitor)
      #expect(try await scene.ledger.cursor(.solid)?.number == (await scene.node.solidNumber))
      #expect(try await scene.attempts(1).map(\.outcome) == [nil])
      try await scene.live(14, through: three.monitor)
      #expect(try await scene.status(1) == .confirmed)
      #expect(try await scene.alarms().isEmpty)
    }
  }
}

extension BlockHeader {
  /// The same, signed by somebody else.
  fileprivate func signed(_ signature: ProducerSignature, as witness: Address) -> BlockHeader {
    BlockHeader(
      number: number, id: id, parentID: parentID, timestamp: timestamp, transactionRoot: transactionRoot,
      witness: witness, isIDProven: isIDProven, signature: signature)
  }
}

extension ReplicaNode {
  /// It tells its newest block and its bodies, and no header: each time-out lasts for the whole time of a call.
  fileprivate func hangOnHeaders() {
    setFault { call in call.isHeader ? TronNodeError(.timeout, call: "header", reason: "hangs") : nil }
  }
}

extension ScriptedNode.Call {
  fileprivate var isHeader: Bool { if case .header = self { true } else { false } }
}
