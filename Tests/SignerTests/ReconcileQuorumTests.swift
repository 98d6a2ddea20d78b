import Ledger
import Monitor
import Payouts
import Signer
import TestSupport
import Testing
import Tron

@testable import Payoutctl

/// `payoutctl reconcile` with three nodes, the one of which that is asked first lies: what a person is told is a quorum's word
/// (DESIGN.md §3 point 5).
@Suite struct ReconcileQuorumTests {
  /// A payment that database and journal lost, found in a solid block.
  private func lost(_ scene: PayingScene) async throws -> TxID {
    let monitor = try scene.monitor()
    let txid = try await scene.losePayments([scene.payout(1)], monitor)[0]
    let signer = try scene.signer(run: 2, journal: scene.emptyJournal())
    try await scene.live(1, monitor)
    try await scene.run(signer.vouch)
    try await scene.live(22, monitor)
    return txid
  }

  private func group(_ nodes: [ReplicaNode], _ scene: PayingScene) -> NodeGroup {
    NodeGroup(nodes, genesis: scene.node.genesis, now: { [clock = scene.clock] in clock.now() })
  }

  @Test func `a node that swaps a signature in a body that nobody can prove makes no payment a stranger's`()
    async throws
  {
    // Signatures lie outside of the txid: only the header's root, or the other nodes, tell of them.
    try await PayingScene.run { scene in
      let txid = try await lost(scene)
      let nodes = (0..<3).map { _ in ReplicaNode(of: scene.node) }
      for node in nodes {
        await node.setBlockLie { block, _ in
          Block(header: block.header, transactions: block.transactions, isBodyProven: block.transactions.isEmpty)
        }
      }
      await nodes[0].setBlockLie { block, _ in
        let swapped = block.transactions.compactMap {
          try? BlockTransaction(
            rawData: $0.rawData, contractResult: $0.contractResult, signatures: [[UInt8](repeating: 7, count: 65)])
        }
        return Block(header: block.header, transactions: swapped, isBodyProven: swapped.isEmpty)
      }
      #expect(try await scene.reconcile(through: group(nodes, scene)).outcomes == ["\(txid)": .matches])
    }
  }

  @Test func `what one node alone keeps back or shows elsewhere is read from the others`() async throws {
    try await PayingScene.run { scene in
      let txid = try await lost(scene)
      let nodes = (0..<3).map { _ in ReplicaNode(of: scene.node) }
      await nodes[0].setFault { call in
        guard case .block = call else { return nil }
        return TronNodeError(.unreachable, call: "\(call)", reason: "the test keeps blocks back")
      }
      #expect(try await scene.reconcile(through: group(nodes, scene)).outcomes == ["\(txid)": .matches])
      await nodes[0].setFault(nil)
      await nodes[0].setBlockLie { block, _ in
        let header = BlockHeader(
          number: block.header.number, id: block.header.parentID, parentID: block.header.parentID,
          timestamp: block.header.timestamp, transactionRoot: [UInt8](repeating: 0, count: 32),
          witness: block.header.witness, isIDProven: true, signature: .byWitness)
        return Block(header: header, transactions: [], isBodyProven: true)
      }
      #expect(try await scene.reconcile(through: group(nodes, scene)).outcomes == ["\(txid)": .matches])
    }
  }

  @Test func `a node whose solid block is low is not asked, and what a quorum had solid is never called not solid`()
    async throws
  {
    try await PayingScene.run { scene in
      let txid = try await lost(scene)
      let nodes = (0..<3).map { _ in ReplicaNode(of: scene.node) }
      await nodes[0].setLag(20)
      #expect(try await scene.reconcile(through: group(nodes, scene)).outcomes == ["\(txid)": .matches])
      for node in nodes { await node.setLag(20) }
      #expect(try await scene.reconcile(through: group(nodes, scene)).outcomes == ["\(txid)": .unreadable])
      try await scene.force("UPDATE unclaimed_transfers SET is_solid = false")
      await nodes[0].setAway(true)
      #expect(try await scene.reconcile(through: group(nodes, scene)).outcomes == ["\(txid)": .notSolid])
    }
  }

  @Test func `that a transaction moved nothing is a quorum's word too`() async throws {
    // Whoever is told so by 'payoutctl adopt' pays another way, and says 'settle'.
    try await PayingScene.run { scene in
      let txid = try await lost(scene)
      let number = try #require(await scene.node.blockNumber(of: txid))
      let nodes = (0..<3).map { _ in ReplicaNode(of: scene.node) }
      let find = FindTransaction(node: group(nodes, scene), token: PayingScene.token)
      func moved() async throws -> String? {
        try await find.moved(by: txid, from: scene.wallet, to: PayingScene.recipient(1), inBlock: number)
      }
      #expect(try await moved() == "1")
      await nodes[0].setReceiptLie { _, receipts in
        receipts.map { receipt in
          TransactionReceipt(
            txid: receipt.txid, blockNumber: receipt.blockNumber, blockTimestamp: receipt.blockTimestamp,
            fee: receipt.fee,
            energyUsed: receipt.energyUsed, netUsage: receipt.netUsage, netFee: receipt.netFee, result: .outOfTime,
            isFailed: true, logs: [])
        }
      }
      #expect(try await moved() == "1")
      await nodes[0].setReceiptLie(nil)
      await nodes[0].setLag(20)
      #expect(try await moved() == "1")
      for node in nodes { await node.setLag(20) }
      await #expect(throws: ChainReadError.self) { _ = try await moved() }
    }
  }

  @Test func `without a quorum nothing is said of a payment, and nothing ordered`() async throws {
    try await PayingScene.run { scene in
      let txid = try await lost(scene)
      let nodes = (0..<3).map { _ in ReplicaNode(of: scene.node) }
      for node in nodes[1...] {
        await node.setFault { call in
          if case .latest = call { return nil }
          return TronNodeError(.unreachable, call: "\(call)", reason: "the test lets it show its newest block alone")
        }
      }
      #expect(try await scene.reconcile("now", through: group(nodes, scene)).outcomes == ["\(txid)": .unreadable])
      #expect(try await scene.count("SELECT count(*) FROM adoptions") == 0)
    }
  }
}
