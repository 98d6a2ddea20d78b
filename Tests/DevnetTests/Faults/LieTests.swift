import Testing

@testable import Devnet

/// Proves a node's lies about one transaction or one block's body, always under the true header (tron-protocol.md §9).
@Suite(.serialized) struct LieTests {
  private let bob = TestWallet.bob.address

  @Test func `a transaction in a block is unknown by its id`() async throws {
    try await TestNode.run(faces: 2) { node in
      let prepared = try await node.include(try await node.usdtTransfer(to: bob, 1))
      try await node.control("faults", #"{"fault":"hide","txid":"\#(prepared.id.hex)","face":2}"#)
      let liar = node.face(2)
      #expect(try await liar.info(prepared) == TestNode.nothing)
      #expect(try await liar.transaction(prepared) == TestNode.nothing)
      #expect(try await liar.ids(inBlock: 1) == [prepared.jsonID])
      #expect(try await node.info(prepared)["blockNumber"] == .integer(1))
    }
  }

  @Test func `one that reverted is told as paid`() async throws {
    try await TestNode.run { node in
      // More than Alice has.
      let prepared = try await node.include(try await node.usdtTransfer(to: bob, 2_000_000_000))
      #expect(try await node.info(prepared)["receipt"]?["result"] == .string("REVERT"))
      let header = try await node.block(1)["block_header"]
      try await node.control("faults", #"{"fault":"claim","txid":"\#(prepared.id.hex)"}"#)
      let info = try await node.info(prepared)
      #expect(info["receipt"]?["result"] == .string("SUCCESS") && info["result"] == nil)
      #expect(info["blockNumber"] == .integer(1))
      guard case .array(let logs)? = info["log"], case .array(let topics)? = logs.first?["topics"] else {
        throw TestFailure(description: "no log in \(info.text)")
      }
      #expect(topics.last == .string(Hex.encode(Word256(bob).bytes)))
      #expect(logs[0]["data"] == .string(Hex.encode(Word256(2_000_000_000).bytes)))
      #expect(try await node.receipts(1).json == .array([info]))
      // The body says so too, and no longer hashes to the root of its header.
      let block = try await node.block(1)
      guard case .array(let transactions)? = block["transactions"] else { throw TestFailure(description: block.text) }
      #expect(transactions[0]["ret"] == .array([.object(["contractRet": .string("SUCCESS")])]))
      #expect(block["block_header"] == header)
    }
  }

  @Test func `one that is in no block is told as paid, pending or by its bytes`() async throws {
    try await TestNode.run { node in
      try await node.make(2)
      let pending = try await node.usdtTransfer(to: bob, 1)
      #expect(try await node.broadcast(pending).json["code"] == .string("SUCCESS"))
      try await node.control(
        "faults", #"{"fault":"claim","txid":"\#(pending.id.hex)","call":"gettransactioninfobyid"}"#)
      #expect(try await node.info(pending)["receipt"]?["result"] == .string("SUCCESS"))
      #expect(try await node.info(pending)["blockNumber"] == .integer(2))
      #expect(try await node.ids(inBlock: 2).isEmpty)

      let unknown = try await node.usdtTransfer(to: bob, 2)
      let bytes = Hex.encode(unknown.transaction.encoded)
      try await node.control("faults", #"{"fault":"claim","transaction":"\#(bytes)","block":1}"#)
      #expect(try await node.ids(inBlock: 1) == [unknown.jsonID])
      #expect(try await node.receipts(1).json == .array([node.info(unknown)]))
      #expect(try await node.info(unknown)["blockNumber"] == .integer(1))
    }
  }

  @Test func `a block's body lacks a transaction, or its receipts do`() async throws {
    try await TestNode.run { node in
      var all: [PreparedTransaction] = []
      for amount in UInt64(1)...3 {
        all.append(try await node.usdtTransfer(to: bob, amount))
        #expect(try await node.broadcast(all[Int(amount) - 1]).json["code"] == .string("SUCCESS"))
      }
      try await node.make()
      let (header, receipts) = try await (node.block(1)["block_header"], node.receipts(1).text)
      try await node.control(
        "faults", #"{"fault":"omit","txid":"\#(all[1].id.hex)","call":"getblockbynum","count":1}"#)
      let block = try await node.block(1)
      #expect(block["block_header"] == header)
      guard case .array(let told)? = block["transactions"] else { throw TestFailure(description: block.text) }
      #expect(told.map { $0["txID"] } == [all[0].jsonID, all[2].jsonID])
      #expect(try await node.receipts(1).text == receipts)
      #expect(try await node.ids(inBlock: 1) == all.map(\.jsonID))

      try await node.control("faults", #"{"fault":"omit","txid":"\#(all[1].id.hex)"}"#)
      guard case .array(let left) = try await node.receipts(1).json else { throw TestFailure(description: "no list") }
      #expect(left.map { $0["id"] } == [all[0].jsonID, all[2].jsonID])
      try await node.control("reset-faults")
      try await node.control("faults", #"{"fault":"no-receipts","block":1}"#)
      #expect(try await node.receipts(1).text == "[]\n")
      #expect(try await node.ids(inBlock: 1) == all.map(\.jsonID))
    }
  }

  @Test func `a wrong body stands under the right header, in every call that shows blocks`() async throws {
    try await TestNode.run { node in
      let first = try await node.include(try await node.usdtTransfer(to: bob, 1))
      try await node.include(try await node.usdtTransfer(to: bob, 2))
      let (id, receipts) = try await (node.block(2)["blockID"], node.receipts(2).text)
      try await node.control("faults", #"{"fault":"wrong-body","block":2,"of":1}"#)
      let ranged = try await node.post("/walletsolidity/getblockbylimitnext", #"{"startNum":2,"endNum":3}"#).json[
        "block"]
      guard case .array(let blocks)? = ranged else { throw TestFailure(description: "no blocks") }
      for block in try await [node.block(2), node.post("/wallet/getnowblock").json, blocks[0]] {
        #expect(block["blockID"] == id)
        guard case .array(let transactions)? = block["transactions"] else { throw TestFailure(description: block.text) }
        #expect(transactions.map { $0["txID"] } == [first.jsonID])
      }
      #expect(try await node.receipts(2).text == receipts)
      try await node.control("reset-faults")
      try await node.control("faults", #"{"fault":"wrong-body","block":2}"#)
      #expect(try await node.ids(inBlock: 2).isEmpty)
    }
  }

  /// A count is used up where the lie is told, not where it could have been.
  @Test func `a lie that is counted waits for its question`() async throws {
    try await TestNode.run { node in
      let prepared = try await node.include(try await node.usdtTransfer(to: bob, 1))
      try await node.control("faults", #"{"fault":"hide","txid":"\#(prepared.id.hex)","count":1}"#)
      _ = try await (node.block(1), node.headNumber(), node.receipts(1))
      #expect(try await node.info(prepared) == TestNode.nothing)
      #expect(try await node.info(prepared)["blockNumber"] == .integer(1))
    }
  }
}
