import Ledger
import Logging
import Payouts
import Streams
import Worker

/// Puts payouts whose window has ended into settlement batches and sends the batches on: urgent and high ones first, the
/// rest within a bound (`SchedulerLedger.scheduleDue`).
///
/// A round asks the ledger whose turn it is, so it needs no word from anybody: a window closes by the ledger's clock, those
/// missed while no Scheduler ran close with the first round, and a payout whose stream entry was lost is found all the
/// same. What waits for a later window is not read, however much it is.
///
/// The order is what keeps both laws: 1. the batches are committed, released; 2. their ids are appended to
/// `batches.ready`. After a death in between, or a failed append, Signer's own sweeper finds batches that nobody was told
/// of. Before 1 nothing has happened.
///
/// While `batches.ready` is long, Signer is behind, and nothing is added: its stream is worked off in order, so that what
/// goes in too early would stand in the way of whatever is more urgent later.
struct SchedulePayouts: Sendable {
  /// The most payouts in one round, and so in one transaction.
  static let payoutsMax = 500
  /// The most payouts in a settlement batch; the ledger's table knows the same limit.
  static let payoutsPerBatchMax = 100
  /// From so many batches in `batches.ready` on nothing is added: some seconds of Signer's work.
  static let readyBatchesMax = 100
  /// How often to look for ended windows, in milliseconds: so late may a batch be released.
  static let idleMilliseconds: Int64 = 500
  /// How often to look whether Signer has caught up, in milliseconds.
  static let behindMilliseconds: Int64 = 200

  let ledger: any SchedulerLedger
  let streams: any StreamTransport
  let clock: any WallClock
  let random: any RandomSource
  let metrics: SchedulerMetrics?
  let logger: Logger

  /// What a round came to.
  private enum Round {
    /// It took as many as it may: there may be more.
    case full
    /// It took all that was due.
    case done
    /// Signer is behind.
    case waits
  }

  /// One round; again at once where there may be more.
  ///
  /// - Throws: `LedgerError`, `StreamError`. An unknown COMMIT needs no care here: what it put into a batch is no longer
  ///   queued, and Signer's sweeper finds the batch.
  func run() async throws -> StepOutcome {
    switch try await round() {
    case .full: .worked
    case .done: .idle(milliseconds: SchedulePayouts.idleMilliseconds)
    case .waits: .idle(milliseconds: SchedulePayouts.behindMilliseconds)
    }
  }

  /// Rounds until nothing is due or Signer is behind.
  func runUntilDone() async throws {
    while case .full = try await round() {}
  }

  private func round() async throws -> Round {
    let readyBatches = try await streams.length(of: .batchesReady)
    metrics?.readyBatches.set(readyBatches)
    guard readyBatches < SchedulePayouts.readyBatchesMax else { return .waits }
    let batches = try await scheduleDue()
    guard !batches.isEmpty else { return .done }
    for batch in batches {
      metrics?.batches.increment()
      metrics?.payoutsScheduled.increment(by: batch.payouts.count)
      metrics?.batchPayouts.record(batch.payouts.count)
      logger.info(
        "Batch released", metadata: [LogKey.batchID: "\(batch.id)", LogKey.payoutCount: "\(batch.payouts.count)"])
      for payout in batch.payouts {
        logger.debug("In a batch", metadata: [LogKey.payoutID: "\(payout)", LogKey.batchID: "\(batch.id)"])
      }
    }
    // Where this fails the commit above stands, and Signer's sweeper finds these batches in the ledger.
    try await streams.append(batches.map { [StreamField.batchID: $0.id.description] }, to: .batchesReady)
    return batches.reduce(0) { $0 + $1.payouts.count } < SchedulePayouts.payoutsMax ? .done : .full
  }

  private func scheduleDue() async throws -> [SettlementBatch] {
    do {
      return try await ledger.scheduleDue(
        atMost: SchedulePayouts.payoutsMax, maximumPerBatch: SchedulePayouts.payoutsPerBatchMax, newBatchID: newBatchID)
    } catch let error as LedgerError where error.code.blamesTheRows {
      return try await scheduleApart(from: error)
    }
  }

  /// Finds the payouts because of which the ledger refuses a round, and holds them: a person decides, and the others go on.
  ///
  /// Where not one of several goes through, it is not they who are to blame: nobody is held, and the error stays one.
  private func scheduleApart(from error: LedgerError) async throws -> [SettlementBatch] {
    let due = try await ledger.duePayouts(atMost: SchedulePayouts.payoutsMax)
    var batches: [SettlementBatch] = []
    var refused: [(payout: PayoutID, error: LedgerError)] = []
    // Halves of what was refused, the first on top.
    var parts = [due[...]]
    while let part = parts.popLast() {
      do {
        batches += try await ledger.schedule(
          Array(part), maximumPerBatch: SchedulePayouts.payoutsPerBatchMax, newBatchID: newBatchID)
      } catch let error as LedgerError where error.code.blamesTheRows {
        if part.count > 1 {
          parts += [part.suffix(part.count - part.count / 2), part.prefix(part.count / 2)]
        } else if let payout = part.first {
          refused.append((payout, error))
        }
      }
    }
    if refused.count > 1, refused.count == due.count { throw error }
    for (payout, error) in refused { try await hold(payout, error) }
    return batches
  }

  private func hold(_ payout: PayoutID, _ error: LedgerError) async throws {
    let isHeld = try await ledger.holdQueued(
      payout, note: "it could not be put into a settlement batch: \(error.code)")
    metrics?.payoutsHeld.increment()
    logger.error(
      "A payout could not be put into a batch", error: error,
      metadata: [LogKey.payoutID: "\(payout)", LogKey.payoutStatusTo: isHeld ? "held" : "unchanged"])
  }

  @Sendable private func newBatchID() -> BatchID { BatchID(at: clock.now(), randomness: random.bytes(10)) }
}
