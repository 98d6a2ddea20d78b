public import Payouts

/// What Ingest asks of the ledger.
public protocol IngestLedger: Sendable {
  /// Accepts a group of requests in one transaction: all that can be, each for itself, and each whole or not at all.
  ///
  /// - Returns: one outcome a request, in order. Nothing is accepted unless this returns.
  /// - Throws: `LedgerError`: `.outcomeUnknown` (asking again with the very same payouts finds out), `.unavailable`.
  func accept(_ requests: [AcceptanceRequest], limits: AcceptanceLimits) async throws -> [RequestOutcome]
  /// What was accepted under each reference, in order; nil where nothing was, or its row was lost.
  func accepted(under references: [Reference]) async throws -> [AcceptedRequest?]
  /// A payout by its id, whoever owns it.
  func payout(_ id: PayoutID) async throws -> PayoutRecord?
  /// The changes of a payout's state, oldest first.
  func history(of id: PayoutID) async throws -> [PayoutEvent]
  /// The attempts of a payout, oldest first.
  func attempts(of id: PayoutID) async throws -> [AttemptRecord]
  /// What may keep payouts from being paid just now.
  func conditions() async throws -> PayingConditions
  /// Withdraws a payout that waits for its signature: it ends `cancelled`, and its limits are released. Asking again answers
  /// the same.
  ///
  /// - Throws: `LedgerError`: `.outcomeUnknown` (asking again finds out), `.unavailable`.
  func cancel(_ payout: PayoutID, note: String) async throws -> CancelOutcome
  /// All hot wallets ever declared: none of them may be paid.
  func wallets() async throws -> [Address]
}

/// A payout that was validated and sealed, to be accepted.
public struct NewPayout: Sendable, Hashable {
  /// What is accepted.
  public let terms: PayoutTerms
  /// The seal over it.
  public let seal: Seal
  /// What the client said besides.
  public let particulars: PayoutParticulars
  /// SHA-256 over the parsed fields: tells whether the same key came with the same request.
  public let fingerprint: [UInt8]
  /// The state it begins in.
  public let status: PayoutStatus

  /// A payout to be accepted.
  public init(
    terms: PayoutTerms, seal: Seal, particulars: PayoutParticulars, fingerprint: [UInt8],
    status: PayoutStatus = .queued
  ) {
    self.terms = terms
    self.seal = seal
    self.particulars = particulars
    self.fingerprint = fingerprint
    self.status = status
  }
}

/// What became of one payout of a group.
public enum AcceptanceOutcome: Sendable {
  /// Committed.
  case accepted(PayoutRecord)
  /// Its reference was accepted before with the same fields: this is that payout.
  case replayed(PayoutRecord)
  /// Its reference was accepted before with other fields.
  case differentRequest
  /// It does not fit into a limit.
  case limitExceeded(LimitUse)
  /// A disaster lost the payout's row but not its name: seal it again under this id and submit that.
  case knownUnder(PayoutID)
  /// The database refused this payout alone.
  case refused(LedgerError)
}

/// A request that was accepted earlier.
public struct AcceptedRequest: Sendable, Hashable {
  /// The payout it created.
  public let record: PayoutRecord
  /// SHA-256 over its parsed fields.
  public let fingerprint: [UInt8]?

  /// Of its parts; for this package's own ledgers.
  package init(
    record: PayoutRecord, fingerprint: [UInt8]?
  ) {
    self.record = record
    self.fingerprint = fingerprint
  }
}

/// A window over which amounts are counted.
public enum LimitSpan: String, Sendable, Hashable, CaseIterable {
  /// A clock hour, UTC.
  case hour
  /// A calendar day, UTC.
  case day

  /// Its length.
  public var milliseconds: Int64 {
    switch self {
    case .hour: 3_600_000
    case .day: 86_400_000
    }
  }
}

/// How much may be accepted in an hour and in a day; nil is unlimited.
public struct SpanLimits: Sendable, Hashable {
  /// In an hour.
  public let hourly: Amount?
  /// In a day.
  public let daily: Amount?

  /// Limits as configured.
  public init(hourly: Amount?, daily: Amount?) {
    self.hourly = hourly
    self.daily = daily
  }
}

/// How much may be accepted: a payout needs room in all and for its router.
public struct AcceptanceLimits: Sendable, Hashable {
  /// `HOURLY_PAYOUT_LIMIT_USDT` and `DAILY_PAYOUT_LIMIT_USDT`.
  public let inAll: SpanLimits
  /// As `V0_HOURLY_PAYOUT_LIMIT_USDT`, by router; a router that is missing has no limit of its own.
  public let perRouter: [RouterType: SpanLimits]

  /// Limits as configured.
  public init(hourly: Amount?, daily: Amount?, perRouter: [RouterType: SpanLimits] = [:]) {
    inAll = SpanLimits(hourly: hourly, daily: daily)
    self.perRouter = perRouter
  }

  /// The limit of a window, in all where `router` is nil.
  public subscript(span: LimitSpan, of router: RouterType?) -> Amount? {
    let limits: SpanLimits? = router.map { perRouter[$0] } ?? inAll
    return switch span {
    case .hour: limits?.hourly
    case .day: limits?.daily
    }
  }
}

/// A window, its limit and what is used of it.
public struct LimitUse: Sendable, Hashable {
  /// Whose limit it is; nil for the one of all routers together.
  public let router: RouterType?
  /// Which window.
  public let span: LimitSpan
  /// When it began.
  public let startsAt: Timestamp
  /// What may be used.
  public let limit: Amount
  /// What is used.
  public let used: Amount

