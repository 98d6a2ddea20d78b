// Proves that the well-known vectors of the Web3 Secret Storage definition open, with scrypt and with PBKDF2, and that a
// file which is not exactly that is refused by name.
import Foundation
import Payouts
import TestSupport
import Testing

@testable import Keystore

@Suite struct KeystoreVectorTests {
  /// The definition's own vectors; passphrase "testpassword".
  private static let scrypt = """
    {"address":"008aeeda4d805471df9b2a5b0f38a0c3bcba786b","crypto":{"cipher":"aes-128-ctr","cipherparams":\
    {"iv":"83dbcc02d8ccb40e466191a123791e0e"},"ciphertext":\
    "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c","kdf":"scrypt","kdfparams":{"dklen":32,\
    "n":262144,"p":8,"r":1,"salt":"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},\
    "mac":"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"},\
    "id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}
    """
  private static let pbkdf2 = """
    {"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},"ciphertext":\
    "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2","kdfparams":{"c":262144,\
    "dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},\
    "mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},\
    "id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}
    """
  private static let key = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"

  private func secret(of key: borrowing PrivateKey) -> String {
    key.withBytes { bytes in bytes.withUnsafeBytes { Hex.text($0) } }
  }

  private func opened(_ json: String, _ passphrase: String) throws -> (secret: String, address: Address) {
    let key = try EncryptedKey(json: [UInt8](json.utf8)).decrypted(with: Passphrase(passphrase))
    return (secret(of: key), key.address)
  }

  @Test(arguments: [scrypt, pbkdf2])
  func `the definition's vectors open`(json: String) throws {
    let (secret, address) = try opened(json, "testpassword")
    #expect(secret == Self.key)
    #expect(Hex.text(address.account) == "008aeeda4d805471df9b2a5b0f38a0c3bcba786b")
  }

  @Test func `an iv that its writer kept as a number gets its leading zero bytes back`() throws {
    let short = Self.pbkdf2.replacingOccurrences(of: "6087dab2f9fdbbfaddc31a909735c1e6", with: "0102")
    #expect(try EncryptedKey(json: [UInt8](short.utf8)).iv == [UInt8](repeating: 0, count: 14) + [1, 2])
  }

  @Test(arguments: ["", "Testpassword", "testpassword ", "testpasswor"])
  func `another passphrase opens nothing`(passphrase: String) throws {
    let error = #expect(throws: KeystoreError.self) { _ = try opened(Self.pbkdf2, passphrase) }
    #expect(error?.code == .wrongPassphrase)
  }

