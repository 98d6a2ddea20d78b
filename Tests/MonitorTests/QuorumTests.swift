import Ledger
import Monitor
import Payouts
import Signer
import Synchronization
import TestSupport
import Testing
import Tron

/// Verdicts by a quorum of nodes (DESIGN.md §3 point 5): "`TRON_RPC_QUORUM` nodes must agree on the block ids and receipts
/// that decide", "a block's body counts only if its transactions hash to the txTrieRoot of a header that itself hashes to the
/// agreed id, or if the quorum gives the same list of (txid, contractRet)". The node that lies is the first in the list.
@Suite struct QuorumTests {
  private static func without(_ txid: TxID, _ block: Block) -> Block {
    guard block.transactions.contains(where: { $0.txid == txid }) else { return block }
    return Block(header: block.header, transactions: block.transactions.filter { $0.txid != txid })
  }

  private static func changed(
    _ receipt: TransactionReceipt, _ result: ContractResult, logs: [EventLog]
  ) -> TransactionReceipt {
    TransactionReceipt(
      txid: receipt.txid, blockNumber: receipt.blockNumber, blockTimestamp: receipt.blockTimestamp, fee: receipt.fee,
      energyUsed: receipt.energyUsed, netUsage: receipt.netUsage, netFee: receipt.netFee, result: result,
      isFailed: result != .success, logs: logs)
  }

