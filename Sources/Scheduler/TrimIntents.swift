import Ledger
import Logging
import Streams
import Worker

/// Keeps the log of intents within its bounds, and never empty (DESIGN.md §3 "Continuity").
///
/// It drops what is older than `INTENT_LOG_HOURS` or more than the log may weigh, but nothing while the history is not
/// vouched for: then the log may be the only one that knows what a restore took, however long an operator needs. The last
/// entry stays whatever its age, and an empty log gets a marker: a checkpoint always has an entry to stand on, so that a
/// log that was lost and began anew is told from one in which nothing happened. Several Schedulers may do so beside one
/// another.
struct TrimIntents: Sendable {
  /// The wait after a round that had little to drop, in milliseconds.
  static let idleMilliseconds: Int64 = 5_000
  /// From so many entries dropped at once on there may be more to drop.
  static let manyEntries = 5_000

  let ledger: any SchedulerLedger
  let log: any IntentLog
  /// `INTENT_LOG_HOURS`, in milliseconds.
  let ageMilliseconds: Int64
  /// The most memory that the log may take, in bytes.
  let bytesMax: Int
  let metrics: SchedulerMetrics?
  let logger: Logger

  /// One round.
  func run() async throws -> StepOutcome {
    if try await log.intentExtent() == nil { try await log.appendIntents([Intent.marker.fields]) }
    guard try await ledger.conditions().isContinuous else { return .idle(milliseconds: Self.idleMilliseconds) }
    let trim = try await log.trimIntents(ageMilliseconds: ageMilliseconds, bytesMax: bytesMax)
    metrics?.intentLogBytes.set(trim.bytes)
    if trim.wasTooLarge {
      logger.warning(
        "The log of intents was too large: entries were dropped before their time",
        metadata: [LogKey.streamEntryCount: "\(trim.removed)"])
    }
    return trim.removed >= Self.manyEntries ? .worked : .idle(milliseconds: Self.idleMilliseconds)
  }
}
