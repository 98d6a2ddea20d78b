import FoundationEssentials
import Payouts

/// The file's text.
extension EncryptedKey {
  /// Pretty JSON with sorted keys and a line's end. The address is TRON's own text, so that a person sees whose key the
  /// file holds; readers of other projects ignore the field.
  func json() throws(KeystoreError) -> [UInt8] {
    guard case .scrypt(let cost, let salt) = derivation else {
      throw KeystoreError(.unsupported, "only scrypt keystores are written")
    }
    let id = PayoutID(at: Timestamp(milliseconds: 0), randomness: Randomness.bytes(10))
    let file = KeystoreJSON(
      address: address?.description,
      crypto: .init(
        cipher: KeystoreJSON.cipherName, cipherparams: .init(iv: Hex.text(iv)), ciphertext: Hex.text(ciphertext),
        kdf: "scrypt",
        kdfparams: .init(
          dklen: KeyDerivation.derivedSize, salt: Hex.text(salt), n: cost.n, r: cost.r, p: cost.p, c: nil, prf: nil),
        mac: Hex.text(mac)),
      id: id.description, version: KeystoreJSON.currentVersion)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    do { return try [UInt8](encoder.encode(file)) + [UInt8(ascii: "\n")] } catch {
      throw KeystoreError(.system, "the keystore does not encode as JSON")
    }
  }

  /// - Throws: `KeystoreError.malformed` or `.unsupported`, naming the field.
  init(json: [UInt8]) throws(KeystoreError) {
    let file: KeystoreJSON
    do { file = try JSONDecoder().decode(KeystoreJSON.self, from: Data(json)) } catch {
      throw KeystoreError(.malformed, "expected the JSON of a Web3 Secret Storage file, version 3")
    }
    guard file.version == KeystoreJSON.currentVersion else {
      throw KeystoreError(.unsupported, "version \(file.version), expected \(KeystoreJSON.currentVersion)")
    }
    guard file.crypto.cipher == KeystoreJSON.cipherName else {
      throw KeystoreError(.unsupported, "cipher is not \(KeystoreJSON.cipherName)")
    }
    self.init(
      derivation: try file.crypto.derivation(),
      iv: try KeystoreJSON.initializationVector(file.crypto.cipherparams.iv),
      ciphertext: try KeystoreJSON.bytes(file.crypto.ciphertext, "ciphertext", count: 32...32),
      mac: try KeystoreJSON.bytes(file.crypto.mac, "mac", count: 32...32),
      address: try file.address.map(KeystoreJSON.address))
  }
}

/// The fields of the file, by the names of the definition.
private struct KeystoreJSON: Codable {
  struct CipherParameters: Codable {
    let iv: String
  }

  struct DerivationParameters: Codable {
    let dklen: Int
    let salt: String
    let n: Int?
    let r: Int?
    let p: Int?
    let c: Int?
    let prf: String?
  }

  struct Crypto: Codable {
    let cipher: String
    let cipherparams: CipherParameters
    let ciphertext: String
    let kdf: String
    let kdfparams: DerivationParameters
    let mac: String
  }

  static let currentVersion = 3
  static let cipherName = "aes-128-ctr"

  let address: String?
  let crypto: Crypto
  let id: String?
  let version: Int

  init(address: String?, crypto: Crypto, id: String?, version: Int) {
    self.address = address
    self.crypto = crypto
    self.id = id
    self.version = version
  }

  private enum CodingKeys: String, CodingKey {
    case address, crypto, id, version
    /// Early writers spelled it so.
    case capitalCrypto = "Crypto"
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    address = try container.decodeIfPresent(String.self, forKey: .address)
    crypto = try container.decode(Crypto.self, forKey: container.contains(.crypto) ? .crypto : .capitalCrypto)
    id = try container.decodeIfPresent(String.self, forKey: .id)
    version = try container.decode(Int.self, forKey: .version)
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encodeIfPresent(address, forKey: .address)
    try container.encode(crypto, forKey: .crypto)
    try container.encodeIfPresent(id, forKey: .id)
    try container.encode(version, forKey: .version)
  }

  static func bytes(
    _ text: String, _ field: String, count: ClosedRange<Int>
  ) throws(KeystoreError) -> [UInt8] {
    guard let bytes = Hex.bytes(text), count.contains(bytes.count) else {
      let expected = count.count == 1 ? "\(count.lowerBound)" : "\(count.lowerBound) to \(count.upperBound)"
      throw KeystoreError(.malformed, "\(field): expected \(expected) bytes in hexadecimal")
    }
    return bytes
  }

  /// 16 bytes. Writers that keep it as a number drop the zero bytes at its front; here they are put back.
  static func initializationVector(_ text: String) throws(KeystoreError) -> [UInt8] {
    let bytes = try bytes(text, "iv", count: 1...16)
    return [UInt8](repeating: 0, count: 16 - bytes.count) + bytes
  }

  /// TRON's text, its 21 bytes in hexadecimal, or the 20 bytes that Ethereum's writers put there; an empty text is none.
  static func address(_ text: String) throws(KeystoreError) -> Address {
    if let address = try? Address(text) { return address }
    let digits = text.hasPrefix("0x") ? text.dropFirst(2) : text[...]
    switch Hex.bytes(digits) {
    case .some(let bytes) where bytes.count == 20: return Address(account: bytes)
    case .some(let bytes) where bytes.count == 21 && bytes[0] == Address.prefix:
      return Address(account: bytes.dropFirst())
    default: throw KeystoreError(.malformed, "address: expected TRON's text or 20 or 21 bytes in hexadecimal")
    }
  }
}

extension KeystoreJSON.Crypto {
  fileprivate func derivation() throws(KeystoreError) -> KeyDerivation {
    guard kdfparams.dklen == KeyDerivation.derivedSize else {
      throw KeystoreError(.unsupported, "kdfparams.dklen: expected \(KeyDerivation.derivedSize)")
    }
    let salt = try KeystoreJSON.bytes(kdfparams.salt, "kdfparams.salt", count: 1...KeyDerivation.saltSizeMax)
    switch kdf {
    case "scrypt":
      guard let n = kdfparams.n, let r = kdfparams.r, let p = kdfparams.p else {
        throw KeystoreError(.malformed, "kdfparams: scrypt needs n, r and p")
      }
      return .scrypt(try ScryptCost(n: n, r: r, p: p), salt: salt)
    case "pbkdf2":
      guard kdfparams.prf == "hmac-sha256" else {
        throw KeystoreError(.unsupported, "kdfparams.prf: expected hmac-sha256")
      }
      guard let c = kdfparams.c, (1...KeyDerivation.pbkdf2IterationsMax).contains(c) else {
        throw KeystoreError(.unsupported, "kdfparams.c: expected 1 to \(KeyDerivation.pbkdf2IterationsMax)")
      }
      return .pbkdf2(iterations: c, salt: salt)
    default: throw KeystoreError(.unsupported, "kdf: expected scrypt or pbkdf2")
    }
  }
}
