import Ledger
import Payouts
import Testing

@testable import Simulation

/// What telling events asks for.
extension ModelWalk {
  /// Claims a server, tries some of its deliveries, and gives it back or dies before.
  mutating func tell() async throws {
    let origin: String? = [nil, nil, "https://one.example"][roll(3)]
    let count = 1 + roll(4)
    let (theirLot, ourLot) = (Taken<WebhookLot>(), Taken<WebhookLot>())
    try await compare("claim webhooks after \(origin ?? "nobody")") {
      let claim = try await $0.claimWebhooks(after: origin, leaseMilliseconds: 30_000, atMost: count)
      if case .lot(let lot) = claim { theirLot.put(lot) }
      return Self.text(claim)
    } _: {
      let claim = $0.claimWebhooks(after: origin, leaseMilliseconds: 30_000, atMost: count)
      if case .lot(let lot) = claim { ourLot.put(lot) }
      return Self.text(claim)
    }
    guard let real = theirLot.value, let modelled = ourLot.value else { return }
    for (theirs, ours) in zip(real.deliveries, modelled.deliveries) where roll(5) > 0 {
      let result: WebhookResult = [
        .delivered("HTTP 200"), .gone("HTTP 410"),
        .failed("HTTP 500", delayMilliseconds: 5_000, lifetimeMilliseconds: roll(3) == 0 ? 60_000 : 259_200_000),
      ][roll(3)]
      try await compare("record-webhook \(theirs.payout.map { "\($0.id)" } ?? "-") \(result)") {
        String(describing: try await $0.record(result, of: theirs))
      } _: {
        String(describing: $0.record(result, of: ours))
      }
    }
    guard roll(5) > 0 else { return }
    let rest: Int64? = roll(2) == 0 ? nil : 5_000
    let lifetime: Int64 = roll(3) == 0 ? 60_000 : 259_200_000
    try await compare("release \(real.origin)") {
      "\(try await $0.release(real, restMilliseconds: rest, lifetimeMilliseconds: lifetime))"
    } _: {
      "\($0.release(modelled, restMilliseconds: rest, lifetimeMilliseconds: lifetime))"
    }
  }

  private static func text(_ claim: WebhookClaim) -> String {
    switch claim {
    case .nothing(let next): return "nothing \(next ?? "-")"
    case .lot(let lot):
      let deliveries = lot.deliveries.map { "\(String(describing: $0.payout)) \($0.event) \($0.url) \($0.tries)" }
      return "lot \(lot.origin) \(lot.claim) \(lot.failures) \(deliveries)"
    }
  }
}
