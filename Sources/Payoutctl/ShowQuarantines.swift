import ArgumentParser
import FoundationEssentials
import Ledger
import Payouts

/// Commands about the waits that stand in for a Signer's vouching.
struct QuarantineCommands: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quarantine", abstract: "The wait that stands in for the word of a Signer that cannot be had.",
    subcommands: [ShowQuarantines.self, BeginQuarantine.self], defaultSubcommand: ShowQuarantines.self)
}

/// `payoutctl quarantine`: what waits, why, and until when. Changes nothing.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
struct ShowQuarantines: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Shows the quarantines, the open ones first.")

  @OptionGroup var list: ListOptions

  func run() async throws {
    let ledger = try Payoutctl.ledger()
    let solid = try await ledger.solidTime()
    let quarantines = try await ledger.quarantines(atMost: list.limit)
    try list.write(
      quarantines.map { QuarantineView($0, solidTime: solid) }, none: "no quarantine was ever needed", lines: \.lines)
  }
}

/// A quarantine as it is told.
struct QuarantineView: Encodable {
  let id: Int64
  let signer: String
  let cause: String
  let reason: String
  let declaredBy: String
  let declaredAt: String
  let beganAt: String?
  let until: String?
  let leftSeconds: Int64?
  let state: String
  let endedAt: String?

  /// - Parameter solidTime: how far the solid chain was read; nil before the first block.
  init(_ quarantine: QuarantineRecord, solidTime: Timestamp?) {
    id = quarantine.id
    signer = quarantine.signer
    cause = quarantine.cause.rawValue
    reason = quarantine.reason
    declaredBy = quarantine.declaredBy
    declaredAt = quarantine.declaredAt.description
    let waits = quarantine.endedAt == nil && quarantine.isOfPresentLife
    beganAt = waits || quarantine.endedAt != nil ? quarantine.beganAt?.description : nil
    until = waits ? quarantine.until?.description : nil
    leftSeconds =
      waits
      ? quarantine.until.flatMap { until in
        solidTime.map { max(0, until.milliseconds(since: $0) + 999) / 1_000 }
      } : nil
    endedAt = quarantine.endedAt?.description
    state =
      switch quarantine.outcome {
      case .waited: "waited out"
      case .vouched: "ended: the Signer vouched"
      case .replaced: "replaced by another one"
      case nil where quarantine.isOver: "over: the next vouching ends it"
      case nil where quarantine.isOfPresentLife: "waiting"
      case nil: "not begun under this start of PostgreSQL: a running Signer begins it"
      }
  }

  var lines: [String] {
    let left = leftSeconds.map { ", \($0) s of chain time to go" } ?? ""
    let wait = until.map { ["  began \(beganAt ?? ""), until a solid block of \($0) is read\(left)"] } ?? []
    let end = endedAt.map { ["  ended \($0)"] } ?? []
    return ["\(id)  \(signer)  \(cause)  \(state)", "  declared \(declaredAt) by \(declaredBy): \(reason)"] + wait + end
  }
}
