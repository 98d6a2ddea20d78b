import Ledger
import Monitor
import Payouts
import Signer
import TestSupport
import Testing
import Tron

/// What one node can do to the head, by whose word alone it is followed: it is set right without a person.
@Suite struct HeadAstrayTests {
  @Test func `a transaction that a node adds to a true block of the head is not in it, and holds up no second attempt`()
    async throws
  {
    // Under a true header no fork would ever undo it, and what a block held is not dead.
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let signed = try await scene.signed(1)
      await scene.node.dropPending()
      let claimed = try BlockTransaction(rawData: signed.rawData, contractResult: .success)
      let three = try ThreeNodes(scene)
      await three.liar.setBlockLie { block, _ in
        guard block.header.number == 41 else { return block }
        // As where the true block is not empty: what does not hash to an empty block's root is no block at all.
        let header = BlockHeader(
          number: 41, id: block.header.id, parentID: block.header.parentID, timestamp: block.header.timestamp,
          transactionRoot: [UInt8](repeating: 1, count: 32), witness: block.header.witness, isIDProven: true,
          signature: .byWitness)
        return Block(header: header, transactions: [claimed])
      }
      await three.liar.setReceiptLie { number, receipts in
        guard number == 41 else { return receipts }
        return [
          TransactionReceipt(
            txid: signed.txid, blockNumber: 41, blockTimestamp: PayingScene.noon.advanced(byMilliseconds: 3_000),
            fee: Sun(0), energyUsed: 0, netUsage: 0, netFee: Sun(0), result: .success, isFailed: false,
            logs: signed.contents.expectedTransfer.map { [EventLog($0)] } ?? [])
        ]
      }
      try await scene.produce(3)
      let alone = try scene.monitor("monitor-2", node: three.liar)
      try await scene.run(alone.followHead)
      #expect(try await scene.ledger.cursor(.head) == (await scene.node.headPlace))
      #expect(try await scene.status(1) == .broadcast)
      try await scene.live(70, through: three.monitor)
      #expect(try await scene.attempts(1).map(\.outcome) == [.dead])
      #expect(try await scene.status(1) == .scheduled)
      #expect(try await !scene.alarms().contains("unjudged_transaction"))
    }
  }

  @Test func `a false branch that is longer than the true chain is left once the solid block is not on it`()
    async throws
  {
    try await PayingScene.run { scene in
      let (_, signer) = try await scene.sent()
      let twin = ScriptedNode(headTime: PayingScene.noon)
      await twin.fork(above: 40)
      _ = try await twin.broadcast(try await scene.signed(1).bytes)
      await twin.produce(count: 60)
      let alone = try scene.monitor("monitor-2", node: CheckedNode(twin, genesis: scene.node.genesis))
      try await scene.run(alone.followHead)
      #expect(try await scene.ledger.cursor(.head)?.number == 100)
      #expect(try await scene.status(1) == .confirming)
      let honest = try ThreeNodes(scene)
      // A branch that is shorter undoes nothing as long as ours may be the one that wins.
      try await produceEmpty(10, scene)
      _ = try await honest.monitor.followHead.run()
      #expect(try await scene.ledger.cursor(.head)?.number == 100)
      try await produceEmpty(20, scene)
      try await scene.run(honest.monitor.followSolid)
      #expect(try await scene.ledger.cursor(.solid)?.number == 52)
      try await scene.run(honest.monitor.followHead)
      #expect(try await scene.ledger.cursor(.head) == (await scene.node.headPlace))
      #expect(try await scene.status(1) == .broadcast)
      try await scene.run(signer.broadcast)
      try await scene.live(20, through: honest.monitor)
      #expect(try await scene.status(1) == .confirmed)
      #expect(await scene.node.payments(to: PayingScene.recipient(1)).count == 1)
    }
  }

  /// True blocks that leave out what is pending.
  private func produceEmpty(_ count: Int, _ scene: PayingScene) async throws {
    for _ in 0..<count {
      try await scene.wait(milliseconds: ScriptedNode.slotMilliseconds)
      await scene.node.produce([])
    }
  }
}
