import Ledger
import Monitor
import Payouts
import TestSupport
import Testing
import Tron

/// Readings that prove nothing (DESIGN.md §3 point 5): a node that leaves out, contradicts itself, or cannot answer frees
/// no payout, and somebody is told.
@Suite struct UntrustedReadingTests {
  /// Payout 1 in block 41, with the head at 41 and nothing of it solid.
  private func included(_ scene: PayingScene) async throws -> (monitor: MonitorSteps, txid: TxID) {
    let (monitor, _) = try await scene.sent()
    try await scene.live(1, monitor)
    return (monitor, try await scene.txid(1))
  }

  /// Lets the chain go on until the transaction has long expired, whatever Monitor's steps throw meanwhile.
  private func outlive(_ scene: PayingScene, _ monitor: MonitorSteps, blocks: Int = 70) async throws {
    for _ in 0..<blocks {
      try await scene.produce()
      for step in [monitor.followHead, monitor.followSolid, monitor.judgeLate, monitor.confirm] {
        try? await scene.run(step)
      }
    }
  }

  @Test func `a body that is left out stops the reading, and the payout is confirmed when it comes`() async throws {
    // Taken for an empty block it would make a paid transaction dead, and the payout would be paid twice.
    try await PayingScene.run { scene in
      let (monitor, txid) = try await included(scene)
      await scene.node.setBlockTampering { block, view in
        guard view == .solid, block.transactions.contains(where: { $0.txid == txid }) else { return block }
        return Block(header: block.header, transactions: [], isBodyProven: true)
      }
      try await outlive(scene, monitor)
      #expect(try await scene.ledger.cursor(.solid)?.number == 40)
      #expect(try await scene.attempts(1).map(\.outcome) == [nil])
      await scene.node.setBlockTampering(nil)
      try await scene.read(monitor)
      #expect(try await scene.status(1) == .confirmed)
    }
  }

  @Test func `a transaction that is left out of a body is not dead`() async throws {
    // Body and receipts agree with one another, and not with the header's root. The head's view leaves it out too, so that
    // nothing of ours contradicts it.
    try await PayingScene.run { scene in
      let (monitor, signer) = try await scene.sent()
      let txid = try await scene.txid(1)
      await scene.node.setBlockTampering { block, _ in
        guard block.transactions.contains(where: { $0.txid == txid }) else { return block }
        return Block(header: block.header, transactions: block.transactions.filter { $0.txid != txid })
      }
      await scene.node.setReceiptTampering { _, _, receipts in receipts.filter { $0.txid != txid } }
      let other = try await scene.transfer(
        owner: PayingScene.recipient(60), to: PayingScene.recipient(61))
      await scene.node.produce(foreign: [try ScriptedNode.Foreign(rawData: other)])
      try await outlive(scene, monitor)
      #expect(try await scene.attempts(1).map(\.outcome) == [nil])
      #expect(try await scene.status(1) == .broadcast)
      #expect(try await scene.alarms().isEmpty)
      // Nobody waits for ever in silence.
      try await outlive(scene, monitor, blocks: 200)
      #expect(try await scene.alarms() == ["unjudged_transaction"])
      await scene.node.setBlockTampering(nil)
      await scene.node.setReceiptTampering(nil)
      // No block comes that would make it due: the look that is made every five seconds all the same finds it.
      try await scene.wait(milliseconds: 5_000)
      try await scene.read(monitor)
      #expect(try await scene.status(1) == .confirmed)
      try await scene.run(signer.sign)
      #expect(await scene.node.payments(to: PayingScene.recipient(1)) == [txid])
    }
  }

  @Test func `what the head's branch holds is not dead by the solid view alone`() async throws {
    // The solid view serves another body for the block, and vouches for it: two views that contradict one another.
    try await PayingScene.run { scene in
      let (monitor, txid) = try await included(scene)
      await scene.node.setBlockTampering { block, view in
        guard view == .solid, block.transactions.contains(where: { $0.txid == txid }) else { return block }
        let header = block.header
        return Block(
          header: BlockHeader(
            number: header.number, id: header.id, parentID: header.parentID, timestamp: header.timestamp,
            transactionRoot: [UInt8](repeating: 0, count: 32), witness: header.witness, isIDProven: true,
            signature: .byWitness),
          transactions: [], isBodyProven: true)
      }
      try await outlive(scene, monitor, blocks: 270)
      #expect(try await scene.attempts(1).map(\.outcome) == [nil])
      #expect(try await scene.alarms() == ["unjudged_transaction"])
      await scene.node.setBlockTampering(nil)
      try await scene.wait(milliseconds: 5_000)
      try await scene.read(monitor)
      #expect(try await scene.status(1) == .confirmed)
    }
  }

