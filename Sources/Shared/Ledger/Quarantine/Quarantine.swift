public import Payouts

/// Why a vouching cannot be had (DESIGN.md §3 "Continuity").
public enum QuarantineCause: String, Sendable, Hashable, CaseIterable {
  /// An operator says that this Signer will not come to vouch.
  case signerAway = "signer_away"
  /// Another journal is there under a declared name.
  case journalLost = "journal_lost"
  /// Signer and server have both started since the last vouching, so that one snapshot may have taken both back.
  case bothStarted = "both_started"
  /// The wallet signed before this Signer was declared.
  case walletPast = "wallet_past"
}

/// How a quarantine ended.
public enum QuarantineOutcome: String, Sendable, Hashable {
  /// The fence has read all blocks: the wait stands for the vouching.
  case waited
  /// The Signer vouched after all.
  case vouched
  /// Another quarantine took its place.
  case replaced
}

/// A request for a quarantine.
public struct QuarantineRequest: Sendable, Hashable {
  /// By so much a transaction may expire sooner than it was configured to: its expiration carries ten bits of a
  /// reference.
  package static let lifeRoundingMilliseconds: Int64 = 1_024

  /// Whose vouching is replaced.
  public let signer: String
  /// Why it cannot be had.
  public let cause: QuarantineCause
  /// The journal that takes the place of the lost one, 16 bytes; nil for every other cause.
  public let journalID: [UInt8]?
  /// How long what was signed in the lost part may live, in milliseconds; nil for `MAX_EXPIRATION_SECONDS`. Where both
  /// have started, the longest life that the database knows counts where it is longer.
  public let expirationMilliseconds: Int64?
  /// In a person's or program's words.
  public let reason: String

  /// A request.
  public init(
    signer: String, cause: QuarantineCause, journalID: [UInt8]? = nil, expirationMilliseconds: Int64? = nil,
    reason: String
  ) {
    self.signer = signer
    self.cause = cause
    self.journalID = journalID
    self.expirationMilliseconds = expirationMilliseconds
    self.reason = reason
  }
}

/// What came of a request for a quarantine.
public enum QuarantineAnswer: Sendable, Hashable {
  /// It is there, committed; a Signer begins it.
  case requested
  /// The same was there already.
  case standing
  /// Nothing waits for this Signer's word: the history is vouched for, or its journal is the declared one.
  case notNeeded
  /// Nobody has declared or listed a Signer of this name.
  case unknownSigner
  /// This journal's place was taken by another one, for ever; or it is another Signer's.
  case retiredJournal
}

/// A quarantine as it stands.
public struct QuarantineRecord: Sendable, Hashable {
  /// Its number.
  public let id: Int64
  /// Whose vouching it replaces.
  public let signer: String
  /// Why.
  public let cause: QuarantineCause
  /// The journal that takes the place of the lost one.
  public let journalID: [UInt8]?
  /// In the words of whoever asked for it.
  public let reason: String
  /// Who asked for it.
  public let declaredBy: String
  /// When, by the database's clock.
  public let declaredAt: Timestamp
  /// When the present wait began, by the database's clock; nil before a Signer has begun one.
  public let beganAt: Timestamp?
  /// The present wait ends with a solid block of this time or a later one, read by the fence.
  public let until: Timestamp?
  /// Whether the present wait belongs to the present life of the server; a Signer begins it anew where not.
  public let isOfPresentLife: Bool
  /// Whether the blocks are read: the next vouching ends it.
  public let isOver: Bool
  /// When it ended; nil while it is open.
  public let endedAt: Timestamp?
  /// How; nil while it is open.
  public let outcome: QuarantineOutcome?

  /// Of its parts; for this package's own ledgers.
  package init(
    id: Int64, signer: String, cause: QuarantineCause, journalID: [UInt8]?, reason: String, declaredBy: String,
    declaredAt: Timestamp, beganAt: Timestamp?, until: Timestamp?, isOfPresentLife: Bool, isOver: Bool,
    endedAt: Timestamp?, outcome: QuarantineOutcome?
  ) {
    self.id = id
    self.signer = signer
    self.cause = cause
    self.journalID = journalID
    self.reason = reason
    self.declaredBy = declaredBy
    self.declaredAt = declaredAt
    self.beganAt = beganAt
    self.until = until
    self.isOfPresentLife = isOfPresentLife
    self.isOver = isOver
    self.endedAt = endedAt
    self.outcome = outcome
  }
}

/// What came of beginning the waits that have not begun under the present life of the server.
public enum QuarantineBeginning: Sendable, Hashable {
  /// These signers' waits have begun now, until that chain time; none where all had begun.
  case begun([String: Timestamp])
  /// The head's time and the database's clock differ by so many milliseconds, more than the bound.
  case clocksDiffer(milliseconds: Int64)
  /// The server has another life by now.
  case anotherLife
}

/// What keeps payouts unsigned while a quarantine stands for a vouching.
public struct QuarantineCondition: Sendable, Hashable {
  /// Since when the oldest of them is there.
  public let since: Timestamp
  /// The latest chain time that one of them waits for; nil while one has not begun.
  public let until: Timestamp?

  /// Of its parts; for this package's own ledgers.
  package init(since: Timestamp, until: Timestamp?) {
    self.since = since
    self.until = until
  }
}

/// What a journal still brought whose place another one had taken.
public enum LateJournalOutcome: Sendable, Hashable {
  /// What was missing went in and gets its verdict from the chain; `deferred` go in once other attempts of the same
  /// references have ended, `contradicted` once their time is over: call again.
  case brought(putBack: [TxID], deferred: [TxID], contradicted: [TxID])
  /// No retired journal has this id.
  case notRetired
}
