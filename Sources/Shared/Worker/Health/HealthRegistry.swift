public import Payouts
import Synchronization

/// How well one part of a worker does.
public enum HealthState: String, Sendable {
  /// Declared, not tried yet. The worker is not ready.
  case starting
  /// Works.
  case ok
  /// Does not work as it should, but the worker still does its duty: it stays ready.
  case degraded
  /// Does not work, and the worker cannot do its duty without it: it is not ready.
  case failed
}

/// Where all parts of a worker report how they do, and from which the health endpoints answer.
///
/// A part is a dependency (`postgresql`, `redis`, `tron`) or a step of the worker's loop (`step.sweep`). The state it
/// reports says by itself what its trouble means: a lost Redis is `degraded` for a worker that can go on accepting.
public final class HealthRegistry: Sendable {
  /// One part's state, since when, and why.
  public struct Component: Sendable, Equatable {
    /// How it does.
    public let state: HealthState
    /// When it entered that state, by the injected clock.
    public let since: Timestamp
    /// For operators: what happened, without secrets.
    public let detail: String?
  }

  private struct State {
    var components: [String: Component] = [:]
    var isDraining = false
  }

  private let service: String
  private let clock: any WallClock
  private let startedAt: Timestamp
  private let state = Mutex(State())

  /// - Parameters:
  ///   - service: the name in reports.
  ///   - clock: dates the changes and measures the uptime, from now on.
  public init(service: String, clock: any WallClock) {
    self.service = service
    self.clock = clock
    startedAt = clock.now()
  }

  /// Makes the worker unready until that part has reported. A part that has reported already stays as it is.
  public func declare(_ name: String) {
    let now = clock.now()
    state.withLock { state in
      if state.components[name] == nil {
        state.components[name] = Component(state: .starting, since: now, detail: "not tried yet")
      }
    }
  }

  /// Takes a part's report. Its date is when the state last changed; the detail is always the newest.
  public func report(_ name: String, _ newState: HealthState, detail: String? = nil) {
    let now = clock.now()
    state.withLock { state in
      let previous = state.components[name]
      let since = previous?.state == newState ? previous?.since ?? now : now
      state.components[name] = Component(state: newState, since: since, detail: detail)
    }
  }

  /// From now on the worker is not ready: it takes no new work and finishes what it has. There is no way back.
  public func beginDraining() {
    state.withLock { $0.isDraining = true }
  }

  /// What a part reported last; nil where it never did.
  public func component(_ name: String) -> Component? { state.withLock { $0.components[name] } }

  /// Everything, at one moment.
  public func report() -> HealthReport {
    let now = clock.now()
    return state.withLock { state in
      HealthReport(
        service: service, time: now, uptimeSeconds: max(0, now.milliseconds(since: startedAt) / 1_000),
        isDraining: state.isDraining, components: state.components)
    }
  }
}
