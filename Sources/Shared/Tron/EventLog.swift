public import Payouts

/// One event that a contract emitted (reference §1.7).
public struct EventLog: Sendable, Hashable {
  /// The contract that emitted it: for a token transfer, the token.
  public let address: Address
  /// 32-byte words, the event's own hash first.
  public let topics: [[UInt8]]
  /// The arguments that are not indexed.
  public let data: [UInt8]

  /// An event as a node or a test gives it.
  public init(address: Address, topics: [[UInt8]], data: [UInt8]) {
    self.address = address
    self.topics = topics
    self.data = data
  }

  /// The event of a token transfer, as every TRC-20 token emits it.
  public init(_ transfer: TokenTransfer) {
    self.init(
      address: transfer.token,
      topics: [TokenTransfer.eventTopic, ABI.word(transfer.sender), ABI.word(transfer.recipient)],
      data: transfer.value)
  }

  /// The transfer that this event tells of; nil for every other event, and for one that only resembles it (other number
  /// of topics, address words with dirty upper bytes, data of another length).
  public var transfer: TokenTransfer? {
    guard topics.count == 3, topics[0] == TokenTransfer.eventTopic, data.count == ABI.wordSize,
      let sender = ABI.address(topics[1]), let recipient = ABI.address(topics[2])
    else { return nil }
    return TokenTransfer(token: address, sender: sender, recipient: recipient, value: data)
  }
}

/// `Transfer(address,address,uint256)` of a TRC-20 token: who paid whom how much.
///
/// Anybody can deploy a token that says anything, so `token` decides what it is worth.
public struct TokenTransfer: Sendable, Hashable {
  /// keccak-256 of the event's signature.
  public static let eventTopic = Keccak256.hash("Transfer(address,address,uint256)".utf8)

  /// The token's contract.
  public let token: Address
  /// Who was charged.
  public let sender: Address
  /// Who received.
  public let recipient: Address
  /// The amount as the chain has it: one big-endian word of 32 bytes.
  public let value: [UInt8]

  /// - Precondition: `value` has 32 bytes.
  public init(token: Address, sender: Address, recipient: Address, value: [UInt8]) {
    precondition(value.count == ABI.wordSize, "a value is a word of 32 bytes")
    self.token = token
    self.sender = sender
    self.recipient = recipient
    self.value = value
  }

  /// A transfer of an amount that fits this program's own type.
  public init(token: Address, sender: Address, recipient: Address, amount: Amount) {
    self.init(token: token, sender: sender, recipient: recipient, value: ABI.word(amount))
  }

  /// The amount in the token's smallest unit; nil where it exceeds `Int64`.
  public var amount: Amount? { ABI.amount(value) }

  /// Whether nothing moved: anyone can make a token log a transfer of zero "from" any account.
  public var isZero: Bool { value.allSatisfy { $0 == 0 } }
}
