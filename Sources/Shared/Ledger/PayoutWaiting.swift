public import Payouts

/// What a payout that is not final waits for, since when, and in words for whoever asks (DESIGN.md §2).
///
/// A pure rule over what was read: the record, its attempts, and what may keep payouts from being paid just now. Ingest
/// tells it as `waiting_for`, the operator's command line prints it.
///
/// | state | waits for |
/// | --- | --- |
/// | kyc_pending, compliance_pending | `kyc`, `compliance_signature` |
/// | queued | `window` until it has ended; then as scheduled, or else `batch` |
/// | scheduled | the first that holds: `quarantine`, `continuity`, `fence_finding`, `pause`, `breaker`, `breaker_trial`, `chain_watch`, `failure_cause`, `retry_delay`, `signer_limit`, `in_flight_limit`, `node`, `signing` |
/// | signed | `broadcast` |
/// | broadcast | `block` |
/// | confirming | `confirmations`, then `solid_block` |
/// | held | `hold` |
/// | finals | nothing |
///
/// The order for `scheduled` is the one in which Signer checks: what is told is what would stop it first. What stops Signer
/// soon keeps the Scheduler from adding to its queue, so it is told of a queued payout that is due, too.
public struct PayoutWaiting: Sendable, Hashable {
  /// A closed set of causes; the raw values are part of the API.
  public enum Cause: String, Sendable, Hashable, CaseIterable {
    /// The identity check of its node.
    case kyc
    /// A compliance signature.
    case complianceSignature = "compliance_signature"
    /// The Scheduler, to put it into a settlement batch.
    case batch
    /// The end of its batch type's window.
    case window
    /// The Signers, to vouch for the database's history after a start of its server.
    case continuity
    /// The chain, to have shown all that was signed in a part of the ledger's history that may be lost.
    case quarantine
    /// An operator, to acknowledge a transfer that nobody here signed.
    case fenceFinding = "fence_finding"
    /// An operator, to resume payments.
    case pause
    /// The breaker, to be closed.
    case breaker
    /// The one transaction that the breaker lets through, to pay.
    case breakerTrial = "breaker_trial"
    /// The Monitor, to be close to the chain's head.
    case chainWatch = "chain_watch"
    /// The Monitor, to find out why its last attempt failed.
    case failureCause = "failure_cause"
    /// The end of the delay after an attempt that ended unpaid.
    case retryDelay = "retry_delay"
    /// Room in the Signer's own limit.
    case signerLimit = "signer_limit"
    /// Earlier transactions, to come into a block: no more may be out.
    case inFlightLimit = "in_flight_limit"
    /// Any node, to take transactions.
    case node
    /// The Signer, to sign its transaction.
    case signing
    /// A node, to take its transaction.
    case broadcast
    /// A block, to include its transaction.
    case block
    /// More blocks upon the one that holds its transaction.
    case confirmations
    /// The network, to make that block irreversible.
    case solidBlock = "solid_block"
    /// A person's decision.
    case hold
  }

  /// What it waits for.
  public let what: Cause
  /// Since when, by the database's clock; the later of its state's begin and the cause's, where that is known.
  public let since: Timestamp
  /// One sentence for people. Holds nothing that the payout's readers may not see.
  public let detail: String

  /// How long Monitor's view of the head may stand still before payouts are said to wait for it: 30 s, ten blocks, the
  /// distance at which Signer stops (DESIGN.md §7 "The fence").
  public static let chainWatchMillisecondsMax: Int64 = 30_000

