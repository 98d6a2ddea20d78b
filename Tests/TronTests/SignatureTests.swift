// Proves keys, addresses and signatures against the vectors of the protocol reference §8.1, and at the edges of the
// curve's order.
import Crypto
import Payouts
import TestSupport
import Testing
import Tron

@Suite struct SignatureTests {
  /// The order of secp256k1 (SEC 2, §2.4.1).
  private static let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"

  @Test(arguments: [
    (String(repeating: "01", count: 32), "TCNkawTmcQgYSU8nP8cHswT1QPjharxJr7"),
    (String(repeating: "0", count: 63) + "1", "TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC"),
    ("279ff36d9bf9f305af3280034bb4187c6dd299bac6b26a3c20b999c7c0d50e6e", "TPX6HK2NRN4XKRX1JAhbC827bm7gMmy5w1"),
    ("51d1d6047622bca92272d36b297799ecc152dc2ef91b229debf84fc41e8c73ee", "TVEZYjZyemfJoLUdGtzsM2ua1HAnbsNgAF"),
  ])
  func `a key has the address of the vectors`(key: String, address: String) throws {
    #expect(try TestKey(hex(key)).address.description == address)
  }

  @Test func `the signature of the vectors comes out byte for byte`() throws {
    let digest = TxID(hashing: [UInt8]("hello".utf8))
    let signature = try TestKey.ones().sign(digest)
    #expect(
      Hex.text(signature)
        == "d13b19c8baa53851839efe1fe790b6f6d51028400902bb79d2fa50c65295e0ed697d0a44907237350d71ab31d6adbc973749cf2c2d1f4096b765c65be58cfca901"
    )
  }

  @Test(arguments: [
    String(repeating: "00", count: 32), order, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142",
    String(repeating: "ff", count: 32), String(repeating: "01", count: 31), String(repeating: "01", count: 33), "",
  ])
  func `what is no key neither signs nor has an address`(key: String) throws {
    let bytes = hex(key)
    #expect(throws: SigningError.invalidKey) { try Secp256k1.address(ofKey: bytes.span.bytes) }
    #expect(throws: SigningError.invalidKey) {
      try Secp256k1.sign(TxID(hashing: []), key: bytes.span.bytes)
    }
  }

  @Test func `the largest key below the order signs`() throws {
    let key = try TestKey(hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140"))
    let digest = TxID(hashing: [1])
    #expect(Secp256k1.recoverAddress(digest: digest.bytes, signature: try key.sign(digest)) == key.address)
  }

  @Test func `a thousand random keys recover, low s, v 0 or 1, and the same signature twice`() throws {
    var generator = SeededGenerator(printedFor: "signatures")
    let half = hex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0")
    for _ in 0..<1_000 {
      let key = try TestKey(generator.bytes(32))
      let digest = TxID(exactly: generator.bytes(32))
      let signature = try key.sign(digest)
      #expect(signature.count == 65 && signature[64] <= 1)
      #expect(!half.lexicographicallyPrecedes(signature[32..<64]))
      #expect(try key.sign(digest) == signature)
      #expect(Secp256k1.recoverAddress(digest: digest.bytes, signature: signature) == key.address)
      let ethereum = signature[..<64] + [signature[64] + 27]
      #expect(Secp256k1.recoverAddress(digest: digest.bytes, signature: [UInt8](ethereum)) == key.address)
    }
  }

  // Reference §1.5: anybody can make this twin, so the bytes of a signature must never name a transaction.
  @Test func `the twin with a high s recovers the same address`() throws {
    let key = try TestKey.ones()
    let digest = TxID(hashing: [2])
    let signature = try key.sign(digest)
    var twin = signature
    var borrow = 0
    for index in stride(from: 63, through: 32, by: -1) {
      let difference = Int(hex(Self.order)[index - 32]) - Int(signature[index]) - borrow
      twin[index] = UInt8(difference & 0xff)
      borrow = difference < 0 ? 1 : 0
    }
    twin[64] ^= 1
    #expect(twin != signature)
    #expect(Secp256k1.recoverAddress(digest: digest.bytes, signature: twin) == key.address)
  }

  @Test func `what is no signature recovers nothing`() throws {
    let digest = TxID(hashing: [3])
    let signature = try TestKey.ones().sign(digest)
    let recovered = { (bytes: [UInt8]) in Secp256k1.recoverAddress(digest: digest.bytes, signature: bytes) }
    #expect(recovered([]) == nil)
    #expect(recovered([UInt8](signature.dropLast())) == nil)
    #expect(recovered(signature + [0]) == nil)
    for v: UInt8 in [4, 26, 31, 255] { #expect(recovered(signature[..<64] + [v]) == nil) }
    #expect(recovered([UInt8](repeating: 0, count: 65)) == nil)
    #expect(recovered([UInt8](repeating: 0xff, count: 64) + [0]) == nil)
    #expect(Secp256k1.recoverAddress(digest: [UInt8](repeating: 0, count: 31), signature: signature) == nil)
  }

  /// A backend that signs with another key than it names.
  private struct WrongKey: TransactionSigner {
    let named: TestKey
    let used: TestKey
    let spoil: @Sendable ([UInt8]) -> [UInt8]
    var address: Address { named.address }
    func sign(_ txid: TxID) throws(SigningError) -> [UInt8] { spoil(try used.sign(txid)) }
  }

  @Test func `a signature of another key, or none, never becomes a transaction`() throws {
    let ones = try TestKey.ones()
    let other = try TestKey(hex("279ff36d9bf9f305af3280034bb4187c6dd299bac6b26a3c20b999c7c0d50e6e"))
    let transaction = try Vectors.usdt()
    #expect(throws: SigningError.addressDiffers(expected: ones.address, recovered: other.address)) {
      try transaction.signed(by: WrongKey(named: ones, used: other) { $0 })
    }
    #expect(throws: SigningError.malformedSignature) {
      try transaction.signed(by: WrongKey(named: ones, used: ones) { [UInt8]($0.dropLast()) })
    }
    #expect(throws: SigningError.malformedSignature) {
      try transaction.signed(by: WrongKey(named: ones, used: ones) { $0[..<64] + [$0[64] + 27] })
    }
    #expect(throws: SigningError.self) {
      try transaction.signed(by: WrongKey(named: ones, used: ones) { $0.reversed() })
    }
    #expect(throws: Never.self) { try transaction.signed(by: WrongKey(named: ones, used: ones) { $0 }) }
  }
}
