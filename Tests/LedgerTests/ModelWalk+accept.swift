import Ledger
import Payouts

@testable import Simulation

/// What clients ask for: single payouts, and batches.
extension ModelWalk {
  mutating func accept() async throws {
    let payouts = try (0...roll(3)).map { _ in
      // Seldom one of those that the log of intents tells of (``replay()``): an end may be all that is known of it.
      let drawn = first + (roll(8) == 0 ? 20 + roll(4) : roll(6))
      let lost = lostNumbers
      let number = !lost.isEmpty && roll(4) == 0 ? lost[roll(lost.count)] : drawn
      return try Sample.payout(
        number, id: roll(lost.contains(number) ? 2 : 4) == 0 ? number + 50 : number,
        amount: Int64(1_000_000 * (1 + roll(2))), recipient: first + roll(3),
        expiresAt: roll(4) == 0 ? model.now.advanced(byMilliseconds: 30_000) : nil,
        priority: Priority.allCases[roll(Priority.allCases.count)], router: roll(3) == 0 ? .kyc : .v0,
        fingerprint: UInt8(1 + roll(5) / 4), batchType: roll(3) == 0 ? .hourly : .immediate,
        webhookURL: roll(2) == 0 ? "https://\(roll(2) == 0 ? "one" : "two").example/hook" : nil)
    }
    // The same reference twice in a group is replayed within it; different bodies under one fingerprint do not exist.
    var seen: Set<Reference> = []
    var group = payouts.filter { seen.insert($0.terms.reference).inserted }.map { AcceptanceRequest($0) }
    if roll(3) == 0, let batch = try batch(without: seen) { group.insert(batch, at: roll(group.count + 1)) }
    let requests = group
    let limit = roll(4) == 0 ? try Amount(microUSDT: 3_000_000) : nil
    let limits = AcceptanceLimits(
      hourly: nil, daily: nil, perRouter: [.kyc: SpanLimits(hourly: limit, daily: nil)])
    try await compare("accept \(requests.map { $0.payouts.map { "\($0.terms.id)" } })") { ledger in
      try await ledger.accept(requests, limits: limits).map(Self.text).joined(separator: ", ")
    } _: {
      try $0.accept(requests, limits: limits).map(Self.text).joined(separator: ", ")
    }
  }

  /// A batch of a few payouts, among them such as stand in another one, whose rows are lost, or that the log tells of: whatever
  /// a disaster may leave of one.
  private mutating func batch(without taken: Set<Reference>) throws -> AcceptanceRequest? {
    var numbers: Set<Int> = []
    for _ in 0...(1 + roll(3)) {
      let lost = lostNumbers
      numbers.insert(!lost.isEmpty && roll(4) == 0 ? lost[roll(lost.count)] : first + 22 + roll(6))
    }
    let (batch, fingerprint) = (first + roll(3), UInt8(1 + roll(8) / 7))
    let payouts = try numbers.sorted().filter { !taken.contains(Sample.reference($0)) }.map { number in
      try Sample.payout(
        number, id: roll(4) == 0 ? number + 50 : number, amount: Int64(1_000_000 * (1 + roll(2))),
        recipient: first + roll(3), router: roll(3) == 0 ? .kyc : .v0, fingerprint: fingerprint, clientBatch: batch)
    }
    return payouts.isEmpty ? nil : AcceptanceRequest(payouts)
  }

  /// Of payouts whose row is gone although their reference is claimed, of this sequence and the last ones: a journal put back
  /// what a restore took.
  private var lostNumbers: [Int] {
    let lost = Set(model.claims.filter { model.payouts[$0.value.payout] == nil }.keys)
    return lost.isEmpty ? [] : (max(1, first - 300)..<(first + 30)).filter { lost.contains(Sample.reference($0)) }
  }

  private static func text(_ outcome: RequestOutcome) -> String {
    func all(_ word: String, _ records: [PayoutRecord]) -> String {
      let kind = records.first?.terms.clientBatch.map { "batch \(word) \($0)" } ?? word
      return records.map { "\(kind) \($0.id) \($0.status) \($0.windowEnd)" }.joined(separator: " and ")
    }
    return switch outcome {
    case .accepted(let records): all("accepted", records)
    case .replayed(let records): all("replayed", records)
    case .differentRequest: "different"
    case .limitExceeded(let use): "limit \(String(describing: use.router)) \(use.span) \(use.limit) \(use.used)"
    case .knownUnder(let names):
      "known under \(names.payouts.map { $0?.description ?? "-" }) \(names.clientBatch.map { "batch known \($0)" } ?? "-")"
    case .refused(let error): "refused \(error.code)"
    }
  }
}