  @Test func `the address may be TRON's text, 20 or 21 bytes in hexadecimal, or missing, but never another's`() throws {
    let field = "\"address\":\"008aeeda4d805471df9b2a5b0f38a0c3bcba786b\""
    let light = Self.pbkdf2.replacingOccurrences(of: "{\"crypto\"", with: "{\(field),\"crypto\"")
    let account = Address(account: try #require(Hex.bytes("008aeeda4d805471df9b2a5b0f38a0c3bcba786b")))
    for text in [
      account.description, "008aeeda4d805471df9b2a5b0f38a0c3bcba786b", "41008AEEDA4D805471DF9B2A5B0F38A0C3BCBA786B",
      "0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b",
    ] {
      let json = light.replacingOccurrences(of: field, with: "\"address\":\"\(text)\"")
      #expect(try opened(json, "testpassword").address == account)
    }
    let other = light.replacingOccurrences(of: field, with: "\"address\":\"\(Address.zero)\"")
    #expect(#expect(throws: KeystoreError.self) { _ = try opened(other, "testpassword") }?.code == .addressDiffers)
    for text in ["", "T", "008aeeda4d805471df9b2a5b0f38a0c3bcba78", "a0008aeeda4d805471df9b2a5b0f38a0c3bcba786b"] {
      let json = light.replacingOccurrences(of: field, with: "\"address\":\"\(text)\"")
      #expect(#expect(throws: KeystoreError.self) { _ = try opened(json, "testpassword") }?.code == .malformed)
    }
  }

  @Test func `early writers' capital Crypto is read too`() throws {
    let json = Self.pbkdf2.replacingOccurrences(of: "\"crypto\"", with: "\"Crypto\"")
    #expect(try opened(json, "testpassword").secret == Self.key)
  }

  @Test(arguments: [
    ("{", "", KeystoreError.Code.malformed), ("\"version\":3", "\"version\":4", .unsupported),
    ("\"version\":3", "\"version\":1", .unsupported), (",\"version\":3", "", .malformed),
    ("aes-128-ctr", "aes-128-cbc", .unsupported), ("\"kdf\":\"scrypt\"", "\"kdf\":\"argon2id\"", .unsupported),
    ("\"kdf\":\"scrypt\"", "\"kdf\":\"pbkdf2\"", .unsupported), ("\"dklen\":32", "\"dklen\":16", .unsupported),
    ("\"dklen\":32", "\"dklen\":64", .unsupported), ("\"n\":262144", "\"n\":262145", .unsupported),
    ("\"n\":262144", "\"n\":0", .unsupported), ("\"n\":262144", "\"n\":1", .unsupported),
    ("\"n\":262144", "\"n\":-2", .unsupported), ("\"n\":262144", "\"n\":4611686018427387904", .unsupported),
    ("\"n\":262144,", "", .malformed), ("\"p\":8", "\"p\":0", .unsupported), ("\"p\":8", "\"p\":33", .unsupported),
    ("\"r\":1", "\"r\":17", .unsupported), ("\"r\":1", "\"r\":9223372036854775807", .unsupported),
    ("83dbcc02", "0083dbcc02", .malformed), ("83dbcc02", "zzdbcc02", .malformed), ("d172bf74", "72bf74", .malformed),
    ("2103ac29", "03ac29", .malformed),
    ("ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19", "", .malformed),
  ])
  func `a file that is not such a keystore, or asks for too much, is refused before any work`(
    part: String, other: String, code: KeystoreError.Code
  ) throws {
    let json = Self.scrypt.replacingOccurrences(of: part, with: other)
    #expect(json != Self.scrypt)
    let error = #expect(throws: KeystoreError.self) { _ = try EncryptedKey(json: [UInt8](json.utf8)) }
    #expect(error?.code == code, "\(String(describing: error))")
  }

  // RFC 7914 §12, the first vector: 64 bytes, of which the derivation here takes the first 32 (PBKDF2 extends).
  @Test func `our own mixing for wide costs agrees with the RFC and with OpenSSL`() throws {
    func mixed(_ passphrase: String, _ salt: [UInt8], _ cost: ScryptCost) throws -> String {
      let memory = try LockedMemory.filled(count: 32) { derived in
        let text = Array(passphrase.utf8)
        #expect(text.withUnsafeBytes { WideScrypt.derive($0, salt: salt, cost: cost, into: derived) })
      }
      return memory.withBytes { Hex.text($0) }
    }
    #expect(
      try mixed("", [], ScryptCost(n: 16, r: 1, p: 1))
        == "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442")
    var generator = SeededGenerator(printedFor: "scrypt")
    for (n, r, p) in [(2, 1, 1), (64, 8, 1), (32, 3, 4), (1_024, 2, 2)] {
      let cost = try ScryptCost(n: n, r: r, p: p)
      #expect(!cost.isBeyondRFC7914)
      let salt = generator.bytes(32)
      let reference = try KeyDerivation.scrypt(cost, salt: salt).derive(from: Passphrase("open sesame"))
      let expected = reference.withBytes { Hex.text($0) }
      #expect(try mixed("open sesame", salt, cost) == expected)
    }
    #expect(try ScryptCost(n: 1 << 16, r: 1, p: 1).isBeyondRFC7914)
    #expect(try !ScryptCost(n: 1 << 15, r: 1, p: 1).isBeyondRFC7914)
  }

  @Test func `scrypt's bounds lie exactly where they say`() throws {
    // 128 · n · r = 512 MiB, and n · r · p = 8 Mi.
    #expect(throws: Never.self) { try ScryptCost(n: 1 << 19, r: 8, p: 2) }
    #expect(throws: KeystoreError.self) { try ScryptCost(n: 1 << 19, r: 9, p: 1) }
    #expect(throws: KeystoreError.self) { try ScryptCost(n: 1 << 19, r: 8, p: 3) }
    #expect(throws: Never.self) { try ScryptCost(n: 2, r: 1, p: 1) }
    #expect(try ScryptCost(n: 262_144, r: 8, p: 1) == .standard)
  }

  @Test func `a flipped bit of ciphertext or code is noticed`() throws {
    for (part, other) in [("5318b4d5", "5318b4d4"), ("517ead92", "517ead93")] {
      let json = Self.pbkdf2.replacingOccurrences(of: part, with: other)
      #expect(#expect(throws: KeystoreError.self) { _ = try opened(json, "testpassword") }?.code == .wrongPassphrase)
    }
  }
}
