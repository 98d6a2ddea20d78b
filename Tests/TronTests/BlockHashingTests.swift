// Proves that a block's id, root and producer are computed as the chain computes them (protocol reference §1.6, §8.4), and
// that a body is called proven exactly where it hashes to its header: blocks are made by Python's hashlib and hand-written
// protobuf, then served and tampered with.
import Crypto
import Foundation
import Payouts
import TestSupport
import Testing
import Tron

@Suite struct BlockHashingTests {
  private static let header = hex(
    "08f884fcbfdd331220f8156964cc3e5793a368f938a18ea45c02bd48fe3a412f7091ce8d9ef56df1741a200000000003fe266a65d5194c947f6f7a059d4646c8e9a5293226bc7fdcfc775e38ebccf81f4a1541e7860196ad5b5718c1d6326babab039b70b8c1cd5022"
  )

  private static let signature =
    "55a29981b2ba121613788de5d1b6bd87579ef63479f4fbb7bc99b1c721769487023cb74ea3b604778ed448bf1c90db3db0fd8fedc85102cfda4231fd1c75d6e100"

  @Test func `a Nile block's header hashes to its id, and its signature recovers its producer`() {
    #expect(BlockHashing.blockID(number: 66_987_627, headerRawData: Self.header) == Vectors.block)
    let signature = hex(Self.signature)
    let digest = [UInt8](SHA256.hash(data: Self.header))
    #expect(
      Secp256k1.recoverAddress(digest: digest, signature: signature)?.bytes
        == hex("41e7860196ad5b5718c1d6326babab039b70b8c1cd"))
  }

  @Test func `a header as a node prints it is seen to hash to its id, and who signed it`() async throws {
    // DESIGN.md §3 point 5: "a header that itself hashes to the agreed id". One whose signature recovers nobody is taken
    // from no node; one signed by another key may be by the producer's permission.
    func header(_ changes: (String, String)...) async throws -> BlockHeader {
      var text = HTTPTronNodeTests.nile.prefix { $0 != "[" }.replacingOccurrences(of: ",\"transactions\":", with: "}")
      text = text.replacingOccurrences(of: "\"55a2\"", with: "\"\(Self.signature)\"")
      for (part, other) in changes { text = text.replacingOccurrences(of: part, with: other) }
      let answer = text
      return try #require(
        try await withNode(answering: { _ in .json(answer) }) { try await $0.header(66_987_627, .solid) })
    }
    let true_ = try await header()
    #expect(true_.isIDProven && true_.signature == .byWitness && true_.flaw == nil)
    let later = try await header(("1777445307000", "1777445310000"))
    #expect(!later.isIDProven && later.flaw != nil)
    let empty = try await header(("\"\(Self.signature)\"", "\"\""))
    #expect(empty.signature == .invalid && empty.flaw != nil)
    let cut = try await header((Self.signature, String(Self.signature.dropLast(2))))
    #expect(cut.signature == .invalid)
    let other = try await header((Self.signature, "66" + Self.signature.dropFirst(2)))
    #expect(other.signature != .byWitness)
  }

  // java-tron BlockCapsuleTest: two transfers with nothing but a contract, whose owner is a text of 21 bytes.
  @Test func `the root of java-tron's own test`() {
    let owner = Hex.text("0x0000000000000000000".utf8)
    let leaves = [
      ("01", "a389132d6639fbda4fbc8b659264e6b7c90db086"), ("02", "ed738b3a0fe390eaa71b768b6d02cdbd18fb207b"),
    ]
    .map { amount, to in
      let transfer = "0a15" + owner + "121541" + to + "18" + amount
      let any = "0a2d" + Hex.text("type.googleapis.com/protocol.TransferContract".utf8) + "1230" + transfer
      let contract = "080112" + String(any.count / 2, radix: 16) + any
      let raw = "5a" + String(contract.count / 2, radix: 16) + contract
      return BlockHashing.leaf(ofTransaction: hex("0a" + String(raw.count / 2, radix: 16) + raw))
    }
    #expect(
      Hex.text(BlockHashing.root(ofLeaves: leaves))
        == "5bc862243292e6aa1d5e21a60bb6a673e4c2544709f6363d4a2f85ec29bcfe00")
  }

  @Test func `an empty block has a root of zeros, a single leaf is the root`() {
    #expect(BlockHashing.root(ofLeaves: []) == [UInt8](repeating: 0, count: 32))
    #expect(BlockHashing.root(ofLeaves: [[1, 2, 3]]) == [1, 2, 3])
  }

  private static let python = """
    import hashlib, json, sys
    def sha(data): return hashlib.sha256(data).digest()
    def varint(n):
        out = b""
        while n > 127:
            out, n = out + bytes([n & 127 | 128]), n >> 7
        return out + bytes([n])
    def number(field, value): return varint(field << 3) + varint(value) if value else b""
    def data(field, value): return varint(field << 3 | 2) + varint(len(value)) + value
    CODES = {None: 0, "SUCCESS": 1, "REVERT": 2, "OUT_OF_ENERGY": 10, "OUT_OF_TIME": 11}
    for line in sys.stdin:
        q = json.loads(line)
        level = []
        for t in q["transactions"]:
            whole = data(1, bytes.fromhex(t["raw_data_hex"]))
            for s in t["signature"]: whole += data(2, bytes.fromhex(s))
            for r in t["ret"]: whole += data(5, number(1, r.get("fee", 0)) + number(2, 1 if r.get("ret") else 0)
                                             + number(3, CODES[r.get("contractRet")]))
            level.append(sha(whole))
        while len(level) > 1:
            level = [sha(level[i] + level[i + 1]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
        root = level[0] if level else bytes(32)
        parent = (q["number"] - 1).to_bytes(8, "big") + bytes.fromhex("ab" * 24)
        raw = (number(1, q["timestamp"]) + data(2, root) + data(3, parent) + number(7, q["number"])
               + data(9, bytes.fromhex(q["witness"])) + number(10, 34))
        print(json.dumps({"blockID": (q["number"].to_bytes(8, "big") + sha(raw)[8:]).hex(), "block_header": {"raw_data": {
            "number": q["number"], "txTrieRoot": root.hex(), "witness_address": q["witness"], "version": 34,
            "parentHash": parent.hex(), "timestamp": q["timestamp"]}}, "transactions": q["transactions"]}))
    """

  private struct Question: Encodable {
    struct Transaction: Encodable {
      struct Result: Encodable {
        let fee: Int64?
        let ret: String?
        let contractRet: String?
      }
      let txID: String
      let raw_data_hex: String
      let signature: [String]
      let ret: [Result]
    }
    let number: Int64
    let timestamp: Int64
    let witness: String
    let transactions: [Transaction]
  }

  private func randomBlock(size: Int, _ generator: inout SeededGenerator) throws -> Question {
    let key = try TestKey.ones()
    let transactions = try (0..<size).map { _ in
      let signed = try UnsignedTransaction.trxTransfer(
        owner: key.address, to: Address(account: generator.bytes(20)), amount: Sun(1), referenceBlock: Vectors.block,
        expiration: Vectors.expiration, timestamp: Timestamp(milliseconds: .random(in: 1 ... .max, using: &generator))
      ).signed(by: key)
      let result = ["SUCCESS", "REVERT", "OUT_OF_ENERGY", "OUT_OF_TIME", nil].randomElement(using: &generator) ?? nil
      let isOdd = Int.random(in: 0..<5, using: &generator) == 0
      return Question.Transaction(
        txID: signed.txid.description, raw_data_hex: Hex.text(signed.rawData),
        signature: isOdd ? [] : [Hex.text(signed.bytes.suffix(65))],
        ret: isOdd
          ? []
          : [
            .init(
              fee: Bool.random(using: &generator) ? 5 : nil, ret: result == nil ? "FAILED" : nil, contractRet: result)
          ])
    }
    return Question(
      number: .random(in: 1...(1 << 40), using: &generator),
      timestamp: .random(in: 1...253_402_300_799_999, using: &generator),
      witness: "41" + Hex.text(generator.bytes(20)), transactions: transactions)
  }

  private func read(_ text: String) async throws -> Block {
    try await withNode(answering: { _ in .json(text) }) { try await $0.latestBlock(.solid) }
  }

  @Test func `blocks of 0 to 20 transactions made by Python are proven, and not once anything is changed`() async throws
  {
    var generator = SeededGenerator(printedFor: "block bodies")
    let questions = try (0...20).map { try randomBlock(size: $0, &generator) }
    let lines = try questions.map { String(decoding: try JSONEncoder().encode($0), as: UTF8.self) }
    for (question, text) in zip(questions, try await PythonScript.run(Self.python, lines: lines)) {
      let block = try await read(text)
      #expect(block.isBodyProven, "\(question.transactions.count) transactions")
      #expect(block.transactions.count == question.transactions.count)
      // The node leaves the last transaction out.
      if !question.transactions.isEmpty {
        let shorter = try removingLast(text)
        #expect(try await !read(shorter).isBodyProven)
      }
      // Another result, another signature, another version of the header.
      for (part, other) in [
        ("\"SUCCESS\"", "\"REVERT\""), ("\"version\": 34", "\"version\": 33"), ("\"fee\": 5", "\"fee\": 6"),
      ] where text.contains(part) {
        #expect(try await !read(text.replacingOccurrences(of: part, with: other)).isBodyProven, "\(part)")
      }
      if text.contains("\"REVERT\"") {
        let unknown = text.replacingOccurrences(of: "\"REVERT\"", with: "\"A_NEW_KIND\"")
        #expect(try await !read(unknown).isBodyProven)
      }
    }
  }

  private func removingLast(_ text: String) throws -> String {
    var block = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    var transactions = try #require(block["transactions"] as? [Any])
    transactions.removeLast()
    block["transactions"] = transactions
    return String(decoding: try JSONSerialization.data(withJSONObject: block), as: UTF8.self)
  }

  @Test func `the owner is found in every type of contract, and absent where there is none`() throws {
    let account = [UInt8](repeating: 0x0c, count: 20)
    let address = "1541" + Hex.text(account)
    // (type, parameter): owner first; second in types 2, 10 and 19; none in a shielded transfer without a transparent side.
    let cases: [(UInt8, String, Address?)] = [
      (1, "0a" + address + "1200" + "1801", Address(account: account)),
      (57, "0a" + address + "1001", Address(account: account)),
      (2, "0a0431303030" + "12" + address, Address(account: account)),
      (10, "0a0161" + "12" + address, Address(account: account)),
      (19, "0a0161" + "12" + address, Address(account: account)),
      (51, "1001", nil), (1, "0a1430" + String(repeating: "30", count: 19), nil), (31, "", nil),
    ]
    for (type, parameter, owner) in cases {
      let value = hex(parameter)
      let any = [0x12, UInt8(value.count)] + value
      let contract = [0x08, type, 0x12, UInt8(any.count)] + any
      let raw = [0x5a, UInt8(contract.count)] + contract
      let transaction = try BlockTransaction(rawData: raw, contractResult: .success)
      #expect(transaction.owner == owner, "type \(type)")
      #expect(transaction.contractType == Int32(type))
      #expect(transaction.txid == TxID(hashing: raw))
    }
    #expect(throws: TransactionError.self) { try BlockTransaction(rawData: [], contractResult: nil) }
  }
}
