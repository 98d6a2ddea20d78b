import ArgumentParser

/// `payoutctl release`: a held payout goes on where it was held from.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
/// - `REQUIRED_CONFIRMATIONS` (1 to 1000, default 19): for one that was paid while it was held.
struct ReleasePayout: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release", abstract: "Lets a held payout go on.",
    discussion: """
      It goes back to where it was held from; where its attempt has ended unpaid meanwhile, it is signed again. What \
      Signer held by its own limit or rule it holds again by itself, as long as the cause is there.
      """)

  @OptionGroup var target: PayoutArgument
  @OptionGroup var why: ReasonOption

  @Flag(name: .long, help: "Also where the log of intents says that it ended in a part of the history that was lost.")
  var althoughItEnded = false

  @Option(
    name: .long,
    help: "For what it is held, as 'held' tells: must be said where nobody but a person keeps it from being paid again."
  )
  var heldFor: String?

  func run() async throws {
    try await DecideHeld.run(
      target.payout, althoughItEnded ? .releaseAlthoughEnded : .release, seen: heldFor, reason: why.reason)
  }
}