  @Test func `a window that cannot be read keeps no other from its verdict`() async throws {
    // A put-back whose blocks the node has pruned must not keep every lost payout waiting.
    try await PayingScene.run { scene in
      let (monitor, _) = try await scene.sent()
      await scene.node.dropPending()
      try await scene.produce(30)
      try await scene.read(monitor)
      let signer = try scene.signer(run: 2)
      try await scene.run(signer.vouch)
      try await scene.schedule(numbers: 2...2)
      try await scene.run(signer.sign)
      await scene.node.dropPending()
      let pruned = await scene.node.headPlace.number - 20
      await scene.node.setFault { call in
        if case .block(let number, .solid) = call, number < pruned - 20 { .apiClosed } else { nil }
      }
      for _ in 0..<70 {
        try await scene.produce()
        try await scene.run(monitor.followHead)
        try await scene.run(monitor.followSolid)
      }
      try await scene.run(monitor.judgeLate)
      #expect(try await scene.attempts(2).map(\.outcome) == [.dead])
      #expect(try await scene.failure(of: monitor.judgeLate) is ChainReadError)
      #expect(try await scene.attempts(1).map(\.outcome) == [nil])
      await scene.node.setFault(nil)
      try await scene.run(monitor.judgeLate)
      #expect(try await scene.attempts(1).map(\.outcome) == [.dead])
    }
  }

  @Test func `another solid chain than the one that was followed decides nothing`() async throws {
    // The transaction is in the chain that was followed, and its verdict is due by reading again; the node now tells of
    // another chain from the very genesis on, or from after the reference block.
    for depth in [Int64(10), 40] {
      try await PayingScene.run { scene in
        let (monitor, _) = try await scene.sent()
        let txid = try await scene.txid(1)
        try await scene.restoreToBeforeSigning(1)
        try await scene.live(65, monitor)
        let next = try scene.signer(run: 2)
        try await scene.run(next.vouch)
        let solid = try #require(try await scene.ledger.cursor(.solid))
        await scene.node.fork(above: depth, pendsAgain: false)
        for _ in 0..<100 { await scene.node.produce() }
        await scene.node.setSolid(solid.number + 10)
        _ = try await scene.failure(of: monitor.judgeLate)
        #expect(try await scene.attempts(1).map(\.outcome) == [nil])
        #expect(try await scene.txid(1) == txid)
        try await scene.wait(milliseconds: 600_000)
        _ = try await scene.failure(of: monitor.judgeLate)
        #expect(try await scene.alarms().contains("unjudged_transaction"))
      }
    }
  }

  @Test func `a block that a node has and does not give is told, not waited for`() async throws {
    // "{}" below the node's own head: it pruned the block, or a stale one answers. Health shows the failing step.
    try await PayingScene.run { scene in
      let (monitor, _) = try await included(scene)
      let hiding = HidingNode(node: scene.node, hidden: 42)
      try await scene.produce(30)
      let watching = try scene.monitor("monitor-2", node: hiding)
      #expect(try await scene.failure(of: watching.followHead) is ChainReadError)
      #expect(try await scene.failure(of: watching.followSolid) is ChainReadError)
      #expect(try await scene.ledger.cursor(.head)?.number == 41)
      #expect(try await scene.ledger.cursor(.solid)?.number == 41)
      try await scene.read(monitor)
      #expect(try await scene.status(1) == .confirmed)
    }
  }
}

/// A node that has lost one block and still knows its head.
private struct HidingNode: TronNode {
  let node: ScriptedNode
  let hidden: Int64

  func genesisBlockID() async throws(TronNodeError) -> BlockID { try await node.genesisBlockID() }
  func latestBlock(_ view: ChainView) async throws(TronNodeError) -> Block { try await node.latestBlock(view) }
  func block(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> Block? {
    number == hidden ? nil : try await node.block(number, view)
  }
  func blocks(from number: Int64, count: Int, _ view: ChainView) async throws(TronNodeError) -> [Block] {
    try await node.blocks(from: number, count: count, view).filter { $0.header.number != hidden }
  }
  func receipts(ofBlock number: Int64, _ view: ChainView) async throws(TronNodeError) -> [TransactionReceipt] {
    try await node.receipts(ofBlock: number, view)
  }
  func broadcast(_ bytes: [UInt8]) async throws(TronNodeError) -> BroadcastAnswer { try await node.broadcast(bytes) }
  func energyPrice() async throws(TronNodeError) -> Sun { try await node.energyPrice() }
  func account(_ address: Address, _ view: ChainView) async throws(TronNodeError) -> AccountState {
    try await node.account(address, view)
  }
  func tokenBalance(
    token: Address, of owner: Address, _ view: ChainView
  ) async throws(TronNodeError) -> Amount { try await node.tokenBalance(token: token, of: owner, view) }
  func simulate(_ call: TokenCall, _ view: ChainView) async throws(TronNodeError) -> TokenCallOutcome {
    try await node.simulate(call, view)
  }
}
