public import Payouts

/// What Signer asks of the ledger: signing, broadcasting, vouching (DESIGN.md §3).
public protocol SignerLedger: IntentLedger, OrderLedger {
  /// Signs payouts of a batch in one database transaction (DESIGN.md §3 point 1).
  ///
  /// Locks the batch's payouts that are `scheduled` and due, in id order; checks what may forbid signing; lets `decide`
  /// build and sign; stores transactions and attempts; sets `signed`; commits. What was signed is not returned: it is
  /// read again by `takeForBroadcast`, whose own clean COMMIT proves this one.
  /// - Throws: `LedgerError.outcomeUnknown`: whatever was committed will be taken for broadcast; signing it again is
  ///   impossible, because the next call waits for the lost transaction's locks and reads again.
  func sign(
    _ order: SigningOrder, decide: @escaping @Sendable (SigningBatch) throws -> [SigningDecision]
  ) async throws -> SigningOutcome

  /// Takes transactions that are due for a (repeated) broadcast, so that no other Signer takes them meanwhile.
  ///
  /// - Parameters:
  ///   - headTime: the head block's time; transactions expired by it are not taken.
  ///   - leaseMilliseconds: when they are due again (15 s, DESIGN.md §3 point 3).
  /// - Returns: only what is committed, with the life of the server under which it was read.
  func takeForBroadcast(
    wallet: Address, headTime: Timestamp, leaseMilliseconds: Int64, atMost count: Int
  ) async throws -> BroadcastLot
  /// Stores what nodes answered; those that a node has taken become `sent`, their payouts `broadcast`.
  func record(_ answers: [BroadcastRecord]) async throws

  /// The life of the server that this Signer would vouch for, and whether somebody did.
  func vouchingState(signer: String) async throws -> VouchingState
  /// Compares a journal with the database by txid, puts back exactly what is missing, and vouches, in one transaction.
  ///
  /// - Throws: `LedgerError`; nothing is vouched then.
  func vouch(_ vouching: Vouching, journal: [JournalEntry]) async throws -> VouchingOutcome
  /// Asks for the wait that stands in for a vouching (DESIGN.md §3 "Continuity").
  ///
  /// - Returns: what came of it, committed. A quarantine of another cause that stands under this name is replaced.
  func requestQuarantine(_ request: QuarantineRequest) async throws -> QuarantineAnswer
  /// Begins, or begins anew, the waits that have not begun under the present life of the server, and calls operators.
  ///
  /// - Parameters:
  ///   - head: the chain's head, whose time must agree with the database's clock within `CLOCK_BOUND_SECONDS`.
  ///   - life: the life under which `head` was read.
  func beginQuarantines(head: BlockPlace, under life: ServerLife) async throws -> QuarantineBeginning
  /// Holds some of the payouts that a vouching would hold because a rollback was seen and the log of intents is gone.
  ///
  /// - Returns: whether there may be more.
  func holdUnproven(atMost count: Int) async throws -> Bool
  /// Remembers that the log of intents, up to this entry, was compared with this database and nothing in it is lost.
  ///
  /// - Parameter life: the life of the server under which it was compared.
  /// - Returns: false, and nothing is remembered, where the history is not vouched for or the server has another life.
  func moveIntentCheckpoint(to lastID: String, under life: ServerLife) async throws -> Bool

  /// Tells whoever asks for a waiting payout what keeps this Signer from signing just now.
  func record(_ standstill: Standstill, of signer: String) async throws
  /// What may keep payouts from being paid just now.
  func conditions() async throws -> PayingConditions
  /// Holds the payouts of a batch that wait to be signed, because signing it fails again and again.
  func holdScheduled(batch: BatchID, note: String) async throws -> [PayoutID]
  /// Opens the breaker until an operator closes it, and raises the alarm that says why.
  func openBreaker(cause: String, subject: String, message: String) async throws
  /// Raises an alarm: one standing row a kind and subject.
  func raiseAlarm(kind: String, subject: String, message: String) async throws

  /// Batches with payouts that wait to be signed and whose stream entry may be lost, or whose retry delay is over: the
  /// first `count` after `last` in id order, told with the higher priorities first. Only released ones.
  func batchesToSign(
    waitingFor milliseconds: Int64, after last: BatchID?, atMost count: Int
  ) async throws -> [BatchID]
}

