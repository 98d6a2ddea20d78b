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
    #expect(waiting(try .some(.queued, batchType: .daily))?.what == .window)
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
    let dead = try AttemptRecord.some(.dead, outcome: .dead, number: 1)
    let live = try AttemptRecord.some(.signed, number: 2)
    let answer = waiting(try .some(.signed), attempts: [dead, live])
    #expect(answer?.detail.contains("\(live.txid), attempt 2") == true)
    #expect(waiting(try .some(.scheduled), attempts: [dead])?.detail.contains("attempt 2") == true)
  }

  @Test func `the first answer is told from the acceptance alone`() {
    // Proves that a replay says the same as the first answer did, in each state that a payout may begin in.
    #expect(PayoutWaiting(acceptedAs: .queued, batchType: .immediate, at: Self.since)?.what == .batch)
    #expect(PayoutWaiting(acceptedAs: .kycPending, batchType: .immediate, at: Self.since)?.what == .kyc)
    #expect(
      PayoutWaiting(acceptedAs: .compliancePending, batchType: .hourly, at: Self.since)?.what == .complianceSignature)
    #expect(PayoutWaiting(acceptedAs: .queued, batchType: .hourly, at: Self.since)?.what == .window)
    #expect(PayoutWaiting(acceptedAs: .queued, batchType: .immediate, at: Self.since)?.since == Self.since)
  }
}

extension PayingConditions {
  /// Nothing keeps anything, unless told otherwise.
  static func good(
    isContinuous: Bool = true, openFindings: Int = 0, pauseReason: String? = nil, pausedSince: Timestamp? = nil,
    breakerCause: String? = nil, breakerSince: Timestamp? = nil, headNumber: Int64? = 120,
    headMovedAt: Timestamp?? = nil
  ) -> PayingConditions {
    let now = Timestamp(milliseconds: 1_800_000_010_000)
    return PayingConditions(
      now: now, isContinuous: isContinuous, openFindings: openFindings, pauseReason: pauseReason,
      pausedSince: pausedSince, breakerCause: breakerCause, breakerSince: breakerSince, headNumber: headNumber,
      headMovedAt: headMovedAt ?? now, solidNumber: 101)
  }
}

extension PayoutRecord {
  /// A payout in some state since one moment.
  static func some(
    _ status: PayoutStatus, batchType: BatchType = .immediate, notBefore: Timestamp? = nil
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
      holdReason: status == .held ? HoldReason.brokenSeal.rawValue : nil, settlementBatch: nil, notBefore: notBefore)
  }
}

extension AttemptRecord {
  /// An attempt whose transaction stands somewhere.
  static func some(
    _ status: TransactionStatus, outcome: AttemptOutcome? = nil, number: Int = 1, block: Int64? = nil,
    cost: TransactionCost? = nil
  ) throws -> AttemptRecord {
    let time = Timestamp(milliseconds: 1_800_000_003_000)
    let place = try block.map {
      BlockPlace(number: $0, id: try BlockID([UInt8](repeating: 3, count: 32)), time: time)
    }
    return AttemptRecord(
      number: number, txid: try TxID([UInt8](repeating: UInt8(number), count: 32)), outcome: outcome, status: status,
      signedAt: time, expiration: time, block: place, result: nil, cost: cost, lastAnswer: nil)
  }
}
