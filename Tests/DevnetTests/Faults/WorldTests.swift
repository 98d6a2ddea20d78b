import Testing

@testable import Devnet

/// Proves failures of healthy calls, and changes of accounts and token that are made on demand
/// (tron-protocol.md §1.7, §5.4, §5.6).
@Suite(.serialized) struct WorldTests {
  private let alice = TestWallet.alice.address
  private let bob = TestWallet.bob.address

  /// Does what is asked for, for good with the next block.
  private func change(_ body: String, _ node: TestNode) async throws {
    try await node.control("world", body)
    #expect(try await node.state("actions") != .integer(0))
    try await node.make()
    #expect(try await node.state("actions") == .integer(0))
  }

  private func result(
    _ amount: UInt64, to recipient: Address = TestWallet.bob.address, from wallet: TestWallet = .alice, _ node: TestNode
  ) async throws -> JSON? {
    let prepared = try await node.include(try await node.usdtTransfer(from: wallet, to: recipient, amount))
    return try await node.info(prepared)["receipt"]?["result"]
  }

  private static let failures: [(result: String, energy: Int64)] = [
    ("OUT_OF_TIME", 300_000), ("OUT_OF_ENERGY", 300_000), ("REVERT", 3_146),
  ]

  /// §5.6: a time-out takes the whole limit of 30 TRX at 100 sun, a revert what was used until then.
  @Test(arguments: failures)
  func `a healthy transfer fails when it is packed, though it was pending in health`(
    failure: String, energy: Int64
  ) async throws {
    try await TestNode.run { node in
      try await node.control("results", #"{"result":"\#(failure)","count":1}"#)
      let prepared = try await node.usdtTransfer(to: bob, 1)
      #expect(try await node.broadcast(prepared).json["code"] == .string("SUCCESS"))
      #expect(
        try await node.transaction(prepared)["ret"] == .array([.object(["contractRet": .string("SUCCESS")])]))
      try await node.make()
      let info = try await node.info(prepared)
      #expect(info["receipt"]?["result"] == .string(failure) && info["result"] == .string("FAILED"))
      #expect(info["receipt"]?["energy_usage_total"] == .integer(energy))
      #expect(info["receipt"]?["energy_fee"] == .integer(energy * 100))
      #expect(info["log"] == nil && info["resMessage"] != nil)
      #expect(try await result(2, node) == .string("SUCCESS"))
    }
  }

