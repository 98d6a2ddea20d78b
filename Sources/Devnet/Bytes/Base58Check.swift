/// Base58 with the first four bytes of a double SHA-256 as checksum (Bitcoin's alphabet), the text form of addresses.
enum Base58Check {
  private static let alphabet = Bytes("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".utf8)

  /// 255 for a character that is no digit.
  private static let valueOfCharacter: Bytes = {
    var values = Bytes(repeating: 255, count: 256)
    for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
    return values
  }()

  /// The longest text that is decoded: an address has 34 characters.
  static let textLengthMax = 64

  /// Text of `payload` and its checksum.
  static func encode(_ payload: Bytes) -> String {
    let bytes = payload + checksum(payload)
    var digits: Bytes = []
    for byte in bytes {
      var carry = Int(byte)
      for index in digits.indices {
        carry += Int(digits[index]) << 8
        digits[index] = UInt8(carry % 58)
        carry /= 58
      }
      while carry > 0 {
        digits.append(UInt8(carry % 58))
        carry /= 58
      }
    }
    let zeros = bytes.prefix { $0 == 0 }.count
    let text = Bytes(repeating: alphabet[0], count: zeros) + digits.reversed().map { alphabet[Int($0)] }
    return String(decoding: text, as: UTF8.self)
  }

  /// The payload of `text`, or nil where a character or the checksum is wrong.
  static func decode(_ text: String) -> Bytes? {
    let characters = Bytes(text.utf8)
    guard characters.count <= textLengthMax else { return nil }
    var bytes: Bytes = []
    for character in characters {
      var carry = Int(valueOfCharacter[Int(character)])
      guard carry < 58 else { return nil }
      for index in bytes.indices {
        carry += Int(bytes[index]) * 58
        bytes[index] = UInt8(carry & 255)
        carry >>= 8
      }
      while carry > 0 {
        bytes.append(UInt8(carry & 255))
        carry >>= 8
      }
    }
    let zeros = characters.prefix { $0 == alphabet[0] }.count
    let whole = Bytes(repeating: 0, count: zeros) + bytes.reversed()
    guard whole.count > 4 else { return nil }
    let payload = Bytes(whole.dropLast(4))
    return checksum(payload) == Bytes(whole.suffix(4)) ? payload : nil
  }

  private static func checksum(_ payload: Bytes) -> Bytes {
    Bytes(Hash32.sha256(Hash32.sha256(payload).bytes).bytes.prefix(4))
  }
}
