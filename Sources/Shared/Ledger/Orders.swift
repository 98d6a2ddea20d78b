public import Payouts

/// What Signer asks of the ledger about orders of operators (DESIGN.md §3 "The fence").
public protocol OrderLedger: Sendable {
  /// Whether an operator's order waits: asked often, and cheap.
  func waitingOrders() async throws -> WaitingOrders
  /// Transactions on the chain that an operator orders to be adopted, as a journal would hold them, and the life of the server
  /// under which they were read. Orders that cannot be carried out are refused.
  func adoptionsToCarryOut(wallet: Address, signer: String, atMost count: Int) async throws -> BroadcastLot
  /// Puts an adopted transaction back, which the journal holds now, and closes the findings that it explains.
  ///
  /// - Returns: false where no order stands any more, the server has another life, or the order was refused because another
  ///   attempt is live or has paid.
  func adopt(_ entry: JournalEntry, signer: String, journalID: [UInt8], life: ServerLife) async throws -> Bool
  /// An order to adopt this transaction cannot be carried out; operators are called.
  func refuseAdoption(of txid: TxID, _ why: String) async throws
  /// Signs the oldest treasury order that waits and that Signer does not leave waiting, in one database transaction like
  /// payouts (see `SignerLedger.sign`), unless an earlier one is still on its way.
  ///
  /// Blocked as payouts are; an order that was given despite the breaker only while the history is not vouched for.
  /// - Returns: `held` counts one that was refused.
  func signTreasuryOrder(
    _ signing: TreasurySigning, decide: @escaping @Sendable (TreasuryOrder) throws -> TreasuryDecision
  ) async throws -> SigningOutcome
}

/// What the fence found in one transaction and nothing has explained.
public struct UnexplainedFinding: Sendable, Hashable {
  /// What was found; of one transaction there may be several.
  public let finding: FindingRecord
  /// Where an order to adopt its transaction stands; nil where none was given.
  public let adoption: AdoptionState?

  /// Of its parts; for this package's own ledgers.
  package init(finding: FindingRecord, adoption: AdoptionState?) {
    self.finding = finding
    self.adoption = adoption
  }
}

/// Where an order to adopt a transaction stands.
public enum AdoptionState: Sendable, Hashable {
  /// No Signer has carried it out yet.
  case ordered(PayoutID)
  /// A Signer has put the transaction back for its payout.
  case done(PayoutID)
  /// A Signer has refused it.
  case refused(String)
}

/// A person's order to take a transaction on the chain for the payment of a payout: the transaction as the solid block
/// holds it. It moves nothing: its payout is confirmed by Monitor's verdict on the chain, or freed by it.
public struct AdoptionOrder: Sendable, Hashable {
  /// The payout that it pays.
  public let payout: PayoutID
  /// The transaction's identity.
  public let txid: TxID
  /// The wallet that signed.
  public let wallet: Address
  /// The whole signed transaction.
  public let signedBytes: [UInt8]
  /// The solid block it refers to.
  public let referenceBlockNumber: Int64
  /// When it can no longer be included.
  public let expiration: Timestamp
  /// The moment that its bytes name: about when it was signed.
  public let timestamp: Timestamp
  /// What its energy may cost at most.
  public let feeLimit: Sun
  /// What it pays, by its bytes.
  public let transfer: ExpectedTransfer
  /// The solid block that holds it.
  public let block: BlockPlace
  /// Why, in the person's words.
  public let reason: String

  /// An order.
  public init(
    payout: PayoutID, txid: TxID, wallet: Address, signedBytes: [UInt8], referenceBlockNumber: Int64,
    expiration: Timestamp, timestamp: Timestamp, feeLimit: Sun, transfer: ExpectedTransfer, block: BlockPlace,
    reason: String
  ) {
    self.payout = payout
    self.txid = txid
    self.wallet = wallet
    self.signedBytes = signedBytes
    self.referenceBlockNumber = referenceBlockNumber
    self.expiration = expiration
    self.timestamp = timestamp
    self.feeLimit = feeLimit
    self.transfer = transfer
    self.block = block
    self.reason = reason
  }
}

