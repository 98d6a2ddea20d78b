import Testing

@testable import Devnet

/// Proves block ids, roots, links and producer signatures: golden values of tron-protocol.md §8.4, then the same rules
/// on blocks of our own.
struct BlockTests {
  @Test func `a Nile block has its published id, and its producer's signature recovers the witness`() throws {
    let witness = try #require(Hex.decode("41e7860196ad5b5718c1d6326babab039b70b8c1cd"))
    let header = BlockHeader(
      timestamp: 1_777_445_307_000,
      transactionRoot: try #require(Hash32(hex: "f8156964cc3e5793a368f938a18ea45c02bd48fe3a412f7091ce8d9ef56df174")),
      parentHash: try #require(Hash32(hex: "0000000003fe266a65d5194c947f6f7a059d4646c8e9a5293226bc7fdcfc775e")),
      number: 66_987_627, witness: witness, version: 34)
    #expect(
      Hex.encode(header.encoded)
        == "08f884fcbfdd331220f8156964cc3e5793a368f938a18ea45c02bd48fe3a412f7091ce8d9ef56df1741a20"
        + "0000000003fe266a65d5194c947f6f7a059d4646c8e9a5293226bc7fdcfc775e38ebccf81f4a15"
        + "41e7860196ad5b5718c1d6326babab039b70b8c1cd5022")
    #expect(header.id.hex == "0000000003fe266bf6b6d392f654dc2e5011601546ed04623d9fcc4e9d439a25")
    let signature = try #require(
      Hex.decode(
        "55a29981b2ba121613788de5d1b6bd87579ef63479f4fbb7bc99b1c721769487"
          + "023cb74ea3b604778ed448bf1c90db3db0fd8fedc85102cfda4231fd1c75d6e100"))
    #expect(try Secp256k1.recover(signature, over: header.digest).bytes == witness)
  }

  @Test func `two transactions have the root of java-tron's test`() throws {
    let owner = Bytes("0x0000000000000000000".utf8)
    let recipients = ["41A389132D6639FBDA4FBC8B659264E6B7C90DB086", "41ED738B3A0FE390EAA71B768B6D02CDBD18FB207B"]
    let transactions = try recipients.enumerated().map { index, recipient in
      var raw = Transaction.RawData()
      let to = try #require(Hex.decode(recipient))
      let message = TransferContract(owner: owner, to: to, amount: Int64(index + 1))
      raw.contracts = [Contract(type: .transfer, value: message.encoded)]
      return Transaction(raw: raw).encoded
    }
    #expect(
      MerkleTree.root(of: transactions).hex == "5bc862243292e6aa1d5e21a60bb6a673e4c2544709f6363d4a2f85ec29bcfe00")
  }

  /// Odd leaves move up as they are; nothing at all is 32 zero bytes.
  @Test func `a root of zero, one, three and five leaves`() {
    func leaf(_ byte: UInt8) -> Hash32 { .sha256([byte]) }
    func parent(_ left: Hash32, _ right: Hash32) -> Hash32 { .sha256(left.bytes + right.bytes) }
    #expect(MerkleTree.root(of: []) == .zero)
    #expect(MerkleTree.root(of: [[1]]) == leaf(1))
    #expect(MerkleTree.root(of: [[1], [2], [3]]) == parent(parent(leaf(1), leaf(2)), leaf(3)))
    #expect(
      MerkleTree.root(of: [[1], [2], [3], [4], [5]])
        == parent(parent(parent(leaf(1), leaf(2)), parent(leaf(3), leaf(4))), leaf(5)))
  }

  /// Walks a chain as a distrustful client would: number, parent, id, root, turn and signature of each block.
  @Test func `every block of a chain can be checked by a client`() throws {
    var test = TestChain(producers: 27)
    for index in 0..<30 {
      if index % 3 == 0 {
        #expect(test.broadcast(test.usdtTransfer(to: TestWallet.bob.address, 1)) == nil)
        #expect(test.broadcast(test.trxTransfer(to: TestWallet.carol.address, 5)) == nil)
      }
      test.produce()
    }
    var witnesses: Set<Bytes> = []
    for number in 1...Int64(30) {
      let block = try #require(test.chain.block(number))
      let parent = try #require(test.chain.block(number - 1))
      #expect(block.header.number == number)
      #expect(block.header.parentHash == parent.id)
      #expect(block.header.timestamp == parent.header.timestamp + 3_000)
      #expect(block.id == Hash32.sha256(block.header.encoded).numbered(number))
      #expect(Array(block.id.bytes.prefix(8)) == number.bigEndianBytes)
      #expect(try Secp256k1.recover(block.witnessSignature, over: block.header.digest).bytes == block.header.witness)
      let encoded = block.transactions.map { $0.transaction.transaction.encoded(ret: $0.receipt.contractRet) }
      #expect(block.header.transactionRoot == MerkleTree.root(of: encoded))
      #expect(block.transactions.count == (number % 3 == 1 ? 2 : 0))
      #expect(test.chain.block(id: block.id)?.header == block.header)
      witnesses.insert(block.header.witness)
    }
    #expect(witnesses.count == 27)
  }
}
