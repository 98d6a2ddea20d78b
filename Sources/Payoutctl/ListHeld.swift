import ArgumentParser
import Ledger
import Worker

/// `payoutctl held`: the payouts that wait for a person. Changes nothing.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
struct ListHeld: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "held", abstract: "Lists the payouts that wait for a person, the oldest first.",
    discussion: "'release', 'reject' and 'settle' end a hold; 'show' tells all about a payout.")

  @OptionGroup var list: ListOptions

  func run() async throws {
    let payouts = try await Payoutctl.ledger().heldPayouts(atMost: list.limit)
    try list.write(payouts.map(HeldLine.init), none: "no payout is held", lines: \.lines)
  }
}

/// A held payout as it is listed.
private struct HeldLine: Encodable {
  let payoutId: String
  let amountUsdt: String
  let recipientAddress: String
  let holdReason: String?
  let heldSince: String
  let heldFrom: String?
  let note: String?

  init(_ record: PayoutRecord) {
    payoutId = record.id.description
    amountUsdt = record.terms.amount.description
    recipientAddress = record.terms.recipient.description
    holdReason = record.holdReason
    heldSince = record.statusSince.description
    heldFrom = record.heldFrom?.rawValue
    note = record.note
  }

  var lines: [String] {
    let what = "\(payoutId)  \(amountUsdt) USDT to \(recipientAddress)"
    let why = "  \(holdReason ?? "no reason"), held from \(heldFrom ?? "nowhere") since \(heldSince)"
    return [what, why] + (note.map { ["  \($0)"] } ?? [])
  }
}
