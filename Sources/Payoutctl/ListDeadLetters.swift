import ArgumentParser
import Payouts
import Streams
import Worker

/// `payoutctl dead-letters`: the stream entries that were given up. Changes nothing.
///
/// ## Configuration keys
/// - `REDIS_URL` (Redis URL, required, secret).
struct ListDeadLetters: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists the stream entries that were given up, the oldest of each stream first.")

  @OptionGroup var list: ListOptions

  func run() async throws {
    let streams = try Payoutctl.streams(at: try Settings.read { $0.url("REDIS_URL", .redis) })
    var letters: [DeadLetter] = []
    for (stream, _) in StreamName.stages where letters.count < list.limit {
      letters += try await streams.deadLetters(of: stream, atMost: list.limit - letters.count)
    }
    try list.write(letters.map(LetterLine.init), none: "no entry was given up", lines: \.lines)
  }
}

/// `payoutctl dead-letters retry`: an entry that was given up is delivered again.
///
/// ## Configuration keys
/// - `REDIS_URL` (Redis URL, required, secret).
struct RetryDeadLetter: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retry", abstract: "Puts an entry that was given up back on its stream.",
    discussion: """
      An entry is a wake-up: delivered twice it does no harm, and it does nothing for a payout that is held. Look at \
      'payoutctl held', and release what may go on.
      """)

  @Argument(help: "The stream that it came from, as 'dead-letters' tells it.", transform: RetryDeadLetter.stream)
  var stream: StreamName

  @Argument(help: "Its id, as 'dead-letters' tells it.", transform: RetryDeadLetter.entryID)
  var id: StreamEntryID

  func run() async throws {
    let streams = try Payoutctl.streams(at: try Settings.read { $0.url("REDIS_URL", .redis) })
    switch try await streams.retry(id, deadLetterOf: stream) {
    case .putBack:
      print(
        "\(id) waits on \(stream) again; its payouts may still be held: see 'payoutctl held' and 'payoutctl release'")
    case .unknown:
      throw Refusal(text: "no entry \(id) is among the dead letters of \(stream), perhaps it was put back already")
    case .empty:
      throw Refusal(
        text: "entry \(id) of the dead letters of \(stream) carries nothing to deliver; nothing was changed")
    }
  }

  private static func stream(_ text: String) throws -> StreamName {
    let known = StreamName.stages.map(\.stream)
    guard let stream = known.first(where: { $0.text == text || $0.deadLetters.text == text }) else {
      throw ValidationError("expected one of \(known.map(\.text).joined(separator: ", "))")
    }
    return stream
  }

  private static func entryID(_ text: String) throws -> StreamEntryID {
    guard let id = StreamEntryID(text) else { throw ValidationError("expected an id such as 1700000000000-0") }
    return id
  }
}

/// An entry that was given up, as it is listed.
private struct LetterLine: Encodable {
  let stream: String
  let id: String
  let deadSince: String
  let fields: [String: String]
  let error: String?
  let group: String?
  let deliveries: Int?

  init(_ letter: DeadLetter) {
    stream = letter.stream.text
    id = letter.id.description
    deadSince = Timestamp(milliseconds: Int64(clamping: letter.id.milliseconds)).description
    fields = letter.fields
    error = letter.error
    group = letter.group
    deliveries = letter.deliveries
  }

  var lines: [String] {
    let carried = fields.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    let giver = group.map { " by \($0)" } ?? ""
    let often = deliveries.map { " after \($0) deliveries" } ?? ""
    return ["\(stream)  \(id)  \(carried)", "  given up \(deadSince)\(giver)\(often): \(error ?? "no error was kept")"]
  }
}