  /// What this payout waits for; nil where it is final.
  ///
  /// - Parameters:
  ///   - attempts: its attempts, oldest first.
  ///   - conditions: read after the record, so that a state is never older than what explains it.
  ///   - requiredConfirmations: `REQUIRED_CONFIRMATIONS`.
  public init?(
    _ record: PayoutRecord, attempts: [AttemptRecord], conditions: PayingConditions, requiredConfirmations: Int64
  ) {
    let live = attempts.last { $0.outcome == nil }
    let since = record.statusSince
    switch record.status {
    case .confirmed, .failed, .rejected, .expired, .cancelled, .settledExternally: return nil
    case .kycPending:
      self.init(.kyc, since, "the identity check of its node")
    case .compliancePending:
      self.init(.complianceSignature, since, "a valid compliance signature")
    case .queued:
      self =
        record.windowEnd > conditions.now
        ? PayoutWaiting.queued(record.terms.batchType, windowEnd: record.windowEnd, since: since)
        : PayoutWaiting.blocked(record, conditions)
          ?? PayoutWaiting.queued(.immediate, windowEnd: record.windowEnd, since: max(since, record.windowEnd))
    case .scheduled:
      self = PayoutWaiting.blocked(record, conditions) ?? PayoutWaiting.toBeSigned(record, attempts, conditions)
    case .signed:
      let answer = live?.lastAnswer.map { ", which last answered: \($0)" } ?? ""
      self.init(.broadcast, since, "a node to take its transaction" + PayoutWaiting.named(live) + answer)
    case .broadcast:
      self.init(.block, since, "a block to include its transaction" + PayoutWaiting.named(live))
    case .confirming:
      let paid = attempts.last { $0.outcome == .paid }
      self = PayoutWaiting.confirming(paid ?? live, since: since, conditions, requiredConfirmations)
    case .held:
      let origin = record.heldFrom.map { ", held from \($0.rawValue)" } ?? ""
      self.init(.hold, since, "an operator's decision: \(record.holdReason ?? "no reason was given")\(origin)")
    }
  }

  /// What a payout waits for that was just accepted in that state, told from its acceptance alone: so that the first
  /// answer to its request can be told again at any later time.
  ///
  /// - Parameter windowEnd: when the window ends into which it was accepted.
  public init?(acceptedAs status: PayoutStatus, batchType: BatchType, windowEnd: Timestamp, at time: Timestamp) {
    switch status {
    case .kycPending: self.init(.kyc, time, "the identity check of its node")
    case .compliancePending: self.init(.complianceSignature, time, "a valid compliance signature")
    case .queued: self = PayoutWaiting.queued(batchType, windowEnd: windowEnd, since: time)
    // No payout begins in any of these (the database refuses it).
    case .scheduled, .signed, .broadcast, .confirming, .held, .confirmed, .failed, .rejected, .expired, .cancelled,
      .settledExternally:
      return nil
    }
  }

  private init(_ what: Cause, _ since: Timestamp, _ detail: String) {
    self.what = what
    self.since = since
    self.detail = detail
  }

  private static func queued(_ batchType: BatchType, windowEnd: Timestamp, since: Timestamp) -> PayoutWaiting {
    switch batchType {
    case .immediate: PayoutWaiting(.batch, since, "the Scheduler to put it into a settlement batch")
    case .hourly, .daily, .weekly:
      PayoutWaiting(.window, since, "the end of the \(batchType.rawValue) window at \(windowEnd)")
    }
  }

  /// What keeps every payout from being signed, in the order in which Signer looks.
  private static func blocked(_ record: PayoutRecord, _ conditions: PayingConditions) -> PayoutWaiting? {
    let since = record.statusSince
    if let quarantine = conditions.quarantine {
      let end = quarantine.until.map { "until a solid block of \($0) is read" } ?? "which a Signer is to begin"
      return PayoutWaiting(.quarantine, max(since, quarantine.since), "the end of a quarantine, \(end)")
    }
    if !conditions.isContinuous {
      return PayoutWaiting(
        .continuity, since, "every Signer to vouch for the ledger's history after the start of its database")
    }
    if conditions.openFindings > 0 {
      return PayoutWaiting(
        .fenceFinding, since, "an operator to look into \(conditions.openFindings) transfers that nobody here signed")
    }
    if let reason = conditions.pauseReason {
      return PayoutWaiting(
        .pause, max(since, conditions.pausedSince ?? since), "an operator to resume payments, paused for: \(reason)")
    }
    if let cause = conditions.breakerCause, !conditions.doesBreakerLetThrough {
      return breaker(since: max(since, conditions.breakerSince ?? since), cause, conditions)
    }
    guard let movedAt = conditions.headMovedAt, let head = conditions.headNumber else {
      return PayoutWaiting(.chainWatch, since, "the Monitor to begin reading the chain")
    }
    if conditions.now.milliseconds(since: movedAt) > chainWatchMillisecondsMax {
      return PayoutWaiting(
        .chainWatch, max(since, movedAt), "the Monitor to catch up with the chain: it read block \(head) at \(movedAt)")
    }
    return nil
  }

