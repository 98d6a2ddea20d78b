/// A run of raw bytes, as they travel on the wire.
typealias Bytes = [UInt8]

/// Hexadecimal text, the form in which a node prints every hash, call and (unless `visible`) address.
enum Hex {
  /// Lower-case text of `bytes`, two characters a byte.
  static func encode(_ bytes: Bytes) -> String {
    String(unsafeUninitializedCapacity: bytes.count * 2) { text in
      bytes.withUnsafeBufferPointer { source in
        for index in 0..<source.count {
          let byte = source[index]
          text[index &* 2] = digits.utf8Start[Int(byte &>> 4)]
          text[index &* 2 &+ 1] = digits.utf8Start[Int(byte & 15)]
        }
      }
      return bytes.count * 2
    }
  }

  /// The bytes that `text` spells, or nil where it has an odd length or another character.
  ///
  /// Accepts both cases and a leading `0x`, as a node does.
  static func decode(_ text: String) -> Bytes? {
    var text = text
    return text.withUTF8 { source -> Bytes? in
      var start = 0
      if source.count >= 2, source[0] == UInt8(ascii: "0"), source[1] | 0x20 == UInt8(ascii: "x") { start = 2 }
      let count = source.count &- start
      guard count & 1 == 0 else { return nil }
      return valueOfCharacter.withUnsafeBufferPointer { values -> Bytes? in
        var isHex = true
        let bytes = Bytes(unsafeUninitializedCapacity: count / 2) { target, initialized in
          for index in 0..<(count / 2) {
            let high = values[Int(source[start &+ index &* 2])]
            let low = values[Int(source[start &+ index &* 2 &+ 1])]
            if high | low > 15 { isHex = false }
            target[index] = high &<< 4 | (low & 15)
          }
          initialized = count / 2
        }
        return isHex ? bytes : nil
      }
    }
  }

  private static let digits: StaticString = "0123456789abcdef"

  /// 0...15, or 255 for a character that is no digit. A table, since debug builds read much hex.
  private static let valueOfCharacter: Bytes = {
    var values = Bytes(repeating: 255, count: 256)
    for (value, character) in "0123456789abcdef".utf8.enumerated() { values[Int(character)] = UInt8(value) }
    for (value, character) in "ABCDEF".utf8.enumerated() { values[Int(character)] = UInt8(value + 10) }
    return values
  }()
}
