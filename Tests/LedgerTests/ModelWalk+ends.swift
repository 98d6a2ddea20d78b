import Ledger
import Payouts

@testable import Simulation

/// What clients and persons decide about a payout.
extension ModelWalk {
  mutating func cancel() async throws {
    let waiting: Set<PayoutStatus> = [.kycPending, .compliancePending, .queued, .scheduled]
    let rows = model.payouts(in: roll(4) == 0 ? Set(PayoutStatus.allCases) : waiting).map(\.terms.id)
    let id = rows.isEmpty || roll(20) == 0 ? Sample.payoutID(first + 90) : rows[roll(rows.count)]
    try await compare("cancel \(id)") {
      Self.text(try await $0.cancel(id, note: "why"))
    } _: {
      Self.text(try $0.cancel(id, note: "why"))
    } locking: { _ in
      [id.description]
    }
  }

  private static func text(_ outcome: CancelOutcome) -> String {
    if case .cancelled(let record) = outcome { return "cancelled \(text(record))" }
    return "\(outcome)"
  }

  mutating func decide() async throws {
    let held = model.payouts(in: roll(6) == 0 ? [.queued, .held] : [.held])
    guard !held.isEmpty else { return try await look() }
    let tried = held.filter { model.attemptInUse(of: $0.terms.reference) != nil }
    let chosen = tried.isEmpty || roll(2) == 0 ? held : tried
    let id = chosen[roll(chosen.count)].terms.id
    let odd = model.transactions.values.filter { $0.status == .anomalous }.map(\.entry.txid).min()
    let adopt = HeldDecision.adopt(odd ?? Sample.txid(Sample.reference(1), attempt: 1))
    let decision: HeldDecision = [
      .release, .release, .releaseAlthoughEnded, .reject, .settle(proof: "proof"), adopt,
    ][roll(6)]
    // Mostly what it is held for.
    let other = roll(2) == 0 ? nil : HoldReason.allCases[roll(HoldReason.allCases.count)].rawValue
    let seen = roll(4) > 0 ? model.payouts[id]?.holdReason : other
    try await compare("decide \(id) \(decision) \(seen ?? "-")") {
      "\(try await $0.decide(id, decision, seen: seen, reason: "reason", requiredConfirmations: 2))"
    } _: {
      "\(try $0.decide(id, decision, seen: seen, reason: "reason", requiredConfirmations: 2))"
    } locking: { _ in
      [id.description]
    }
  }
}
