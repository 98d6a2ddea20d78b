import Ledger
import Payouts

/// A model of the ledger's tables, for the simulator only: what the SQL of `Ledger` does, in memory.
///
/// It is a value, so that a backup is a copy and a restore an assignment. A differential test holds it against real
/// PostgreSQL, operation by operation. Every operation is one transaction: it throws and changes nothing, or does all.
struct LedgerTables: Sendable {
  /// A payout's row.
  struct Payout: Equatable, Sendable {
    let terms: PayoutTerms
    let seal: Seal
    let particulars: PayoutParticulars
    let acceptedStatus: PayoutStatus
    let windowEnd: Timestamp
    /// The beginnings of the limit windows that count it.
    let hourWindow: Timestamp
    let dayWindow: Timestamp
    var status: PayoutStatus
    var statusSince: Timestamp
    var note: String?
    var heldFrom: PayoutStatus?
    var holdReason: String?
    var settlementBatch: BatchID?
    var notBefore: Timestamp?
    var notBeforeReason: DelayReason?
    /// Whether it is held where its attempt ends unpaid: it may have ended in a lost part of the history.
    var isUnproven = false
  }

  /// A name that was claimed for ever.
  struct Claim: Equatable, Sendable {
    let payout: PayoutID
    var fingerprint: [UInt8]?
  }

  /// A client's batch.
  struct ClientBatch: Equatable, Sendable {
    let owner: String
    let size: ClientBatchSize
  }

  /// A settlement batch's row.
  struct Batch: Equatable, Sendable {
    let priority: Priority
  }

  /// A transaction's row.
  struct Transaction: Equatable, Sendable {
    let entry: SignedColumns
    var status: TransactionStatus = .signed
    var nextBroadcastAt: Timestamp
    var block: BlockPlace?
    var result: String?
    var cost: TransactionCost?
    var lastAnswer: String?
  }

  /// What of a transaction never changes.
  struct SignedColumns: Equatable, Sendable {
    let txid: TxID
    let wallet: Address
    let signer: String
    let signedBytes: [UInt8]
    let referenceBlockNumber: Int64
    let headTime: Timestamp
    let expiration: Timestamp
    let feeLimit: Sun
    let signedAt: Timestamp
  }

  /// An attempt's row.
  struct Attempt: Equatable, Sendable {
    let reference: Reference
    let payout: PayoutID
    let number: Int
    let txid: TxID
    let token: Address
    let recipient: Address
    let amount: Amount
    /// Whether a journal brought it after another attempt of its reference had paid.
    var isLate = false
    var outcome: AttemptOutcome?
    var endedAt: Timestamp?
    var blame: FailureBlame?

    var isLive: Bool { outcome == nil }
    /// A failure that nobody has judged.
    var isUnblamed: Bool { (outcome == .failedOnChain || outcome == .dead) && blame == nil }
  }

  /// Which amounts a window counts.
  struct Window: Hashable, Sendable {
    enum Scope: Hashable, Sendable {
      case accepted(RouterType?)
      case signed
    }

    let scope: Scope
    let span: LimitSpan
    let startsAt: Timestamp
  }

  /// The breaker's row.
  struct Breaker: Equatable, Sendable {
    enum State: Sendable { case closed, open, halfOpen }
    enum Exit: Sendable { case trial, operatorOnly }

    var state = State.closed
    var cause: String?
    var exit: Exit?
    var since: Timestamp
    var failuresInRow = 0
    var failedTrials = 0
    var trialAt: Timestamp?
    var trial: TxID?
  }

  /// Something of a watched account that no Signer of ours signed.
  struct Finding: Equatable, Sendable {
    var what: ChainFinding
    var place: BlockPlace
    let foundAt: Timestamp
    /// Whether a quorum's solid block holds it.
    var isSolid = false
    var isJudged = false
    var isExplained = false
    var isAcknowledged = false

    var isOpen: Bool { !isExplained && !isAcknowledged }
  }

  /// A vouching's row.
  struct VouchingRow: Equatable, Sendable {
    let signer: String
    let runID: [UInt8]
    let names: [String]
    let life: ServerLife
  }

  /// An alarm's row: one standing row a kind and subject.
  struct Alarm: Equatable, Sendable {
    let id: Int64
    let kind: String
    let subject: String
    var message: String
    let raisedAt: Timestamp
    var lastAt: Timestamp
    var count: Int64 = 1
    var isTold = false
    /// From when on it is told, and how often it was taken to be told.
    var tellAt: Timestamp
    var tellCount: Int64 = 0
    var isAcknowledged = false
  }

  /// What a Signer said that keeps it from signing.
  struct StandstillRow: Equatable, Sendable {
    let reason: Standstill
    let since: Timestamp
    let seenAt: Timestamp
  }

  /// A webhook secret's row.
  struct SecretRow: Equatable, Sendable {
    let secret: WebhookSecret
    var validUntil: Timestamp?
  }

  /// What a transaction sees of another one at the same moment. The simulator's transactions are never beside one another.
  struct Beside: Sendable {
    /// Rows that the other one has locked: `SKIP LOCKED` passes them by.
    var payouts: Set<PayoutID> = []
    var transactions: Set<TxID> = []
    /// By their origins.
    var servers: Set<String> = []
    /// Which priorities have something due, where that was read before the other one's end.
    var waiting: [DueTurn.Waiting]?
  }

