import Streams
import Synchronization
import Worker

/// The rate limits of this process alone, for when Redis cannot be asked. Its memory is bounded.
///
/// It is told of what Redis has decided, so that nobody gets a full allowance anew because Redis went away.
final class LocalRates: Sendable {
  /// The most allowances that are remembered.
  static let allowancesMax = 10_000

  private let allowancesMax: Int
  private let clock: any WallClock
  /// When each allowance is full again, in Unix microseconds.
  private let fullAt = Mutex<[String: Int64]>([:])

  init(clock: any WallClock, allowancesMax: Int = LocalRates.allowancesMax) {
    self.clock = clock
    self.allowancesMax = allowancesMax
  }

  /// Counts one request, if its limit allows it.
  func take(_ key: String, of limit: RateLimit) -> RateVerdict {
    let now = clock.now().milliseconds * 1_000
    return fullAt.withLock { fullAt in
      let verdict = limit.verdict(fullAt: fullAt[key], now: now)
      remember(key, verdict, now, &fullAt)
      return verdict
    }
  }

  /// Takes over what was decided elsewhere.
  func note(_ key: String, _ verdict: RateVerdict) {
    let now = clock.now().milliseconds * 1_000
    fullAt.withLock { remember(key, verdict, now, &$0) }
  }

  /// How many allowances are remembered.
  var count: Int { fullAt.withLock { $0.count } }

  private func remember(_ key: String, _ verdict: RateVerdict, _ now: Int64, _ fullAt: inout [String: Int64]) {
    if fullAt.count >= allowancesMax, fullAt[key] == nil { forget(now, &fullAt) }
    fullAt[key] = now + verdict.fullAfterMicroseconds
  }

  /// Full allowances are as good as none. Where that makes no room, those go that will be full the soonest, an eighth at
  /// once, so that not every request has to look for one.
  private func forget(_ now: Int64, _ fullAt: inout [String: Int64]) {
    fullAt = fullAt.filter { $0.value > now }
    guard fullAt.count >= allowancesMax else { return }
    for (key, _) in fullAt.sorted(by: { $0.value < $1.value }).prefix(max(1, allowancesMax / 8)) { fullAt[key] = nil }
  }
}
