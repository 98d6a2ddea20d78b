// Proves that transactions are built, named and signed as the protocol reference's golden vectors have them (§8.2, §8.3):
// made by others, or encoded twice by hand and by tronpy's protobuf.
import Payouts
import Testing
import Tron

/// The fields that the vectors of §8.3 share.
enum Vectors {
  static let recipient = Address(account: hex("7e5f4552091a69125d5dfcb7b8c2659029395bdf"))
  static let token = Address(account: hex("a614f803b6fd780986a42c78ec9c7f77e6ded13c"))
  static let block = BlockID(exactly: hex("0000000003fe266bf6b6d392f654dc2e5011601546ed04623d9fcc4e9d439a25"))
  static let expiration = Timestamp(milliseconds: 1_777_445_427_000)
  static let timestamp = Timestamp(milliseconds: 1_777_445_307_123)

  /// A: USDT 12.345678 of key 01 × 32.
  static func usdt(permissionID: Int32? = nil, memo: [UInt8]? = nil) throws -> UnsignedTransaction {
    try .tokenTransfer(
      owner: try TestKey.ones().address, token: token, to: recipient, amount: Amount(decimal: "12.345678"),
      referenceBlock: block, expiration: expiration, timestamp: timestamp, feeLimit: Sun(30_000_000),
      permissionID: permissionID, memo: memo)
  }

  /// C: 1 TRX of the same key.
  static func trx() throws -> UnsignedTransaction {
    try .trxTransfer(
      owner: try TestKey.ones().address, to: recipient, amount: Sun(1_000_000), referenceBlock: block,
      expiration: expiration, timestamp: timestamp)
  }
}

@Suite struct TransactionVectorTests {
  struct Vector: Sendable, CustomTestStringConvertible {
    let name: String
    let raw: String
    let txid: String
    let signature: String
    let size: Int
    let make: @Sendable () throws -> UnsignedTransaction
    var testDescription: String { name }
  }

  static let vectors = [
    Vector(
      name: "A, a USDT transfer",
      raw:
        "0a02266b2208f6b6d392f654dc2e40b8ae83c0dd335aae01081f12a9010a31747970652e676f6f676c65617069732e636f6d2f70726f746f636f6c2e54726967676572536d617274436f6e747261637412740a15411a642f0e3c3af545e7acbd38b07251b3990914f1121541a614f803b6fd780986a42c78ec9c7f77e6ded13c2244a9059cbb0000000000000000000000007e5f4552091a69125d5dfcb7b8c2659029395bdf0000000000000000000000000000000000000000000000000000000000bc614e70f385fcbfdd3390018087a70e",
      txid: "5ab730a708ff57a433efb3fc04f69a48861b453c9314b642954f21fdd80900a9",
      signature:
        "11a508b4647fcb47814edb9aecc1adf97174665b87611eb544e0db4507461869291f096786b73883d6c159e3002f51d943a207b71753259c6e2a33dbab0611f500",
      size: 281, make: { try Vectors.usdt() }),
    Vector(
      name: "B, the same with memo and permission 2",
      raw:
        "0a02266b2208f6b6d392f654dc2e40b8ae83c0dd3352097061796f75742034325ab001081f12a9010a31747970652e676f6f676c65617069732e636f6d2f70726f746f636f6c2e54726967676572536d617274436f6e747261637412740a15411a642f0e3c3af545e7acbd38b07251b3990914f1121541a614f803b6fd780986a42c78ec9c7f77e6ded13c2244a9059cbb0000000000000000000000007e5f4552091a69125d5dfcb7b8c2659029395bdf0000000000000000000000000000000000000000000000000000000000bc614e280270f385fcbfdd3390018087a70e",
      txid: "bc9cbd4907b7e0e084cdd463c3947f4324e9d3a62ffc593eae58d759aac236d5",
      signature:
        "82c9b9a5a58ea1b60a149d251edcdab1ab2720a20dc6587be5eae450e285147941b323be8e5c6623bf0c987044e0f47968ab3e20136bd7611fcc7ad3d276869f01",
      size: 294, make: { try Vectors.usdt(permissionID: 2, memo: [UInt8]("payout 42".utf8)) }),
    Vector(
      name: "C, a TRX transfer",
      raw:
        "0a02266b2208f6b6d392f654dc2e40b8ae83c0dd335a67080112630a2d747970652e676f6f676c65617069732e636f6d2f70726f746f636f6c2e5472616e73666572436f6e747261637412320a15411a642f0e3c3af545e7acbd38b07251b3990914f11215417e5f4552091a69125d5dfcb7b8c2659029395bdf18c0843d70f385fcbfdd33",
      txid: "52a89386675ba2d36dd8f69fcc394e9782498db1d21821e98ec168f2e1f05054",
      signature:
        "f5380be71831a3c5d51bfea547c017991e9fc73d6c0d22cbb7a465f2aff97c030d8311cef170b8e68c9b1a13b2daf0fb292a3d82d022300f933913b896b56a7100",
      size: 203, make: { try Vectors.trx() }),
  ]

  @Test(arguments: vectors)
  func `raw_data, txid, signature and size are those of the vector`(vector: Vector) throws {
    let unsigned = try vector.make()
    let key = try TestKey.ones()
    let signed = try unsigned.signed(by: key)
    #expect(Hex.text(unsigned.rawData) == vector.raw)
    #expect(unsigned.txid.description == vector.txid)
    #expect(signed.bytes.count == vector.size)
    #expect(Hex.text(signed.bytes.suffix(65)) == vector.signature)
    #expect(signed.signer == key.address)
    #expect(try SignedTransaction(bytes: signed.bytes) == signed)
    #expect(try TransactionContents(rawData: hex(vector.raw)) == unsigned.contents)
  }

