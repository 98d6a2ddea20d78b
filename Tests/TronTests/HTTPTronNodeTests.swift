// Proves how the client reads a node's answers, with a real HTTP server that gives the shapes of the protocol reference
// §4: absent defaults, {} and [], errors under status 200, numbers above 2^53, and answers that contradict themselves.
import AsyncHTTPClient
import Foundation
import Payouts
import Synchronization
import TestSupport
import Testing

@testable import Tron

/// A client of a scripted server, shut down at the end.
func withNode<Result: Sendable>(
  answering answer: @escaping @Sendable (ScriptedRequest) -> ScriptedReply, timeout: Duration = .seconds(60),
  answerBytesMax: Int? = nil, apiKey: TronGridKey? = nil,
  _ body: (HTTPTronNode) async throws -> Result
) async throws -> Result {
  try await ScriptedServer.run(answering: answer) { url in
    var configuration = try HTTPTronNodeConfiguration(url: url, apiKey: apiKey)
    configuration.readTimeout = timeout
    configuration.broadcastTimeout = timeout
    if let answerBytesMax {
      configuration.blockAnswerBytesMax = answerBytesMax
      configuration.smallAnswerBytesMax = answerBytesMax
      configuration.rangeAnswerBytesMax = answerBytesMax
    }
    return try await withHTTPClient { try await body(HTTPTronNode(configuration: configuration, httpClient: $0)) }
  }
}

func withHTTPClient<Result: Sendable>(_ body: (HTTPClient) async throws -> Result) async throws -> Result {
  let client = HTTPClient(configuration: HTTPTronNode.clientConfiguration())
  do {
    let result = try await body(client)
    try await client.shutdown()
    return result
  } catch {
    try await client.shutdown()
    throw error
  }
}

/// The error of a call to a server that always gives one answer.
func failure(
  of reply: ScriptedReply, timeout: Duration = .seconds(60), answerBytesMax: Int? = nil,
  _ call: @escaping @Sendable (HTTPTronNode) async throws(TronNodeError) -> Void
) async throws -> TronNodeError? {
  try await withNode(answering: { _ in reply }, timeout: timeout, answerBytesMax: answerBytesMax) { node in
    do throws(TronNodeError) {
      try await call(node)
      return nil
    } catch {
      return error
    }
  }
}

@Suite struct HTTPTronNodeTests {
  /// The header of the Nile block of the reference's §8.4, with transactions A and C of §8.3 as its body.
  static let nile = """
    {"blockID":"0000000003fe266bf6b6d392f654dc2e5011601546ed04623d9fcc4e9d439a25","block_header":{"raw_data":{\
    "number":66987627,"txTrieRoot":"f8156964cc3e5793a368f938a18ea45c02bd48fe3a412f7091ce8d9ef56df174",\
    "witness_address":"41e7860196ad5b5718c1d6326babab039b70b8c1cd",\
    "parentHash":"0000000003fe266a65d5194c947f6f7a059d4646c8e9a5293226bc7fdcfc775e","version":34,\
    "timestamp":1777445307000},"witness_signature":"55a2"},"transactions":[\
    {"ret":[{"contractRet":"SUCCESS"}],"signature":["\(TransactionVectorTests.vectors[0].signature)"],\
    "txID":"\(TransactionVectorTests.vectors[0].txid)","raw_data":{"fee_limit":30000000},\
    "raw_data_hex":"\(TransactionVectorTests.vectors[0].raw)"},\
    {"signature":["\(TransactionVectorTests.vectors[2].signature)"],"txID":"\(TransactionVectorTests.vectors[2].txid)",\
    "raw_data":{},"raw_data_hex":"\(TransactionVectorTests.vectors[2].raw)"}]}

    """

  @Test func `the newest header is asked for without its block's transactions`() async throws {
    // The reference's §4.2: `getblock` gives transactions with detail only. The header is that of §8.4.
    let requests = Mutex<[ScriptedRequest]>([])
    let end = try #require(Self.nile.range(of: #","transactions""#)).lowerBound
    let body = Self.nile[..<end] + "}"
    try await withNode(answering: { request in
      requests.withLock { $0.append(request) }
      return .json(String(body))
    }) { node in
      for view in [ChainView.head, .solid] {
        let header = try await node.latestHeader(view)
        #expect(header.number == 66_987_627 && header.timestamp.milliseconds == 1_777_445_307_000)
        #expect(header.id == Vectors.block)
      }
    }
    #expect(requests.withLock { $0.map(\.path) } == ["/wallet/getblock", "/walletsolidity/getblock"])
    #expect(requests.withLock { $0.allSatisfy { $0.body == #"{"detail":false}"# } })
    let empty = try await failure(of: .json("{}")) { node throws(TronNodeError) in
      _ = try await node.latestHeader(.head)
    }
    #expect(empty?.code == .missingValue)
  }