/// Why a transaction was not ordered to be adopted. Nothing was changed.
public enum AdoptionRefusal: Sendable, Hashable {
  /// No such payout.
  case unknownPayout
  /// The payout does not wait: it is on its way, or has ended.
  case doesNotWait(PayoutStatus)
  /// The payout has another recipient, amount or token.
  case otherTerms
  /// The payout's reference has this attempt, which is live or has paid.
  case referenceInUse(TxID)
  /// The fence has no unexplained finding of this transaction.
  case noFinding
  /// Monitor has not read the block that holds it as solid.
  case notSolid
  /// An order about this transaction or this payout stands already.
  case alreadyOrdered
}

/// A person's order to move money of the wallet to a cold wallet.
public struct TreasuryOrder: Sendable, Hashable {
  /// Its name.
  public let id: PayoutID
  /// Which token.
  public let token: Address
  /// Where to; Signer's own configuration must name it too.
  public let recipient: Address
  /// How much.
  public let amount: Amount
  /// Whether it is signed although the breaker is open, a finding too, payments are paused, or the fence is behind.
  public let isDespiteBreaker: Bool
  /// Why, in the person's words.
  public let reason: String

  /// What its attempt is called: unique because its id is, as of a payout without a key.
  public var reference: Reference { Reference(payoutWithoutKey: id) }

  /// An order.
  public init(
    id: PayoutID, token: Address, recipient: Address, amount: Amount, isDespiteBreaker: Bool, reason: String
  ) {
    self.id = id
    self.token = token
    self.recipient = recipient
    self.amount = amount
    self.isDespiteBreaker = isDespiteBreaker
    self.reason = reason
  }
}

/// A treasury order, and what came of it.
public struct TreasuryOrderRecord: Sendable, Hashable {
  /// Where it stands.
  public enum State: Sendable, Hashable {
    /// No Signer has signed it yet.
    case ordered
    /// Signer has refused it for this reason.
    case refused(String)
    /// It was signed; where its transaction stands. One that failed or is dead is not signed again.
    case signed(TxID, TransactionStatus)
  }

  /// The order.
  public let order: TreasuryOrder
  /// Who ordered it.
  public let orderedBy: String
  /// When.
  public let orderedAt: Timestamp
  /// Where it stands.
  public let state: State
}

/// What a Signer decides on a treasury order that it has locked.
public enum TreasuryDecision: Sendable, Hashable {
  /// Store this.
  case sign(SignedPayout)
  /// Never sign it; operators are called.
  case refuse(String)
  /// Leave it as it is, and look again.
  case wait
}

/// What is to be signed of the treasury's, and what the chain looks like.
public struct TreasurySigning: Sendable, Hashable {
  /// The wallet that pays.
  public let wallet: Address
  /// This Signer's name.
  public let signer: String
  /// The head block that this Signer's node told.
  public let head: BlockPlace
  /// At most so many transactions may be out and not in a block.
  public let maximumInFlight: Int
  /// How many blocks the fence may be behind the head.
  public let fenceLagBlocks: Int64

  /// All of it.
  public init(wallet: Address, signer: String, head: BlockPlace, maximumInFlight: Int, fenceLagBlocks: Int64) {
    self.wallet = wallet
    self.signer = signer
    self.head = head
    self.maximumInFlight = maximumInFlight
    self.fenceLagBlocks = fenceLagBlocks
  }

  /// The same question about one transaction, as for payouts.
  package func order(named id: PayoutID) -> SigningOrder {
    SigningOrder(
      batch: id, wallet: wallet, signer: signer, head: head, maximumInFlight: maximumInFlight, maximumPayouts: 1,
      maximumSigned: 1, fenceLagBlocks: fenceLagBlocks)
  }
}

/// Which orders of operators wait for a Signer.
public struct WaitingOrders: Sendable, Hashable {
  /// Whether a transaction is to be adopted.
  public let hasAdoptions: Bool
  /// Whether money of the wallet is to be moved.
  public let hasTreasury: Bool

  /// Of its parts; for this package's own ledgers.
  package init(hasAdoptions: Bool, hasTreasury: Bool) {
    self.hasAdoptions = hasAdoptions
    self.hasTreasury = hasTreasury
  }
}
