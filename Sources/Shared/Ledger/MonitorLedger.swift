public import Payouts

/// What Monitor asks of the ledger: how far the chain was read, and what it said; and
/// which webhooks are due.
public protocol MonitorLedger: WebhookLedger {
  /// The wallets to watch and the block from which the chain is read; nil before `payoutctl signer init`.
  func watch() async throws -> ChainWatch?
  /// The database's clock, and what may keep payouts from being paid just now.
  func conditions() async throws -> PayingConditions
  /// How far a view was read.
  func cursor(_ view: CursorView) async throws -> BlockPlace?
  /// The part of the head's branch that may still be undone, newest first.
  func recentBlocks(atMost count: Int) async throws -> [BlockPlace]
  /// The block of the head's branch at a number; nil where it is above the head, or no longer kept.
  func headBlock(_ number: Int64) async throws -> BlockPlace?

  /// Which of these transactions are ours, with what they were signed to do.
  func known(_ txids: [TxID]) async throws -> [KnownTransaction]
  /// Takes up the next block of the head's branch: what is included, and what the fence found in it.
  ///
  /// - Returns: false where another replica was faster or the branch changed; nothing is changed then.
  func apply(head block: HeadBlock, after previous: BlockPlace?) async throws -> Bool
  /// Stores what the fence found in a solid block; what is known by now, or stored already, is nothing new.
  func store(findings: [ChainFinding], in place: BlockPlace) async throws
  /// Forgets the head's blocks above a number, because the chain did: what they included is `sent` again.
  ///
  /// - Parameter head: where the head stood when that was found out.
  /// - Returns: whose payouts wait for a block again; nil, and nothing is changed, where the head has moved meanwhile, or the
  ///   branch holds a solid block above that number.
  func undoHead(above number: Int64, from head: BlockPlace) async throws -> [PayoutID]?
  /// Sets the head to the solid block that was followed, by a person's order, in one transaction: the head's branch is
  /// forgotten, and what it included is `sent` again. No verdict is touched.
  ///
  /// - Returns: whose payouts wait for a block again; nil, and nothing is changed, where the order stands no more, either view
  ///   has moved, or the head's branch holds that block.
  func resetHead(by order: HeadResetOrder, to solid: BlockPlace, from head: BlockPlace) async throws -> [PayoutID]?
  /// The order cannot be carried out; operators are called.
  func refuseHeadReset(_ order: HeadResetOrder, _ why: String) async throws

  /// Takes up the next solid block with its verdicts.
  ///
  /// - Returns: false where another replica was faster; nothing is changed then.
  func apply(
    solid block: BlockPlace, after previous: BlockPlace?, verdicts: [TxID: TransactionVerdict],
    retryDelayMilliseconds: Int64
  ) async throws -> Bool
  /// Transactions whose window the solid cursor has passed and that have no verdict yet: put back, late or dead.
  func unjudged(atMost count: Int) async throws -> [UnjudgedTransaction]
  /// Stores verdicts found by reading a window again.
  func settle(_ verdicts: [TxID: TransactionVerdict], retryDelayMilliseconds: Int64) async throws

  /// Attempts that ended unpaid and of which nobody has told yet whose failure that was, the oldest first: the first
  /// `count` behind `last`, or of all. Those of held payouts wait until a person has decided.
  func unblamedFailures(after last: UnblamedFailure?, atMost count: Int) async throws -> [UnblamedFailure]
  /// Stores whose failure it was. The payout's own last one ends it as `failed`; any other counts towards the breaker. An own
  /// failure of a payout that is held by now is not stored: it is told again after its release, and has its consequences then.
  ///
  /// - Returns: the payout's end, committed, where it has failed for good.
  /// - Throws: `LedgerError.historyNotTrusted` where it would fail for good and nothing may end now; nothing is stored.
  func blame(
    _ blame: FailureBlame, for failure: UnblamedFailure, maximumOwnFailures: Int64
  ) async throws -> PayoutEnd?

  /// Takes standing alarms that nobody was told of and whose time has come, so that no other Monitor takes them meanwhile.
  func takeAlarms(atMost count: Int) async throws -> [AlarmRecord]
  /// This alarm was told.
  func recordTold(_ alarm: Int64) async throws

  /// Confirms what is paid and has its confirmations.
  func confirm(headNumber: Int64, requiredConfirmations: Int64, atMost count: Int) async throws -> [PayoutID]
  /// Judges open findings once the Signers have vouched: those that stay open the breaker.
  func judgeFindings() async throws -> Int
  /// Raises an alarm: one standing row a kind and subject.
  func raiseAlarm(kind: String, subject: String, message: String) async throws
}

/// Monitor's two readings of the chain.
public enum CursorView: String, Sendable, Hashable {
  /// The head's branch, which forks may undo.
  case head
  /// Solid blocks only.
  case solid
}

