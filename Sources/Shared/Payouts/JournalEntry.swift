/// What Signer's own journal keeps of a transaction (DESIGN.md §3 point 2): enough to put it back.
public struct JournalEntry: Sendable, Hashable {
  /// What a transaction is for.
  public enum Purpose: String, Sendable, Hashable {
    /// It pays payouts, and counts in Signer's own limits.
    case payouts
    /// It moves the wallet's own money to an address of Signer's configuration, so that no limit counts it.
    case treasury
  }

  /// Its identity.
  public let txid: TxID
  /// The wallet that signed.
  public let wallet: Address
  /// Who signed first.
  public let signer: String
  /// The whole signed transaction.
  public let signedBytes: [UInt8]
  /// The solid block it refers to.
  public let referenceBlockNumber: Int64
  /// The head's time when it was built.
  public let headTime: Timestamp
  /// When it can no longer be included.
  public let expiration: Timestamp
  /// What its energy may cost at most.
  public let feeLimit: Sun
  /// When it was signed, by the database's clock.
  public let signedAt: Timestamp
  /// The payouts it pays; for a treasury order, the order.
  public let payouts: [JournalPayout]
  /// What it is for.
  public let purpose: Purpose

  /// An entry.
  public init(
    txid: TxID, wallet: Address, signer: String, signedBytes: [UInt8], referenceBlockNumber: Int64,
    headTime: Timestamp, expiration: Timestamp, feeLimit: Sun, signedAt: Timestamp, payouts: [JournalPayout],
    purpose: Purpose = .payouts
  ) {
    self.txid = txid
    self.wallet = wallet
    self.signer = signer
    self.signedBytes = signedBytes
    self.referenceBlockNumber = referenceBlockNumber
    self.headTime = headTime
    self.expiration = expiration
    self.feeLimit = feeLimit
    self.signedAt = signedAt
    self.payouts = payouts
    self.purpose = purpose
  }

  /// The same for another purpose.
  public func with(_ purpose: Purpose) -> JournalEntry {
    JournalEntry(
      txid: txid, wallet: wallet, signer: signer, signedBytes: signedBytes, referenceBlockNumber: referenceBlockNumber,
      headTime: headTime, expiration: expiration, feeLimit: feeLimit, signedAt: signedAt, payouts: payouts,
      purpose: purpose)
  }
}

/// One payout of a journaled transaction.
public struct JournalPayout: Sendable, Hashable {
  /// The payout.
  public let payout: PayoutID
  /// Its reference.
  public let reference: Reference
  /// Which attempt it was.
  public let attemptNumber: Int
  /// The token's contract.
  public let token: Address
  /// Who is paid.
  public let recipient: Address
  /// How much.
  public let amount: Amount

  /// A payout of an entry.
  public init(
    payout: PayoutID, reference: Reference, attemptNumber: Int, token: Address, recipient: Address, amount: Amount
  ) {
    self.payout = payout
    self.reference = reference
    self.attemptNumber = attemptNumber
    self.token = token
    self.recipient = recipient
    self.amount = amount
  }
}
