/// Base58 in Bitcoin's alphabet, as TRON's addresses use it. Quadratic in the length: for addresses only.
enum Base58 {
  private static let alphabet = [UInt8]("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".utf8)
  private static let values: [UInt8?] = {
    var values = [UInt8?](repeating: nil, count: 256)
    for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
    return values
  }()

  /// A leading zero byte becomes a leading `1`.
  static func encode(_ bytes: [UInt8]) -> String {
    var digits: [UInt8] = []
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
    let zeros = repeatElement(alphabet[0], count: bytes.prefix { $0 == 0 }.count)
    return String(decoding: Array(zeros) + digits.reversed().map { alphabet[Int($0)] }, as: UTF8.self)
  }

  /// Nil where a character stands outside the alphabet.
  static func decode(_ text: some StringProtocol) -> [UInt8]? {
    var bytes: [UInt8] = []
    for character in text.utf8 {
      guard let value = values[Int(character)] else { return nil }
      var carry = Int(value)
      for index in bytes.indices {
        carry += Int(bytes[index]) * 58
        bytes[index] = UInt8(carry & 0xff)
        carry >>= 8
      }
      while carry > 0 {
        bytes.append(UInt8(carry & 0xff))
        carry >>= 8
      }
    }
    let zeros = repeatElement(UInt8(0), count: text.utf8.prefix { $0 == alphabet[0] }.count)
    return Array(zeros) + bytes.reversed()
  }
}
