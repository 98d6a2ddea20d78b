import ArgumentParser

/// `payoutctl settle`: a held payout was paid another way.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
/// - `REDIS_URL` (Redis URL, optional, secret): the end is written to the log of intents there.
/// - `REQUIRED_CONFIRMATIONS` (1 to 1000, default 19): as for `release`.
struct SettlePayout: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "settle", abstract: "Ends a held payout that was paid another way.",
    discussion: """
      Only without an attempt that may still pay it or has paid it; an anomalous attempt does not count, and stays as it is. \
      There is no way back.
      """)

  @OptionGroup var target: PayoutArgument
  @OptionGroup var why: ReasonOption

  @Option(
    name: .long, help: "What proves the payment, such as a bank's or a transaction's number.",
    transform: ReasonOption.line)
  var proof: String

  func run() async throws { try await DecideHeld.run(target.payout, .settle(proof: proof), reason: why.reason) }
}
