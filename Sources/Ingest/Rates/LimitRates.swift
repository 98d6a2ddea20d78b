import Crypto
import Logging
import Payouts
import Streams
import Synchronization
import Worker

/// Counts each caller's requests by class, for all replicas together in Redis (api.md "Who may call").
///
/// Whether Redis can be asked is found out by a step. While it cannot, requests do not wait for it: each replica then counts
/// for itself against the same limits, and health says `degraded`.
final class LimitRates: Sendable {
  /// The part of the health report.
  static let component = "rate_limits"
  /// How often Redis is looked at, and so how long it rests after a failure, in milliseconds.
  static let intervalMilliseconds: Int64 = 1_000

  private let limits: RateLimits
  private let shared: any SharedRates
  private let local: LocalRates
  private let isShared = Atomic(true)
  private let health: HealthRegistry
  private let metrics: RateMetrics
  private let logger: Logger

  init(
    _ limits: RateLimits, shared: any SharedRates, clock: any WallClock, health: HealthRegistry, metrics: RateMetrics,
    logger: Logger
  ) {
    self.limits = limits
    self.shared = shared
    local = LocalRates(clock: clock)
    self.health = health
    self.metrics = metrics
    self.logger = logger
  }

  /// Counts one request of a caller's. Nil where its class has no limit. Never fails.
  func take(_ rateClass: RateClass, for caller: String) async -> RateVerdict? {
    guard let limit = limits[rateClass] else { return nil }
    let key = Self.key(rateClass, caller)
    let verdict: RateVerdict
    if let told = await ask(key, limit) {
      local.note(key, told)
      metrics.decided(by: .redis)
      verdict = told
    } else {
      metrics.decided(by: .process)
      verdict = local.take(key, of: limit)
    }
    if !verdict.isTaken { metrics.refused(rateClass) }
    return verdict
  }

  /// Looks whether Redis can be asked, for a run loop; none where there is nothing to limit. The health part is declared.
  var steps: [Step] {
    guard !limits.areNone else { return [] }
    health.declare(Self.component)
    return [
      Step("watch_rate_limits") { [self] in
        await look()
        return .idle(milliseconds: Self.intervalMilliseconds)
      }
    ]
  }

  /// One look: counts for nobody, so that what is refused to requests (no memory, no right) is refused here too.
  func look() async {
    do {
      _ = try await shared.take("watch", of: RateLimit(count: 1, windowSeconds: 1))
      health.report(Self.component, .ok)
      if !isShared.exchange(true, ordering: .acquiringAndReleasing) {
        logger.info("Rate limits are shared by all replicas again")
      }
    } catch is CancellationError {
      return
    } catch {
      failed(error)
    }
  }

  /// What Redis says; nil where it rests or cannot be asked.
  private func ask(_ key: String, _ limit: RateLimit) async -> RateVerdict? {
    guard isShared.load(ordering: .acquiring) else { return nil }
    do {
      return try await shared.take(key, of: limit)
    } catch is CancellationError {
      return nil
    } catch {
      failed(error)
      return nil
    }
  }

  private func failed(_ error: any Error) {
    health.report(
      Self.component, .degraded, detail: "Redis cannot be asked; each replica counts requests for itself")
    if isShared.exchange(false, ordering: .acquiringAndReleasing) {
      logger.warning("Rate limits are counted by this process alone", error: error)
    }
  }

  /// A hash takes the place of the caller's id: ids are of any length and characters, and nobody who looks into Redis need
  /// read them.
  private static func key(_ rateClass: RateClass, _ caller: String) -> String {
    let hash = SHA256.hash(data: Array("tron-payouts/rate/v1\0".utf8) + Array(caller.utf8))
    return "\(rateClass.rawValue):\(Hex.text(hash.prefix(16)))"
  }
}
