import Payouts
import Signer
import TestSupport
import Testing
import Tron

/// Signer's own proof that earlier attempts moved nothing, by a quorum of nodes (DESIGN.md §3 "The seal" and point 5). The
/// database says that an attempt is dead; the node that lies is the first in the list.
@Suite struct QuorumTests {
  /// Payout 1 sent, in no block yet, and a Signer that asks `first` and two honest nodes.
  private func sent(
    _ scene: PayingScene, first: any TronNode
  ) async throws -> (signer: SignerSteps, others: [ReplicaNode], batch: BatchID) {
    let others = [ReplicaNode(of: scene.node), ReplicaNode(of: scene.node)]
    let group = NodeGroup(
      [first] + others, genesis: scene.node.genesis, now: { [clock = scene.clock] in clock.now() })
    try await scene.follow()
    let signer = try scene.signer(node: group)
    try await scene.run(signer.vouch)
    let batch = try await scene.schedule(numbers: 1...1)
    try await scene.run(signer.sign)
    try await scene.run(signer.broadcast)
    return (signer, others, batch)
  }

  /// The payout comes up again, and Signer proves and signs what it can.
  private func comeUpAgain(_ scene: PayingScene, _ signer: SignerSteps, _ batch: BatchID) async throws {
    try await scene.follow()
    for _ in 0..<3 {
      try await scene.announce(batch)
      try? await scene.run(signer.sign)
      for _ in 0..<3 { try? await scene.run(signer.prove) }
    }
  }

  /// The payment comes into a block of the true chain and not into the twin's; the ledger says that it is dead.
  private func expectContradicted(
    _ scene: PayingScene, _ signer: SignerSteps, _ batch: BatchID, past twin: ScriptedNode
  ) async throws {
    try await scene.produce(70)
    for _ in 0..<70 { await twin.produce([]) }
    #expect(await scene.node.payments(to: PayingScene.recipient(1)).count == 1)
    try await scene.freeByForce(1)
    try await comeUpAgain(scene, signer, batch)
    #expect(try await scene.attempts(1).count == 1)
    #expect(try await scene.breaker() == "contradicted_ledger")
    #expect(try await scene.alarms().contains("nodes_disagree"))
  }

  @Test func `a chain that one node alone tells proves nothing, and what paid is not signed again`() async throws {
    try await PayingScene.run { scene in
      let twin = ScriptedNode(headTime: PayingScene.noon)
      await twin.setBroadcast { _, _ in .answer(.success, takes: false) }
      let (signer, _, batch) = try await sent(scene, first: twin)
      await twin.fork(above: 40)
      try await expectContradicted(scene, signer, batch, past: twin)
    }
  }

  @Test func `a node that is true but for the blocks that could hold the payment proves nothing`() async throws {
    // Its head and solid block are everyone's, so that nothing else outvotes it: the window's last block must be agreed.
    try await PayingScene.run { scene in
      let twin = ScriptedNode(headTime: PayingScene.noon)
      await twin.fork(above: 40)
      let (signer, _, batch) = try await sent(scene, first: Patchwork(below: 92, twin, above: scene.node))
      try await expectContradicted(scene, signer, batch, past: twin)
    }
  }

  @Test func `a body that leaves the payment out, and receipts that call it failed, prove nothing`() async throws {
    for leavesOut in [true, false] {
      try await PayingScene.run { scene in
        let liar = ReplicaNode(of: scene.node)
        let (signer, _, batch) = try await sent(scene, first: liar)
        let txid = try await scene.txid(1)
        await liar.setBlockLie { block, _ in
          guard block.transactions.contains(where: { $0.txid == txid }) else { return block }
          let told = block.transactions.compactMap { transaction -> BlockTransaction? in
            leavesOut ? nil : try? BlockTransaction(rawData: transaction.rawData, contractResult: .outOfTime)
          }
          return Block(header: block.header, transactions: told)
        }
        await liar.setReceiptLie { _, receipts in
          receipts.compactMap { receipt in
            leavesOut
              ? nil
              : TransactionReceipt(
                txid: receipt.txid, blockNumber: receipt.blockNumber, blockTimestamp: receipt.blockTimestamp,
                fee: receipt.fee, energyUsed: receipt.energyUsed, netUsage: receipt.netUsage, netFee: receipt.netFee,
                result: .outOfTime, isFailed: true, logs: [])
          }
        }
        try await scene.produce(70)
        try await scene.freeByForce(1)
        try await comeUpAgain(scene, signer, batch)
        #expect(try await scene.attempts(1).count == 1)
        #expect(try await scene.breaker() == "contradicted_ledger")
      }
    }
  }

  @Test func `a transaction never refers to a block that one node made up`() async throws {
    // "The reference block is a solid one, so it is valid on every fork" (DESIGN.md §3 point 7): the first node's solid block
    // is another one than the others', at a number that they have, or beyond them.
    for ahead in [0, 5] {
      try await PayingScene.run { scene in
        let twin = ScriptedNode(headTime: PayingScene.noon)
        await twin.fork(above: 10)
        for _ in 0..<30 + ahead { await twin.produce([]) }
        await twin.setSolid(22 + Int64(ahead))
        _ = try await sent(scene, first: twin)
        let solid = await scene.node.place(scene.node.solidNumber)
        #expect(try await scene.signed(1).contents.refers(to: solid.id))
      }
    }
  }

  @Test func `with two of three away nothing is proven, and with one of them back it is`() async throws {
    try await PayingScene.run { scene in
      let (signer, others, batch) = try await sent(scene, first: ReplicaNode(of: scene.node))
      await scene.node.dropPending()
      try await scene.produce(70)
      try await scene.freeByForce(1)
      for node in others { await node.setAway(true) }
      try await comeUpAgain(scene, signer, batch)
      #expect(try await scene.attempts(1).count == 1)
      #expect(try await scene.alarms().isEmpty)
      await others[1].setAway(false)
      try await comeUpAgain(scene, signer, batch)
      #expect(try await scene.attempts(1).count == 2)
    }
  }
}
