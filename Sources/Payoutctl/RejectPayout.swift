import ArgumentParser

/// `payoutctl reject`: a held payout is never paid; its limits are released.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
/// - `REDIS_URL` (Redis URL, optional, secret): the end is written to the log of intents there.
/// - `REQUIRED_CONFIRMATIONS` (1 to 1000, default 19): as for `release`.
struct RejectPayout: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reject", abstract: "Ends a held payout: it is never paid.",
    discussion: "Only without an attempt that may still pay it or has paid it. There is no way back.")

  @OptionGroup var target: PayoutArgument
  @OptionGroup var why: ReasonOption

  func run() async throws { try await DecideHeld.run(target.payout, .reject, reason: why.reason) }
}