/// What is to be signed, and what the chain looks like.
public struct SigningOrder: Sendable, Hashable {
  /// The settlement batch.
  public let batch: BatchID
  /// The wallet that pays.
  public let wallet: Address
  /// This Signer's name.
  public let signer: String
  /// The head block that this Signer's node told.
  public let head: BlockPlace
  /// At most so many transactions may be out and not in a block.
  public let maximumInFlight: Int
  /// At most so many payouts are looked at now.
  public let maximumPayouts: Int
  /// At most so many of them are signed.
  public let maximumSigned: Int
  /// How many blocks the fence may be behind the head.
  public let fenceLagBlocks: Int64

  /// An order to sign.
  public init(
    batch: BatchID, wallet: Address, signer: String, head: BlockPlace, maximumInFlight: Int, maximumPayouts: Int,
    maximumSigned: Int = .max, fenceLagBlocks: Int64
  ) {
    self.batch = batch
    self.wallet = wallet
    self.signer = signer
    self.head = head
    self.maximumInFlight = maximumInFlight
    self.maximumPayouts = maximumPayouts
    self.maximumSigned = maximumSigned
    self.fenceLagBlocks = fenceLagBlocks
  }
}

/// The locked payouts of a batch, and what is needed to decide on each.
public struct SigningBatch: Sendable {
  /// In id order.
  public let candidates: [SigningCandidate]
  /// How many of them may be signed, at least 1: the first of which that can be proven and paid, in their order. What is
  /// decided to be signed beyond that is not stored, so that it must not be decided.
  public let capacity: Int
  /// What Signer signed in the present hour and day, by the ledger.
  public let signedThisHour: Amount
  /// Likewise for the day.
  public let signedThisDay: Amount
  /// The database's clock.
  public let now: Timestamp
  /// Which of these txids the ledger holds already is asked by the ledger itself; a collision makes it ask again with
  /// this number raised, and each transaction's timestamp takes the next second.
  public let secondsLater: Int64

  /// Of its parts; for this package's own ledgers.
  package init(
    candidates: [SigningCandidate], capacity: Int, signedThisHour: Amount, signedThisDay: Amount, now: Timestamp,
    secondsLater: Int64
  ) {
    self.candidates = candidates
    self.capacity = capacity
    self.signedThisHour = signedThisHour
    self.signedThisDay = signedThisDay
    self.now = now
    self.secondsLater = secondsLater
  }
}

/// One locked payout.
public struct SigningCandidate: Sendable, Hashable {
  /// The payout.
  public let payout: PayoutRecord
  /// The number this attempt would have.
  public let attemptNumber: Int
  /// Transactions of earlier attempts of its reference.
  public let earlierTransactions: [TxID]
  /// Whether its reference has a live or paid attempt.
  public let isReferenceInUse: Bool
  /// Unclaimed transfers of its recipient and amount: their reference bits, nil where a transfer has none.
  public let unclaimedReferenceBits: [Int64?]
  /// How it ended in a lost part of the history, by the log of intents, where nobody has said yet what holds.
  public let lostEnd: PayoutStatus?

  /// Of its parts; for this package's own ledgers.
  package init(
    payout: PayoutRecord, attemptNumber: Int, earlierTransactions: [TxID], isReferenceInUse: Bool,
    unclaimedReferenceBits: [Int64?], lostEnd: PayoutStatus?
  ) {
    self.payout = payout
    self.attemptNumber = attemptNumber
    self.earlierTransactions = earlierTransactions
    self.isReferenceInUse = isReferenceInUse
    self.unclaimedReferenceBits = unclaimedReferenceBits
    self.lostEnd = lostEnd
  }
}

/// What Signer decided on a candidate. Those it does not mention stay as they are.
public enum SigningDecision: Sendable, Hashable {
  /// Store this and set it `signed`.
  case sign(SignedPayout)
  /// Hold it; where `opensBreaker`, nothing else is signed until an operator closes the breaker.
  case hold(PayoutID, HoldReason, note: String, opensBreaker: Bool)
  /// Leave it and look again in so many milliseconds: Signer's own limit has no room now.
  case postpone(PayoutID, milliseconds: Int64, note: String)
}

