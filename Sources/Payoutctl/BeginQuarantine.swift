import ArgumentParser
import Ledger

/// `payoutctl quarantine begin`: a Signer will not come to vouch; a wait stands in for its word.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
struct BeginQuarantine: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "begin", abstract: "Says that a Signer will not come to vouch, so that a quarantine stands in for it.",
    discussion: """
      While it lasts nothing is signed and nothing ends unpaid. It takes until all that this Signer may have signed is on \
      the solid chain or dead: MAX_EXPIRATION_SECONDS and twice CLOCK_BOUND_SECONDS of chain time, and begins anew whenever \
      PostgreSQL starts. Another Signer of the wallet must run. Where this one comes back first, it vouches and the \
      quarantine ends; where it comes back later, what its journal holds goes in with the chain's verdict.

      A Signer whose journal is lost but which runs on says so itself: see 'payoutctl signer init --journal-lost'.
      """)

  @Option(name: .long, help: "The Signer's name.")
  var signer: String

  @OptionGroup var why: ReasonOption

  func run() async throws {
    let request = QuarantineRequest(signer: signer, cause: .signerAway, reason: why.reason)
    let ledger = try Payoutctl.ledger()
    switch try await ledger.requestQuarantine(request) {
    case .requested:
      print("a quarantine stands in for \(signer); a running Signer begins it: see 'payoutctl quarantine'")
    case .standing:
      let standing = StandingQuarantine(of: signer, among: try await ledger.quarantines(atMost: 1_000))
      for line in standing?.lines ?? ["a quarantine stands in for \(signer) already"] { print(line) }
    case .notNeeded:
      throw Refusal(text: "every Signer has vouched: nothing waits for \(signer); nothing was changed")
    case .unknownSigner, .retiredJournal:
      throw Refusal(text: "no Signer \(signer) was declared or is listed by another one; nothing was changed")
    }
  }
}