/// What the fence watches.
public struct ChainWatch: Sendable, Hashable {
  /// All wallets ever declared.
  public let wallets: Set<Address>
  /// The block from which the chain is read without a gap.
  public let begin: BlockPlace
  /// An operator's order to set the head anew that nobody has carried out yet.
  public let headReset: HeadResetOrder?

  /// Of its parts; for this package's own ledgers.
  package init(wallets: Set<Address>, begin: BlockPlace, headReset: HeadResetOrder? = nil) {
    self.wallets = wallets
    self.begin = begin
    self.headReset = headReset
  }
}

/// One of our transactions as it was signed.
public struct KnownTransaction: Sendable, Hashable {
  /// Its identity.
  public let txid: TxID
  /// Where it stands.
  public let status: TransactionStatus
  /// The Transfers it was signed to make.
  public let transfers: [ExpectedTransfer]

  /// Of its parts; for this package's own ledgers.
  package init(
    txid: TxID, status: TransactionStatus, transfers: [ExpectedTransfer]
  ) {
    self.txid = txid
    self.status = status
    self.transfers = transfers
  }
}

/// One of our transactions without a verdict although its window has passed.
public struct UnjudgedTransaction: Sendable, Hashable {
  /// The transaction.
  public let transaction: KnownTransaction
  /// The block it refers to: its window begins one above.
  public let referenceBlockNumber: Int64
  /// Its window ends with the first solid block whose time is at or after this.
  public let expiration: Timestamp
  /// Its bytes as they were signed: they name the block that they refer to.
  public let signedBytes: [UInt8]

  /// Of its parts; for this package's own ledgers.
  package init(
    transaction: KnownTransaction, referenceBlockNumber: Int64, expiration: Timestamp, signedBytes: [UInt8]
  ) {
    self.transaction = transaction
    self.referenceBlockNumber = referenceBlockNumber
    self.expiration = expiration
    self.signedBytes = signedBytes
  }
}

/// An attempt that ended unpaid for a reason that is not known yet.
public struct UnblamedFailure: Sendable, Hashable {
  /// Whose attempt.
  public let reference: Reference
  /// Its transaction.
  public let txid: TxID
  /// The named failure in its block; nil where no block holds it.
  public let result: String?
  /// The Transfer it was signed to make.
  public let transfer: ExpectedTransfer
  /// Since when that is known.
  public let endedAt: Timestamp

  /// Of its parts; for this package's own ledgers.
  package init(
    reference: Reference, txid: TxID, result: String?, transfer: ExpectedTransfer, endedAt: Timestamp
  ) {
    self.reference = reference
    self.txid = txid
    self.result = result
    self.transfer = transfer
    self.endedAt = endedAt
  }
}

/// A block of the head's branch as Monitor read it.
public struct HeadBlock: Sendable, Hashable {
  /// The block.
  public let place: BlockPlace
  /// All transactions in it.
  public let transactions: [TxID]
  /// What moved something of a watched account; those that turn out known are no findings.
  public let suspects: [ChainFinding]
  /// Blocks at or below this number are solid and no longer kept.
  public let keepAbove: Int64

  /// A block as read.
  public init(place: BlockPlace, transactions: [TxID], suspects: [ChainFinding], keepAbove: Int64) {
    self.place = place
    self.transactions = transactions
    self.suspects = suspects
    self.keepAbove = keepAbove
  }
}

/// A transaction of a watched account, or a transfer out of one (DESIGN.md §3 "The fence").
public struct ChainFinding: Sendable, Hashable {
  /// What was seen.
  public enum Kind: String, Sendable, Hashable {
    /// A transaction owned by a watched account, of any type, failed ones too.
    case ownedTransaction = "owned_transaction"
    /// A Transfer log of the USDT contract out of a watched account with a value above zero.
    case tokenTransfer = "token_transfer"
  }

  /// What was seen.
  public let kind: Kind
  /// In which transaction.
  public let txid: TxID
  /// Which log of it; -1 for the transaction itself.
  public let logIndex: Int
  /// The watched account.
  public let wallet: Address
  /// Who received, where it is a transfer.
  public let recipient: Address?
  /// How much, as decimal digits: a foreign value need not fit into an amount.
  public let amountText: String?
  /// The low ten bits of the transaction's expiration: the top ten of the reference it may have paid.
  public let referenceBits: Int64?
  /// The transaction's timestamp.
  public let timestamp: Timestamp?

  /// A sighting.
  public init(
    kind: Kind, txid: TxID, logIndex: Int, wallet: Address, recipient: Address?, amountText: String?,
    referenceBits: Int64?, timestamp: Timestamp?
  ) {
    self.kind = kind
    self.txid = txid
    self.logIndex = logIndex
    self.wallet = wallet
    self.recipient = recipient
    self.amountText = amountText
    self.referenceBits = referenceBits
    self.timestamp = timestamp
  }
}