  @Test func `a block is read with its transactions, their owners and results`() async throws {
    let requests = Mutex<[ScriptedRequest]>([])
    let block = try await withNode(answering: { request in
      requests.withLock { $0.append(request) }
      return .json(Self.nile)
    }) { try await $0.latestBlock(.head) }
    #expect(block.header.number == 66_987_627)
    #expect(block.header.id == Vectors.block)
    #expect(block.header.parentID.number == 66_987_626)
    #expect(block.header.timestamp.milliseconds == 1_777_445_307_000)
    #expect(block.header.witness?.bytes == hex("41e7860196ad5b5718c1d6326babab039b70b8c1cd"))
    #expect(block.transactions.map(\.txid.description) == [0, 2].map { TransactionVectorTests.vectors[$0].txid })
    #expect(block.transactions.map(\.contractResult) == [.success, nil])
    #expect(block.transactions.map(\.contractType) == [31, 1])
    #expect(try block.transactions.map(\.owner) == [TestKey.ones().address, TestKey.ones().address])
    // These are not the transactions of that block: its root says so.
    #expect(!block.isBodyProven)
    let request = try #require(requests.withLock { $0.first })
    #expect(request.path == "/wallet/getnowblock")
    #expect(request.body == "{}")
    #expect(request.headers["TRON-PRO-API-KEY"].isEmpty)
  }

