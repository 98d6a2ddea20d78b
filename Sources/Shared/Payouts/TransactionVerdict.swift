/// One Transfer that a transaction was signed to make: written down with it, and compared with its logs when it is solid.
public struct ExpectedTransfer: Hashable, Sendable {
  /// The token's contract, which must be the log's address.
  public let token: Address
  /// The wallet that pays.
  public let from: Address
  /// Who is paid.
  public let to: Address
  /// How much.
  public let amount: Amount

  /// A transfer as signed.
  public init(token: Address, from: Address, to: Address, amount: Amount) {
    self.token = token
    self.from = from
    self.to = to
    self.amount = amount
  }
}

/// A block's place on one branch of the chain.
public struct BlockPlace: Hashable, Sendable {
  /// Its number.
  public let number: Int64
  /// Its id, which carries the number.
  public let id: BlockID
  /// Its time, by which expirations are judged.
  public let time: Timestamp

  /// A block's place.
  public init(number: Int64, id: BlockID, time: Timestamp) {
    self.number = number
    self.id = id
    self.time = time
  }
}

/// What a transaction cost, as its receipt says.
public struct TransactionCost: Hashable, Sendable {
  /// TRX burnt in all.
  public let fee: Sun
  /// Energy used, penalty included.
  public let energyUsed: Int64
  /// Bandwidth used without burning TRX.
  public let bandwidthUsed: Int64

  /// A cost.
  public init(fee: Sun, energyUsed: Int64, bandwidthUsed: Int64) {
    self.fee = fee
    self.energyUsed = energyUsed
    self.bandwidthUsed = bandwidthUsed
  }
}

/// What the solid chain says of a transaction (DESIGN.md §3 point 5). Only `failedOnChain` and `dead` free a payout.
public enum TransactionVerdict: Hashable, Sendable {
  /// In a solid block, SUCCESS, exactly the Transfers that were written down with it.
  case paid(BlockPlace, TransactionCost)
  /// In a solid block with a named failure, the same in block and receipt: nothing moved.
  case failedOnChain(BlockPlace, TransactionCost, result: String)
  /// In none of the solid blocks in which it could ever be: nothing moved, nothing ever will.
  case dead
  /// In a solid block with anything else: proves nothing.
  case anomalous(BlockPlace, finding: String)
}
