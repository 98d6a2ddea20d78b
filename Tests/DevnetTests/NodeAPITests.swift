import Testing

@testable import Devnet

/// Proves the shapes of the node's answers over real HTTP: `{}` and `[]`, absent defaults, `visible`, GET and POST,
/// views and errors (tron-protocol.md §4).
@Suite(.serialized) struct NodeAPITests {
  private let alice = TestWallet.alice.address
  private let bob = TestWallet.bob.address

  @Test func `the genesis block has no number, no signature, no transactions`() async throws {
    try await TestNode.run { node in
      let answer = try await node.post("/wallet/getblockbynum", #"{"num":0}"#)
      #expect(answer.json["blockID"] == .string(node.genesisBlockID))
      #expect(node.genesisBlockID.hasPrefix("0000000000000000"))
      let raw = try #require(answer.json["block_header"]?["raw_data"])
      #expect(raw["timestamp"] == .integer(TestNode.genesisTime))
      #expect(raw["number"] == nil && raw["witness_address"] == nil && raw["version"] == nil)
      #expect(raw["parentHash"] == .string(String(repeating: "0", count: 64)))
      #expect(answer.json["block_header"]?["witness_signature"] == nil)
      #expect(answer.json["transactions"] == nil)
      #expect(answer.text.hasSuffix("}\n"))
    }
  }

  /// What is not there is `{}`, but `[]` where a list of receipts is asked for.
  @Test func `empty answers are exactly as a node gives them`() async throws {
    try await TestNode.run { node in
      try await node.produce()
      let unknown = String(repeating: "ab", count: 32)
      let empty: [(path: String, body: String)] = [
        ("getblockbynum", #"{"num":99}"#), ("getblockbynum", #"{"num":-1}"#),
        ("getblock", #"{"id_or_num":"99"}"#), ("getblock", #"{"id_or_num":"\#(unknown)"}"#),
        ("getblockbyid", #"{"value":"\#(unknown)"}"#),
        ("getblockbylimitnext", #"{"startNum":1,"endNum":1}"#),
        ("getblockbylimitnext", #"{"startNum":0,"endNum":101}"#),
        ("getblockbylimitnext", #"{"startNum":50,"endNum":60}"#),
        ("gettransactionbyid", #"{"value":"\#(unknown)"}"#), ("gettransactionbyid", "{}"),
        ("gettransactioninfobyid", #"{"value":"\#(unknown)"}"#),
        ("gettransactioninfobyblocknum", #"{"num":0}"#), ("gettransactioninfobyblocknum", #"{"num":-1}"#),
        ("getaccount", #"{"address":"\#(bob.hex)"}"#),
      ]
      for (name, body) in empty {
        for view in ["wallet", "walletsolidity"] {
          #expect(try await node.post("/\(view)/\(name)", body).text == "{}\n", "\(view)/\(name) \(body)")
        }
      }
      #expect(try await node.post("/wallet/getcontract", #"{"value":"\#(bob.hex)"}"#).text == "{}\n")
      for number in [1, 2, 99] {
        let answer = try await node.post("/wallet/gettransactioninfobyblocknum", #"{"num":\#(number)}"#)
        #expect(answer.text == "[]\n")
      }
    }
  }

  @Test func `GET with a query and POST with a body are the same`() async throws {
    try await TestNode.run { node in
      try await node.produce(2)
      let pairs = [
        ("getblockbynum?num=1", "getblockbynum", #"{"num":1}"#),
        ("getblock?id_or_num=2&detail=true", "getblock", #"{"id_or_num":"2","detail":true}"#),
        ("getblock", "getblock", "{}"),
        ("getnowblock", "getnowblock", ""),
        ("getblockbylimitnext?startNum=1&endNum=3", "getblockbylimitnext", #"{"startNum":1,"endNum":3}"#),
        ("gettransactioninfobyblocknum?num=1", "gettransactioninfobyblocknum", #"{"num":1}"#),
        (
          "getaccount?visible=true&address=\(alice.base58)", "getaccount",
          #"{"address":"\#(alice.base58)","visible":true}"#
        ),
        ("getnodeinfo", "getnodeinfo", "{}"),
      ]
      for (query, name, body) in pairs {
        let got = try await node.get("/wallet/\(query)")
        let posted = try await node.post("/wallet/\(name)", body)
        #expect(got.status == 200 && got.text == posted.text && got.text != "{}\n", "\(query)")
      }
    }
  }

  @Test func `errors come with status 200 and the class of an exception`() async throws {
    try await TestNode.run { node in
      func errorText(_ path: String, _ body: String) async throws -> String {
        let answer = try await node.post(path, body)
        #expect(answer.status == 200)
        guard case .string(let text)? = answer.json["Error"] else { return "no error in \(answer.text)" }
        return text
      }
      let badID = try await errorText("/wallet/getblock", #"{"id_or_num":"xyz"}"#)
      #expect(badID == "id must be legal block hash.")
      for (path, body) in [
        ("getblockbynum", "{"), ("getblockbynum", "[]"), ("getblockbynum", #"{"num":"x"}"#),
        ("getblockbynum", #"{"num":1.5}"#), ("getaccount", #"{"address":"zz"}"#),
        ("getaccount", #"{"address":"\#(alice.hex)","visible":true}"#), ("broadcasthex", #"{"transaction":"0a05"}"#),
        ("broadcasthex", "{}"), ("broadcasttransaction", "{}"), ("triggerconstantcontract", "{}"),
        ("gettransactionbyid", #"{"value":"xx"}"#),
      ] {
        let text = try await errorText("/wallet/\(path)", body)
        #expect(text.hasPrefix("class "), "\(path) \(body)")
      }
    }
  }

  /// Both sides of `node.http.maxMessageSize`.
  @Test(arguments: [(4_194_304, 200), (4_194_305, 413)])
  func `a body beyond 4 MiB is too large`(size: Int, status: Int) async throws {
    try await TestNode.run { node in
      let body = "{" + String(repeating: " ", count: size - 2) + "}"
      let answer = try await node.post("/wallet/getnowblock", body)
      #expect(answer.status == status)
    }
  }

  /// tron-protocol.md §4.4: no broadcast, parameters, resources or contracts in the solid view.
  @Test func `the solid view lacks what it lacks on a node`() async throws {
    try await TestNode.run { node in
      for name in ["getaccountresource", "getchainparameters", "getcontract", "broadcasthex", "broadcasttransaction"] {
        let missing = try await node.post("/walletsolidity/\(name)")
        let there = try await node.post("/wallet/\(name)")
        #expect(missing.status == 404 && there.status == 200, "\(name)")
      }
      let unknown = try await node.post("/wallet/nosuchthing")
      let root = try await node.get("/")
      #expect(unknown.status == 404 && root.status == 404)
    }
  }

  /// Pending on /wallet only; then in a block; then in the solid view, with three producers two blocks later.
  @Test func `a transaction shows where it has got to`() async throws {
    try await TestNode.run(producers: 3) { node in
      let prepared = try await node.usdtTransfer(to: bob, 12_345_678)
      let query = #"{"value":"\#(prepared.id.hex)"}"#
      let accepted = try await node.broadcast(prepared).json
      #expect(accepted["result"] == .bool(true) && accepted["code"] == .string("SUCCESS"))
      #expect(accepted["message"] == .string("") && accepted["txid"] == .string(prepared.id.hex))

      let pending = try await node.post("/wallet/gettransactionbyid", query).json
      #expect(pending["txID"] == .string(prepared.id.hex))
      #expect(pending["ret"] == .array([.object(["contractRet": .string("SUCCESS")])]))
      #expect(try await node.post("/wallet/gettransactionfrompending", query).json["txID"] != nil)
      #expect(try await node.post("/wallet/getpendingsize").text == "{\"pendingSize\":1}\n")
      #expect(try await node.post("/wallet/gettransactioninfobyid", query).text == "{}\n")
      #expect(try await node.post("/walletsolidity/gettransactionbyid", query).text == "{}\n")
      try await #expect(balance(of: bob, node, "wallet") == 12_345_678)
      try await #expect(balance(of: bob, node, "walletsolidity") == 0)

      try await node.produce()
      let info = try await node.post("/wallet/gettransactioninfobyid", query).json
      #expect(info["blockNumber"] == .integer(1))
      let list = try await node.post("/wallet/gettransactioninfobyblocknum", #"{"num":1}"#).json
      #expect(list == .array([info]))
      #expect(try await node.post("/wallet/gettransactionfrompending", query).text == "{}\n")
      #expect(try await node.post("/walletsolidity/gettransactioninfobyid", query).text == "{}\n")
      #expect(try await node.post("/walletsolidity/getblockbynum", #"{"num":1}"#).text == "{}\n")

      try await node.produce(2)
      #expect(try await node.post("/walletsolidity/gettransactioninfobyid", query).json == info)
      #expect(try await node.post("/walletsolidity/gettransactionbyid", query).json["txID"] != nil)
      try await #expect(balance(of: bob, node, "walletsolidity") == 12_345_678)
    }
  }

  private func balance(of address: Address, _ node: TestNode, _ view: String) async throws -> UInt64? {
    let answer = try await node.post(
      "/\(view)/triggerconstantcontract",
      """
      {"owner_address":"\(address.hex)","contract_address":"\(Genesis.mainnetToken.hex)",
      "function_selector":"balanceOf(address)","parameter":"\(Hex.encode(Word256(address).bytes))"}
      """
    ).json
    guard case .array(let results)? = answer["constant_result"], case .string(let hex)? = results.first,
      let bytes = Hex.decode(hex)
    else { return nil }
    return Word256(bigEndian: bytes[...]).uint64
  }

  /// Every field of a receipt and of a transaction, defaults absent.
  @Test func `receipts and transactions have the shape of mainnet's`() async throws {
    try await TestNode.run { node in
      let prepared = try await node.usdtTransfer(to: bob, 12_345_678)
      _ = try await node.broadcast(prepared)
      try await node.produce()
      let info = try await node.post("/wallet/gettransactioninfobyid", #"{"value":"\#(prepared.id.hex)"}"#)
      let zeros = String(repeating: "0", count: 24)
      let time = TestNode.genesisTime + TestNode.slot
      #expect(
        info.text == """
          {"id":"\(prepared.id.hex)","fee":13028500,"blockNumber":1,"blockTimeStamp":\(time),\
          "contractResult":["\(String(repeating: "0", count: 64))"],\
          "contract_address":"41a614f803b6fd780986a42c78ec9c7f77e6ded13c",\
          "receipt":{"energy_fee":13028500,"energy_usage_total":130285,"net_usage":345,"result":"SUCCESS",\
          "energy_penalty_total":100635},\
          "log":[{"address":"a614f803b6fd780986a42c78ec9c7f77e6ded13c",\
          "topics":["ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",\
          "\(zeros)\(alice.hex.dropFirst(2))","\(zeros)\(bob.hex.dropFirst(2))"],\
          "data":"0000000000000000000000000000000000000000000000000000000000bc614e"}]}

          """)
      let block = try await node.post("/wallet/getblock", #"{"id_or_num":"1","detail":true}"#).json
      guard case .array(let transactions)? = block["transactions"] else {
        throw TestFailure(description: "no transactions in \(block.text)")
      }
      let raw = prepared.transaction.raw
      let signature = Hex.encode(prepared.transaction.signatures[0])
      let call = try #require(Hex.decode("a9059cbb")) + Word256(bob).bytes + Word256(12_345_678).bytes
      #expect(
        transactions.map(\.text) == [
          """
          {"ret":[{"contractRet":"SUCCESS"}],"signature":["\(signature)"],"txID":"\(prepared.id.hex)",\
          "raw_data":{"contract":[{"parameter":{"value":{"data":"\(Hex.encode(call))",\
          "owner_address":"\(alice.hex)","contract_address":"41a614f803b6fd780986a42c78ec9c7f77e6ded13c"},\
          "type_url":"type.googleapis.com/protocol.TriggerSmartContract"},"type":"TriggerSmartContract"}],\
          "ref_block_bytes":"0000","ref_block_hash":"\(Hex.encode(raw.refBlockHash))",\
          "expiration":\(raw.expiration),"timestamp":\(raw.timestamp),"fee_limit":30000000},\
          "raw_data_hex":"\(Hex.encode(prepared.rawBytes))"}
          """
        ])
      #expect(try await node.post("/wallet/getblock", #"{"id_or_num":"1"}"#).json["transactions"] == nil)
    }
  }

  /// broadcasttransaction: no code when accepted, no result and hex of the message when refused (text if visible).
  @Test func `the two broadcasts answer differently`() async throws {
    try await TestNode.run { node in
      let prepared = try await node.usdtTransfer(to: bob, 1)
      let json = Rendering.hex.transaction(prepared, ret: JSON?.none).text
      let accepted = try await node.post("/wallet/broadcasttransaction", json)
      #expect(accepted.text == "{\"result\":true,\"txid\":\"\(prepared.id.hex)\"}\n")
      let refused = try await node.post("/wallet/broadcasttransaction", json)
      #expect(
        refused.text == """
          {"code":"DUP_TRANSACTION_ERROR","message":"\(Hex.encode(Bytes("Dup transaction.".utf8)))",\
          "txid":"\(prepared.id.hex)"}

          """)
      let visible = Rendering(isVisible: true).transaction(prepared, ret: JSON?.none).text
      let refusedVisibly = try await node.post(
        "/wallet/broadcasttransaction", visible.dropLast() + #","visible":true}"#)
      #expect(refusedVisibly.json["message"] == .string("Dup transaction."))
      let byHex = try await node.broadcast(prepared).json
      #expect(byHex["result"] == .bool(false) && byHex["code"] == .string("DUP_TRANSACTION_ERROR"))
      #expect(byHex["message"] == .string("Dup transaction."))
      guard case .string(let text)? = byHex["transaction"] else { throw TestFailure(description: byHex.text) }
      #expect(try JSONParser.parse(Bytes(text.utf8))["txID"] == .string(prepared.id.hex))
    }
  }

  @Test func `visible prints addresses in base58 and messages as text`() async throws {
    try await TestNode.run { node in
      let prepared = try await node.usdtTransfer(to: bob, 1_000_000_001)
      _ = try await node.broadcast(prepared)
      try await node.produce()
      let query = #"{"value":"\#(prepared.id.hex)""#
      let plain = try await node.post("/wallet/gettransactioninfobyid", query + "}").json
      let visible = try await node.post("/wallet/gettransactioninfobyid", query + #","visible":true}"#).json
      #expect(plain["result"] == .string("FAILED") && plain["receipt"]?["result"] == .string("REVERT"))
      #expect(plain["contractResult"] == .array([.string("")]))
      #expect(plain["resMessage"] == .string(Hex.encode(Bytes("REVERT opcode executed".utf8))))
      #expect(visible["resMessage"] == .string("REVERT opcode executed"))
      #expect(visible["contract_address"] == .string("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"))
      // getnowblock looks for visible in the query only.
      let inBody = try await node.post("/wallet/getnowblock", #"{"visible":true}"#).text
      let inQuery = try await node.post("/wallet/getnowblock?visible=true", "").text
      #expect(inBody.contains("\"owner_address\":\"\(alice.hex)\""))
      #expect(inQuery.contains("\"owner_address\":\"\(alice.base58)\""))
    }
  }

  /// A revert still has result.result true; ret and message tell it (§4.4).
  @Test func `a constant call tells energy, result and revert`() async throws {
    try await TestNode.run { node in
      func call(_ amount: UInt64, contract: String = Genesis.mainnetToken.hex) async throws -> JSON {
        try await node.post(
          "/wallet/triggerconstantcontract",
          """
          {"owner_address":"\(alice.hex)","contract_address":"\(contract)",
          "function_selector":"transfer(address,uint256)",
          "parameter":"\(Hex.encode(Word256(bob).bytes + Word256(amount).bytes))"}
          """
        ).json
      }
      let good = try await call(1)
      #expect(good["result"] == .object(["result": .bool(true)]))
      #expect(good["energy_used"] == .integer(130_285) && good["energy_penalty"] == .integer(100_635))
      #expect(good["constant_result"] == .array([.string(String(repeating: "0", count: 64))]))
      #expect(good["transaction"]?["ret"] == .array([.object([:])]))
      guard case .array(let logs)? = good["logs"] else { throw TestFailure(description: good.text) }
      #expect(logs.count == 1)
      let bad = try await call(1_000_000_001)
      #expect(bad["result"]?["result"] == .bool(true))
      #expect(bad["result"]?["message"] == .string(Hex.encode(Bytes("REVERT opcode executed".utf8))))
      #expect(bad["transaction"]?["ret"] == .array([.object(["ret": .string("FAILED")])]))
      let none = try await call(1, contract: bob.hex)
      let text = "Contract validate error : No contract or not a smart contract"
      #expect(
        none["result"]
          == .object([
            "code": .string("CONTRACT_VALIDATE_ERROR"), "message": .string(Hex.encode(Bytes(text.utf8))),
          ]))
    }
  }

  @Test func `accounts, resources, prices, parameters and the node itself are told`() async throws {
    try await TestNode.run { node in
      let account = try await node.post("/wallet/getaccount", #"{"address":"\#(alice.hex)"}"#).json
      #expect(account["balance"] == .integer(1_000_000_000) && account["address"] == .string(alice.hex))
      #expect(account["owner_permission"]?["threshold"] == .integer(1))
      let resource = #"{"address":"\#(alice.hex)"}"#
      let before = try await node.post("/wallet/getaccountresource", resource).json
      #expect(before["freeNetLimit"] == .integer(600) && before["freeNetUsed"] == nil)
      _ = try await node.broadcast(try await node.usdtTransfer(to: bob, 1))
      #expect(try await node.post("/wallet/getaccountresource", resource).json["freeNetUsed"] == .integer(345))
      let parameters = try await node.post("/wallet/getchainparameters").text
      #expect(parameters.contains(#"{"key":"getEnergyFee","value":100}"#))
      #expect(parameters.contains(#"{"key":"getTransactionFee","value":1000}"#))
      for view in ["wallet", "walletsolidity"] {
        #expect(try await node.get("/\(view)/getenergyprices").text == "{\"prices\":\"0:100\"}\n")
        #expect(try await node.get("/\(view)/getbandwidthprices").text == "{\"prices\":\"0:1000\"}\n")
        let info = try await node.get("/\(view)/getnodeinfo").json
        #expect(info["block"] == .string("Num:0,ID:\(node.genesisBlockID)"))
        #expect(info["solidityBlock"] == .string("Num:0,ID:\(node.genesisBlockID)"))
      }
    }
  }

  @Test func `a range of blocks ends before endNum and at the head`() async throws {
    try await TestNode.run { node in
      try await node.produce(3)
      func numbers(_ start: Int, _ end: Int) async throws -> [Int64] {
        let answer = try await node.post("/wallet/getblockbylimitnext", #"{"startNum":\#(start),"endNum":\#(end)}"#)
        guard case .array(let blocks)? = answer.json["block"] else { return [] }
        return blocks.map { block in
          guard case .integer(let number)? = block["block_header"]?["raw_data"]?["number"] else { return 0 }
          return number
        }
      }
      #expect(try await numbers(1, 3) == [1, 2])
      #expect(try await numbers(0, 100) == [0, 1, 2, 3])
      #expect(try await numbers(0, 101) == [])
    }
  }

  /// What an end-to-end test measures a client by.
  @Test func `requests are counted by path, and control requests are not`() async throws {
    try await TestNode.run { node in
      try await node.produce(2)
      _ = try await node.get("/wallet/getnodeinfo")
      _ = try await node.post("/wallet/getnodeinfo")
      _ = try await node.post("/walletsolidity/getnowblock")
      _ = try await node.post("/wallet/nosuchthing")
      #expect(
        try await node.get("/devnet/requests").text
          == "{\"requests\":{\"/wallet/getnodeinfo\":2,\"/walletsolidity/getnowblock\":1},\"blocks\":2}\n")
      let health = try await node.get("/devnet/health").json
      #expect(health["status"] == .string("ok") && health["head"] == .integer(2))
      #expect(health["genesis"] == .string(node.genesisBlockID))
    }
  }
}
