import ArgumentParser
import Ledger
import Payouts
import Worker

/// `payoutctl webhook-secret`: makes and shows the secret that an owner's webhooks are signed with.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
struct ShowWebhookSecret: AsyncParsableCommand {
  /// How long the old secret signs beside the new one: 24 hours (api.md "Webhooks").
  static let oldValidMilliseconds: Int64 = 86_400_000
  /// The longest owner, in characters: as in a token's `sub`.
  static let ownerCharactersMax = 255

  static let configuration = CommandConfiguration(
    commandName: "webhook-secret", abstract: "Shows the secret that an owner's webhooks are signed with.",
    discussion: """
      The first line is the present secret, made now where the owner had none. Whoever knows it can forge webhooks to \
      this owner's receivers: hand it over in confidence.
      """)

  @Argument(help: "The owner: 'sub' of the token that payouts are made with.", transform: ShowWebhookSecret.owner)
  var owner: String

  @Flag(name: .long, help: "Makes a new one; the old one signs as well for 24 hours more.")
  var rotate = false

  func run() async throws {
    let ledger = try Payoutctl.ledger()
    for line in try await ShowWebhookSecret.lines(of: owner, rotating: rotate, in: ledger, SystemRandomSource()) {
      print(line)
    }
  }

  /// What is printed: the present secret, then those that sign as well for a while.
  static func lines(
    of owner: String, rotating: Bool, in ledger: any OperatorLedger, _ random: any RandomSource
  ) async throws -> [String] {
    let candidate = try WebhookSecret(bytes: random.bytes(WebhookSecret.usualBytes))
    let secrets =
      rotating
      ? try await ledger.rotateWebhookSecret(of: owner, to: candidate, oldValidMilliseconds: oldValidMilliseconds)
      : try await ledger.makeWebhookSecret(of: owner, candidate)
    return secrets.enumerated().map { index, secret in
      index == 0 ? secret.text : "\(secret.text) signs as well, for at most 24 hours after its rotation"
    }
  }

  private static func owner(_ text: String) throws -> String {
    let isPlain = text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    guard isPlain, (1...ownerCharactersMax).contains(text.count) else {
      throw ValidationError("expected 1 to \(ownerCharactersMax) characters, none of control")
    }
    return text
  }
}