  /// Of its parts; for this package's own ledgers.
  package init(
    router: RouterType?, span: LimitSpan, startsAt: Timestamp, limit: Amount, used: Amount
  ) {
    self.router = router
    self.span = span
    self.startsAt = startsAt
    self.limit = limit
    self.used = used
  }

  /// When what is used begins anew.
  public var endsAt: Timestamp { startsAt.advanced(byMilliseconds: span.milliseconds) }
}

/// One change of a payout's state.
public struct PayoutEvent: Sendable, Hashable {
  /// When, by the database's clock.
  public let at: Timestamp
  /// The state before, nil for the acceptance.
  public let from: PayoutStatus?
  /// The state after.
  public let to: PayoutStatus
  /// Which worker made it.
  public let actor: String
  /// What it said.
  public let note: String?

  /// Of its parts; for this package's own ledgers.
  package init(
    at: Timestamp, from: PayoutStatus?, to: PayoutStatus, actor: String, note: String?
  ) {
    self.at = at
    self.from = from
    self.to = to
    self.actor = actor
    self.note = note
  }
}

/// One attempt to pay a payout, with its transaction.
public struct AttemptRecord: Sendable, Hashable {
  /// 1 for the first.
  public let number: Int
  /// Its transaction.
  public let txid: TxID
  /// How it ended; nil while live.
  public let outcome: AttemptOutcome?
  /// Where its transaction stands.
  public let status: TransactionStatus
  /// When it was signed.
  public let signedAt: Timestamp
  /// When its transaction can no longer be included.
  public let expiration: Timestamp
  /// The block that holds it, once one does.
  public let block: BlockPlace?
  /// The receipt's result, once it is solid.
  public let result: String?
  /// Whose failure it was that it ended unpaid, once that is known.
  public let blame: FailureBlame?
  /// What it cost, once it is solid.
  public let cost: TransactionCost?
  /// What nodes last answered to its broadcast.
  public let lastAnswer: String?

  /// Of its parts; for this package's own ledgers.
  package init(
    number: Int, txid: TxID, outcome: AttemptOutcome?, status: TransactionStatus, signedAt: Timestamp,
    expiration: Timestamp, block: BlockPlace?, result: String?, blame: FailureBlame?, cost: TransactionCost?,
    lastAnswer: String?
  ) {
    self.number = number
    self.txid = txid
    self.outcome = outcome
    self.status = status
    self.signedAt = signedAt
    self.expiration = expiration
    self.block = block
    self.result = result
    self.blame = blame
    self.cost = cost
    self.lastAnswer = lastAnswer
  }
}

/// What keeps a Signer from signing that no table but its own word tells.
public enum Standstill: String, Sendable, Hashable, CaseIterable {
  /// As many transactions are out and in no block as may be.
  case inFlightLimit = "in_flight_limit"
  /// No node takes transactions: one trial is signed a block.
  case noNodeAccepts = "no_node_accepts"
}

/// What may keep payouts from being paid just now; told to whoever asks for a payout that waits.
public struct PayingConditions: Sendable, Hashable {
  /// The database's clock, by which all deadlines are judged.
  public let now: Timestamp
  /// Whether every Signer has vouched for this life of the server.
  public let isContinuous: Bool
  /// The quarantine that payouts wait for; nil where none is open, or where other Signers go on meanwhile.
  public let quarantine: QuarantineCondition?
  /// Findings of the fence that nobody has acknowledged.
  public let openFindings: Int
  /// Why an operator paused payments, where one did.
  public let pauseReason: String?
  /// Since when.
  public let pausedSince: Timestamp?
  /// Why the breaker is open, where it is.
  public let breakerCause: String?
  /// Since when.
  public let breakerSince: Timestamp?
  /// From when on one transaction may be signed as its trial, where a trial can close it and none is out.
  public let breakerTrialAt: Timestamp?
  /// Whether its trial is out: it is half open.
  public let isBreakerTrialOut: Bool
  /// What a Signer said a moment ago that keeps it from signing.
  public let standstill: Standstill?
  /// Since when.
  public let standstillSince: Timestamp?
  /// How far the head's branch was read.
  public let headNumber: Int64?
  /// When Monitor last moved it: its age tells whether the chain is being followed.
  public let headMovedAt: Timestamp?
  /// How far the solid chain was read.
  public let solidNumber: Int64?

  /// Of its parts; for this package's own ledgers.
  package init(
    now: Timestamp, isContinuous: Bool, openFindings: Int, pauseReason: String?, pausedSince: Timestamp?,
    breakerCause: String?, breakerSince: Timestamp?, breakerTrialAt: Timestamp?, isBreakerTrialOut: Bool,
    standstill: Standstill?, standstillSince: Timestamp?, headNumber: Int64?, headMovedAt: Timestamp?,
    solidNumber: Int64?, quarantine: QuarantineCondition? = nil
  ) {
    self.now = now
    self.isContinuous = isContinuous
    self.quarantine = quarantine
    self.openFindings = openFindings
    self.pauseReason = pauseReason
    self.pausedSince = pausedSince
    self.breakerCause = breakerCause
    self.breakerSince = breakerSince
    self.breakerTrialAt = breakerTrialAt
    self.isBreakerTrialOut = isBreakerTrialOut
    self.standstill = standstill
    self.standstillSince = standstillSince
    self.headNumber = headNumber
    self.headMovedAt = headMovedAt
    self.solidNumber = solidNumber
  }

  /// Whether the breaker lets a transaction through: it is closed, or its trial is due.
  public var doesBreakerLetThrough: Bool {
    breakerCause == nil || breakerTrialAt.map { $0 <= now } ?? false
  }
}
