import Logging
import Payouts
import Streams
import Worker

/// Reads the four streams of accepted payouts, and has a round made at once where something is in them.
///
/// An entry is never the authority to pay, nor a place in a queue: it says "look", and the ledger alone knows what is
/// queued, whose window has ended and whose turn it is. So duplicates and forgeries do nothing; an entry whose payout waits
/// for its window, or for Signer to catch up, is done with as well, since the ledger holds the payout; and a lost one costs
/// as much as half a second (`SchedulePayouts.idleMilliseconds`).
///
/// Entries are acknowledged after the commit of the batches that they led to.
struct ListenForPayouts: Sendable {
  /// The streams, one a batch type.
  static let streams: [StreamName] = [.payoutsImmediate, .payoutsHourly, .payoutsDaily, .payoutsWeekly]
  /// The most entries read at once from each.
  static let entriesMax = 500
  /// The wait after a reading that found nothing, in milliseconds; the reading itself waits for entries.
  static let idleMilliseconds: Int64 = 5

  let scheduling: SchedulePayouts
  let transport: any StreamTransport
  let clock: any WallClock
  let metrics: SchedulerMetrics?
  let logger: Logger

  /// This step as a consumer of its streams; each of its steps is one round.
  func consumer(named name: ConsumerName) throws(StreamError) -> StreamConsumer {
    var configuration = StreamConsumerConfiguration(
      streams: ListenForPayouts.streams, group: .scheduler, consumer: name)
    configuration.count = ListenForPayouts.entriesMax
    let clock = clock
    return try StreamConsumer(
      transport: transport, configuration: configuration, now: { clock.now().milliseconds }, handle: handle,
      giveUp: giveUp)
  }

  /// Handles entries and returns those that are done with: all of them, or it throws and none is.
  @Sendable private func handle(_ entries: [StreamEntry]) async throws -> [StreamEntry] {
    metrics?.entriesRead.increment(by: entries.count)
    tellMalformed(entries)
    try await scheduling.runUntilDone()
    return entries
  }

  /// An entry that was delivered so often has met a ledger or a Redis that was away, or a process that died: it is
  /// nobody's fault but theirs. Once a round works it is done with, and no dead letter is written.
  @Sendable private func giveUp(_ entry: StreamEntry) async throws -> String {
    try await scheduling.runUntilDone()
    try await transport.acknowledge([entry], group: .scheduler)
    return "done at last"
  }

  /// What names no payout wakes as well as any other, but nobody of ours writes it. Told in one line.
  private func tellMalformed(_ entries: [StreamEntry]) {
    // A text that is no id says all there is to know; the reason would be told to nobody.
    let malformed = entries.filter { entry in
      entry.fields[StreamField.payoutID].flatMap { try? PayoutID($0) } == nil
    }
    guard let first = malformed.first else { return }
    metrics?.entriesMalformed.increment(by: malformed.count)
    logger.warning(
      "Entries name no payout and are dropped: only Ingest should write to this stream",
      metadata: [
        LogKey.streamName: "\(first.stream)", LogKey.streamEntryID: "\(first.id)",
        LogKey.streamEntryCount: "\(malformed.count)",
      ])
  }
}
