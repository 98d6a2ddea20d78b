import Payouts

/// The few calls and words of the contract ABI that paying a TRC-20 token takes (reference §1.7).
enum ABI {
  /// Every argument, topic and result is a word of 32 bytes, big endian.
  static let wordSize = 32
  /// The first four bytes of keccak-256 of `transfer(address,uint256)`.
  static let transferSelector: [UInt8] = [0xa9, 0x05, 0x9c, 0xbb]
  /// Of `balanceOf(address)`.
  static let balanceOfSelector: [UInt8] = [0x70, 0xa0, 0x82, 0x31]

  /// Selector and two words: 68 bytes.
  static func transferCall(to recipient: Address, amount: Amount) -> [UInt8] {
    transferSelector + word(recipient) + word(amount)
  }

  /// Selector and one word: 36 bytes.
  static func balanceOfCall(_ owner: Address) -> [UInt8] { balanceOfSelector + word(owner) }

  /// Recipient and amount of exactly such a call; nil for any other bytes.
  static func transferArguments(_ call: [UInt8]) -> (recipient: Address, amount: Amount)? {
    guard call.count == 4 + 2 * wordSize, call.starts(with: transferSelector),
      let recipient = address([UInt8](call[4..<36])), let amount = amount([UInt8](call[36...]))
    else { return nil }
    return (recipient, amount)
  }

  /// The 20 bytes of the account, padded on the left.
  static func word(_ address: Address) -> [UInt8] { [UInt8](repeating: 0, count: 12) + address.account }

  /// Micro-USDT, padded on the left.
  static func word(_ amount: Amount) -> [UInt8] {
    [UInt8](repeating: 0, count: 24) + withUnsafeBytes(of: amount.microUSDT.bigEndian) { [UInt8]($0) }
  }

  /// Nil unless there are 32 bytes of which the first twelve are zero.
  static func address(_ word: [UInt8]) -> Address? {
    guard word.count == wordSize, word.prefix(12).allSatisfy({ $0 == 0 }) else { return nil }
    return Address(account: word.suffix(20))
  }

  /// Nil unless there are 32 bytes whose number fits into `Int64`.
  static func amount(_ word: [UInt8]) -> Amount? {
    guard word.count == wordSize, word.prefix(24).allSatisfy({ $0 == 0 }) else { return nil }
    let value = word.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard let micro = Int64(exactly: value) else { return nil }
    return try? Amount(microUSDT: micro)
  }
}
