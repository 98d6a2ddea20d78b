import ArgumentParser
import Worker

/// `payoutctl show`: a payout, what it waits for, its history and its attempts. Changes nothing.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
/// - `REQUIRED_CONFIRMATIONS` (1 to 1000, default 19).
struct ShowPayout: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Shows a payout: its state, what it waits for, its history and attempts.")

  @OptionGroup var target: PayoutArgument

  @Flag(name: .long, help: "As JSON, for programs.")
  var json = false

  func run() async throws {
    let (database, required) = try Settings.read { settings in
      (
        settings.url("DATABASE_URL", .postgres),
        settings.integer("REQUIRED_CONFIRMATIONS", default: TronConfiguration.usualConfirmations, in: 1...1_000)
      )
    }
    let ledger = Payoutctl.ledger(at: database)
    guard let report = try await PayoutReport.read(target.payout, from: ledger, requiredConfirmations: required) else {
      throw Refusal(text: "there is no payout \(target.payout) in this ledger")
    }
    print(json ? try report.json() : report.text)
  }
}
