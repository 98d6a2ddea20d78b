import ArgumentParser
import Ledger
import Streams
import Worker

/// `payoutctl queues`: how much waits where, and since when. Changes nothing.
///
/// PostgreSQL is the truth and is told first; where Redis is away, its half is missing and the exit code is 1.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
/// - `REDIS_URL` (Redis URL, required, secret).
struct ShowQueues: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "queues", abstract: "Shows how much waits in each stage and stream, and since when.",
    discussion: """
      Stages are counted in PostgreSQL, where the truth is. Streams only carry wake-ups: an empty stream beside a full \
      stage is filled again by a sweep.
      """)

  @Flag(name: .long, help: "As JSON, for programs.")
  var json = false

  func run() async throws {
    let (database, redis) = try Settings.read { settings in
      (settings.url("DATABASE_URL", .postgres), settings.url("REDIS_URL", .redis))
    }
    let stages = try await Payoutctl.ledger(at: database).stageDepths(countingAtMost: nil)
    let streams: [StreamDepth]?
    let problem: String?
    do {
      streams = try await Payoutctl.streams(at: redis).depths(of: StreamName.stages)
      problem = nil
    } catch let error as StreamError {
      streams = nil
      problem = "Redis cannot be asked: \(error.message)"
    }
    let view = QueuesView(stages: stages, streams: streams, problem: problem)
    print(json ? try view.json() : view.lines.joined(separator: "\n"))
    if let problem { throw Refusal(text: "\(problem); only what PostgreSQL knows was told") }
  }
}

private struct QueuesView: Encodable {
  struct Stage: Encodable {
    let stage: String
    let count: Int64
    let oldestAgeSeconds: Int64?
  }

  struct Stream: Encodable {
    let stream: String
    let group: String
    let length: Int
    let pending: Int
    let oldestAgeSeconds: Int64?
    let dead: Int
  }

  let stages: [Stage]
  let streams: [Stream]?
  let problem: String?

  init(stages: [StageDepth], streams: [StreamDepth]?, problem: String?) {
    self.stages = stages.map {
      Stage(
        stage: $0.status.rawValue, count: $0.count, oldestAgeSeconds: $0.oldestAgeMilliseconds.map { $0 / 1_000 })
    }
    self.streams = streams?.map {
      Stream(
        stream: $0.stream.text, group: $0.group.text, length: $0.length, pending: $0.pending,
        oldestAgeSeconds: $0.oldestAgeMilliseconds.map { $0 / 1_000 }, dead: $0.deadLetters)
    }
    self.problem = problem
  }

  var lines: [String] {
    var lines = QueuesView.table(
      [["stage", "payouts", "oldest"]] + stages.map { [$0.stage, "\($0.count)", QueuesView.age($0.oldestAgeSeconds)] })
    if let streams {
      lines += [""]
      lines += QueuesView.table(
        [["stream", "entries", "pending", "oldest", "dead"]]
          + streams.map {
            [$0.stream, "\($0.length)", "\($0.pending)", QueuesView.age($0.oldestAgeSeconds), "\($0.dead)"]
          })
    }
    return lines
  }

  /// Columns as wide as their widest cell; numbers stand to the right.
  private static func table(_ rows: [[String]]) -> [String] {
    let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      row.enumerated().map { column, cell in
        let gap = String(repeating: " ", count: widths[column] - cell.count)
        return column == 0 ? cell + gap : gap + cell
      }.joined(separator: "  ")
    }
  }

  private static func age(_ seconds: Int64?) -> String {
    guard let seconds else { return "-" }
    return switch seconds {
    case ..<120: "\(seconds) s"
    case ..<7_200: "\(seconds / 60) min"
    case ..<172_800: "\(seconds / 3_600) h"
    default: "\(seconds / 86_400) d"
    }
  }
}
