import Testing

@testable import Devnet

/// Proves that the winning branch holds the popped transactions in whatever order it is asked for: producers order a block
/// as they like, and whoever pays must bear every order (tron-protocol.md §3.6).
@Suite(.serialized) struct ForkOrderTests {
  private let bob = TestWallet.bob.address

  /// Five producers: solid is three below the head. Block 7 holds the first three transfers and block 8 the other two; all
  /// refer to block 6, which both branches have.
  private func scene(_ node: TestNode) async throws -> [PreparedTransaction] {
    try await node.make(6)
    var all: [PreparedTransaction] = []
    for amount in UInt64(1)...5 { all.append(try await node.usdtTransfer(to: bob, amount)) }
    for part in [all[0..<3], all[3...]] {
      for prepared in part { #expect(try await node.broadcast(prepared).json["code"] == .string("SUCCESS")) }
      try await node.make()
    }
    #expect(try await node.ids(inBlock: 7) == all[0..<3].map(\.jsonID))
    #expect(try await node.ids(inBlock: 8) == all[3...].map(\.jsonID))
    return all
  }

  private func list(_ order: [Int], of all: [PreparedTransaction]) -> String {
    "[" + order.map { "\"\(all[$0].id.hex)\"" }.joined(separator: ",") + "]"
  }

  /// Every order of a block's three, the block after it turned round as well.
  @Test(arguments: [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]])
  func `a fork puts a block's transactions into any order`(order: [Int]) async throws {
    try await TestNode.run(producers: 5) { node in
      let all = try await scene(node)
      let outcome = try await node.control(
        "fork", #"{"depth":2,"transactions":"include","order":\#(list(order + [4, 3], of: all))}"#)
      #expect(try await node.ids(inBlock: 7) == order.map { all[$0].jsonID })
      #expect(try await node.ids(inBlock: 8) == [all[4].jsonID, all[3].jsonID])
      #expect(outcome["included"] == .array((order + [4, 3]).map { all[$0].jsonID }))
      for prepared in all { #expect(try await node.info(prepared)["receipt"]?["result"] == .string("SUCCESS")) }
    }
  }

  @Test func `what an order does not name comes after what it names, as it was`() async throws {
    try await TestNode.run(producers: 5) { node in
      let all = try await scene(node)
      try await node.control("fork", #"{"depth":2,"transactions":"include","order":\#(list([2], of: all))}"#)
      #expect(try await node.ids(inBlock: 7) == [2, 0, 1].map { all[$0].jsonID })
      #expect(try await node.ids(inBlock: 8) == [3, 4].map { all[$0].jsonID })
    }
  }

  @Test func `an order holds over the blocks for what is pending again, whatever else is dropped`() async throws {
    try await TestNode.run(producers: 5) { node in
      let all = try await scene(node)
      let outcome = try await node.control(
        "fork", #"{"depth":2,"drop":["\#(all[1].id.hex)"],"order":\#(list([4, 1, 0], of: all))}"#)
      let expected = [4, 0, 2, 3].map { all[$0].jsonID }
      #expect(outcome["repushed"] == .array(expected) && outcome["dropped"] == .array([all[1].jsonID]))
      try await node.make()
      #expect(try await node.ids(inBlock: 10) == expected)
    }
  }

  @Test func `an order changes who is paid where there is not enough for all`() async throws {
    // The point of an order: the same transactions, and another end. Of 1,000 USDT two times 600 cannot both be paid.
    try await TestNode.run(producers: 5) { node in
      try await node.make(6)
      var all: [PreparedTransaction] = []
      for _ in 0..<2 {
        // A moment later, or they were one transaction.
        all.append(try await node.usdtTransfer(to: bob, 600_000_000 + UInt64(all.count)))
        #expect(try await node.broadcast(all[all.count - 1]).json["code"] == .string("SUCCESS"))
      }
      try await node.make()
      func results() async throws -> [JSON?] {
        try await [node.info(all[0])["receipt"]?["result"], node.info(all[1])["receipt"]?["result"]]
      }
      #expect(try await results() == [.string("SUCCESS"), .string("REVERT")])
      try await node.control("fork", #"{"depth":1,"transactions":"include","order":\#(list([1, 0], of: all))}"#)
      #expect(try await results() == [.string("REVERT"), .string("SUCCESS")])
    }
  }

  @Test func `an order that cannot be is refused, and nothing forks`() async throws {
    try await TestNode.run(producers: 5) { node in
      let all = try await scene(node)
      let head = try await node.block(8)["blockID"]
      let wrong: [(fields: String, sentence: String)] = [
        (#""reversed":true,"order":\#(list([1], of: all))"#, "order, reversed: expected at most one of them"),
        (#""order":\#(list([1, 2, 1], of: all))"#, "order: it names a transaction twice"),
        (
          #""order":["\#(String(repeating: "ab", count: 32))"]"#,
          "\(String(repeating: "ab", count: 32)): no block that this fork undoes holds the transaction"
        ),
        (#""order":["ab"]"#, "order: \"ab\" was found; expected a transaction's id in 64 hex characters"),
        (#""order":"\#(all[0].id.hex)""#, "order: \"\(all[0].id.hex)\" was found; expected a list of at most"),
      ]
      for (fields, sentence) in wrong {
        let answer = try await node.post("/devnet/fork", #"{"depth":2,\#(fields)}"#)
        #expect(answer.status == 400, "\(fields)")
        guard case .string(let text)? = answer.json["error"] else { throw TestFailure(description: answer.text) }
        #expect(text.hasPrefix(sentence), "\(fields): \(text)")
      }
      #expect(try await node.block(8)["blockID"] == head)
      #expect(try await node.headNumber() == 8)
    }
  }
}
