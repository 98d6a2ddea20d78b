public import Payouts

/// What a person decides about a held payout.
public enum HeldDecision: Sendable, Hashable {
  /// It goes on where it was held from, or is signed again where its attempt has ended unpaid meanwhile.
  case release
  /// The same, although the log of intents says that it ended in a lost part of the history: that end does not hold.
  case releaseAlthoughEnded
  /// It is never paid.
  case reject
  /// It was paid another way; the proof says how. Also where its attempt is anomalous, which then stays so for ever.
  case settle(proof: String)
  /// Its anomalous attempt has paid it: a person has looked at the solid chain.
  case adopt(TxID)

  /// What stands in the payout's history.
  /// - Parameter reason: why, in the person's words.
  public func note(_ reason: String) -> String {
    switch self {
    case .release, .reject, .adopt: reason
    case .releaseAlthoughEnded: "released although the log of intents says that it ended: \(reason)"
    case .settle(let proof): "\(reason) (proof: \(proof))"
    }
  }
}

extension HoldReason {
  /// Whether whoever lets a payout go that is held for `reason` has named enough.
  package static func isNamed(reason: String, by seen: String?) -> Bool {
    seen.map { $0 == reason } ?? (HoldReason(rawValue: reason)?.mustBeNamed == false)
  }
}

/// What came of a decision about a held payout.
public enum HeldOutcome: Sendable, Hashable {
  /// Where the payout is now, committed.
  case done(PayoutStatus)
  /// Nothing was changed.
  case refused(HeldRefusal)
}

/// Why a decision about a payout cannot be carried out.
public enum HeldRefusal: Sendable, Hashable {
  /// No such payout.
  case unknownPayout
  /// It is not held.
  case notHeld(PayoutStatus)
  /// This transaction may still pay it.
  case attemptIsLive(TxID, TransactionStatus)
  /// This transaction has paid its reference.
  case attemptHasPaid(TxID)
  /// It has no live attempt that is anomalous, pays exactly it, and is this transaction.
  case notItsAnomaly(TxID)
  /// The block of this transaction is not solid yet.
  case notSolid(TxID)
  /// This transaction has paid it and lies so many blocks deep; that is not enough yet.
  case confirmationsAreMissing(TxID, confirmations: Int64)
  /// It ended like this in a part of the history that a restore took, by the log of intents; nobody has said what holds.
  case endedBeforeRestore(PayoutStatus)
  /// It is held for this, which whoever lets it go did not name: it may have been held for something else when he looked.
  case heldFor(String)
  /// Nothing ends unpaid or goes back to `signed` now: the Signers have not vouched for the database's history, or a finding is open.
  case historyNotTrusted
}

/// The breaker as it stands.
public struct BreakerReport: Sendable, Hashable {
  /// `closed`, `open` or `half_open`.
  public let state: String
  /// Why it is not closed; nil where it is.
  public let cause: String?
  /// Who can close it, where it is not closed: `trial` or `operator`.
  public let closesBy: String?
  /// Since when.
  public let since: Timestamp
  /// From when on one transaction may be signed as a trial, where a trial can close it and none is out.
  public let trialAt: Timestamp?
  /// The trial that is out, where it is half open.
  public let trial: TxID?
  /// How many trials have failed since it opened.
  public let failedTrials: Int
  /// How often it was opened, by whatever, also while it was open.
  public let openings: Int64
  /// What stands open of the fence, oldest first; at most ``findingsMaximum`` of them.
  public let findings: [FindingRecord]

  /// How many findings are told at most: a stolen key can make more than a person reads.
  public static let findingsMaximum = 100
}