  @Test func `a node that leaves a paid transaction out causes no second payment, and the others confirm it`()
    async throws
  {
    // "The lying node alone can cause neither a second payment nor a false confirmation": `[]` and a shorter body.
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let txid = try await scene.txid(1)
      let three = try ThreeNodes(scene)
      await three.liar.setBlockLie { block, _ in Self.without(txid, block) }
      await three.liar.setReceiptLie { _, receipts in receipts.filter { $0.txid != txid } }
      try await scene.live(70, through: three.monitor)
      #expect(try await scene.status(1) == .confirmed)
      #expect(try await scene.attempts(1).map(\.outcome) == [.paid])
    }
  }

  @Test func `a chain that one node alone tells is nobody's: what it does not hold is not dead`() async throws {
    // "Block ids that decide must be agreed": its blocks are whole, hash to their ids and follow one another, from the very
    // reference block on, and lack the transaction.
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let twin = ScriptedNode(headTime: PayingScene.noon)
      await twin.fork(above: 40)
      let three = try ThreeNodes(scene, first: twin)
      for _ in 0..<90 {
        await twin.produce([])
        try await scene.live(1, through: three.monitor)
      }
      #expect(try await scene.attempts(1).map(\.outcome) == [.paid])
      #expect(try await scene.status(1) == .confirmed)
      // Its branch was left as soon as it missed the solid block, and the node is named from then on.
      #expect(try await Set(scene.alarms()) == ["nodes_disagree", "deep_reorganisation", "deep_fork"])
    }
  }

  @Test func `a put-back is judged by the chain of the quorum, not by the window of the first node`() async throws {
    // `JudgeLate` reads the window again "for that verdict": the first node's window is another chain's, without it.
    try await PayingScene.run { scene in
      let (monitor, _) = try await scene.sent()
      let txid = try await scene.txid(1)
      try await scene.restoreToBeforeSigning(1)
      try await scene.live(65, monitor)
      try await scene.run(try scene.signer(run: 2).vouch)
      #expect(try await scene.txid(1) == txid)
      // It shows the cursor's block as ours, and other blocks below, each of which hashes to its id.
      let twin = ScriptedNode(headTime: PayingScene.noon)
      await twin.fork(above: 40)
      for _ in 0..<65 { await twin.produce([]) }
      let cursor = try #require(try await scene.ledger.cursor(.solid))
      let three = try ThreeNodes(scene, first: Patchwork(below: cursor.number, twin, above: scene.node))
      await scene.readThrough(three.monitor)
      #expect(try await scene.attempts(1).map(\.outcome) == [.paid])
      #expect(try await scene.alarms().contains("nodes_disagree"))
    }
  }

  @Test(arguments: [false, true])
  func `a transaction that one node alone shows in a block is not confirmed`(isBodyVouchedFor: Bool) async throws {
    // It says confirmed for one that is in no block; its body does not hash, or it says it does by another root and id.
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let signed = try await scene.signed(1)
      await scene.node.dropPending()
      let claimed = try BlockTransaction(rawData: signed.rawData, contractResult: .success)
      let three = try ThreeNodes(scene)
      await three.liar.setBlockLie { block, _ in
        guard block.header.number == 41 else { return block }
        let header = block.header
        let other = BlockHeader(
          number: 41, id: BlockHashing.blockID(number: 41, headerRawData: [1]), parentID: header.parentID,
          timestamp: header.timestamp, transactionRoot: [UInt8](repeating: 1, count: 32), witness: header.witness,
          isIDProven: true, signature: .byWitness)
        return Block(
          header: isBodyVouchedFor ? other : header, transactions: [claimed], isBodyProven: isBodyVouchedFor)
      }
      await three.liar.setReceiptLie { number, receipts in
        guard number == 41 else { return receipts }
        let logs = signed.contents.expectedTransfer.map { [EventLog($0)] } ?? []
        return [
          TransactionReceipt(
            txid: signed.txid, blockNumber: 41, blockTimestamp: PayingScene.noon.advanced(byMilliseconds: 3_000),
            fee: Sun(0), energyUsed: 0, netUsage: 0, netFee: Sun(0), result: .success, isFailed: false, logs: logs)
        ]
      }
      try await scene.live(70, through: three.monitor)
      #expect(try await scene.attempts(1).map(\.outcome) == [.dead])
      #expect(try await scene.status(1) == .scheduled)
    }
  }

  @Test(arguments: [true, false])
  func `receipts that one node alone tells decide nothing`(hasPaid: Bool) async throws {
    // SUCCESS told as a failure, and a failure as SUCCESS with the very log: neither a verdict nor an anomaly comes of it.
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let signed = try await scene.signed(1)
      let logs = signed.contents.expectedTransfer.map { [EventLog($0)] } ?? []
      if !hasPaid { await scene.node.setExecution(.failure(.outOfTime), of: signed.txid) }
      let three = try ThreeNodes(scene)
      await three.liar.setReceiptLie { _, receipts in
        receipts.map {
          hasPaid ? Self.changed($0, .outOfTime, logs: []) : Self.changed($0, .success, logs: logs)
        }
      }
      await three.liar.setBlockLie { block, _ in
        Block(
          header: block.header,
          transactions: block.transactions.compactMap {
            try? BlockTransaction(rawData: $0.rawData, contractResult: hasPaid ? .outOfTime : .success)
          }, isBodyProven: block.transactions.isEmpty)
      }
      try await scene.live(25, through: three.monitor)
      #expect(try await scene.attempts(1).map(\.outcome) == [hasPaid ? .paid : .failedOnChain])
      #expect(try await scene.alarms().filter { !$0.hasPrefix("failure_") } == ["nodes_disagree"])
    }
  }

  @Test func `false receipts to a true body are outvoted too, and make nothing anomalous`() async throws {
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let three = try ThreeNodes(scene)
      await three.liar.setReceiptLie { _, receipts in receipts.map { Self.changed($0, .outOfTime, logs: []) } }
      try await scene.live(25, through: three.monitor)
      #expect(try await scene.status(1) == .confirmed)
      #expect(try await scene.breaker() == nil)
      #expect(try await scene.alarms() == ["nodes_disagree"])
    }
  }

  @Test func `with two of three away verdicts halt, and resume with one of them`() async throws {
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let three = try ThreeNodes(scene)
      try await scene.live(5, through: three.monitor)
      let before = try await scene.ledger.cursor(.solid)
      for node in three.others { await node.setAway(true) }
      try await scene.live(70, through: three.monitor)
      #expect(try await scene.ledger.cursor(.solid) == before)
      #expect(try await scene.attempts(1).map(\.outcome) == [nil])
      #expect(try await scene.status(1) == .confirming)
      #expect(try await scene.alarms().isEmpty)
      await three.others[1].setAway(false)
      try await scene.live(1, through: three.monitor)
      #expect(try await scene.status(1) == .confirmed)
    }
  }

  @Test func `two of two that disagree give no verdict and one alarm`() async throws {
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let twin = ScriptedNode(headTime: PayingScene.noon)
      await twin.fork(above: 40)
      let group = NodeGroup(
        [ReplicaNode(of: scene.node), twin], genesis: scene.node.genesis,
        now: { [clock = scene.clock] in clock.now() })
      let monitor = try scene.monitor(node: group)
      for _ in 0..<70 {
        await twin.produce([])
        try await scene.live(1, through: monitor)
      }
      #expect(try await scene.ledger.cursor(.solid)?.number == 40)
      #expect(try await scene.attempts(1).map(\.outcome) == [nil])
      #expect(try await scene.alarms() == ["nodes_disagree"])
      #expect(try await scene.count("SELECT count FROM alarms") == 1)
    }
  }

  @Test(arguments: ["id", "signature", "body"])
  func `a header that does not hash, a signature of nobody and a body without its root are taken from no node`(
    part: String
  ) async throws {
    // "Monitor does not take a node's word where it can check": by a node alone, which could then lie as it likes.
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let alone = ReplicaNode(of: scene.node)
      let monitor = try scene.monitor(node: alone)
      await alone.setBlockLie { block, _ in
        let header = block.header
        let told = BlockHeader(
          number: header.number, id: header.id, parentID: header.parentID, timestamp: header.timestamp,
          transactionRoot: header.transactionRoot, witness: header.witness, isIDProven: part != "id",
          signature: part == "signature" ? .invalid : .byWitness)
        return Block(
          header: told, transactions: block.transactions,
          isBodyProven: part != "body" || block.transactions.isEmpty)
      }
      try await scene.live(25, through: monitor)
      #expect(try await scene.attempts(1).map(\.outcome) == [nil])
      #expect(try await scene.status(1) != .confirmed)
      await alone.setBlockLie(nil)
      try await scene.live(45, through: monitor)
      #expect(try await scene.status(1) == .confirmed)
    }
  }

  @Test func `a body that no node can prove counts where a quorum gives the same list, and never by one node`()
    async throws
  {
    // "Or if the quorum gives the same list of (txid, contractRet)": what cannot be reproduced byte for byte.
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      await scene.node.setBlockTampering { block, _ in
        Block(header: block.header, transactions: block.transactions, isBodyProven: block.transactions.isEmpty)
      }
      let alone = try scene.monitor("monitor-2", node: ReplicaNode(of: scene.node))
      try await scene.live(65, through: alone)
      #expect(try await scene.attempts(1).map(\.outcome) == [nil])
      let three = try ThreeNodes(scene)
      await scene.readThrough(three.monitor)
      #expect(try await scene.attempts(1).map(\.outcome) == [.paid])
    }
  }

  @Test func `a node that votes with forged headers is noted, and changes nothing`() async throws {
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let three = try ThreeNodes(scene)
      await three.others[0].setHeaderLie { header, _ in
        BlockHeader(
          number: header.number, id: header.id, parentID: header.parentID, timestamp: header.timestamp,
          transactionRoot: header.transactionRoot, witness: header.witness, isIDProven: true, signature: .invalid)
      }
      try await scene.live(19, through: three.monitor)
      #expect(try await scene.status(1) == .confirmed)
      #expect(try await scene.alarms() == ["nodes_disagree"])
    }
  }

  @Test func `no node's false block below the solid one is read, and the head goes on`() async throws {
    // A Monitor that reads the head after a pause comes to blocks that are long solid: one node could lead it back there for
    // ever, with another false block each time.
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let three = try ThreeNodes(scene)
      for _ in 0..<30 { try await scene.produce() }
      for _ in 0..<40 { try? await scene.run(three.monitor.followSolid) }
      let solid = try #require(try await scene.ledger.cursor(.solid)).number
      try #require(try await scene.ledger.cursor(.head)?.number ?? solid < solid - 2)
      let lies = Mutex(UInt8(0))
      await three.liar.setBlockLie { block, view in
        guard view == .head, block.header.number == solid - 1 else { return block }
        let lie = lies.withLock { lies in
          lies &+= 1
          return lies
        }
        let (header, root) = (block.header, [UInt8](repeating: 0, count: 32))
        let made = BlockHeader(
          number: header.number,
          id: BlockHashing.blockID(number: header.number, headerRawData: header.id.bytes + [lie]),
          parentID: header.parentID, timestamp: header.timestamp, transactionRoot: root, witness: header.witness,
          isIDProven: true, signature: .byWitness)
        return Block(header: made, transactions: [], isBodyProven: true)
      }
      for _ in 0..<60 {
        _ = try? await three.monitor.followHead.run()
        let cursor = try #require(try await scene.ledger.cursor(.head))
        #expect(await scene.node.place(cursor.number) == cursor)
      }
      #expect(lies.withLock { $0 } > 0)
      #expect(try await scene.ledger.cursor(.head) == (await scene.node.headPlace))
      #expect(try await scene.alarms() == ["nodes_disagree"])
    }
  }

  @Test func `what a quorum knows to be solid is not undone at one node's word, however long its branch`()
    async throws
  {
    // "A longer branch undoes ours whoever tells of it", but for what a quorum has: this branch begins right below it.
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let honest = try ThreeNodes(scene)
      try await scene.live(25, through: honest.monitor)
      let solid = try #require(try await scene.ledger.cursor(.solid)).number
      let twin = ScriptedNode(headTime: PayingScene.noon)
      _ = try await twin.broadcast(try await scene.signed(1).bytes)
      await twin.produce(count: Int(solid) - 42)
      let fork = await twin.headPlace
      try #require(await scene.node.place(fork.number) == fork && fork.number == solid - 2)
      await twin.fork(above: fork.number, pendsAgain: false)
      await twin.produce(count: 40)
      let three = try ThreeNodes(scene, first: twin)
      for _ in 0..<10 { _ = try? await three.monitor.followHead.run() }
      #expect(try await scene.ledger.cursor(.head) == (await scene.node.headPlace))
      for place in try await scene.ledger.recentBlocks(atMost: 100) {
        #expect(await scene.node.place(place.number) == place)
      }
      #expect(try await scene.status(1) == .confirmed)
      #expect(try await scene.alarms() == ["deep_fork"])
    }
  }

  @Test func `what one node keeps from the fence is found in the body that another one proves`() async throws {
    // "A transaction owned by a watched account that the journal does not know": the first node leaves it out.
    try await PayingScene.run { scene in
      let three = try ThreeNodes(scene)
      await scene.readThrough(three.monitor)
      let stolen = try ScriptedNode.Foreign(
        rawData: try await scene.transfer(to: PayingScene.recipient(60)))
      let txid = stolen.txid
      await three.liar.setBlockLie { block, _ in Self.without(txid, block) }
      await three.liar.setReceiptLie { _, receipts in receipts.filter { $0.txid != txid } }
      // Another one's transaction, so that its block is not empty without the hidden one.
      let other = try await scene.transfer(owner: PayingScene.recipient(61), to: PayingScene.recipient(62))
      try await scene.wait(milliseconds: 3_000)
      await scene.node.produce(foreign: [stolen, try ScriptedNode.Foreign(rawData: other)])
      let found = "SELECT count(*) FROM unclaimed_transfers WHERE txid = \(PayingScene.sql(txid.bytes))"
      // Where nobody else can be asked, it waits for the solid block.
      let alone = try scene.monitor("monitor-2", node: three.liar)
      try await scene.run(alone.followHead)
      #expect(try await scene.count(found) == 0)
      _ = try await scene.ledger.undoHead(
        above: await scene.node.head.number - 1, from: await scene.node.headPlace)
      try await scene.run(three.monitor.followHead)
      #expect(try await scene.count(found) > 0)
      try await scene.live(19, through: three.monitor)
      #expect(try await scene.count(found + " AND is_solid") > 0)
    }
  }

  @Test func `three nodes cost one body a block, and a header of each of the others`() async throws {
    // "A Monitor with three nodes may make three times the requests for headers, not for bodies."
    try await PayingScene.run { scene in
      _ = try await scene.sent(5)
      let three = try ThreeNodes(scene)
      try await scene.live(5, through: three.monitor)
      for node in three.all { _ = await node.takeCalls() }
      try await scene.produce(10)
      await scene.readThrough(three.monitor)
      for other in three.others {
        #expect(Self.headersOfSolidBlocks(await other.takeCalls()) == 10)
      }
      #expect(Self.headersOfSolidBlocks(await three.liar.takeCalls()) == nil)
    }
  }

  /// How many headers of solid blocks were asked for; nil where anything else was.
  private static func headersOfSolidBlocks(_ calls: [ScriptedNode.Call]) -> Int? {
    for call in calls {
      guard case .header(_, .solid) = call else { return nil }
    }
    return calls.count
  }
}
