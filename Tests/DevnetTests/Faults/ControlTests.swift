import Testing

@testable import Devnet

/// Proves what `/devnet` refuses, and that one call brings everything back to health.
@Suite(.serialized) struct ControlTests {
  private static let wrong: [(name: String, body: String, sentence: String)] = [
    ("slots", "", "nothing is asked for; expected 'miss', 'silent', 'halted', 'solid_frozen', 'solid_view_lag'"),
    ("slots", #"{"mis":1}"#, "'mis' is no field here; expected 'miss', 'silent', 'halted', 'solid_frozen'"),
    ("slots", #"{"miss":-1}"#, "miss: -1 was found; expected a whole number from 0 to 1000000"),
    ("slots", #"{"silent":[3]}"#, "silent: 3 was found; expected whole numbers from 0 to 2"),
    ("slots", #"{"halted":1}"#, "halted: 1 was found; expected true or false"),
    ("slots", "{", "the body is not JSON: "),
    ("slots", "[]", "the body: [] was found; expected an object"),
    ("blocks", #"{"count":0}"#, "count: 0 was found; expected a whole number from 1 to 1000"),
    ("fork", "{}", "depth: it is missing"),
    ("fork", #"{"depth":1}"#, "depth: 1 blocks below head 0 would undo solid block 0; expected at most 0"),
    ("fork", #"{"depth":2,"length":2}"#, "length: 2 was found; expected a whole number from 3 to"),
    ("fork", #"{"depth":1,"drop":["ab"]}"#, "drop: \"ab\" was found; expected a transaction's id"),
    ("fork", #"{"depth":1,"include":[{"txid":1}]}"#, "txid: 1 was found"),
    ("results", #"{"result":"SUCCESS"}"#, "result: \"SUCCESS\" was found; expected 'REVERT' or 'OUT_OF_ENERGY' or"),
    ("world", #"{"blacklist":"T1"}"#, "blacklist: \"T1\" was found; expected an address"),
    ("world", #"{"sun":1}"#, "account: expected together with"),
    ("world", #"{"fee_rate":1}"#, "fee_rate and fee_maximum: expected both"),
    ("faces", #"{"face":2,"sees":"live"}"#, "face: 2 was found; expected a whole number from 1 to 1"),
    ("faces", #"{"sees":"behind"}"#, "blocks: expected how many"),
    ("faces", #"{"sees":"live","blocks":[1]}"#, "blocks: only a face that sees 'behind'"),
    ("faults", "{}", "fault: it is missing"),
    ("faults", #"{"fault":"flood"}"#, "fault: \"flood\" was found; expected 'delay-call' or"),
    ("faults", #"{"fault":"forget","call":"getblock1"}"#, "call: 'getblock1' was found"),
    ("faults", #"{"fault":"forget","call":"walletsolidity/broadcasthex"}"#, "call: 'walletsolidity/broadcasthex'"),
    ("faults", #"{"fault":"forget","count":0}"#, "count: 0 was found"),
    ("faults", #"{"fault":"forget","face":2}"#, "face: 2 was found"),
    ("faults", #"{"fault":"delay-answer"}"#, "milliseconds: it is missing"),
    ("faults", #"{"fault":"http-status","status":418}"#, "status: 418 was found; expected one of"),
    ("faults", #"{"fault":"refuse","code":"SUCCESS"}"#, "code: \"SUCCESS\" was found"),
    ("faults", #"{"fault":"refuse"}"#, "code: it is missing"),
    ("faults", #"{"fault":"hide"}"#, "txid: it is missing"),
    ("faults", #"{"fault":"claim"}"#, "txid, transaction: expected one of them"),
    ("faults", #"{"fault":"claim","transaction":"0a05"}"#, "transaction: it cannot be decoded"),
    ("faults", #"{"fault":"wrong-body","block":1,"of":9}"#, "of: there is no block 9"),
    ("reset-faults", #"{"fault":7}"#, "fault: there is none with number 7"),
  ]

  @Test func `what is unknown or out of range is refused with a sentence`() async throws {
    try await TestNode.run(producers: 3) { node in
      for (name, body, sentence) in Self.wrong {
        let answer = try await node.post("/devnet/\(name)", body)
        #expect(answer.status == 400, "\(name) \(body)")
        guard case .string(let text)? = answer.json["error"] else { throw TestFailure(description: answer.text) }
        #expect(text.hasPrefix(sentence), "\(name) \(body): \(text)")
      }
      let unknown = String(repeating: "ab", count: 32)
      for body in [#"{"fault":"claim","txid":"\#(unknown)"}"#, #"{"fault":"hide","txid":"\#(unknown)","of":1}"#] {
        #expect(try await node.post("/devnet/faults", body).status == 400)
      }
      // Nothing of it has left a trace.
      #expect(try await node.state("faults") == .array([]))
      #expect(try await node.get("/devnet/slots").status == 405)
      #expect(try await node.post("/devnet/flood").status == 404)
    }
  }

  @Test func `one call takes back every fault, another a single one`() async throws {
    try await TestNode.run(producers: 3, faces: 2) { node in
      let healthy = try await node.get("/devnet/state").text
      let first = try await node.control("faults", #"{"fault":"light-node","face":1}"#)
      #expect(first == .object(["fault": .integer(1)]))
      try await node.control("faults", #"{"fault":"node-error","face":2,"count":5}"#)
      try await node.control("slots", #"{"silent":[1],"halted":true,"solid_frozen":true,"miss":3,"solid_view_lag":1}"#)
      try await node.control("results", #"{"result":"REVERT"}"#)
      try await node.control("faces", #"{"sees":"cut_off"}"#)
      _ = try await node.face(2).post("/wallet/getnowblock")
      guard case .array(let faults)? = try await node.state("faults") else { throw TestFailure(description: "no list") }
      #expect(faults.map { $0["remaining"] } == [.null, .integer(4)])
      #expect(faults.map { $0["hits"] } == [.integer(0), .integer(1)])
      #expect(faults[1]["asked"]?["fault"] == .string("node-error"))

      try await node.control("reset-faults", #"{"fault":1}"#)
      #expect(try await node.headNumber() == 0)
      #expect(try await node.face(2).post("/wallet/getnowblock").json["Error"] != nil)
      try await node.control("reset-faults")
      #expect(try await node.get("/devnet/state").text == healthy)
    }
  }

  /// Both sides of each limit.
  @Test(arguments: [
    ("results", #"{"result":"REVERT"}"#, 100), ("world", #"{"paused":true}"#, 100),
    ("faults", #"{"fault":"forget"}"#, 1_000),
  ])
  func `so much can be set, and no more`(name: String, body: String, most: Int) async throws {
    try await TestNode.run { node in
      for _ in 0..<most { try await node.control(name, body) }
      let refused = try await node.post("/devnet/\(name)", body)
      #expect(refused.status == 400 && refused.text.contains("\(most) "))
    }
  }

  /// Of one kind the oldest comes first, each as often as it was asked for.
  @Test func `faults of one kind meet one request after the other`() async throws {
    try await TestNode.run { node in
      try await node.control("faults", #"{"fault":"http-status","status":429,"count":1}"#)
      try await node.control("faults", #"{"fault":"http-status","status":503,"count":2}"#)
      var statuses: [Int] = []
      for _ in 0..<4 { statuses.append(try await node.get("/wallet/getnowblock").status) }
      #expect(statuses == [429, 503, 503, 200])
    }
  }

  @Test func `a fault meets only the face, the call and the transaction it names`() async throws {
    try await TestNode.run(faces: 2) { node in
      let (first, second) = try await (
        node.usdtTransfer(to: TestWallet.bob.address, 1), node.usdtTransfer(to: TestWallet.bob.address, 2)
      )
      try await node.control(
        "faults",
        #"{"fault":"node-error","text":"one","face":2,"call":"wallet/gettransactionbyid","txid":"\#(first.id.hex)"}"#)
      func isMet(_ node: TestNode, _ path: String, _ prepared: PreparedTransaction) async throws -> Bool {
        try await node.post(path, #"{"value":"\#(prepared.id.hex)"}"#).json["Error"] == .string("one")
      }
      #expect(try await isMet(node.face(2), "/wallet/gettransactionbyid", first))
      #expect(try await !isMet(node.face(1), "/wallet/gettransactionbyid", first))
      #expect(try await !isMet(node.face(2), "/walletsolidity/gettransactionbyid", first))
      #expect(try await !isMet(node.face(2), "/wallet/gettransactioninfobyid", first))
      #expect(try await !isMet(node.face(2), "/wallet/gettransactionbyid", second))
      // By its bytes too, where it is handed over; a call without a view is meant in both.
      try await node.control("reset-faults")
      try await node.control("faults", #"{"fault":"node-error","text":"two","txid":"\#(first.id.hex)"}"#)
      #expect(try await node.broadcast(first).json["Error"] == .string("two"))
      #expect(try await node.broadcast(second).json["code"] == .string("SUCCESS"))
      try await node.control("faults", #"{"fault":"node-error","call":"getnowblock"}"#)
      for view in ["wallet", "walletsolidity"] {
        #expect(try await node.post("/\(view)/getnowblock").json["Error"] != nil)
      }
    }
  }
}