/// One signed transaction with the payout it pays.
public struct SignedPayout: Sendable, Hashable {
  /// The payout.
  public let payout: PayoutID
  /// Its reference.
  public let reference: Reference
  /// 1 for the first attempt.
  public let attemptNumber: Int
  /// The transaction's identity.
  public let txid: TxID
  /// The whole serialized transaction with its signature.
  public let signedBytes: [UInt8]
  /// The solid block it refers to.
  public let referenceBlockNumber: Int64
  /// The head's time when it was built.
  public let headTime: Timestamp
  /// When it can no longer be included.
  public let expiration: Timestamp
  /// What its energy may cost at most.
  public let feeLimit: Sun
  /// The one Transfer it makes.
  public let transfer: ExpectedTransfer

  /// A signed payout.
  public init(
    payout: PayoutID, reference: Reference, attemptNumber: Int, txid: TxID, signedBytes: [UInt8],
    referenceBlockNumber: Int64, headTime: Timestamp, expiration: Timestamp, feeLimit: Sun, transfer: ExpectedTransfer
  ) {
    self.payout = payout
    self.reference = reference
    self.attemptNumber = attemptNumber
    self.txid = txid
    self.signedBytes = signedBytes
    self.referenceBlockNumber = referenceBlockNumber
    self.headTime = headTime
    self.expiration = expiration
    self.feeLimit = feeLimit
    self.transfer = transfer
  }
}

/// What came of an order to sign.
public enum SigningOutcome: Sendable, Hashable {
  /// Committed.
  case done(signed: Int, held: Int, waiting: Int)
  /// Nothing may be signed now.
  case blocked(SigningBlock)
}

/// Why nothing may be signed now.
public enum SigningBlock: String, Sendable, Hashable {
  /// Not every Signer has vouched for this life of the server.
  case notContinuous = "not_continuous"
  /// The fence has an open finding.
  case openFinding = "open_finding"
  /// An operator paused payments.
  case paused
  /// The breaker is open.
  case breakerOpen = "breaker_open"
  /// The one transaction that the breaker lets through is out.
  case breakerTrial = "breaker_trial"
  /// The fence is too far behind the head, or has not begun.
  case fenceBehind = "fence_behind"
  /// As many transactions are out as may be.
  case inFlightLimit = "in_flight_limit"
}

/// Transactions taken for broadcast.
public struct BroadcastLot: Sendable, Hashable {
  /// The server's life under which they were read.
  public let life: ServerLife
  /// Whether the history is vouched for.
  public let isContinuous: Bool
  /// As a journal holds them; those to be sent in the order in which they were due.
  public let transactions: [JournalEntry]
  /// Since when each of those to be sent was due.
  public let dueSince: [TxID: Timestamp]

  /// Of its parts; for this package's own ledgers.
  package init(
    life: ServerLife, isContinuous: Bool, transactions: [JournalEntry], dueSince: [TxID: Timestamp] = [:]
  ) {
    self.life = life
    self.isContinuous = isContinuous
    self.transactions = transactions
    self.dueSince = dueSince
  }
}

/// What a node answered.
public struct BroadcastRecord: Sendable, Hashable {
  /// The transaction.
  public let txid: TxID
  /// Whether some node has it now (SUCCESS, DUP or "P2P broadcast failed.").
  public let isTaken: Bool
  /// Code and message, for people; nil where no node was asked.
  public let answer: String?
  /// Where it was not taken: when to try again, in milliseconds.
  public let retryMilliseconds: Int64
  /// Where no node was asked: since when it was due, and is again.
  public let dueSince: Timestamp?

  /// An answer.
  public init(txid: TxID, isTaken: Bool, answer: String?, retryMilliseconds: Int64) {
    self.txid = txid
    self.isTaken = isTaken
    self.answer = answer
    self.retryMilliseconds = retryMilliseconds
    dueSince = nil
  }

