import Foundation
import TestSupport

/// The operators of a chaos run: they do what the design wants a person for, and nothing else, by `payoutctl`.
actor ChaosOperators {
  private let stack: Stack
  /// How often they had to, by the reason.
  private(set) var decisions: [String: Int] = [:]

  init(_ stack: Stack) { self.stack = stack }

  /// Releases what was held because its stream entry failed again and again: its cause is over.
  ///
  /// - Returns: what waits for a person and should not, by the faults of a chaos run: any other hold, and a breaker that no
  ///   trial closes.
  func decide() async throws -> String? {
    if let text = try? await stack.payoutctl("breaker", "--json"),
      let breaker = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any],
      breaker["breaker"] as? String == "open", breaker["closes_by"] as? String == "operator"
    {
      return "the breaker is open: \(breaker["cause"] ?? "")"
    }
    guard let text = try? await stack.payoutctl("held", "--json"),
      let held = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]]
    else { return nil }
    for payout in held {
      guard let id = payout["payout_id"] as? String, let reason = payout["hold_reason"] as? String else { continue }
      guard reason == "dead_letter" else { return "\(id) is held: \(reason)" }
      try await stack.payoutctl("release", id, "--reason", "the outage is over")
      decisions[reason, default: 0] += 1
    }
    return nil
  }
}
