import Keystore
public import Payouts
public import Tron

/// Transactions of any type, encoded by hand from the field numbers of TRON's messages (tron-protocol.md §1.2): what a thief
/// sends, and what the product itself never builds.
public struct HandMadeTransaction: Sendable {
  /// The serialized `raw_data`.
  public let rawData: [UInt8]

  /// Its identity.
  public var txid: TxID { TxID(hashing: rawData) }

  /// - Parameters:
  ///   - type: the contract's number on the wire.
  ///   - name: the contract's message.
  ///   - value: the message's bytes.
  ///   - block: a block that it refers to.
  ///   - head: the head's time: it lives for a minute from then.
  public init(type: UInt64, name: String, value: [UInt8], referringTo block: BlockID, at head: Timestamp) {
    let parameter =
      Self.field(1, [UInt8]("type.googleapis.com/protocol.\(name)".utf8)) + Self.field(2, value)
    let contract = Self.number(1, type) + Self.field(2, parameter)
    rawData =
      Self.field(1, [UInt8](block.bytes[6..<8])) + Self.field(4, [UInt8](block.bytes[8..<16]))
      + Self.number(8, UInt64(head.milliseconds + 60_000)) + Self.field(11, contract)
      + Self.number(14, UInt64(head.milliseconds)) + Self.number(18, type == 31 ? 100_000_000 : 0)
  }

  /// A call of a contract by its owner, such as `approve`.
  ///
  /// - Parameters:
  ///   - selector: the first four bytes of the function's hash, in hexadecimal digits.
  ///   - words: the arguments, 32 bytes each.
  public static func call(
    by owner: Address, of contract: Address, _ selector: String, _ words: [[UInt8]], referringTo block: BlockID,
    at head: Timestamp
  ) -> HandMadeTransaction {
    let data = (Hex.bytes(selector) ?? []) + words.flatMap { $0 }
    return HandMadeTransaction(
      type: 31, name: "TriggerSmartContract",
      value: field(1, owner.bytes) + field(2, contract.bytes) + field(4, data), referringTo: block, at: head)
  }

  /// TRX to somebody.
  public static func trx(
    from owner: Address, to recipient: Address, sun: UInt64, referringTo block: BlockID, at head: Timestamp
  ) -> HandMadeTransaction {
    HandMadeTransaction(
      type: 1, name: "TransferContract",
      value: field(1, owner.bytes) + field(2, recipient.bytes) + number(3, sun), referringTo: block, at: head)
  }

  /// A new set of permissions, of which `key` alone has all.
  public static func permissions(
    of owner: Address, to key: Address, referringTo block: BlockID, at head: Timestamp
  ) -> HandMadeTransaction {
    let keys = field(7, field(1, key.bytes) + number(2, 1))
    let permission = field(3, [UInt8]("owner".utf8)) + number(4, 1) + keys
    let operations = (Hex.bytes("7fff1fc0033e") ?? []) + [UInt8](repeating: 0, count: 26)
    let active =
      number(1, 2) + number(2, 2) + field(3, [UInt8]("active".utf8)) + number(4, 1) + field(6, operations) + keys
    return HandMadeTransaction(
      type: 46, name: "AccountPermissionUpdateContract",
      value: field(1, owner.bytes) + field(2, permission) + field(4, active), referringTo: block, at: head)
  }

  /// The whole transaction with a signature.
  public func signed(by key: some TransactionSigner) throws -> [UInt8] {
    Self.field(1, rawData) + Self.field(2, try key.sign(txid))
  }

  /// An address as a word of 32 bytes.
  public static func word(_ address: Address) -> [UInt8] { [UInt8](repeating: 0, count: 12) + address.account }

  /// A number as a word of 32 bytes.
  public static func word(_ number: UInt64) -> [UInt8] {
    [UInt8](repeating: 0, count: 24) + withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) }
  }

  private static func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
    varint(number << 3 | 2) + varint(UInt64(bytes.count)) + bytes
  }

  /// Left out where it is zero, as in every canonical encoding.
  private static func number(_ number: UInt64, _ value: UInt64) -> [UInt8] {
    value == 0 ? [] : varint(number << 3) + varint(value)
  }

  private static func varint(_ value: UInt64) -> [UInt8] {
    var (rest, bytes) = (value, [UInt8]())
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }
}
