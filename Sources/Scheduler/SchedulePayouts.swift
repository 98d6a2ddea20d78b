import Ledger
import Logging
import Payouts
import Streams
import Worker

/// Reads entries of `payouts.immediate`, puts the payouts they name into settlement batches, and sends the batches on.
///
/// The order is what keeps both laws: 1. the batches are committed; 2. their ids are appended to `batches.ready`;
/// 3. only then are the entries acknowledged. After a death between 1 and 2, or a failed append, the payouts are
/// `scheduled` and their entries come again and find nothing to do: Signer's own sweeper finds a batch that nobody was
/// told of. Before 1 nothing has happened.
///
/// An entry is never the authority to pay. It says "look at this payout", and the ledger alone knows whether that
/// payout exists, is queued, and what it is: duplicates and forgeries do nothing.
struct SchedulePayouts: Sendable {
  /// The most entries in one round, and so the most payouts in one transaction.
  static let maximumEntries = 500
  /// The most payouts in a settlement batch; the ledger's table knows the same limit.
  static let maximumPerBatch = 100
  /// How often an entry is tried before its payout is held: a minute of failures, at least.
  static let maximumDeliveries = 8
  /// The wait after a round that found nothing, in milliseconds; the reading itself waits for entries.
  static let idleMilliseconds: Int64 = 5

  let ledger: any SchedulerLedger
  let streams: any StreamTransport
  let clock: any WallClock
  let random: any RandomSource
  let metrics: SchedulerMetrics?
  let logger: Logger

  /// This step as a consumer of its stream; each of its steps is one round.
  func consumer(named name: ConsumerName) throws(StreamError) -> StreamConsumer {
    var configuration = StreamConsumerConfiguration(streams: [.payoutsImmediate], group: .scheduler, consumer: name)
    configuration.count = SchedulePayouts.maximumEntries
    configuration.maximumDeliveries = SchedulePayouts.maximumDeliveries
    let clock = clock
    return try StreamConsumer(
      transport: streams, configuration: configuration, now: { clock.now().milliseconds }, handle: handle,
      giveUp: giveUp)
  }

  /// Handles entries and returns those that are done with: all of them, or it throws and none is.
  ///
  /// - Throws: `LedgerError`, `StreamError`. An unknown COMMIT needs no care here: the entries come again, and the
  ///   ledger passes over payouts that are queued no more.
  @Sendable func handle(_ entries: [StreamEntry]) async throws -> [StreamEntry] {
    metrics?.entriesRead.increment(by: entries.count)
    let payouts = named(by: entries)
    if !payouts.isEmpty { try await schedule(payouts) }
    return entries
  }

  /// What is left to do about an entry that failed again and again: one more try, alone, and then a person decides.
  ///
  /// The failures may have been the database's, which was away, so the payout is tried once more; where that works the
  /// entry ends here and no dead letter is written. While the database is away this throws, and the entry stays.
  @Sendable func giveUp(_ entry: StreamEntry) async throws -> String {
    guard let payout = payout(in: entry) else { return "the entry names no payout" }
    do {
      try await schedule([payout])
      try await streams.acknowledge([entry], group: .scheduler)
      return "done at last"
    } catch let error as LedgerError where error.code.blamesTheRows {
      let note = "it could not be put into a settlement batch: \(error.code)"
      let isHeld = try await ledger.holdQueued(payout, note: note)
      metrics?.entriesGivenUp.increment()
      logger.error(
        "Entry given up, its payout is held", error: error,
        metadata: [
          LogKey.payoutID: "\(payout)", LogKey.streamEntryID: "\(entry.id)",
          LogKey.deliveryCount: "\(entry.deliveries)",
          LogKey.payoutStatusTo: isHeld ? "held" : "unchanged",
        ])
      return note
    }
  }

  private func schedule(_ payouts: [PayoutID]) async throws {
    let clock = clock
    let random = random
    let batches = try await ledger.schedule(payouts, maximumPerBatch: SchedulePayouts.maximumPerBatch) {
      BatchID(at: clock.now(), randomness: random.bytes(10))
    }
    guard !batches.isEmpty else { return }
    for batch in batches {
      metrics?.batches.increment()
      metrics?.payoutsScheduled.increment(by: batch.payouts.count)
      metrics?.batchPayouts.record(batch.payouts.count)
      logger.info(
        "Batch released", metadata: [LogKey.batchID: "\(batch.id)", LogKey.payoutCount: "\(batch.payouts.count)"])
    }
    // Where this fails the commit above stands, and Signer's sweeper finds these batches in the ledger.
    try await streams.append(batches.map { [StreamField.batchID: $0.id.description] }, to: .batchesReady)
  }

  /// The payouts that entries name, each once, in the order of the entries. What names none is told in one line.
  private func named(by entries: [StreamEntry]) -> [PayoutID] {
    var seen: Set<PayoutID> = []
    var payouts: [PayoutID] = []
    var malformed: [StreamEntry] = []
    for entry in entries {
      guard let payout = payout(in: entry) else {
        malformed.append(entry)
        continue
      }
      if seen.insert(payout).inserted { payouts.append(payout) }
    }
    if let first = malformed.first {
      metrics?.entriesMalformed.increment(by: malformed.count)
      logger.warning(
        "Entries name no payout and are dropped: only Ingest and Scheduler should write to this stream",
        metadata: [
          LogKey.streamName: "\(first.stream)", LogKey.streamEntryID: "\(first.id)",
          LogKey.streamEntryCount: "\(malformed.count)",
        ])
    }
    return payouts
  }

  private func payout(in entry: StreamEntry) -> PayoutID? {
    // A text that is no id says all there is to know; the reason would be told to nobody.
    entry.fields[StreamField.payoutID].flatMap { try? PayoutID($0) }
  }
}
