import Ledger
import Logging
import Tron
import Worker

/// Counts what nodes disagree on, and calls operators: once, not with each round.
struct TellDisagreements: Sendable {
  let ledger: any MonitorLedger
  let clock: any WallClock
  let metrics: MonitorMetrics?
  let logger: Logger
  let log = DisagreementLog()

  /// Tells what was noted since it was told last.
  func tell() async throws {
    let (noted, news) = log.take(at: clock.now())
    for disagreement in noted { metrics?.count(disagreement) }
    do {
      for disagreement in news {
        logger.error("Nodes disagree", metadata: ["reason": "\(disagreement.message)"])
        try await ledger.raiseAlarm(
          kind: "nodes_disagree", subject: disagreement.subject, message: disagreement.message)
      }
    } catch {
      log.failedToTell(news)
      throw error
    }
  }

  /// Runs a round and tells what it noted, however it ended.
  func after<Outcome>(
    _ round: nonisolated(nonsending) () async throws -> Outcome
  ) async throws -> Outcome {
    let outcome: Outcome
    do { outcome = try await round() } catch {
      try await tell()
      throw error
    }
    try await tell()
    return outcome
  }
}