  /// When the transaction that runs just now happens: `ledger_now()`.
  var now: Timestamp
  /// The server's life: another one after each start, restore or promotion.
  var life: ServerLife
  /// The life that all Signers have vouched for.
  var vouchedLife: ServerLife?

  var payouts: [PayoutID: Payout] = [:]
  var payoutIDs: [Reference: PayoutID] = [:]
  var claims: [Reference: Claim] = [:]
  var clientBatches: [BatchID: ClientBatch] = [:]
  var batches: [BatchID: Batch] = [:]
  var transactions: [TxID: Transaction] = [:]
  /// In the order of their numbers.
  var attempts: [Reference: [Attempt]] = [:]
  var references: [TxID: [Reference]] = [:]
  var events: [PayoutID: [PayoutEvent]] = [:]
  var used: [Window: Amount] = [:]
  var breaker: Breaker
  var pauseReason: String?
  var pausedSince: Timestamp?
  var standstills: [String: StandstillRow] = [:]
  var windows = WindowLengths.usual
  var findings: [Finding] = []
  var alarms: [Alarm] = []
  var wallets: [Address: BlockPlace] = [:]
  var journals: [String: DeclaredJournal] = [:]
  /// When each name was declared.
  var declaredAt: [String: Timestamp] = [:]
  var vouchings: [VouchingRow] = []
  /// In the order of their ids.
  var quarantines: [Quarantine] = []
  /// Whose they were.
  var retiredJournals: [[UInt8]: String] = [:]
  /// Unpaid ends that a restore took, as the log of intents tells them.
  var lostEnds: [LostEnd] = []
  /// Payouts that a restore took whose reference has another request now, of which a person was told.
  var toldConflicts: Set<PayoutID> = []
  /// When something was last put back from the log of intents.
  var replayedAt: Timestamp?
  /// Transactions that a Signer ever put back, and when.
  var putBacks: [TxID: Timestamp] = [:]
  /// Up to where the log of intents was compared, and under which life.
  var checkpoint: (lastID: String, life: ServerLife)?
  var cursors: [CursorView: BlockPlace] = [:]
  var headMovedAt: Timestamp?
  /// The part of the head's branch that may be undone, oldest first.
  var blocks: [BlockPlace] = []
  /// In the order of their numbers.
  var webhooks: [Webhook] = []
  var servers: [String: WebhookServer] = [:]
  /// In the order in which they were made.
  var secretRows: [String: [SecretRow]] = [:]
  /// In the order in which they were given.
  var adoptions: [Adoption] = []
  var treasury: [Treasury] = []
  var headResets: [HeadReset] = []
  /// The treasury's transaction that is signed despite the breaker in the transaction that runs just now.
  var emergencySweep: TxID?
  /// Transactions that a Signer puts back in the transaction that runs just now.
  var beingPutBack: Set<TxID> = []
  /// What the transaction that runs just now sees of another one at the same moment.
  var beside = Beside()
  /// Who writes: stands in each event.
  var actor = ""

  /// Empty tables of a server that lives `life`.
  init(now: Timestamp, life: ServerLife) {
    self.now = now
    self.life = life
    breaker = Breaker(since: now)
  }

  // MARK: Questions that many operations ask

  /// Whether the history of this life of the server is vouched for by all Signers.
  var isContinuous: Bool { vouchedLife == life }

  /// Whether anything may be signed or end unpaid.
  var isHistoryTrusted: Bool { isContinuous && !findings.contains(where: \.isOpen) }

  /// The attempt of a reference that is live or has paid: there is at most one, and late ones.
  func attemptInUse(of reference: Reference) -> Attempt? {
    let inUse = (attempts[reference] ?? []).filter { $0.isLive || $0.outcome == .paid }
    return inUse.first { !$0.isLate } ?? inUse.first
  }

  /// Payouts in a state, in the order of their ids.
  func payouts(in statuses: Set<PayoutStatus>) -> [Payout] {
    payouts.values.filter { statuses.contains($0.status) }.sorted { $0.terms.id < $1.terms.id }
  }

  /// The payout whose reference this is, where its row is not lost.
  func payout(of reference: Reference) -> Payout? { payoutIDs[reference].flatMap { payouts[$0] } }

  /// The references of a transaction's attempts, in order.
  func references(of txid: TxID) -> [Reference] { (references[txid] ?? []).sorted() }

  /// The beginning of a UTC window.
  static func windowStart(_ span: LimitSpan, _ moment: Timestamp) -> Timestamp {
    Timestamp(milliseconds: moment.milliseconds - moment.milliseconds % span.milliseconds)
  }
}

extension LedgerTables.Payout {
  /// The row as workers read it.
  var record: PayoutRecord {
    PayoutRecord(
      terms: terms, seal: seal, particulars: particulars, acceptedStatus: acceptedStatus, status: status,
      statusSince: statusSince, note: note, heldFrom: heldFrom, holdReason: holdReason,
      settlementBatch: settlementBatch, windowEnd: windowEnd, notBefore: notBefore, notBeforeReason: notBeforeReason)
  }
}