  @Test func `each view is asked under its own path, and the key of TronGrid goes with it`() async throws {
    let requests = Mutex<[ScriptedRequest]>([])
    try await withNode(
      answering: { request in
        requests.withLock { $0.append(request) }
        return request.path.hasSuffix("gettransactioninfobyblocknum") ? .json("[]") : .json(Self.nile)
      }, apiKey: try TronGridKey("0123-secret")
    ) { node in
      _ = try await node.block(66_987_627, .solid)
      _ = try await node.receipts(ofBlock: 66_987_627, .head)
      _ = try await node.receipts(ofBlock: Int64.max, .solid)
    }
    let seen = requests.withLock { $0 }
    #expect(
      seen.map(\.path) == [
        "/walletsolidity/getblockbynum", "/wallet/gettransactioninfobyblocknum",
        "/walletsolidity/gettransactioninfobyblocknum",
      ])
    #expect(seen.map(\.body) == ["{\"num\":66987627}", "{\"num\":66987627}", "{\"num\":9223372036854775807}"])
    #expect(seen.allSatisfy { $0.headers["TRON-PRO-API-KEY"] == ["0123-secret"] })
  }

  @Test func `the solid view may have a host of its own`() async throws {
    try await ScriptedServer.run(answering: { _ in .json("{}") }) { head in
      try await ScriptedServer.run(answering: { _ in .json(Self.nile) }) { solid in
        let configuration = try HTTPTronNodeConfiguration(url: head + "/", solidityURL: solid)
        try await withHTTPClient { client in
          let node = HTTPTronNode(configuration: configuration, httpClient: client)
          let inHead = try await node.block(66_987_627, .head)
          let inSolid = try await node.block(66_987_627, .solid)
          #expect(inHead == nil)
          #expect(inSolid?.header.number == 66_987_627)
        }
      }
    }
  }

  @Test func `an absent block is nil, and never the newest one`() async throws {
    let absent = try await withNode(answering: { _ in .json("{}\n") }) { try await $0.block(1, .head) }
    #expect(absent == nil)
    let error = try await failure(of: .json("{}")) { node throws(TronNodeError) in _ = try await node.latestBlock(.head)
    }
    #expect(error?.code == .missingValue)
  }

  @Test func `an empty block has no key for its transactions`() async throws {
    let text = Self.nile.prefix { $0 != "[" }.replacingOccurrences(of: ",\"transactions\":", with: "}")
    let block = try await withNode(answering: { _ in .json(text) }) { try await $0.latestBlock(.solid) }
    #expect(block.transactions.isEmpty)
  }

  @Test func `the genesis block gives its id, although it has a text for a producer`() async throws {
    let genesis = """
      {"blockID":"00000000000000001ebf88508a03865c71d452e25f4d51194196a1d22b6653dc","block_header":{"raw_data":{\
      "txTrieRoot":"8ef446bf3f395af929c218014f6101ec86576c5f61b2ae3236bf3a2ab5e2fecd",\
      "witness_address":"206e65772073797374656d","parentHash":"e58f33f9baf9305dc6f82b9f1934ea8f0ade2defb951258d50167028c780351f"}}}
      """
    try await withNode(answering: { _ in .json(genesis) }) { node in
      #expect(try await node.genesisBlockID() == Network.mainnet.genesisBlockID)
      try await node.checkGenesis(try #require(Network.mainnet.genesisBlockID))
      let error = await #expect(throws: TronNodeError.self) {
        try await node.checkGenesis(try #require(Network.nile.genesisBlockID))
      }
      #expect(error?.code == .wrongNetwork)
      let block = try #require(try await node.block(0, .head))
      #expect(block.header.witness == nil)
      #expect(block.header.timestamp.milliseconds == 0)
    }
  }

  /// A chain of empty blocks, of which the ids are made up but linked.
  private static func chain(from first: Int64, count: Int, breakAt: Int64? = nil, skip: Int64? = nil) -> String {
    func id(_ number: Int64, _ filler: String = "ab") -> String {
      let digits = String(number, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits + String(repeating: filler, count: 24)
    }
    let blocks = (first..<first + Int64(count)).filter { $0 != skip }.map { number in
      """
      {"blockID":"\(id(number))","block_header":{"raw_data":{"number":\(number),"txTrieRoot":"\(String(repeating: "0", count: 64))",\
      "witness_address":"41e7860196ad5b5718c1d6326babab039b70b8c1cd","parentHash":"\(id(number - 1, number == breakAt ? "cd" : "ab"))",\
      "timestamp":\(1_777_445_307_000 + number * 3_000)}}}
      """
    }
    return "{\"block\":[\(blocks.joined(separator: ","))]}"
  }

  @Test func `a range comes in order, and may be shorter or empty`() async throws {
    let bodies = Mutex<[String]>([])
    let answers = ["{}", "{\"block\":[]}", Self.chain(from: 7, count: 3), Self.chain(from: 7, count: 100)]
    for (answer, count) in zip(answers, [0, 0, 3, 100]) {
      let blocks = try await withNode(answering: { request in
        bodies.withLock { $0.append(request.body) }
        return .json(answer)
      }) { try await $0.blocks(from: 7, count: 100, .head) }
      #expect(blocks.map(\.header.number) == (0..<count).map { Int64($0) + 7 })
    }
    #expect(bodies.withLock { $0.allSatisfy { $0.contains("\"startNum\":7") && $0.contains("\"endNum\":107") } })
  }

  @Test(arguments: [
    chain(from: 8, count: 3), chain(from: 7, count: 4), chain(from: 7, count: 3, breakAt: 8),
    chain(from: 7, count: 3, skip: 8),
  ])
  func `a range that starts elsewhere, is too long, or has a gap is inconsistent`(answer: String) async throws {
    let error = try await failure(of: .json(answer)) { node throws(TronNodeError) in
      _ = try await node.blocks(from: 7, count: 3, .solid)
    }
    #expect(error?.code == .inconsistent)
  }

  private static let contradictions: [(String, String, TronNodeError.Code)] = [
    ("\"number\":66987627", "\"number\":66987626", TronNodeError.Code.inconsistent),
    ("\"number\":66987627", "\"number\":-1", .inconsistent),
    ("\"number\":66987627", "\"number\":66987627.5", .malformedAnswer),
    ("\"number\":66987627", "\"number\":9223372036854775808", .malformedAnswer),
    ("\"number\":66987627", "\"number\":\"66987627\"", .malformedAnswer),
    ("0000000003fe266a65d5", "0000000003fe266965d5", .inconsistent),
    ("0000000003fe266bf6b6", "0000000003fe266cf6b6", .inconsistent),
    ("0000000003fe266bf6b6", "zz00000003fe266bf6b6", .malformedAnswer),
    ("\"timestamp\":1777445307000", "\"timestamp\":0", .malformedAnswer),
    ("\"timestamp\":1777445307000", "\"timestamp\":9223372036854775807", .malformedAnswer),
    ("\"version\":34,\"timestamp\":1777445307000", "\"version\":34", .missingValue),
    ("\"txTrieRoot\":\"f815", "\"txTrieRoot\":\"15", .malformedAnswer),
    ("41e7860196", "a0e7860196", .malformedAnswer),
    ("\"txID\":\"5ab730a7", "\"txID\":\"5ab730a8", .inconsistent),
    ("\"txID\":\"5ab730a7", "\"txID\":\"b730a7", .malformedAnswer),
    ("70f385fcbfdd3390018087a70e", "70f385fcbfdd3390018087a70f", .inconsistent),
    ("70f385fcbfdd3390018087a70e\"", "70f385fcbfdd3390018087a7\"", .malformedAnswer),
    ("\"raw_data_hex\":\"0a02", "\"raw_data_hex\":\"", .malformedAnswer),
  ]

  @Test(arguments: contradictions)
  func `a block that contradicts itself or its protocol is refused`(
    part: String, other: String, code: TronNodeError.Code
  ) async throws {
    let text = Self.nile.replacingOccurrences(of: part, with: other)
    #expect(text != Self.nile)
    let error = try await failure(of: .json(text)) { node throws(TronNodeError) in _ = try await node.latestBlock(.head)
    }
    #expect(error?.code == code, "\(String(describing: error))")
  }

  @Test func `another block than the one asked for is inconsistent`() async throws {
    let error = try await failure(of: .json(Self.nile)) { node throws(TronNodeError) in
      _ = try await node.block(66_987_628, .head)
    }
    #expect(error?.code == .inconsistent)
  }
}
