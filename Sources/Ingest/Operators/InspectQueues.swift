import Ledger
import Logging
import Payouts
import Streams
import Worker

/// How much waits where.
struct QueuesView: Sendable {
  /// In the ledger, where the truth is.
  let stages: [StageDepth]
  /// In Redis; nil where it cannot be asked.
  let streams: [StreamDepth]?
}

/// Looks into stages and streams for an operator, and wakes up what was given up.
struct InspectQueues: Sendable {
  let desk: any OperatorDesk
  let streams: any StreamDesk
  let logger: Logger

  /// So many payouts of a stage are counted; more are told as so many.
  static let countedMax: Int64 = 10_000

  /// How much waits in each stage and stream. The ledger's half is told also while Redis is away.
  func depths() async throws(Problem) -> QueuesView {
    let stages: [StageDepth]
    do {
      stages = try await desk.stageDepths(countingAtMost: Self.countedMax)
    } catch {
      throw ReadPayout.problem(error)
    }
    do {
      return QueuesView(stages: stages, streams: try await streams.depths(of: StreamName.stages))
    } catch {
      logger.warning("The streams cannot be asked", error: error)
      return QueuesView(stages: stages, streams: nil)
    }
  }

  /// Entries that were given up, the oldest of each stream first.
  /// - Parameter stream: nil for all streams.
  func deadLetters(of stream: StreamName?, atMost count: Int) async throws(Problem) -> [DeadLetter] {
    let streamNames = stream.map { [$0] } ?? StreamName.stages.map(\.stream)
    var letters: [DeadLetter] = []
    do {
      for stream in streamNames where letters.count < count {
        letters += try await streams.deadLetters(of: stream, atMost: count - letters.count)
      }
    } catch {
      throw Self.unavailable.because(error)
    }
    return letters
  }

  /// Puts a dead letter back on its stream. An entry is a wake-up: delivered twice it does no harm.
  func retry(_ id: DeadLetterID, for caller: Caller) async throws(Problem) {
    let outcome: DeadLetterRetry
    do {
      outcome = try await streams.retry(id.entry, deadLetterOf: id.stream)
    } catch {
      throw Self.unavailable.because(error)
    }
    switch outcome {
    case .putBack:
      logger.notice(
        "An operator put a dead letter back", metadata: [LogKey.deadLetterID: "\(id)", LogKey.callerID: "\(caller.id)"])
    case .unknown: throw Self.unknown
    case .empty: throw Problem(.cannotDecide, "It carries nothing to deliver. Nothing was changed.")
    }
  }

  static let unknown = Problem(.notFound, "There is no such dead letter; it may have been put back already.")
  private static let unavailable = Problem(
    .streamsUnavailable, "Redis cannot be asked at the moment. Asking again does no harm.", retryAfterSeconds: 5)
}

extension LogKey {
  /// Which dead letter: `<stream>:<entry id>`.
  static let deadLetterID = "dead_letter.id"
}