  @Test func `a failure meets only the transaction or the account it names`() async throws {
    try await TestNode.run(funds: [.alice, .carol]) { node in
      let named = try await node.usdtTransfer(to: bob, 1)
      try await node.control("results", #"{"result":"REVERT","txid":"\#(named.id.hex)"}"#)
      try await node.control("results", #"{"result":"OUT_OF_TIME","owner":"\#(TestWallet.carol.address)"}"#)
      #expect(try await result(2, node) == .string("SUCCESS"))
      #expect(try await result(3, from: .carol, node) == .string("OUT_OF_TIME"))
      try await node.include(named)
      #expect(try await node.info(named)["receipt"]?["result"] == .string("REVERT"))
    }
  }

  @Test func `a paused token reverts every transfer`() async throws {
    try await TestNode.run { node in
      try await change(#"{"paused":true}"#, node)
      #expect(try await result(1, node) == .string("REVERT"))
      #expect(try await read("paused()", node) == Word256(1))
      try await change(#"{"paused":false}"#, node)
      #expect(try await result(2, node) == .string("SUCCESS"))
      #expect(try await read("paused()", node) == .zero)
    }
  }

  /// §1.7: the sender is refused, a recipient is not.
  @Test func `an address on the blacklist cannot send, and still receives`() async throws {
    try await TestNode.run(funds: [.alice, .bob]) { node in
      try await change(#"{"blacklist":"\#(bob)"}"#, node)
      #expect(try await result(1, node) == .string("SUCCESS"))
      #expect(try await result(1, from: .bob, node) == .string("REVERT"))
      #expect(try await read("isBlackListed(address)", of: Word256(bob), node) == Word256(1))
      #expect(try await read("isBlackListed(address)", of: Word256(alice), node) == .zero)
      try await change(#"{"unblacklist":"\#(bob)"}"#, node)
      #expect(try await result(2, from: .bob, node) == .string("SUCCESS"))
    }
  }

  /// A rule that the real token lacks: by it a payout's own failure can be seen.
  @Test func `a refused recipient's transfer reverts, and everybody else's does not`() async throws {
    try await TestNode.run(funds: [.alice, .bob]) { node in
      try await change(#"{"refuse":"\#(bob)"}"#, node)
      #expect(try await result(1, node) == .string("REVERT"))
      #expect(try await result(1, to: alice, from: .bob, node) == .string("SUCCESS"))
      try await change(#"{"unrefuse":"\#(bob)"}"#, node)
      #expect(try await result(2, node) == .string("SUCCESS"))
    }
  }

  /// §1.7: taken out of the amount, with an event of its own.
  @Test func `the token's fee goes out of the amount`() async throws {
    try await TestNode.run { node in
      try await change(#"{"fee_rate":10,"fee_maximum":30000}"#, node)
      // A thousandth of 10 USDT is 10,000; of 100 USDT it would be 100,000, and the most is 30,000.
      for (amount, fee) in [(10_000_000, 10_000), (100_000_000, 30_000)] as [(UInt64, UInt64)] {
        let prepared = try await node.include(try await node.usdtTransfer(to: bob, amount))
        guard case .array(let logs)? = try await node.info(prepared)["log"] else {
          throw TestFailure(description: "no log")
        }
        let expected = [amount - fee, fee].map { JSON.string(Hex.encode(Word256($0).bytes)) }
        #expect(logs.compactMap { $0["data"] } == expected)
      }
      #expect(try await read("balanceOf(address)", of: Word256(bob), node) == Word256(110_000_000 - 40_000))
      #expect(try await read("basisPointsRate()", node) == Word256(10))
      #expect(try await read("maximumFee()", node) == Word256(30_000))
    }
  }

  @Test func `a wallet runs out of TRX, of tokens and of energy`() async throws {
    try await TestNode.run { node in
      try await change(#"{"account":"\#(alice)","energy":200000}"#, node)
      let paid = try await node.include(try await node.usdtTransfer(to: bob, 1))
      #expect(try await node.info(paid)["receipt"]?["energy_usage"] == .integer(130_285))
      try await change(#"{"account":"\#(alice)","energy":0,"sun":5000000}"#, node)
      #expect(try await result(2, node) == .string("OUT_OF_ENERGY"))
      let refused = try await node.broadcast(try await node.usdtTransfer(to: bob, 3))
      #expect(refused.json["code"] == .string("BANDWITH_ERROR"))
      try await change(#"{"account":"\#(alice)","sun":100000000,"micro_usdt":0}"#, node)
      #expect(try await result(4, node) == .string("REVERT"))
      // The solid view agrees: one producer.
      #expect(try await node.post("/walletsolidity/getaccount", #"{"address":"\#(alice.hex)"}"#).json["balance"] != nil)
    }
  }

  @Test func `a price changes at the next maintenance`() async throws {
    try await TestNode.run(environment: ["DEVNET_MAINTENANCE_MS": "60000"]) { node in
      try await node.control("slots", #"{"halted":true}"#)
      try await change(#"{"propose":"getEnergyFee","value":210}"#, node)
      #expect(try await node.get("/wallet/getenergyprices").json["prices"] == .string("0:100"))
      node.clock.advance(by: 60_000)
      try await node.make()
      let prices = try await node.get("/wallet/getenergyprices").json["prices"]
      #expect(prices == .string("0:100,\(TestNode.genesisTime + 60_000):210"))
      let refused = try await node.post("/devnet/world", #"{"propose":"getEnergyFee","value":0}"#)
      #expect(refused.status == 400 && refused.text.contains("value: 0 was found; expected a whole number from 1 to"))
    }
  }

  private func read(_ signature: String, of argument: Word256? = nil, _ node: TestNode) async throws -> Word256? {
    let answer = try await node.post(
      "/wallet/triggerconstantcontract",
      #"{"owner_address":"\#(alice.hex)","contract_address":"\#(Genesis.mainnetToken.hex)","#
        + #""function_selector":"\#(signature)","parameter":"\#(argument.map { Hex.encode($0.bytes) } ?? "")"}"#)
    guard case .array(let results)? = answer.json["constant_result"], case .string(let text)? = results.first,
      let bytes = Hex.decode(text)
    else { return nil }
    return Word256(bigEndian: bytes[...])
  }
}
