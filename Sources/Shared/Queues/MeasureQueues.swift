public import Ledger
import Payouts
public import Streams
public import Worker

/// Shows at a worker's metrics port how much waits in every stage, told by the ledger, and in every stream, told by Redis.
///
/// Every worker shows all of it, so that whichever is asked, an operator sees where payouts are stuck. What it costs does
/// not grow with what waits: stages are counted up to a bound, and ages are read from the ends of indexes.
public enum MeasureQueues {
  /// How many payouts of a stage are counted at most: what is shown as so many is so many or more. (`payoutctl queues`
  /// counts all of them.)
  public static let countedMax: Int64 = 10_000

  /// A step that measures again and again.
  ///
  /// The ledger's half is shown also where Redis is away, and the other way around; what cannot be read keeps its last value,
  /// and the step tells its trouble.
  public static func step(_ ledger: Ledger, _ streams: RedisStreams, _ instruments: Instruments) -> Step {
    let gauges = QueueGauges(
      instruments, stages: Ledger.stages.map(\.rawValue), streams: StreamName.stages.map(\.stream.text))
    return Step("measure_queues") {
      var trouble: (any Error)?
      do {
        gauges.show(
          try await ledger.stageDepths(countingAtMost: countedMax).map {
            QueueDepth($0.status.rawValue, count: $0.count, oldestAgeMilliseconds: $0.oldestAgeMilliseconds)
          })
      } catch {
        trouble = error
      }
      gauges.show(
        try await streams.depths(of: StreamName.stages).map {
          QueueDepth(
            $0.stream.text, count: Int64($0.length), oldestAgeMilliseconds: $0.oldestAgeMilliseconds,
            pending: Int64($0.pending), deadLetters: Int64($0.deadLetters))
        })
      if let trouble { throw trouble }
      return .idle(milliseconds: QueueGauges.pauseMilliseconds)
    }
  }
}
