import ArgumentParser
import Ledger

/// `payoutctl pause`: nothing is signed until it is resumed.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
struct PausePayments: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Stops all signing; payouts are still accepted.",
    discussion: "What was signed before is still broadcast and followed to its end. Clients are told the reason.")

  @OptionGroup var why: ReasonOption

  func run() async throws {
    let ledger = try Payoutctl.ledger()
    guard try await ledger.pause(reason: why.reason) else {
      let earlier = try await ledger.conditions().pauseReason.map { ": \($0)" } ?? ""
      throw Refusal(text: "payments are paused already\(earlier); nothing was changed")
    }
    print("payments are paused: nothing is signed until 'payoutctl resume'")
  }
}

/// `payoutctl resume`: ends the pause.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
struct ResumePayments: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Ends the pause; the breaker, if open, stays so.")

  @OptionGroup var why: ReasonOption

  func run() async throws {
    guard try await Payoutctl.ledger().resume(reason: why.reason) else {
      throw Refusal(text: "payments are not paused; nothing was changed")
    }
    print("payments are resumed")
  }
}
