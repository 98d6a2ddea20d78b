import ArgumentParser
import Ledger

/// `payoutctl breaker open`: nothing is signed until it is closed.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
struct OpenBreaker: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "open", abstract: "Opens the breaker: nothing is signed until an operator closes it.",
    discussion: "What was signed before is still broadcast and followed to its end.")

  @OptionGroup var why: ReasonOption

  func run() async throws {
    let earlier = try await Payoutctl.ledger().openBreaker(reason: why.reason)
    print(
      earlier.map { "the breaker was open already, by \($0); your reason stands in the alarms" }
        ?? "the breaker is open: nothing is signed until 'payoutctl breaker close'")
  }
}

/// `payoutctl breaker close`: signing goes on; what the fence had found is acknowledged.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
struct CloseBreaker: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "close", abstract: "Closes the breaker and acknowledges the findings of the fence.",
    discussion: """
      A finding is a movement of a watched account that no Signer of ours signed: somebody else may hold the key. Look at \
      'payoutctl breaker' first. Findings that were not judged yet stay open and open the breaker again.
      """)

  @OptionGroup var why: ReasonOption

  func run() async throws {
    guard let closed = try await Payoutctl.ledger().closeBreaker(reason: why.reason) else {
      throw Refusal(text: "the breaker is closed already, and no judged finding is open; nothing was changed")
    }
    print(closed.cause.map { "the breaker is closed; it was open by \($0)" } ?? "the breaker was closed already")
    for finding in closed.acknowledged { print("acknowledged \(FindingView(finding).line)") }
  }
}
