import Testing

@testable import Devnet

/// Proves the faults of single answers: late, lost, broken, refused with HTTP's means, forgotten
/// (tron-protocol.md §2.5, §4.1, §4.5, §9).
@Suite(.serialized) struct AnswerFaultTests {
  private let bob = TestWallet.bob.address

  private static let statuses: [(status: Int, hasLimitBody: Bool)] = [
    (429, true), (403, true), (503, true), (500, false), (502, false),
  ]

  @Test(arguments: statuses)
  func `a status comes with the body that TronGrid gives`(status: Int, hasLimitBody: Bool) async throws {
    try await TestNode.run { node in
      try await node.control("faults", #"{"fault":"http-status","status":\#(status)}"#)
      let answer = try await node.post("/walletsolidity/getnowblock")
      #expect(answer.status == status)
      let limit = #"{"Error":"The key exceeds the frequency limit(15), and the query server is suspended for 30s"}"#
      #expect(answer.text == (hasLimitBody ? "\(limit)\n" : ""))
    }
  }

  @Test func `errors with status 200, a closed call and a light node's bare text`() async throws {
    try await TestNode.run { node in
      func answer(_ fault: String) async throws -> TestNode.Answer {
        try await node.control("faults", fault)
        return try await node.post("/wallet/getblockbynum", #"{"num":0}"#)
      }
      let busy = try await answer(#"{"fault":"node-error","count":1}"#)
      #expect(busy.status == 200)
      #expect(busy.text == #"{"Error":"class java.lang.IllegalAccessException : lack of computing resources"}"# + "\n")
      let other = try await answer(#"{"fault":"node-error","text":"class x : y","count":1}"#)
      #expect(other.text == #"{"Error":"class x : y"}"# + "\n")
      let closed = try await answer(#"{"fault":"http-status","status":404,"count":1}"#)
      #expect(closed.status == 404 && closed.text == #"{"Error":"this API is unavailable due to config"}"# + "\n")
      let light = try await answer(#"{"fault":"light-node","count":1}"#)
      #expect(light.status == 200)
      #expect(light.text == "this API is closed because this node is a lite fullnode\n")
      #expect(try await node.post("/wallet/getblockbynum", #"{"num":0}"#).json["blockID"] != nil)
    }
  }

  @Test func `an answer is late after its call was carried out, or before it is`() async throws {
    try await TestNode.run { node in
      let clock = ContinuousClock()
      let early = try await node.usdtTransfer(to: bob, 1)
      try await node.control("faults", #"{"fault":"delay-answer","milliseconds":700,"call":"broadcasthex","count":1}"#)
      let begin = clock.now
      async let slow = node.broadcast(early)
      while try await !node.isPending(early), clock.now < begin + .seconds(30) {}
      #expect(try await slow.json["code"] == .string("SUCCESS"))
      #expect(clock.now - begin >= .milliseconds(700))

      let late = try await node.usdtTransfer(to: bob, 2)
      try await node.control("faults", #"{"fault":"delay-call","milliseconds":700,"call":"broadcasthex","count":1}"#)
      let again = clock.now
      #expect(try await node.broadcast(late).json["code"] == .string("SUCCESS"))
      #expect(clock.now - again >= .milliseconds(700))
      #expect(try await node.isPending(late))
    }
  }

  @Test func `the answer is lost after the transaction was accepted`() async throws {
    try await TestNode.run { node in
      let prepared = try await node.usdtTransfer(to: bob, 1)
      try await node.control("faults", #"{"fault":"lose-answer","call":"broadcasthex","count":1}"#)
      await #expect(throws: (any Error).self) { try await node.broadcast(prepared) }
      #expect(try await node.isPending(prepared))
      #expect(try await node.broadcast(prepared).json["message"] == .string("Dup transaction."))
    }
  }

  @Test func `the connection breaks before the transaction was read`() async throws {
    try await TestNode.run { node in
      let prepared = try await node.usdtTransfer(to: bob, 1)
      try await node.control("faults", #"{"fault":"break-connection","call":"broadcasthex","count":1}"#)
      await #expect(throws: (any Error).self) { try await node.broadcast(prepared) }
      #expect(try await !node.isPending(prepared))
      #expect(try await node.broadcast(prepared).json["code"] == .string("SUCCESS"))
    }
  }

  @Test func `a transaction is accepted and silently dropped, and then accepted again`() async throws {
    try await TestNode.run { node in
      let prepared = try await node.usdtTransfer(to: bob, 1)
      try await node.control("faults", #"{"fault":"forget","txid":"\#(prepared.id.hex)","count":1}"#)
      #expect(try await node.broadcast(prepared).json["code"] == .string("SUCCESS"))
      try await node.make()
      #expect(try await node.transaction(prepared) == TestNode.nothing)
      try await node.include(prepared)
      #expect(try await node.info(prepared)["receipt"]?["result"] == .string("SUCCESS"))
    }
  }

  @Test(arguments: ResponseCode.allCases.filter { $0 != .success })
  func `a broadcast is refused with any code, and nothing is pending`(code: ResponseCode) async throws {
    try await TestNode.run { node in
      let prepared = try await node.usdtTransfer(to: bob, 1)
      try await node.control("faults", #"{"fault":"refuse","code":"\#(code.name)","count":1}"#)
      let answer = try await node.broadcast(prepared)
      #expect(answer.json["result"] == .bool(false) && answer.json["code"] == .string(code.name))
      guard case .string(let message)? = answer.json["message"] else { throw TestFailure(description: answer.text) }
      #expect(!message.isEmpty)
      #expect(try await node.transaction(prepared) == TestNode.nothing)
    }
  }

  /// §2.4, last row: the normal answer to a re-broadcast, and the transaction is pending.
  @Test func `P2P broadcast failed comes although the transaction is pending`() async throws {
    try await TestNode.run { node in
      let prepared = try await node.usdtTransfer(to: bob, 1)
      try await node.control(
        "faults", #"{"fault":"refuse","code":"NOT_ENOUGH_EFFECTIVE_CONNECTION","accepted":true}"#)
      let answer = try await node.broadcast(prepared)
      #expect(answer.json["code"] == .string("NOT_ENOUGH_EFFECTIVE_CONNECTION"))
      #expect(answer.json["message"] == .string("P2P broadcast failed."))
      #expect(try await node.isPending(prepared))
      // What the node truly refuses it refuses with its own answer.
      #expect(try await node.broadcast(prepared).json["code"] == .string("DUP_TRANSACTION_ERROR"))
    }
  }

  @Test func `a node says DUP of a transaction that nobody knows, with either message`() async throws {
    try await TestNode.run { node in
      let prepared = try await node.usdtTransfer(to: bob, 1)
      try await node.control("faults", #"{"fault":"refuse","code":"DUP_TRANSACTION_ERROR","count":1}"#)
      try await node.control(
        "faults",
        #"{"fault":"refuse","code":"DUP_TRANSACTION_ERROR","message":"Transaction already exists.","count":1}"#)
      #expect(try await node.broadcast(prepared).json["message"] == .string("Dup transaction."))
      #expect(try await node.broadcast(prepared).json["message"] == .string("Transaction already exists."))
      #expect(try await node.transaction(prepared) == TestNode.nothing)
    }
  }
}
