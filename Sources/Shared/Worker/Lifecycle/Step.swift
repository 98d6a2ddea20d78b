/// What a step of a worker says when it is done.
public enum StepOutcome: Sendable, Equatable {
  /// There was work, and there may be more: go again at once.
  case worked
  /// There was none: look again after so many milliseconds.
  case idle(milliseconds: Int64)
}

/// One thing that a worker does again and again: read a stream and act on it, follow the chain, sweep.
///
/// A step does one bounded round and returns. It holds no loop, no clock and no wait of its own, so that `StepLoop`
/// drives it in a worker and a simulator drives it in any order it likes. It is written so that a crash at any of its
/// lines, followed by another round, does no harm.
public struct Step: Sendable {
  /// Unique in its worker, from a small closed set: it names a metric's label and a part of the health report.
  public let name: String
  /// What its trouble means for the worker.
  public let stateWhenFailing: HealthState
  /// Whether an error ends the process; others are tried again.
  public let isFatal: @Sendable (any Error) -> Bool
  /// How long to wait after failures; nil for what its loop does.
  public let backOff: BackOff?
  /// One round.
  public let run: @Sendable () async throws -> StepOutcome

  /// - Parameters:
  ///   - name: unique in its worker.
  ///   - stateWhenFailing: `failed` where the worker cannot do its duty without this step, else `degraded`.
  ///   - backOff: how long to wait after failures; nil for what its loop does.
  ///   - isFatal: by default only a `FatalStepError` ends the process.
  ///   - run: one bounded round.
  public init(
    _ name: String, stateWhenFailing: HealthState = .degraded, backOff: BackOff? = nil,
    isFatal: @escaping @Sendable (any Error) -> Bool = { $0 is FatalStepError },
    run: @escaping @Sendable () async throws -> StepOutcome
  ) {
    self.name = name
    self.stateWhenFailing = stateWhenFailing
    self.backOff = backOff
    self.isFatal = isFatal
    self.run = run
  }
}

/// An error after which going on would be wrong: the process drains its other work and ends with exit code 1.
public struct FatalStepError: Error, CustomStringConvertible {
  /// What happened, for operators; no secrets.
  public let text: String
  /// What led to it.
  public let underlying: (any Error)?

  /// - Parameters:
  ///   - text: what happened and what to do, without secrets.
  ///   - underlying: what led to it, where there was something.
  public init(_ text: String, underlying: (any Error)? = nil) {
    self.text = text
    self.underlying = underlying
  }

  /// The text, and the cause in brackets.
  public var description: String { underlying.map { "\(text) (\($0))" } ?? text }
}
