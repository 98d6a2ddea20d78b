import Foundation
import Payouts
import Testing

/// Payouts that end otherwise than by being paid at once, or that wait for a person first. (No client can cancel by now.)
struct Ends: Sendable {
  /// What becomes of each, by id.
  var expected: [String: String] = [:]
  /// The one that is held and will be released.
  let released: (wish: PayoutClient.Wish, id: String)

  /// More than Signer may sign in an hour at first, so that a person decides.
  private static let tooMuch = "6000"

  /// Of the workers, at first.
  static let variables = ["SIGNER_HOURLY_LIMIT_USDT": "5000", "MAX_PAYOUT_RETRY_ATTEMPTS": "2"]
  /// Of the Signers afterwards, with room for everything.
  static let variablesOfRelease = ["SIGNER_HOURLY_LIMIT_USDT": "1000000"]

  /// Hands them in, and decides on those that are held.
  static func begin(_ stack: Stack, _ client: PayoutClient, webhookURL: String) async throws -> Ends {
    let refused = Address(account: [UInt8](repeating: 0x66, count: 20))
    // The real token refuses nobody; with this one a payout fails by its own fault.
    try await stack.chain.tell("world", ["refuse": "\(refused)"])
    func wish(_ key: String, to recipient: Address? = nil, _ amount: String) throws -> PayoutClient.Wish {
      PayoutClient.Wish(
        key: key, recipient: recipient ?? Address(account: [UInt8](repeating: 0x55, count: 20)),
        amount: try Amount(decimal: amount), webhookURL: webhookURL)
    }
    // Too short a life to be signed at all: Signer asks for 15 s.
    var expiring = try wish("expires", "1")
    expiring.batchType = "weekly"
    expiring.expiresAt = Date(timeIntervalSinceNow: 14).formatted(.iso8601)
    let (rejected, settled, released) = try (
      wish("is rejected", tooMuch), wish("is settled", tooMuch), wish("is released", tooMuch)
    )
    var ids: [String: String] = [:]
    for wish in [expiring, try wish("fails", to: refused, "2"), rejected, settled, released] {
      ids[wish.key] = try await client.pay(wish)
    }
    func id(_ key: String) throws -> String { try #require(ids[key]) }
    for wish in [rejected, settled, released] { try await client.wait(until: try id(wish.key), is: "held") }
    try await stack.payoutctl("reject", try id(rejected.key), "--reason", "asked twice")
    try await stack.payoutctl(
      "settle", try id(settled.key), "--proof", "bank transfer 7", "--reason", "paid at the desk")
    var ends = Ends(released: (released, try id(released.key)))
    ends.expected = [
      try id("expires"): "expired", try id("fails"): "failed", try id(rejected.key): "rejected",
      try id(settled.key): "settled_externally", ends.released.id: "confirmed",
    ]
    return ends
  }
}
