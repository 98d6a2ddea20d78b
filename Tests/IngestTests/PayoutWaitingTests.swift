import Payouts
import Testing

@testable import Ingest
@testable import Ledger

/// What a payout is told to wait for, in every state and under every condition.
struct PayoutWaitingTests {
  private static let since = Timestamp(milliseconds: 1_800_000_000_000)
  private static let later = since.advanced(byMilliseconds: 5_000)
  private static let now = since.advanced(byMilliseconds: 10_000)

  private func waiting(
    _ record: PayoutRecord, attempts: [AttemptRecord] = [], _ conditions: PayingConditions = .good()
  ) -> PayoutWaiting? {
    PayoutWaiting(record, attempts: attempts, conditions: conditions, requiredConfirmations: 19)
  }

  @Test func `every state that is not final waits for something, finals for nothing`() throws {
    // Proves that nobody is left without an answer.
    for status in PayoutStatus.allCases {
      let answer = waiting(try .some(status))
      #expect((answer == nil) == status.isFinal, "\(status)")
      if let answer { #expect(answer.since == Self.since && !answer.detail.isEmpty) }
    }
    #expect(waiting(try .some(.queued))?.what == .batch)
    #expect(waiting(try .some(.kycPending))?.what == .kyc)
    #expect(waiting(try .some(.compliancePending))?.what == .complianceSignature)
    #expect(waiting(try .some(.signed))?.what == .broadcast)
    #expect(waiting(try .some(.broadcast))?.what == .block)
    #expect(waiting(try .some(.held))?.what == .hold)
    #expect(waiting(try .some(.held))?.detail.contains("broken_seal, held from scheduled") == true)
  }

  @Test func `what keeps a scheduled payout is told in the order in which Signer looks`() throws {
    // Proves the order: each condition hides those after it, and goes away by itself.
    let record = try PayoutRecord.some(.scheduled, notBefore: Self.now.advanced(byMilliseconds: 1))
    var conditions = PayingConditions.good()
    conditions = .good(
      isContinuous: false, openFindings: 2, pauseReason: "audit", pausedSince: Self.later, breakerCause: "anomaly",
      breakerSince: Self.later, headMovedAt: .some(nil))
    #expect(waiting(record, conditions)?.what == .continuity)
    conditions = .good(
      openFindings: 2, pauseReason: "audit", pausedSince: Self.later, breakerCause: "anomaly", breakerSince: Self.later,
      headMovedAt: .some(nil))
    #expect(waiting(record, conditions)?.what == .fenceFinding)
    conditions = .good(
      pauseReason: "audit", pausedSince: Self.later, breakerCause: "anomaly", breakerSince: Self.later,
      headMovedAt: .some(nil))
    #expect(waiting(record, conditions)?.what == .pause)
    #expect(waiting(record, conditions)?.since == Self.later)
    conditions = .good(
      breakerCause: "anomaly", breakerSince: Self.since.advanced(byMilliseconds: -1), headMovedAt: .some(nil))
    #expect(waiting(record, conditions)?.what == .breaker)
    #expect(waiting(record, conditions)?.since == Self.since)
    #expect(waiting(record, .good(headMovedAt: .some(nil)))?.what == .chainWatch)
    #expect(waiting(record, .good())?.what == .retryDelay)
    #expect(waiting(try .some(.scheduled, notBefore: Self.now))?.what == .signing)
    #expect(waiting(try .some(.scheduled))?.what == .signing)
  }

  private func waiting(_ record: PayoutRecord, _ conditions: PayingConditions) -> PayoutWaiting? {
    waiting(record, attempts: [], conditions)
  }

  @Test func `a view of the chain that stands still is waited for after 30 s`() throws {
    // Proves both sides of the bound.
    let record = try PayoutRecord.some(.scheduled)
    let bound = PayoutWaiting.chainWatchMillisecondsMax
    #expect(waiting(record, .good(headMovedAt: Self.now.advanced(byMilliseconds: -bound)))?.what == .signing)
    #expect(waiting(record, .good(headMovedAt: Self.now.advanced(byMilliseconds: -bound - 1)))?.what == .chainWatch)
  }

  @Test func `confirmations are counted from block heights, and then the solid block is waited for`() throws {
    // Proves head − block + 1, that a head behind the block counts nothing, and what remains after nineteen.
    let record = try PayoutRecord.some(.confirming)
    let live = try AttemptRecord.some(.included, block: 100)
    for (head, expected) in [(Int64(99), "0 of 19"), (100, "1 of 19"), (117, "18 of 19")] {
      let answer = waiting(record, attempts: [live], .good(headNumber: head))
      #expect(answer?.what == .confirmations && answer?.detail.contains(expected) == true, "\(head)")
    }
    #expect(waiting(record, attempts: [live], .good(headNumber: 118))?.what == .solidBlock)
    let paid = try AttemptRecord.some(.solid, outcome: .paid, block: 100)
    #expect(waiting(record, attempts: [paid], .good(headNumber: 110))?.what == .confirmations)
    #expect(waiting(record, attempts: [paid], .good(headNumber: 118))?.detail.contains("19 of 19") == true)
  }

  @Test func `the live attempt is told, and the number of the next one`() throws {
    // Proves that an operator can follow the transaction at hand.
    let dead = try AttemptRecord.some(.dead, outcome: .dead, number: 1, blame: .expired)
    let live = try AttemptRecord.some(.signed, number: 2)
    let answer = waiting(try .some(.signed), attempts: [dead, live])
    #expect(answer?.detail.contains("\(live.txid), attempt 2") == true)
    #expect(waiting(try .some(.scheduled), attempts: [dead])?.detail.contains("attempt 2") == true)
  }

  @Test func `an open breaker tells who closes it, and when it tries`() throws {
    // Proves each kind: an operator's, one that waits for its trial's time, one whose trial is out, one whose trial is due.
    let record = try PayoutRecord.some(.scheduled)
    let operators = waiting(record, .good(breakerCause: "anomaly", breakerSince: Self.later))
    #expect(operators?.what == .breaker && operators?.detail.hasPrefix("an operator to close") == true)
    let next = Self.now.advanced(byMilliseconds: 1)
    let open = waiting(record, .good(breakerCause: "repeated_failures", breakerSince: Self.later, breakerTrialAt: next))
    #expect(open?.what == .breaker && open?.since == Self.later)
    #expect(open?.detail == "the circuit breaker's next trial at \(next), opened by: repeated_failures")
    let half = waiting(record, .good(breakerCause: "repeated_failures", isBreakerTrialOut: true))
    #expect(half?.what == .breakerTrial && half?.detail.contains("repeated_failures") == true)
    let due = waiting(record, .good(breakerCause: "repeated_failures", breakerTrialAt: Self.now))
    #expect(due?.what == .signing && due?.detail.contains("the circuit breaker's trial") == true)
  }

  @Test func `a failure without a cause, a delay and a full limit are told apart`() throws {
    // Proves that the cause of the last failure comes first, and that Signer's limit is not told as a retry's delay.
    let later = Self.now.advanced(byMilliseconds: 1)
    let open = try AttemptRecord.some(.failedOnChain, outcome: .failedOnChain)
    let known = try AttemptRecord.some(.failedOnChain, outcome: .failedOnChain, blame: .walletShort)
    let retried = try PayoutRecord.some(.scheduled, notBefore: later, notBeforeReason: .retry)
    #expect(waiting(retried, attempts: [open])?.what == .failureCause)
    #expect(waiting(retried, attempts: [open])?.detail.contains("\(open.txid)") == true)
    let delayed = waiting(retried, attempts: [known])
    #expect(delayed?.what == .retryDelay && delayed?.detail.contains("attempt 2, which ends at \(later)") == true)
    let full = waiting(try .some(.scheduled, notBefore: later, notBeforeReason: .signerLimit))
    #expect(full?.what == .signerLimit && full?.detail.contains("\(later)") == true)
    #expect(waiting(try .some(.scheduled, notBefore: Self.now, notBeforeReason: .signerLimit))?.what == .signing)
  }

  @Test func `what a Signer alone knows is told`() throws {
    // Proves both of its words, that the later beginning counts, and that what stands before them hides them.
    let record = try PayoutRecord.some(.scheduled)
    for (standstill, cause) in [(Standstill.inFlightLimit, PayoutWaiting.Cause.inFlightLimit), (.noNodeAccepts, .node)]
    {
      let told = waiting(record, .good(standstill: standstill, standstillSince: Self.later))
      #expect(told?.what == cause && told?.since == Self.later)
      let delayed = try PayoutRecord.some(.scheduled, notBefore: Self.now.advanced(byMilliseconds: 1))
      #expect(waiting(delayed, .good(standstill: standstill, standstillSince: Self.later))?.what == .retryDelay)
    }
  }

  @Test func `a node's refusal is told to whose transaction it refuses`() throws {
    // Proves that a payout that no node takes does not look as if nobody had tried.
    let refused = try AttemptRecord.some(.signed, lastAnswer: "SERVER_BUSY")
    #expect(waiting(try .some(.signed), attempts: [refused])?.detail.contains("last answered: SERVER_BUSY") == true)
  }

  @Test func `the first answer is told from the acceptance alone`() {
    // Proves that a replay says the same as the first answer did, in each state that a payout may begin in.
    func first(_ status: PayoutStatus, _ batchType: BatchType) -> PayoutWaiting? {
      PayoutWaiting(acceptedAs: status, batchType: batchType, windowEnd: Self.later, at: Self.since)
    }
    #expect(first(.queued, .immediate)?.what == .batch)
    #expect(first(.kycPending, .immediate)?.what == .kyc)
    #expect(first(.compliancePending, .hourly)?.what == .complianceSignature)
    for type in [BatchType.hourly, .daily, .weekly] {
      let window = first(.queued, type)
      #expect(window?.what == .window && window?.since == Self.since)
      #expect(window?.detail == "the end of the \(type.rawValue) window at \(Self.later)")
    }
    #expect(first(.queued, .immediate)?.since == Self.since)
  }

  @Test func `a queued payout waits for its window, and from its end on for what stops the Signer, or a batch`() throws
  {
    // Proves both sides of the window's end, and that what is told then is the cause and not its effect.
    let waits = try PayoutRecord.some(.queued, batchType: .hourly, windowEnd: Self.now.advanced(byMilliseconds: 1))
    #expect(waiting(waits)?.what == .window && waiting(waits)?.since == Self.since)
    #expect(waiting(waits, .good(breakerCause: "anomaly"))?.what == .window)
    let due = try PayoutRecord.some(.queued, batchType: .hourly, windowEnd: Self.now)
    #expect(waiting(due)?.what == .batch && waiting(due)?.since == Self.now)
    #expect(waiting(due, .good(breakerCause: "anomaly"))?.what == .breaker)
    #expect(waiting(due, .good(isContinuous: false))?.what == .continuity)
  }
}

extension PayingConditions {
  /// Nothing keeps anything, unless told otherwise.
  static func good(
    isContinuous: Bool = true, openFindings: Int = 0, pauseReason: String? = nil, pausedSince: Timestamp? = nil,
    breakerCause: String? = nil, breakerSince: Timestamp? = nil, breakerTrialAt: Timestamp? = nil,
    isBreakerTrialOut: Bool = false, standstill: Standstill? = nil, standstillSince: Timestamp? = nil,
    headNumber: Int64? = 120, headMovedAt: Timestamp?? = nil
  ) -> PayingConditions {
    let now = Timestamp(milliseconds: 1_800_000_010_000)
    return PayingConditions(
      now: now, isContinuous: isContinuous, openFindings: openFindings, pauseReason: pauseReason,
      pausedSince: pausedSince, breakerCause: breakerCause, breakerSince: breakerSince, breakerTrialAt: breakerTrialAt,
      isBreakerTrialOut: isBreakerTrialOut, standstill: standstill, standstillSince: standstillSince,
      headNumber: headNumber,
      headMovedAt: headMovedAt ?? now, solidNumber: 101)
  }
}

extension PayoutRecord {
  /// A payout in some state since one moment.
  static func some(
    _ status: PayoutStatus, batchType: BatchType = .immediate, windowEnd: Timestamp? = nil,
    notBefore: Timestamp? = nil, notBeforeReason: DelayReason? = nil
  ) throws -> PayoutRecord {
    let since = Timestamp(milliseconds: 1_800_000_000_000)
    let id = PayoutID(at: since, randomness: [UInt8](repeating: 1, count: 10))
    let terms = PayoutTerms(
      id: id, reference: Reference(payoutWithoutKey: id), owner: "owner", network: .nile,
      token: try Address(IngestScene.token), recipient: IngestScene.recipient, amount: try Amount(decimal: "12.5"),
      router: .v0, batchType: batchType, createdAt: since)
    return PayoutRecord(
      terms: terms, seal: Seal(version: 1, keyID: "k", signature: []),
      particulars: PayoutParticulars(priority: .normal, reason: .custom, requestID: "r"), acceptedStatus: .queued,
      status: status, statusSince: since, note: nil, heldFrom: status == .held ? .scheduled : nil,
      holdReason: status == .held ? HoldReason.brokenSeal.rawValue : nil, settlementBatch: nil, windowEnd: windowEnd,
      notBefore: notBefore, notBeforeReason: notBeforeReason)
  }
}

extension AttemptRecord {
  /// An attempt whose transaction stands somewhere.
  static func some(
    _ status: TransactionStatus, outcome: AttemptOutcome? = nil, number: Int = 1, block: Int64? = nil,
    blame: FailureBlame? = nil, cost: TransactionCost? = nil, lastAnswer: String? = nil
  ) throws -> AttemptRecord {
    let time = Timestamp(milliseconds: 1_800_000_003_000)
    let place = try block.map {
      BlockPlace(number: $0, id: try BlockID([UInt8](repeating: 3, count: 32)), time: time)
    }
    return AttemptRecord(
      number: number, txid: try TxID([UInt8](repeating: UInt8(number), count: 32)), outcome: outcome, status: status,
      signedAt: time, expiration: time, block: place, result: nil, blame: blame, cost: cost, lastAnswer: lastAnswer)
  }
}
