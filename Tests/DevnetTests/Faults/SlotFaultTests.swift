import Testing

@testable import Devnet

/// Proves empty slots, silent producers, a solid head that stands still, and blocks on demand
/// (tron-protocol.md §3.1, §3.3, §3.4).
@Suite(.serialized) struct SlotFaultTests {
  @Test func `missed slots stay empty, and the next block is so much later`() async throws {
    try await TestNode.run { node in
      try await node.control("slots", #"{"miss":4}"#)
      node.clock.advance(by: 4 * TestNode.slot)
      try await node.produce()
      #expect(try await node.time(ofBlock: 1) == TestNode.genesisTime + 5 * TestNode.slot)
    }
  }

  /// The same, slot by slot, where the loop cannot pass one over.
  @Test func `a host leaves empty what is asked for, and nothing else`() async {
    let clock = TestClock(TestChain.genesisTime)
    let host = ChainHost(TestChain(producers: 3).chain, clock: { clock.now })
    func numbers(ofSlots count: Int) async -> [Int64?] {
      var numbers: [Int64?] = []
      for _ in 0..<count {
        clock.advance(by: 3_000)
        numbers.append(await host.produceDueBlock()?.header.number)
      }
      return numbers
    }
    #expect(await numbers(ofSlots: 2) == [1, 2])
    await host.withChain { $0.interference.emptyThrough = $0.head.header.timestamp + 6_000 }
    #expect(await numbers(ofSlots: 3) == [nil, nil, 3])
    // Slot 6 is the turn of producer 0.
    await host.withChain { $0.interference.silentProducers = [0, 2] }
    #expect(await numbers(ofSlots: 6) == [nil, 4, nil, nil, 5, nil])
    await host.withChain { $0.interference.isHalted = true }
    #expect(await numbers(ofSlots: 2) == [nil, nil])
    await host.heal()
    #expect(await numbers(ofSlots: 2) == [6, 7])
  }

  @Test func `silent producers hold the solid block back, and it goes on when they are back`() async throws {
    try await TestNode.run(producers: 3) { node in
      try await node.make(6)
      #expect(try await node.state("solid") == .integer(4))
      try await node.control("slots", #"{"silent":[1]}"#)
      try await node.make(6)
      #expect(try await node.state("head") == .integer(12))
      #expect(try await node.state("solid") == .integer(4))
      #expect(try await node.headNumber("walletsolidity") == 4)
      try await node.control("slots", #"{"silent":[]}"#)
      try await node.make(3)
      #expect(try await node.state("solid") == .integer(13))
      try await node.control("slots", #"{"silent":[0,1,2]}"#)
      let refused = try await node.post("/devnet/blocks", "{}")
      #expect(refused.status == 400 && refused.text.contains("every producer is silent"))
    }
  }

  @Test func `the solid head stands still while blocks go on, and then catches up`() async throws {
    try await TestNode.run { node in
      try await node.include(try await node.usdtTransfer(to: TestWallet.bob.address, 7))
      try await node.control("slots", #"{"solid_frozen":true}"#)
      try await node.include(try await node.usdtTransfer(to: TestWallet.bob.address, 8))
      try await node.make(30)
      #expect(try await node.headNumber() == 32)
      #expect(try await node.headNumber("walletsolidity") == 1)
      let info = try await node.get("/wallet/getnodeinfo").json["solidityBlock"]
      #expect(info?.text.hasPrefix("\"Num:1,") == true)
      try await node.control("slots", #"{"solid_frozen":false}"#)
      try await node.make()
      #expect(try await node.headNumber("walletsolidity") == 33)
    }
  }

  /// §3.4: the view may sit one below what getnodeinfo tells.
  @Test func `the solid view lies a block below the solid head`() async throws {
    try await TestNode.run { node in
      try await node.make(3)
      try await node.control("slots", #"{"solid_view_lag":1}"#)
      try await node.make(2)
      #expect(try await node.headNumber("walletsolidity") == 4)
      #expect(try await node.state("solid") == .integer(5))
      let info = try await node.get("/walletsolidity/getnodeinfo").json["solidityBlock"]
      #expect(info?.text.hasPrefix("\"Num:5,") == true)
      // It never goes back, and closes up again.
      try await node.control("slots", #"{"solid_view_lag":0}"#)
      try await node.make()
      #expect(try await node.headNumber("walletsolidity") == 6)
    }
  }

  @Test func `a halted network makes blocks on demand only`() async throws {
    try await TestNode.run(producers: 27) { node in
      try await node.control("slots", #"{"halted":true}"#)
      node.clock.advance(by: 10 * TestNode.slot)
      let made = try await node.control("blocks", #"{"count":2}"#)
      guard case .array(let ids)? = made["blocks"] else { throw TestFailure(description: made.text) }
      #expect(try await node.head() == 2)
      let shown = try await [node.block(1)["blockID"], node.block(2)["blockID"]].compactMap(\.self)
      #expect(shown == ids)
      // The first takes the present slot, the second the one after it.
      #expect(try await node.time(ofBlock: 1) == TestNode.genesisTime + 10 * TestNode.slot)
      #expect(try await node.time(ofBlock: 2) == TestNode.genesisTime + 11 * TestNode.slot)
    }
  }
}
