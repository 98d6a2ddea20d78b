import Testing

@testable import Devnet

/// Proves the hand-written hashes and encodings against published vectors, and both sides of what an address is.
struct BytesTests {
  /// Vectors of the Keccak team (empty message) and Ethereum; 136 bytes are exactly one block, 135 leave one byte of
  /// padding. Longer ones computed with pycryptodome.
  @Test(arguments: [
    (0, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
    (135, "34367dc248bbd832f4e3e69dfaac2f92638bd0bbd18f2912ba4ef454919cf446"),
    (136, "a6c4d403279fe3e0af03729caada8374b5ca54d8065329a3ebcaeb4b60aa386e"),
    (137, "d869f639c7046b4929fc92a4d988a8b22c55fbadb802c0c66ebcd484f1915f39"),
    (272, "cf7fcd4f705ee749930d19ca84561a9bf62516bd90a471545fa2f49fdc7e63c8"),
  ])
  func `Keccak-256 of so many letters 'a' is as published`(count: Int, expected: String) {
    #expect(Hash32.keccak256(Bytes(repeating: UInt8(ascii: "a"), count: count)).hex == expected)
  }

  /// The selector and topic of tron-protocol.md §1.7.
  @Test func `selectors and event topics are those of the token standard`() {
    #expect(Hex.encode(TokenContract.selector("transfer(address,uint256)")) == "a9059cbb")
    #expect(Hex.encode(TokenContract.selector("transferFrom(address,address,uint256)")) == "23b872dd")
    #expect(Hex.encode(TokenContract.selector("isBlackListed(address)")) == "e47d6060")
    #expect(
      Hash32.keccak256(Bytes("Transfer(address,address,uint256)".utf8)).hex
        == "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
  }

  /// tron-protocol.md §8.1.
  @Test(arguments: [
    (
      String(repeating: "01", count: 32), "TCNkawTmcQgYSU8nP8cHswT1QPjharxJr7",
      "411a642f0e3c3af545e7acbd38b07251b3990914f1"
    ),
    (
      String(repeating: "00", count: 31) + "01", "TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC",
      "417e5f4552091a69125d5dfcb7b8c2659029395bdf"
    ),
    (
      "279ff36d9bf9f305af3280034bb4187c6dd299bac6b26a3c20b999c7c0d50e6e", "TPX6HK2NRN4XKRX1JAhbC827bm7gMmy5w1",
      "4194a15629b2b2bbd3a5453e6d6696b2875278633b"
    ),
    (
      "51d1d6047622bca92272d36b297799ecc152dc2ef91b229debf84fc41e8c73ee", "TVEZYjZyemfJoLUdGtzsM2ua1HAnbsNgAF",
      "41d351c7c627ad5531edb9587f4150caf393c33e87"
    ),
  ])
  func `a private key has the address of the reference`(key: String, base58: String, hex: String) throws {
    let privateKey = try #require(Hex.decode(key))
    let address = try #require(Secp256k1.address(ofPrivateKey: privateKey))
    #expect(address.base58 == base58)
    #expect(address.hex == hex)
    #expect(Address(base58: base58) == address)
  }

  @Test func `the built-in token is mainnet's USDT`() {
    #expect(Genesis.mainnetToken.base58 == "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t")
    #expect(Address.zero.base58 == "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb")
  }

  @Test(arguments: [
    "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6", "27RV48Fn94Yhn8eP1hzFZwrJkCKDKC11LQq",
    "", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj60", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6tt",
  ])
  func `a wrong checksum, length, prefix or character is no address`(text: String) {
    #expect(Address(base58: text) == nil)
  }

  /// Signature of SHA-256("hello") by 01 × 32 (§8.1), and its high-s twin, which the chain takes as well (§1.5).
  @Test func `signing is RFC 6979 and both twins of a signature recover the signer`() throws {
    let digest = Hash32.sha256(Bytes("hello".utf8))
    let signature = Secp256k1.sign(digest, with: TestWallet.alice.privateKey)
    #expect(
      Hex.encode(signature)
        == "d13b19c8baa53851839efe1fe790b6f6d51028400902bb79d2fa50c65295e0ed"
        + "697d0a44907237350d71ab31d6adbc973749cf2c2d1f4096b765c65be58cfca901")
    #expect(try Secp256k1.recover(signature, over: digest) == TestWallet.alice.address)
    let order = try #require(Hex.decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"))
    let twin = Word256(bigEndian: order[...]).subtracting(Word256(bigEndian: signature[32..<64]))
    for recoveryID: UInt8 in [0, 27] {
      #expect(
        try Secp256k1.recover(signature[..<32] + twin.bytes + [recoveryID], over: digest) == TestWallet.alice.address)
    }
  }

  /// v of 0–7 and 27–34 is read, others are not (§1.5).
  @Test(arguments: [(0, true), (7, true), (8, false), (26, false), (27, true), (34, true), (35, false)])
  func `the last byte of a signature has two ranges`(header: UInt8, isRead: Bool) {
    let digest = Hash32.sha256(Bytes("hello".utf8))
    var signature = Secp256k1.sign(digest, with: TestWallet.alice.privateKey)
    signature[64] = header
    let isOutOfRange: Bool
    do {
      _ = try Secp256k1.recover(signature, over: digest)
      isOutOfRange = false
    } catch {
      isOutOfRange = error.message.hasPrefix("Header byte out of range")
    }
    #expect(isOutOfRange == !isRead)
  }

  @Test func `hex takes both cases and 0x, and nothing odd`() {
    #expect(Hex.decode("0xAbCd01") == [0xab, 0xcd, 0x01])
    #expect(Hex.decode("") == [])
    #expect(Hex.decode("abc") == nil)
    #expect(Hex.decode("zz") == nil)
    #expect(Hex.encode([0, 0x0f, 0xf0]) == "000ff0")
  }

  @Test func `words are big endian and borrow across their halves`() {
    let word = Word256(high: 1, low: 0)
    #expect(word.bytes == Bytes(repeating: 0, count: 15) + [1] + Bytes(repeating: 0, count: 16))
    #expect(Word256(bigEndian: word.bytes[...]) == word)
    #expect(word.subtracting(Word256(1)) == Word256(high: 0, low: .max))
    #expect(word.uint64 == nil)
    #expect(Word256(.max).uint64 == .max)
    #expect(Word256(high: 0, low: 1 << 64).uint64 == nil)
    #expect(Word256(5) < word)
  }

  /// Numbers beyond 2⁵³ stay exact, and what is no integer is not taken for one.
  @Test func `JSON keeps 64-bit integers and tells a fraction apart`() throws {
    let text = #"{"a":9223372036854775807,"b":[-1,true,null],"c":"x\"\u00e9\n","d":1.5,"e":{}}"#
    let value = try JSONParser.parse(Bytes(text.utf8))
    #expect(value["a"] == .integer(.max))
    #expect(value["b"] == .array([.integer(-1), .bool(true), .null]))
    #expect(value["c"] == .string("x\"é\n"))
    #expect(value["d"] == .otherNumber("1.5"))
    #expect(try JSONParser.parse(value.bytes) == value)
    for bad in ["", "{", "{\"a\":1,}", "[1 2]", "tru", "\"a", "1 1", "-", String(repeating: "[", count: 70)] {
      #expect(throws: JSONError.self) { try JSONParser.parse(Bytes(bad.utf8)) }
    }
  }
}