/// A finding of the fence: something moved a watched account and was signed by no Signer of ours.
public struct FindingRecord: Sendable, Hashable {
  /// `owned_transaction` or `token_transfer`.
  public let kind: String
  /// In which transaction.
  public let txid: TxID
  /// The watched account.
  public let wallet: Address
  /// Who received, where it is a transfer.
  public let recipient: Address?
  /// How much of the token's smallest unit, as decimal digits: a foreign value need not fit into an amount.
  public let amountText: String?
  /// The block that held it.
  public let blockNumber: Int64
  /// When Monitor found it.
  public let foundAt: Timestamp
  /// Whether it was found to be nobody's after the Signers had vouched; only such a finding can be acknowledged.
  public let isJudged: Bool
  /// Whether an operator has acknowledged it. It stays unexplained, and no payout that equals it is signed.
  public let isAcknowledged: Bool
  /// Whether a quorum had that block solid.
  public let isSolid: Bool

  /// Of its parts; for this package's own ledgers.
  package init(
    kind: String, txid: TxID, wallet: Address, recipient: Address?, amountText: String?, blockNumber: Int64,
    foundAt: Timestamp, isJudged: Bool, isAcknowledged: Bool, isSolid: Bool
  ) {
    self.kind = kind
    self.txid = txid
    self.wallet = wallet
    self.recipient = recipient
    self.amountText = amountText
    self.blockNumber = blockNumber
    self.foundAt = foundAt
    self.isJudged = isJudged
    self.isAcknowledged = isAcknowledged
    self.isSolid = isSolid
  }
}

/// What somebody has looked at who closes the breaker.
public struct SeenBreaker: Sendable, Hashable {
  /// Why it is open; nil where it is closed.
  public let cause: String?
  /// How often it had been opened then; nil where nobody has looked.
  public let openings: Int64?
  /// The transactions that the fence found.
  public let findings: Set<TxID>

  /// What was looked at.
  public init(cause: String?, openings: Int64?, findings: Set<TxID>) {
    self.cause = cause
    self.openings = openings
    self.findings = findings
  }
}

/// What came of closing the breaker.
public enum BreakerClosing: Sendable, Hashable {
  /// It is closed, committed.
  case closed(ClosedBreaker)
  /// It was closed, and nothing was to be acknowledged. Nothing was changed.
  case nothingToClose
  /// It is open by another cause than the one that was seen, or was opened again since. Nothing was changed.
  case openedSince(cause: String, openings: Int64)
  /// The fence has found these besides. Nothing was changed.
  case unseen([TxID])
}

/// A breaker that was closed.
public struct ClosedBreaker: Sendable, Hashable {
  /// Why it had been open; nil where it was closed and only findings were acknowledged.
  public let cause: String?
  /// The findings that were acknowledged with it, oldest first.
  public let acknowledged: [FindingRecord]
}

/// An alarm that stands until somebody acknowledges it.
public struct AlarmRecord: Sendable, Hashable {
  /// Its number.
  public let id: Int64
  /// The closed set of causes is its raisers'.
  public let kind: String
  /// What it is about, such as `payout …`.
  public let subject: String
  /// What happened and what to do.
  public let message: String
  /// First raised.
  public let raisedAt: Timestamp
  /// Last raised.
  public let lastAt: Timestamp
  /// How often it was raised.
  public let count: Int64

  /// Of its parts; for this package's own ledgers.
  package init(
    id: Int64, kind: String, subject: String, message: String, raisedAt: Timestamp, lastAt: Timestamp, count: Int64
  ) {
    self.id = id
    self.kind = kind
    self.subject = subject
    self.message = message
    self.raisedAt = raisedAt
    self.lastAt = lastAt
    self.count = count
  }
}

/// How much waits in a stage.
public struct StageDepth: Sendable, Hashable {
  /// The state.
  public let status: PayoutStatus
  /// How many payouts are in it, or the bound of the count where they are more.
  public let count: Int64
  /// For how long the oldest one has been in it, by the database's clock, in milliseconds; nil where there is none. Of
  /// `queued`: for how long its window has ended.
  public let oldestAgeMilliseconds: Int64?
}
