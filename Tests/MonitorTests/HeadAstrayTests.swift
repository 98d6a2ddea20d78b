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
      let logs = signed.contents.expectedTransfer.map { [EventLog($0)] } ?? []
      await add(claimed, with: logs, by: three.liar)
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

  @Test func `a node that is asked first and leads the head past the solid block on its own branch serves no more`()
    async throws
  {
    // It tells the truth of the solid view, and its branch is never shorter than the others'.
    try await PayingScene.run { scene in
      let (_, signer) = try await scene.sent()
      let branch = await ownBranch(0)
      let three = try ThreeNodes(scene)
      await three.liar.setHeadBranch(branch)
      for _ in 0..<30 {
        await branch.produce([])
        try await produceEmpty(1, scene)
        await scene.readThrough(three.monitor)
      }
      let solid = try #require(try await scene.ledger.cursor(.solid))
      #expect(solid.number > 50)
      #expect(try await scene.ledger.headBlock(solid.number)?.id == solid.id)
      #expect(try await scene.ledger.cursor(.head) == (await scene.node.headPlace))
      try await scene.run(signer.broadcast)
      for _ in 0..<25 {
        await branch.produce([])
        try await scene.live(1, through: three.monitor)
      }
      #expect(try await scene.status(1) == .confirmed)
      #expect(await scene.node.payments(to: PayingScene.recipient(1)).count == 1)
    }
  }

  @Test func `a head that stands on a branch without the solid block for two minutes is an alarm of its own`()
    async throws
  {
    try await PayingScene.run { scene in
      let branch = await ownBranch(60)
      let three = try ThreeNodes(scene)
      await three.liar.setHeadBranch(branch)
      try await scene.run(try scene.monitor("monitor-2", node: three.liar).followHead)
      try await produceEmpty(30, scene)
      try await scene.run(three.monitor.followSolid)
      // Who leads it on, or stays with it, serves no round.
      let liar = try scene.monitor("monitor-3", node: three.liar)
      for blocks in [0, 1] {
        await branch.produce(count: blocks)
        await #expect(throws: ChainReadError.self) { _ = try await liar.followHead.run() }
        #expect(try await scene.ledger.cursor(.head)?.number == 100)
      }
      for _ in 0..<24 {
        try await scene.run(three.monitor.noticeStandstill)
        try await scene.wait(milliseconds: 5_000)
      }
      #expect(try await scene.alarms().isEmpty)
      try await scene.run(three.monitor.noticeStandstill)
      #expect(try await scene.alarms().contains("head_astray"))
    }
  }

  @Test func `where the head is read behind the solid block, a longer branch without that undoes nothing`() async throws
  {
    // As after a time in which only the solid view could be read: the one that is asked first would undo it again and again.
    try await PayingScene.run { scene in
      let branch = await ownBranch(60)
      let three = try ThreeNodes(scene)
      try await produceEmpty(5, scene)
      try await scene.run(three.monitor.followHead)
      try await produceEmpty(25, scene)
      try await scene.run(three.monitor.followSolid)
      await three.liar.setHeadBranch(branch)
      #expect(try await scene.ledger.cursor(.head)?.number == 45)
      #expect(try await three.monitor.followHead.run() == .worked)
      #expect(try await scene.ledger.cursor(.head) == (await scene.node.place(46)))
    }
  }

  @Test func `how deep a false branch is left below the solid block is a quorum's word`() async throws {
    // The head is on one node's branch above block 50, and the solid block passes that: now the node shows another branch,
    // from block 44 on.
    try await PayingScene.run { scene in
      let (first, deeper) = (await branch(above: 50, of: 30), await branch(above: 44, of: 90))
      let three = try ThreeNodes(scene)
      try await produceEmpty(10, scene)
      while try await scene.ledger.cursor(.head)?.number != 50 { try await scene.run(three.monitor.followHead) }
      try #require(try await scene.ledger.cursor(.head) == (await first.place(50)))
      await three.liar.setHeadBranch(first)
      let alone = try scene.monitor("monitor-2", node: three.liar)
      while try await scene.ledger.cursor(.head)?.number != 80 { try await scene.run(alone.followHead) }
      try await produceEmpty(45, scene)
      for _ in 0..<40 { try? await scene.run(three.monitor.followSolid) }
      try #require(try await scene.ledger.cursor(.solid)?.number ?? 0 > 60)
      // Whether it goes on with that one, or shows nothing newer than a block below the place where the branches part.
      let short = await branch(above: 44, of: 2)
      for shown in [short, deeper] {
        await three.liar.setHeadBranch(shown)
        for _ in 0..<40 {
          _ = try? await three.monitor.followHead.run()
          #expect(try await scene.ledger.cursor(.head)?.number ?? 0 >= 50)
        }
      }
      #expect(try await scene.ledger.cursor(.head) == (await scene.node.headPlace))
    }
  }

  @Test func `a false branch of six hundred blocks is left with a few dozen requests`() async throws {
    try await PayingScene.run { scene in
      let branch = await ownBranch(600)
      let alone = try scene.monitor("monitor-2", node: CheckedNode(branch, genesis: scene.node.genesis))
      while try await scene.ledger.cursor(.head)?.number != 640 { _ = try await alone.followHead.run() }
      try await produceEmpty(601, scene)
      let honest = ReplicaNode(of: scene.node)
      let monitor = try scene.monitor("monitor-3", node: honest)
      #expect(try await monitor.followHead.run() == .worked)
      #expect(try await scene.ledger.cursor(.head)?.number == 40)
      #expect(await honest.takeCalls().count < 40)
    }
  }

  @Test func `what a node does to the body of a true block keeps nothing from the head where another one proves it`()
    async throws
  {
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let three = try ThreeNodes(scene)
      await three.liar.setBlockLie { block, view in
        guard view == .head else { return block }
        let changed = block.transactions.compactMap {
          try? BlockTransaction(rawData: $0.rawData, contractResult: .outOfTime)
        }
        return Block(header: block.header, transactions: changed, isBodyProven: changed.isEmpty)
      }
      try await scene.produce(3)
      while try await scene.ledger.cursor(.head) != (await scene.node.headPlace) {
        try await scene.run(three.monitor.followHead)
      }
      #expect(try await scene.status(1) == .confirming)
    }
  }

  @Test func `a finding that a node adds to a true block is none before a quorum has it in a solid one`() async throws {
    try await PayingScene.run { scene in
      let three = try ThreeNodes(scene)
      let raw = try await scene.transfer(to: PayingScene.recipient(60))
      await add(try BlockTransaction(rawData: raw, contractResult: .success), with: [], by: three.liar)
      try await scene.produce(3)
      let alone = try scene.monitor("monitor-2", node: three.liar)
      try await scene.run(alone.followHead)
      #expect(try await scene.ledger.cursor(.head) == (await scene.node.headPlace))
      #expect(try await scene.count("SELECT count(*) FROM unclaimed_transfers") == 0)
    }
  }

  @Test func `a transaction that had expired makes a block false, and what the fence found of it stays where it was`()
    async throws
  {
    // Shown in one false block after another, it would never be old enough for a person to say that it can come no more.
    try await PayingScene.run { scene in
      let raw = try await scene.transfer(to: PayingScene.recipient(60))
      let contents = try TransactionContents(rawData: raw)
      let branch = await ownBranch(0)
      let liar = try scene.monitor("monitor-2", node: CheckedNode(branch, genesis: scene.node.genesis))
      let shown = try ScriptedNode.Foreign(rawData: raw, .success)
      // The last block that can hold it is the first one at or after its expiration (reference §2.2).
      while await branch.head.timestamp < contents.expiration {
        await branch.produce(foreign: [shown])
        try await scene.run(liar.followHead)
      }
      let last = await branch.headPlace
      #expect(try await scene.ledger.cursor(.head) == last)
      await branch.produce(foreign: [shown])
      await #expect(throws: TronNodeError.self) { _ = try await liar.followHead.run() }
      #expect(try await scene.ledger.cursor(.head) == last)
      let found = try await scene.ledger.unexplainedFindings(naming: [], atMost: 10).map(\.finding.blockNumber)
      #expect(Set(found) == [last.number])
    }
  }

  @Test
  func `a block that is not later than its parent is false, and so is one with a transaction for more than a day`()
    async throws
  {
    // By an early block, what had expired would be new again; by a late expiration, for ever.
    try await PayingScene.run { scene in
      for isEarly in [true, false] {
        let branch = await ownBranch(1)
        let liar = try scene.monitor("monitor-2", node: CheckedNode(branch, genesis: scene.node.genesis))
        try await scene.run(liar.followHead)
        let head = try await scene.ledger.cursor(.head)
        let raw = try UnsignedTransaction.tokenTransfer(
          owner: scene.wallet, token: PayingScene.token, to: PayingScene.recipient(60), amount: Amount(microUSDT: 1),
          referenceBlock: scene.node.genesis,
          expiration: await branch.head.timestamp.advanced(byMilliseconds: isEarly ? 60_000 : 86_400_001),
          timestamp: scene.clock.now(), feeLimit: Sun(1)
        ).rawData
        await branch.produce(
          foreign: isEarly ? [] : [try ScriptedNode.Foreign(rawData: raw, .success)],
          at: isEarly ? await branch.head.timestamp : nil)
        await #expect(throws: TronNodeError.self) { _ = try await liar.followHead.run() }
        #expect(try await scene.ledger.cursor(.head) == head)
      }
    }
  }

  @Test func `a node that has us undo more than a usual fork three times within ten minutes is named by an alarm`()
    async throws
  {
    try await PayingScene.run { scene in
      let liar = ReplicaNode(of: scene.node)
      let alone = try scene.monitor("monitor-2", node: liar)
      try await scene.run(alone.followHead)
      // Three undoings: back from its own branch, to a longer one, and back.
      for shown in [await ownBranch(6), nil, await ownBranch(12), nil] {
        #expect(try await scene.alarms().isEmpty)
        await liar.setHeadBranch(shown)
        try await produceEmpty(4, scene)
        try await scene.run(alone.followHead)
      }
      #expect(try await scene.alarms() == ["head_led_back"])
    }
  }

  @Test func `a body that cannot be shown to be a new block's is waited for where the other nodes are a moment behind`()
    async throws
  {
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let three = try ThreeNodes(scene)
      await three.liar.setBlockLie { block, _ in
        Block(header: block.header, transactions: block.transactions, isBodyProven: block.transactions.isEmpty)
      }
      for node in three.others { await node.setLag(1) }
      try await scene.produce(1)
      let before = try await scene.ledger.cursor(.head)
      #expect(try await three.monitor.followHead.run() == .idle(milliseconds: 300))
      #expect(try await scene.ledger.cursor(.head) == before)
      for node in three.others { await node.setLag(0) }
      try await scene.run(three.monitor.followHead)
      #expect(try await scene.status(1) == .confirming)
      // Whoever stays behind, or is silent, holds up nothing for more than a slot.
      await three.others[0].setLag(5)
      await three.others[1].setAway(true)
      try await scene.produce(1)
      try await scene.wait(milliseconds: ScriptedNode.slotMilliseconds)
      try await scene.run(three.monitor.followHead)
      #expect(try await scene.ledger.cursor(.head) == (await scene.node.headPlace))
    }
  }

  @Test func `a newest block that nobody signed undoes nothing, whoever told of our head`() async throws {
    try await PayingScene.run { scene in
      let liar = ReplicaNode(of: scene.node)
      let alone = try scene.monitor("monitor-2", node: liar)
      try await produceEmpty(3, scene)
      try await scene.run(alone.followHead)
      let head = try await scene.ledger.cursor(.head)
      await liar.setHeaderLie { header, _ in
        let another = BlockID(exactly: [UInt8](header.id.bytes.prefix(31)) + [0])
        return BlockHeader(
          number: header.number, id: another, parentID: header.parentID, timestamp: header.timestamp,
          transactionRoot: header.transactionRoot, witness: header.witness, isIDProven: header.number < 43,
          signature: .byWitness)
      }
      await #expect(throws: TronNodeError.self) { _ = try await alone.followHead.run() }
      #expect(try await scene.ledger.cursor(.head) == head)
    }
  }

  @Test func `behind the solid block the head waits for a quorum that has the next block`() async throws {
    try await PayingScene.run { scene in
      let three = try ThreeNodes(scene)
      try await produceEmpty(5, scene)
      try await scene.run(three.monitor.followHead)
      try await produceEmpty(25, scene)
      try await scene.run(three.monitor.followSolid)
      for node in three.others { await node.setLag(25) }
      #expect(try await three.monitor.followHead.run() != .worked)
      #expect(try await scene.ledger.cursor(.head)?.number == 45)
      for node in three.others { await node.setLag(24) }
      #expect(try await three.monitor.followHead.run() == .worked)
      #expect(try await scene.ledger.cursor(.head)?.number == 46)
    }
  }

  /// A branch of so many blocks that begins above a block of the true one.
  private func branch(above number: Int64, of count: Int) async -> ScriptedNode {
    let branch = ScriptedNode(headTime: PayingScene.noon)
    await branch.produce(count: Int(number) - 40)
    await branch.fork(above: number)
    await branch.produce(count: count)
    return branch
  }

  /// A branch that begins above block 40, of so many blocks.
  private func ownBranch(_ count: Int) async -> ScriptedNode {
    let branch = ScriptedNode(headTime: PayingScene.noon)
    await branch.fork(above: 40)
    await branch.produce(count: count)
    return branch
  }

  /// Lets a node add a transaction to true block 41, as where that is not empty: what does not hash to an empty block's root
  /// is no block at all.
  private func add(_ transaction: BlockTransaction, with logs: [EventLog], by liar: ReplicaNode) async {
    await liar.setBlockLie { block, _ in
      guard block.header.number == 41 else { return block }
      let header = BlockHeader(
        number: 41, id: block.header.id, parentID: block.header.parentID, timestamp: block.header.timestamp,
        transactionRoot: [UInt8](repeating: 1, count: 32), witness: block.header.witness, isIDProven: true,
        signature: .byWitness)
      return Block(header: header, transactions: [transaction])
    }
    await liar.setReceiptLie { number, receipts in
      guard number == 41 else { return receipts }
      return [
        TransactionReceipt(
          txid: transaction.txid, blockNumber: 41, blockTimestamp: PayingScene.noon.advanced(byMilliseconds: 3_000),
          fee: Sun(0), energyUsed: 0, netUsage: 0, netFee: Sun(0), result: .success, isFailed: false, logs: logs)
      ]
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
