import CoreMetrics

/// How much waits in one place, and since when.
public struct QueueDepth: Sendable, Hashable {
  /// The place: a state of payouts or a stream, from a small closed set.
  public let queue: String
  /// How many wait there.
  public let count: Int64
  /// How long the oldest has waited, in milliseconds; nil where none does.
  public let oldestAgeMilliseconds: Int64?

  /// - Parameters:
  ///   - queue: a state of payouts or a stream.
  ///   - count: how many wait there.
  ///   - oldestAgeMilliseconds: how long the oldest has waited; nil where none does.
  public init(_ queue: String, count: Int64, oldestAgeMilliseconds: Int64?) {
    self.queue = queue
    self.count = count
    self.oldestAgeMilliseconds = oldestAgeMilliseconds
  }
}

/// Shows how much waits where, so that an operator sees where payouts are stuck.
///
/// | metric | the question it answers |
/// | --- | --- |
/// | `payouts_<worker>_queue_depth{queue}` | how many payouts or entries wait there? |
/// | `payouts_<worker>_queue_oldest_age_seconds{queue}` | how long has the oldest waited (0: none does)? |
public struct QueueGauges: Sendable {
  /// How often queues are measured, in milliseconds: counting reads an index over all that waits.
  public static let pauseMilliseconds: Int64 = 10_000

  private let gauges: [String: (depth: Meter, age: Meter)]

  /// - Parameter queues: all that will ever be shown; others are passed over.
  public init(_ instruments: Instruments, queues: [String]) {
    gauges = Dictionary(
      uniqueKeysWithValues: queues.map { queue in
        let labels = [("queue", queue)]
        return (
          queue,
          (
            instruments.gauge("queue_depth", help: "How many payouts or entries wait there?", labels: labels),
            instruments.gauge(
              "queue_oldest_age_seconds", help: "How long has the oldest waited (0: none does)?", labels: labels)
          )
        )
      })
  }

  /// Shows what was measured.
  public func show(_ depths: [QueueDepth]) {
    for depth in depths {
      guard let gauge = gauges[depth.queue] else { continue }
      gauge.depth.set(depth.count)
      gauge.age.set(Double(depth.oldestAgeMilliseconds ?? 0) / 1_000)
    }
  }

  /// A step that measures again and again; what it cannot read keeps its last value and the step tells its trouble.
  public func step(measure: @escaping @Sendable () async throws -> [QueueDepth]) -> Step {
    Step("measure_queues") {
      show(try await measure())
      return .idle(milliseconds: QueueGauges.pauseMilliseconds)
    }
  }
}
