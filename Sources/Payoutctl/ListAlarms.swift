import ArgumentParser
import Ledger

/// `payoutctl alarms`: the alarms that nobody has acknowledged. Changes nothing.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
struct ListAlarms: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists the alarms that nobody has acknowledged, the oldest first.")

  @OptionGroup var list: ListOptions

  func run() async throws {
    let alarms = try await Payoutctl.ledger().standingAlarms(atMost: list.limit)
    try list.write(alarms.map(AlarmLine.init), none: "no alarm stands", lines: \.lines)
  }
}

/// `payoutctl alarms acknowledge`: an alarm stands no longer; the same cause raises a new one.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
struct AcknowledgeAlarm: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "acknowledge", abstract: "Ends an alarm; the same cause raises a new one.",
    discussion: "It opens and closes nothing: see 'payoutctl breaker' and 'payoutctl held'.")

  @Argument(help: "The alarm's number.")
  var alarm: Int64

  @OptionGroup var why: ReasonOption

  func run() async throws {
    guard let ended = try await Payoutctl.ledger().acknowledgeAlarm(alarm, reason: why.reason) else {
      throw Refusal(text: "no alarm stands under the number \(alarm); nothing was changed")
    }
    print("acknowledged alarm \(ended.id), \(ended.kind) of \(ended.subject)".withoutControls)
  }
}

/// An alarm as it is listed.
private struct AlarmLine: Encodable {
  let id: Int64
  let kind: String
  let subject: String
  let message: String
  let raisedAt: String
  let lastAt: String
  let count: Int64

  init(_ alarm: AlarmRecord) {
    id = alarm.id
    kind = alarm.kind
    subject = alarm.subject
    message = alarm.message
    raisedAt = alarm.raisedAt.description
    lastAt = alarm.lastAt.description
    count = alarm.count
  }

  var lines: [String] {
    let often = count == 1 ? "" : ", \(count) times, last \(lastAt)"
    return ["\(id)  \(kind)  \(subject)  raised \(raisedAt)\(often)", "  \(message)"]
  }
}