  /// One that was taken to be sent and given to no node: it keeps its place, so that with slow nodes those that become due
  /// meanwhile do not pass it again and again.
  public init(unbegun txid: TxID, dueSince: Timestamp) {
    self.txid = txid
    isTaken = false
    answer = nil
    retryMilliseconds = 0
    self.dueSince = dueSince
  }
}

/// What a Signer needs to know before it vouches.
public struct VouchingState: Sendable, Hashable {
  /// The server's present life.
  public let life: ServerLife
  /// Whether the history is vouched for by all.
  public let isContinuous: Bool
  /// Whether this Signer has vouched for this life.
  public let hasVouched: Bool
  /// All Signers ever declared.
  public let declaredNames: [String]
  /// The wallet and journal that stand under this Signer's name; nil before `payoutctl signer init`.
  public let declared: DeclaredJournal?
  /// Random bytes of the process that vouched last under this name; nil where none ever did.
  public let lastRunID: [UInt8]?
  /// Whether the server has another life than when this name was last vouched for. Where it never was: whether the
  /// server has started since its declaration, or all others vouched for another life, as in a dump that was loaded since.
  public let hasServerChanged: Bool
  /// The quarantines that have not ended, of all Signers.
  public let quarantines: [QuarantineRecord]
  /// Whether a wait under the present life has stood in for this Signer's word, whoever ended it.
  public let hasWaited: Bool

  /// Of its parts; for this package's own ledgers.
  package init(
    life: ServerLife, isContinuous: Bool, hasVouched: Bool, declaredNames: [String], declared: DeclaredJournal?,
    lastRunID: [UInt8]?, hasServerChanged: Bool, quarantines: [QuarantineRecord], hasWaited: Bool
  ) {
    self.life = life
    self.isContinuous = isContinuous
    self.hasVouched = hasVouched
    self.declaredNames = declaredNames
    self.declared = declared
    self.lastRunID = lastRunID
    self.hasServerChanged = hasServerChanged
    self.quarantines = quarantines
    self.hasWaited = hasWaited
  }
}

/// A journal known to the database.
public struct DeclaredJournal: Sendable, Hashable {
  /// The wallet it is for.
  public let wallet: Address
  /// Its random id, 16 bytes.
  public let journalID: [UInt8]

  /// Of its parts; for this package's own ledgers.
  package init(
    wallet: Address, journalID: [UInt8]
  ) {
    self.wallet = wallet
    self.journalID = journalID
  }
}

/// A Signer's word that its journal and the database agree.
public struct Vouching: Sendable, Hashable {
  /// Its name.
  public let signer: String
  /// Its process.
  public let runID: [UInt8]
  /// All names that must vouch, as this Signer is configured (`SIGNER_NAMES`).
  public let names: [String]
  /// Its journal.
  public let journalID: [UInt8]
  /// The life it vouches for: where the server has another by now, nothing is vouched.
  public let life: ServerLife
  /// What it found in the log of intents, read under this life.
  public let intentLog: IntentLogWord

  /// A vouching.
  public init(
    signer: String, runID: [UInt8], names: [String], journalID: [UInt8], life: ServerLife,
    intentLog: IntentLogWord = .whole
  ) {
    self.signer = signer
    self.runID = runID
    self.names = names
    self.journalID = journalID
    self.life = life
    self.intentLog = intentLog
  }
}

/// What came of a vouching.
public enum VouchingOutcome: Sendable, Hashable {
  /// Vouched; `missing` names must vouch too before anything is signed.
  case vouched(putBack: [TxID], missing: [String])
  /// Not vouched yet: entries of the journal are later attempts of references whose earlier attempt is live again in
  /// this database; they go in once Monitor has found the earlier one's end. None are deferred where the log of intents is
  /// gone and something was put back: that is committed by itself, and the next call vouches.
  case waitsForVerdicts(putBack: [TxID], deferred: [TxID])
  /// Not vouched: the journal holds other attempts of references that are paid. Breaker and alarm are set.
  case contradicted([TxID])
  /// The server has another life by now: read the journal again.
  case anotherLife
  /// Another journal stands under this name: this one is not the one that was declared.
  case anotherJournal
  /// Not vouched: a quarantine of this name says that its journal's word is not enough.
  case waitsForQuarantine
}