  private static func breaker(since: Timestamp, _ cause: String, _ conditions: PayingConditions) -> PayoutWaiting {
    if conditions.isBreakerTrialOut {
      return PayoutWaiting(
        .breakerTrial, since, "the circuit breaker's trial, another payout, to be paid; opened by: \(cause)")
    }
    if let trial = conditions.breakerTrialAt {
      return PayoutWaiting(.breaker, since, "the circuit breaker's next trial at \(trial), opened by: \(cause)")
    }
    return PayoutWaiting(.breaker, since, "an operator to close the circuit breaker, opened by: \(cause)")
  }

  private static func toBeSigned(
    _ record: PayoutRecord, _ attempts: [AttemptRecord], _ conditions: PayingConditions
  ) -> PayoutWaiting {
    let number = (attempts.map(\.number).max() ?? 0) + 1
    if let ended = attempts.last(where: { $0.outcome != nil && $0.outcome != .paid && $0.blame == nil }) {
      return PayoutWaiting(
        .failureCause, record.statusSince, "the Monitor to find out why attempt \(ended.number) failed: \(ended.txid)")
    }
    if let notBefore = record.notBefore, notBefore > conditions.now {
      if record.notBeforeReason == .signerLimit {
        return PayoutWaiting(
          .signerLimit, record.statusSince,
          "room in the Signer's limit, asked again at \(notBefore)\(record.note.map { ": \($0)" } ?? "")")
      }
      return PayoutWaiting(
        .retryDelay, record.statusSince,
        "the delay before attempt \(number), which ends at \(notBefore)\(record.note.map { ": \($0)" } ?? "")")
    }
    let since = max(record.statusSince, record.notBefore ?? record.statusSince)
    let standingSince = max(since, conditions.standstillSince ?? since)
    switch conditions.standstill {
    case .inFlightLimit:
      return PayoutWaiting(
        .inFlightLimit, standingSince, "transactions of other payouts to come into a block: no more may be out")
    case .noNodeAccepts:
      return PayoutWaiting(.node, standingSince, "a node to take transactions: one is tried with each block")
    case nil: break
    }
    let trial = conditions.breakerCause.map { " as the circuit breaker's trial, or to sign another; opened by: \($0)" }
    return PayoutWaiting(.signing, since, "the Signer to sign attempt \(number)" + (trial ?? ""))
  }

  private static func confirming(
    _ attempt: AttemptRecord?, since: Timestamp, _ conditions: PayingConditions, _ required: Int64
  ) -> PayoutWaiting {
    guard let block = attempt?.block, let head = conditions.headNumber else {
      return PayoutWaiting(.confirmations, since, "\(required) confirmations of its transaction" + named(attempt))
    }
    let count = confirmations(of: block, head: head)
    if count >= required, attempt?.outcome != .paid {
      return PayoutWaiting(
        .solidBlock, since,
        "block \(block.number) to become irreversible (\(count) confirmations; the solid block is "
          + "\(conditions.solidNumber.map(String.init) ?? "not known yet"))")
    }
    return PayoutWaiting(
      .confirmations, since, "confirmations: \(min(count, required)) of \(required), in block \(block.number)")
  }

  /// Confirmations of a block: head − block + 1 (DESIGN.md §7), 0 where the head is behind it.
  public static func confirmations(of block: BlockPlace, head: Int64) -> Int64 { max(0, head - block.number + 1) }

  private static func named(_ attempt: AttemptRecord?) -> String {
    attempt.map { " \($0.txid), attempt \($0.number), possible until \($0.expiration)" } ?? ""
  }
}
