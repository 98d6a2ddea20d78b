import CoreMetrics

/// How much waits in one place, and since when.
public struct QueueDepth: Sendable, Hashable {
  /// The place: a state of payouts or a stream, from a small closed set.
  public let queue: String
  /// How many wait there.
  public let count: Int64
  /// How long the oldest has waited, in milliseconds; nil where none does.
  public let oldestAgeMilliseconds: Int64?
  /// Of a stream: how many entries were delivered and are not done with.
  public let pending: Int64?
  /// Of a stream: how many entries were given up.
  public let deadLetters: Int64?

  /// - Parameters:
  ///   - queue: a state of payouts or a stream.
  ///   - count: how many wait there.
  ///   - oldestAgeMilliseconds: how long the oldest has waited; nil where none does.
  ///   - pending: nil for a state of payouts.
  ///   - deadLetters: nil for a state of payouts.
  public init(
    _ queue: String, count: Int64, oldestAgeMilliseconds: Int64?, pending: Int64? = nil, deadLetters: Int64? = nil
  ) {
    self.queue = queue
    self.count = count
    self.oldestAgeMilliseconds = oldestAgeMilliseconds
    self.pending = pending
    self.deadLetters = deadLetters
  }
}

/// Shows how much waits where, so that an operator sees where payouts are stuck.
///
/// | metric | the question it answers |
/// | --- | --- |
/// | `payouts_<worker>_queue_depth{queue}` | how many payouts or entries wait there? |
/// | `payouts_<worker>_queue_oldest_age_seconds{queue}` | how long has the oldest waited (0: none does)? |
/// | `payouts_<worker>_queue_pending_entries{queue}` | how many entries of a stream were delivered and are not done with? |
/// | `payouts_<worker>_queue_dead_letters{queue}` | how many entries of a stream were given up? |
public struct QueueGauges: Sendable {
  /// How often queues are measured, in milliseconds.
  public static let pauseMilliseconds: Int64 = 10_000

  private struct Gauges {
    let depth: Meter
    let age: Meter
    var pending: Meter?
    var deadLetters: Meter?
  }

  private let gauges: [String: Gauges]

  /// All that will ever be shown; other places are passed over.
  public init(_ instruments: Instruments, stages: [String], streams: [String]) {
    func gauge(_ name: String, _ queue: String, _ help: String) -> Meter {
      instruments.gauge("queue_\(name)", help: help, labels: [("queue", queue)])
    }
    func both(_ queue: String) -> Gauges {
      Gauges(
        depth: gauge("depth", queue, "How many payouts or entries wait there?"),
        age: gauge("oldest_age_seconds", queue, "How long has the oldest waited (0: none does)?"))
    }
    var gauges = Dictionary(uniqueKeysWithValues: stages.map { ($0, both($0)) })
    for stream in streams {
      var all = both(stream)
      all.pending = gauge("pending_entries", stream, "How many entries were delivered and are not done with?")
      all.deadLetters = gauge("dead_letters", stream, "How many entries were given up?")
      gauges[stream] = all
    }
    self.gauges = gauges
  }

  /// Shows what was measured.
  public func show(_ depths: [QueueDepth]) {
    for depth in depths {
      guard let gauge = gauges[depth.queue] else { continue }
      gauge.depth.set(depth.count)
      gauge.age.set(Double(depth.oldestAgeMilliseconds ?? 0) / 1_000)
      if let pending = depth.pending { gauge.pending?.set(pending) }
      if let deadLetters = depth.deadLetters { gauge.deadLetters?.set(deadLetters) }
    }
  }
}
