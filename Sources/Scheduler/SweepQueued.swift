import Ledger
import Logging
import Streams
import Worker

/// Sends payouts again whose stream entry may be lost: those that have been `queued` for too long.
///
/// Redis may lose everything at any moment (FLUSHALL, a crash between two syncs), and Ingest may die between its commit
/// and its append. The ledger still has the payouts. An entry more than needed does nothing, so there is no need to know
/// whether one is lost; but while the stream is long its payouts wait because of their number, and more entries would
/// only make it longer.
struct SweepQueued: Sendable {
  /// How long a payout may be queued before it is sent again, in milliseconds, by the database's clock.
  static let queuedMillisecondsMax: Int64 = 15_000
  /// The most payouts sent again in one round.
  static let maximumPayouts = 1_000
  /// From this length on nothing is added to the stream.
  static let streamLengthMax = 5_000
  /// The wait between rounds, in milliseconds.
  static let idleMilliseconds: Int64 = 5_000

  let ledger: any SchedulerLedger
  let streams: any StreamTransport
  let metrics: SchedulerMetrics?
  let logger: Logger

  /// One round. Always waits before the next one, so that Scheduler has the time to work on what was sent.
  func run() async throws -> StepOutcome {
    let length = try await streams.length(of: .payoutsImmediate)
    metrics?.queueEntries.set(length)
    guard length < SweepQueued.streamLengthMax else { return .idle(milliseconds: SweepQueued.idleMilliseconds) }
    let payouts = try await ledger.queuedPayouts(
      waitingFor: SweepQueued.queuedMillisecondsMax, atMost: SweepQueued.maximumPayouts)
    if !payouts.isEmpty {
      try await streams.append(payouts.map { [StreamField.payoutID: $0.description] }, to: .payoutsImmediate)
      metrics?.sweptPayouts.increment(by: payouts.count)
      logger.warning(
        "Payouts were queued too long and are sent again", metadata: [LogKey.payoutCount: "\(payouts.count)"])
    }
    return .idle(milliseconds: SweepQueued.idleMilliseconds)
  }
}
