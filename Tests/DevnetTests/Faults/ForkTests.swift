import Testing

@testable import Devnet

/// Proves forks: what they pop, what comes back and how, and that both branches are real (tron-protocol.md §3.6, §3.7).
@Suite(.serialized) struct ForkTests {
  private let bob = TestWallet.bob.address

  /// Five producers: solid is three below the head. Blocks 7 and 8 are above it, 7 holds four transfers.
  private func scene(_ node: TestNode) async throws -> [PreparedTransaction] {
    try await node.make(6)
    var all: [PreparedTransaction] = []
    for amount in UInt64(1)...4 {
      let prepared = try await node.usdtTransfer(to: bob, amount)
      #expect(try await node.broadcast(prepared).json["code"] == .string("SUCCESS"))
      all.append(prepared)
    }
    try await node.make(2)
    #expect(try await node.ids(inBlock: 7) == all.map(\.jsonID))
    return all
  }

  @Test func `a longer branch drops, changes, re-pushes what the losing one held`() async throws {
    try await TestNode.run(producers: 5) { node in
      let all = try await scene(node)
      let (oldID, oldHead) = try await (node.block(7)["blockID"], node.block(8)["blockID"])
      let outcome = try await node.control(
        "fork",
        #"{"depth":2,"drop":["\#(all[1].id.hex)"],"include":[{"txid":"\#(all[0].id.hex)","result":"OUT_OF_TIME"},"#
          + #"{"txid":"\#(all[2].id.hex)"}]}"#)
      #expect(outcome["removed"] == .array([oldID ?? .null, oldHead ?? .null]))
      #expect(outcome["included"] == .array([all[0].jsonID, all[2].jsonID]))
      #expect(outcome["dropped"] == .array([all[1].jsonID]))
      #expect(outcome["repushed"] == .array([all[3].jsonID]))
      #expect(outcome["invalid"] == .array([]))

      // One block longer, other ids, the same ancestor.
      #expect(try await node.headNumber() == 9)
      let block = try await node.block(7)
      #expect(block["blockID"] != oldID)
      #expect(try await block["block_header"]?["raw_data"]?["parentHash"] == node.block(6)["blockID"])
      #expect(try await node.post("/wallet/getblockbyid", #"{"value":\#(oldID!.text)}"#).json == TestNode.nothing)

      // SUCCESS on the losing branch, OUT_OF_TIME with its whole limit burnt on the winning one.
      let failed = try await node.info(all[0])
      #expect(failed["receipt"]?["result"] == .string("OUT_OF_TIME") && failed["result"] == .string("FAILED"))
      #expect(failed["receipt"]?["energy_usage_total"] == .integer(300_000) && failed["log"] == nil)
      #expect(try await node.info(all[2])["receipt"]?["result"] == .string("SUCCESS"))
      #expect(try await node.transaction(all[1]) == TestNode.nothing)
      #expect(try await node.isPending(all[3]))
      #expect(try await node.info(all[3]) == TestNode.nothing)
      try await node.make()
      #expect(try await node.info(all[3])["blockNumber"] == .integer(10))
    }
  }

  @Test(arguments: [("repush", false), ("drop", false), ("include", true), ("include", false)])
  func `one word says what becomes of all, and in which order`(word: String, isReversed: Bool) async throws {
    try await TestNode.run(producers: 5) { node in
      let all = try await scene(node).map(\.jsonID)
      let outcome = try await node.control(
        "fork", #"{"depth":2,"length":4,"transactions":"\#(word)","reversed":\#(isReversed)}"#)
      #expect(try await node.headNumber() == 10)
      let expected = isReversed ? all.reversed() : all
      for (name, isIt) in [
        ("repushed", word == "repush"), ("dropped", word == "drop"), ("included", word == "include"),
      ] {
        #expect(outcome[name] == .array(isIt ? expected : []), "\(name)")
      }
      #expect(try await node.ids(inBlock: 7) == (word == "include" ? expected : []))
      try await node.make()
      #expect(try await node.ids(inBlock: 11) == (word == "repush" ? expected : []))
    }
  }

  @Test func `a fork never undoes the solid block, and names only what it pops`() async throws {
    try await TestNode.run(producers: 5) { node in
      let all = try await scene(node)
      try await node.make(2)
      let deep = try await node.post("/devnet/fork", #"{"depth":4}"#)
      #expect(deep.status == 400)
      #expect(deep.text.contains("4 blocks below head 10 would undo solid block 7; expected at most 3"))
      let stranger = try await node.post("/devnet/fork", #"{"depth":3,"drop":["\#(all[0].id.hex)"]}"#)
      #expect(stranger.status == 400 && stranger.text.contains("no block that this fork undoes holds the transaction"))
      #expect(try await node.headNumber() == 10)
      try await node.control("fork", #"{"depth":3}"#)
      #expect(try await node.headNumber() == 11)
    }
  }

  /// §3.6: what refers to a popped block fails on the other branch, and vanishes without trace.
  @Test func `a transaction that refers to the losing branch is invalid on the winning one`() async throws {
    try await TestNode.run(producers: 5) { node in
      try await node.make(6)
      let prepared = try await node.include(try await node.usdtTransfer(to: bob, 1))
      let second = try await node.include(try await node.usdtTransfer(to: bob, 2))
      let outcome = try await node.control("fork", #"{"depth":2}"#)
      #expect(outcome["repushed"] == .array([prepared.jsonID]))
      #expect(outcome["invalid"] == .array([second.jsonID]))
      #expect(try await node.transaction(second) == TestNode.nothing)
    }
  }

  /// Walks the winning branch as a distrustful client would, and compares head and solid state in the end.
  @Test func `blocks of the winning branch are linked, signed and rooted, and states follow`() throws {
    var test = TestChain(producers: 5)
    let genesis = test.chain.genesis.id.bytes
    let toReference = { (raw: inout Transaction.RawData) in
      (raw.refBlockBytes, raw.refBlockHash) = (Bytes(genesis[6..<8]), Bytes(genesis[8..<16]))
    }
    for round in 0..<12 {
      if round % 2 == 0 { #expect(test.broadcast(test.usdtTransfer(to: bob, 10, toReference)) == nil) }
      test.produce()
    }
    let losing = test.chain.blocks.suffix(3)
    let solid = test.chain.solidNumber
    let outcome = test.chain.fork(ForkPlan(depth: 3, length: 5, otherwise: .include(.revert)), now: test.now)
    #expect(outcome.removed == losing.map(\.id) && outcome.added == test.chain.blocks.suffix(5).map(\.id))
    #expect(test.chain.solidNumber >= solid)
    for block in test.chain.blocks.suffix(6) {
      let parent = try #require(test.chain.block(block.header.number - 1))
      #expect(block.header.parentHash == parent.id && block.header.timestamp > parent.header.timestamp)
      #expect(try Secp256k1.recover(block.witnessSignature, over: block.header.digest).bytes == block.header.witness)
      let encoded = block.transactions.map { $0.transaction.transaction.encoded(ret: $0.receipt.contractRet) }
      #expect(block.header.transactionRoot == MerkleTree.root(of: encoded))
    }
    // Of six payments one stood in the popped blocks, where it now is a revert.
    #expect(outcome.included.count == 1)
    #expect(test.chain.tokenBalance(bob, in: .head) == 50)
    for _ in 0..<8 { test.produce() }
    #expect(test.chain.tokenBalance(bob, in: .solid) == 50)
    let alice = TestWallet.alice.address
    #expect(test.balance(alice, in: .solid) == test.balance(alice))
  }

  /// Wall time decides again from the fork on: re-pushed with a fresh minute, dropped after it.
  @Test(arguments: [(60_000, true), (60_001, false)])
  func `what is re-pushed has a fresh minute`(age: Int64, isIncluded: Bool) throws {
    var test = TestChain(producers: 5)
    let headTime = test.headTime
    let prepared = test.usdtTransfer(to: bob, 5) { $0.expiration = headTime + 600_000 }
    #expect(try test.include(prepared).blockNumber == 1)
    test.now += 500_000
    _ = test.chain.fork(ForkPlan(depth: 1, length: 2), now: test.now)
    #expect(test.chain.pending[prepared.id] != nil)
    test.chain.produceBlock(at: test.chain.nextSlotTime, now: test.now + age)
    #expect((test.chain.included(prepared.id, in: .head) != nil) == isIncluded)
  }

  @Test func `a change of the world that a fork undoes is made again`() async throws {
    try await TestNode.run(producers: 5) { node in
      try await node.make(6)
      try await node.control("world", #"{"paused":true}"#)
      try await node.make()
      try await node.control("world", #"{"fee_rate":5,"fee_maximum":9}"#)
      try await node.control("fork", #"{"depth":1}"#)
      // What a block did and what still waits.
      #expect(try await node.state("token")?["paused"] == .bool(true))
      #expect(try await node.state("token")?["fee_rate"] == .integer(5))
      #expect(try await node.state("actions") == .integer(1))
      try await node.make(5)
      #expect(try await node.state("token")?["fee_rate"] == .integer(5))
      #expect(try await node.state("token")?["paused"] == .bool(true))
    }
  }
}
