import Testing

@testable import Devnet

/// Proves decoding, canonical encoding, txid and signer against transactions that others made (tron-protocol.md §8.2,
/// §8.3; the sources are java-tron, tronpy and tronweb).
struct GoldenTransactionTests {
  struct Vector: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let raw: String
    let txID: String
    let signature: String
    let signer: String
    var size: Int?
  }

  static let vectors = [
    Vector(
      testDescription: "Shasta TRX transfer of tronpy's tests",
      raw:
        "0a026ecf22083c083e47cbea43ec40f8dfe182a82e520302c75f5a66080112620a2d747970652e676f6f676c65617069732e636f6d2f70726f746f636f6c2e5472616e73666572436f6e747261637412310a15419cf784b4cc7531f1598c4c322de9afdc597fe760121541340967e825557559dc46bbf0eabe5ccf99fd134e18e80770f5a2de82a82e",
      txID: "17821228a79904c23bd35e566f320c2d43e6940c0d44bc8d70f257f3485459bb",
      signature:
        "c4cfe5c76bf89fe004ff59de1a33934a9419301e21fbe1f00ee5b5faf17189797a7292e872a693e7bff145e76c43ea6f26c425be70d0e0d0440331390d0d65a401",
      signer: "TQHAvs2ZFTbsd93ycTfw1Wuf1e4WsPZWCp"),
    Vector(
      testDescription: "A: USDT",
      raw:
        "0a02266b2208f6b6d392f654dc2e40b8ae83c0dd335aae01081f12a9010a31747970652e676f6f676c65617069732e636f6d2f70726f746f636f6c2e54726967676572536d617274436f6e747261637412740a15411a642f0e3c3af545e7acbd38b07251b3990914f1121541a614f803b6fd780986a42c78ec9c7f77e6ded13c2244a9059cbb0000000000000000000000007e5f4552091a69125d5dfcb7b8c2659029395bdf0000000000000000000000000000000000000000000000000000000000bc614e70f385fcbfdd3390018087a70e",
      txID: "5ab730a708ff57a433efb3fc04f69a48861b453c9314b642954f21fdd80900a9",
      signature:
        "11a508b4647fcb47814edb9aecc1adf97174665b87611eb544e0db4507461869291f096786b73883d6c159e3002f51d943a207b71753259c6e2a33dbab0611f500",
      signer: "TCNkawTmcQgYSU8nP8cHswT1QPjharxJr7", size: 281),
    Vector(
      testDescription: "B: USDT with memo and permission",
      raw:
        "0a02266b2208f6b6d392f654dc2e40b8ae83c0dd3352097061796f75742034325ab001081f12a9010a31747970652e676f6f676c65617069732e636f6d2f70726f746f636f6c2e54726967676572536d617274436f6e747261637412740a15411a642f0e3c3af545e7acbd38b07251b3990914f1121541a614f803b6fd780986a42c78ec9c7f77e6ded13c2244a9059cbb0000000000000000000000007e5f4552091a69125d5dfcb7b8c2659029395bdf0000000000000000000000000000000000000000000000000000000000bc614e280270f385fcbfdd3390018087a70e",
      txID: "bc9cbd4907b7e0e084cdd463c3947f4324e9d3a62ffc593eae58d759aac236d5",
      signature:
        "82c9b9a5a58ea1b60a149d251edcdab1ab2720a20dc6587be5eae450e285147941b323be8e5c6623bf0c987044e0f47968ab3e20136bd7611fcc7ad3d276869f01",
      signer: "TCNkawTmcQgYSU8nP8cHswT1QPjharxJr7", size: 294),
    Vector(
      testDescription: "C: TRX",
      raw:
        "0a02266b2208f6b6d392f654dc2e40b8ae83c0dd335a67080112630a2d747970652e676f6f676c65617069732e636f6d2f70726f746f636f6c2e5472616e73666572436f6e747261637412320a15411a642f0e3c3af545e7acbd38b07251b3990914f11215417e5f4552091a69125d5dfcb7b8c2659029395bdf18c0843d70f385fcbfdd33",
      txID: "52a89386675ba2d36dd8f69fcc394e9782498db1d21821e98ec168f2e1f05054",
      signature:
        "f5380be71831a3c5d51bfea547c017991e9fc73d6c0d22cbb7a465f2aff97c030d8311cef170b8e68c9b1a13b2daf0fb292a3d82d022300f933913b896b56a7100",
      signer: "TCNkawTmcQgYSU8nP8cHswT1QPjharxJr7", size: 203),
  ]

  /// Signed bytes are put together here by hand, decoded, and must come out as they went in.
  @Test(arguments: vectors)
  func `a transaction keeps its bytes, id, signer and size`(vector: Vector) throws {
    let raw = try #require(Hex.decode(vector.raw))
    let signature = try #require(Hex.decode(vector.signature))
    let length = raw.count < 128 ? [UInt8(raw.count)] : [UInt8(raw.count & 127 | 128), UInt8(raw.count >> 7)]
    let signed = [0x0a] + length + raw + [0x12, 65] + signature
    let transaction = try Transaction(decoding: signed)
    #expect(transaction.encoded == signed)
    let prepared = PreparedTransaction(transaction)
    #expect(prepared.rawBytes == raw)
    #expect(prepared.id.hex == vector.txID)
    #expect(try prepared.signers.map { try $0.get().base58 } == [vector.signer])
    if let size = vector.size { #expect(prepared.size == size) }
  }

  /// java-tron's BroadcastServletTest, whose fields are given instead of bytes.
  @Test func `fields given as JSON encode to the id java-tron signed`() throws {
    let json = """
      {"raw_data":{"ref_block_bytes":"267e","ref_block_hash":"9a447d222e8de9f2","expiration":1530893064000,
      "timestamp":1530893006233,"contract":[{"type":"TransferContract","parameter":{"type_url":"ignored",
      "value":{"amount":1000,"owner_address":"41e552f6487585c2b58bc2c9bb4492bc1f17132cd0",
      "to_address":"41d1e7a6bc354106cb410e65ff8b181c600ff14292"}}}]},"txID":"00","raw_data_hex":"00","signature":[
      "97c825b41c77de2a8bd65b3df55cd4c0df59c307c0187e42321dcc1cc455ddba583dd9502e17cfec5945b34cad0511985a6165999092a6dec84c2bdd97e649fc01"]}
      """
    let prepared = PreparedTransaction(try TransactionReading.read(try JSONParser.parse(Bytes(json.utf8))))
    #expect(prepared.id.hex == "454f156bf1256587ff6ccdbc56e64ad0c51e4f8efea5490dcbc720ee606bc7b8")
    #expect(try prepared.signers.map { try $0.get().hex } == ["41e552f6487585c2b58bc2c9bb4492bc1f17132cd0"])
  }

  /// tronpy's tests/test_offline.py, given as fields; reference block 0000000003546431212a13db….
  @Test func `fields encode to the ids of tronpy's offline tests`() throws {
    let owner = try #require(Address(base58: "TPX6HK2NRN4XKRX1JAhbC827bm7gMmy5w1")).bytes
    let to = try #require(Address(base58: "TFVfhkyJAULWQbHMgVfgbkmgeGBkHo5zru"))
    var raw = Transaction.RawData()
    raw.refBlockBytes = [0x64, 0x31]
    raw.refBlockHash = try #require(Hex.decode("212a13dbe72ac5c0"))
    raw.timestamp = 1_751_466_432_131
    raw.expiration = raw.timestamp + 60_000
    raw.contracts = [
      Contract(type: .transfer, value: TransferContract(owner: owner, to: to.bytes, amount: 1).encoded)
    ]
    #expect(
      Hash32.sha256(raw.encoded).hex == "c93cdd6b4d9f5b3c617060ea0a9c7b6080d9855f599cc987f69105a5e3e9c9b4")
  }

  /// A sender that pads its varints and shuffles its fields is hashed in the canonical form (§1.3).
  @Test func `a non-canonical encoding gets the canonical id`() throws {
    // fee_limit first, then a timestamp padded with a zero group and an explicit zero expiration.
    let sent: Bytes = [0x90, 0x01, 0x05, 0x70, 0x83, 0x00, 0x40, 0x00]
    let raw = try Transaction.RawData(decoding: sent)
    #expect(raw.feeLimit == 5 && raw.timestamp == 3)
    #expect(raw.encoded == [0x70, 0x03, 0x90, 0x01, 0x05])
  }

  /// protobuf keeps fields it does not know and writes them last, so they are hashed too.
  @Test func `unknown fields stay, and ret is dropped`() throws {
    let raw: Bytes = [0x98, 0x06, 0x07, 0x70, 0x03]
    let transaction = try Transaction(decoding: [0x0a, 5] + raw + [0x2a, 2, 0x18, 1] + [0x9a, 0x06, 1, 9])
    #expect(transaction.encoded == [0x0a, 5, 0x70, 0x03, 0x98, 0x06, 0x07, 0x9a, 0x06, 1, 9])
  }

  @Test(
    arguments: [
      [0x0a, 5, 1], [0x0a], [0x0b], [0x08, 1], [0x00],
      [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
    ] as [Bytes])
  func `bytes that are no transaction are refused`(bytes: Bytes) {
    #expect(throws: ProtobufError.self) { try Transaction(decoding: bytes) }
  }

  /// The result's bytes as in mainnet's blocks: field 5, contractRet = SUCCESS; 281 + 4 bytes (§2.3).
  @Test func `a transaction in a block carries its result`() throws {
    var test = TestChain()
    let prepared = test.usdtTransfer(to: TestWallet.bob.address, 1)
    #expect(prepared.transaction.encoded(ret: .success) == prepared.transaction.encoded + [0x2a, 2, 0x18, 1])
    #expect(prepared.transaction.encoded(ret: .revert) == prepared.transaction.encoded + [0x2a, 2, 0x18, 2])
  }
}