  // A transfer that a TRON client made on Shasta (tronpy, tests/test_keys.py).
  @Test func `a stranger's transfer is taken apart, named and its signer recovered`() throws {
    let raw = hex(
      "0a026ecf22083c083e47cbea43ec40f8dfe182a82e520302c75f5a66080112620a2d747970652e676f6f676c65617069732e636f6d2f70726f746f636f6c2e5472616e73666572436f6e747261637412310a15419cf784b4cc7531f1598c4c322de9afdc597fe760121541340967e825557559dc46bbf0eabe5ccf99fd134e18e80770f5a2de82a82e"
    )
    let signature = hex(
      "c4cfe5c76bf89fe004ff59de1a33934a9419301e21fbe1f00ee5b5faf17189797a7292e872a693e7bff145e76c43ea6f26c425be70d0e0d0440331390d0d65a401"
    )
    #expect(
      TxID(hashing: raw).description == "17821228a79904c23bd35e566f320c2d43e6940c0d44bc8d70f257f3485459bb")
    let contents = try TransactionContents(rawData: raw)
    #expect(contents.owner.description == "TQHAvs2ZFTbsd93ycTfw1Wuf1e4WsPZWCp")
    #expect(contents.memo == [0x02, 0xc7, 0x5f])
    #expect(contents.referenceBlockBytes == [0x6e, 0xcf])
    #expect(contents.expectedTransfer == nil)
    let signer = Secp256k1.recoverAddress(digest: TxID(hashing: raw).bytes, signature: signature)
    #expect(signer == contents.owner)
  }

  // java-tron's own BroadcastServletTest; the reference block's other bytes do not matter.
  @Test func `the transfer of java-tron's own test is built and its signer recovered`() throws {
    let owner = Address(account: hex("e552f6487585c2b58bc2c9bb4492bc1f17132cd0"))
    let block = BlockID(
      exactly: hex("000000000000267e9a447d222e8de9f2") + [UInt8](repeating: 0xaa, count: 16))
    let transaction = try UnsignedTransaction.trxTransfer(
      owner: owner, to: Address(account: hex("d1e7a6bc354106cb410e65ff8b181c600ff14292")), amount: Sun(1_000),
      referenceBlock: block, expiration: Timestamp(milliseconds: 1_530_893_064_000),
      timestamp: Timestamp(milliseconds: 1_530_893_006_233))
    #expect(
      transaction.txid.description == "454f156bf1256587ff6ccdbc56e64ad0c51e4f8efea5490dcbc720ee606bc7b8")
    let signature = hex(
      "97c825b41c77de2a8bd65b3df55cd4c0df59c307c0187e42321dcc1cc455ddba583dd9502e17cfec5945b34cad0511985a6165999092a6dec84c2bdd97e649fc01"
    )
    #expect(Secp256k1.recoverAddress(digest: transaction.txid.bytes, signature: signature) == owner)
  }

  // tronpy, tests/test_offline.py.
  @Test func `the transfers of tronpy's own offline tests have the same txid`() throws {
    let owner = try TestKey(hex("279ff36d9bf9f305af3280034bb4187c6dd299bac6b26a3c20b999c7c0d50e6e")).address
    let recipient = try Address("TFVfhkyJAULWQbHMgVfgbkmgeGBkHo5zru")
    let block = BlockID(exactly: hex("0000000003546431212a13dbe72ac5c09a684deb83257258a6fcdc1115835077"))
    let trx = try UnsignedTransaction.trxTransfer(
      owner: owner, to: recipient, amount: Sun(1), referenceBlock: block,
      expiration: Timestamp(milliseconds: 1_751_466_492_131), timestamp: Timestamp(milliseconds: 1_751_466_432_131))
    #expect(trx.txid.description == "c93cdd6b4d9f5b3c617060ea0a9c7b6080d9855f599cc987f69105a5e3e9c9b4")
    let token = try UnsignedTransaction.tokenTransfer(
      owner: owner, token: try Address("THi2qJf6XmvTJSpZHc17HgQsmJop6kb3ia"), to: recipient,
      amount: Amount(microUSDT: 1), referenceBlock: block, expiration: Timestamp(milliseconds: 1_751_554_292_807),
      timestamp: Timestamp(milliseconds: 1_751_554_232_807), feeLimit: Sun(50_000_000))
    #expect(token.txid.description == "cc0928c7734c9c9cc8e8e9636c3ad47308197f4b42fce6b93eb6fa4b3247b58f")
  }

  @Test func `a token transfer names the event that it must log`() throws {
    let contents = try Vectors.usdt().contents
    let transfer = try #require(contents.expectedTransfer)
    #expect(transfer.token == Vectors.token)
    #expect(transfer.sender == contents.owner)
    #expect(transfer.recipient == Vectors.recipient)
    #expect(transfer.amount == (try Amount(decimal: "12.345678")))
    #expect(contents.token == Vectors.token && contents.recipient == Vectors.recipient)
    #expect(contents.amount == transfer.amount)
    let trx = try Vectors.trx().contents
    #expect(trx.token == nil && trx.amount == nil && trx.recipient == Vectors.recipient)
    #expect(contents.refers(to: Vectors.block))
    #expect(!contents.refers(to: BlockID(exactly: [UInt8](repeating: 0, count: 32))))
  }
}
