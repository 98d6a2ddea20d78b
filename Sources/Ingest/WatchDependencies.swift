import Ledger
import Payouts
import Streams
import Worker

/// Looks at what Ingest depends on and reports it: PostgreSQL, Redis, the age of Monitor's view of TRON, the breaker.
///
/// Only PostgreSQL is needed to accept; everything else is told as `degraded`. The hot wallets are read along the way.
struct WatchDependencies: Sendable {
  /// How often each is looked at, in milliseconds.
  static let intervalMilliseconds: Int64 = 2_000

  let ledger: any IngestLedger
  let streams: any StreamTransport
  let forbidden: ForbiddenRecipients
  let health: HealthRegistry

  /// The steps, for a run loop or a simulator. The health parts are declared: the worker is ready once they were tried.
  var steps: [Step] {
    for part in ["postgresql", "tron", "breaker", EnqueueAccepted.component] { health.declare(part) }
    return [
      Step("watch_ledger", stateWhenFailing: .failed) { try await watchLedger() },
      Step("watch_streams") { try await watchStreams() },
    ]
  }

  /// One look at the ledger.
  func watchLedger() async throws -> StepOutcome {
    do {
      let conditions = try await ledger.conditions()
      forbidden.update(wallets: try await ledger.wallets())
      health.report("postgresql", .ok)
      report(conditions)
    } catch {
      health.report("postgresql", .failed, detail: "the ledger cannot be read")
      throw error
    }
    return .idle(milliseconds: Self.intervalMilliseconds)
  }

  /// One look at the streams.
  func watchStreams() async throws -> StepOutcome {
    do {
      _ = try await streams.length(of: .payoutsImmediate)
      health.report(EnqueueAccepted.component, .ok)
    } catch {
      health.report(
        EnqueueAccepted.component, .degraded,
        detail: "cannot be reached; accepted payouts wait until Scheduler finds them")
      throw error
    }
    return .idle(milliseconds: Self.intervalMilliseconds)
  }

  private func report(_ conditions: PayingConditions) {
    if let movedAt = conditions.headMovedAt, let head = conditions.headNumber {
      let age = max(0, conditions.now.milliseconds(since: movedAt))
      let isFresh = age <= PayoutWaiting.chainWatchMillisecondsMax
      health.report("tron", isFresh ? .ok : .degraded, detail: "block \(head) was read \(age / 1_000) s ago")
    } else {
      health.report("tron", .degraded, detail: "the chain was not read yet")
    }
    if let cause = conditions.breakerCause {
      health.report("breaker", .degraded, detail: "circuit_breaker_open: \(cause)")
    } else {
      health.report("breaker", .ok)
    }
  }
}
