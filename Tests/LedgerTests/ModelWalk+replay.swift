import Ledger
import Payouts
import Testing

@testable import Simulation

/// What the log of intents tells: acceptances and ends that are lost, put back, and the person's answers.
extension ModelWalk {
  mutating func replay() async throws {
    switch roll(4) {
    case 0: try await askForLost()
    case 1: try await putBackAcceptances()
    case 2: try await putBackEnds()
    default: try await matchFindings()
    }
  }

  private static func text(_ replay: IntentReplay) -> String {
    "put back \(replay.putBack) conflicts \(replay.conflicts) ends \(replay.ends)"
  }

  /// Acceptances that never were, or stand, or stand otherwise.
  private mutating func acceptances() throws -> [AcceptedPayout] {
    try (0...roll(2)).map { _ in
      let number = first + 20 + roll(4)
      let payout = try Sample.payout(
        number, id: roll(3) == 0 ? number + 50 : number, amount: Int64(1_000_000 * (1 + roll(2))),
        recipient: first + roll(3), router: roll(3) == 0 ? .kyc : .v0, fingerprint: UInt8(1 + roll(4) / 3),
        clientBatch: roll(2) == 0 ? first + roll(3) : nil)
      let size = roll(3) == 0 ? nil : ClientBatchSize(payoutCount: 1 + roll(3), total: payout.terms.amount)
      return AcceptedPayout(
        payout, limitWindows: LimitWindows(at: model.now), windowEnd: model.now,
        batchSize: payout.terms.clientBatch == nil ? nil : size)
    }
  }

  private mutating func ends() -> [PayoutEnd] {
    let rows = model.payouts(in: Set(PayoutStatus.allCases)).map(\.terms)
    let unpaid = PayoutStatus.allCases.filter(\.isUnpaidFinal)
    return (0...roll(2)).map { _ in
      let terms = rows.isEmpty ? nil : rows[roll(rows.count)]
      let number = first + 20 + roll(4)
      return PayoutEnd(
        payout: terms?.id ?? Sample.payoutID(number), reference: terms?.reference ?? Sample.reference(number),
        status: unpaid[roll(unpaid.count)], note: nil,
        at: Timestamp(milliseconds: 1_700_000_000_000 + Int64(roll(3))))
    }
  }

  private mutating func askForLost() async throws {
    let intents = try acceptances().map(Intent.accepted) + ends().map(Intent.ended)
    try await compare("lost of \(intents.count)") {
      "\(try await $0.lost(intents).map(Self.name))"
    } _: {
      "\($0.lost(intents).map(Self.name))"
    }
  }

  private static func name(_ intent: Intent) -> String {
    switch intent {
    case .accepted(let accepted): "accepted \(accepted.payout.terms.id)"
    case .ended(let end): "ended \(end.reference) \(end.status)"
    case .marker: "marker"
    }
  }

  private mutating func putBackAcceptances() async throws {
    let acceptances = try acceptances()
    try await compare("replay-acceptances \(acceptances.map { "\($0.payout.terms.id)" })") {
      Self.text(try await $0.putBack(acceptances: acceptances))
    } _: {
      Self.text(try $0.putBack(acceptances: acceptances))
    }
  }

  private mutating func putBackEnds() async throws {
    let ends = ends()
    try await compare("replay-ends \(ends.map { "\($0.reference) \($0.status)" })") {
      Self.text(try await $0.putBack(ends: ends))
    } _: {
      Self.text(try $0.putBack(ends: ends))
    }
    let held = model.payouts(in: [.held]).filter { model.openEnd(of: $0.terms.reference) != nil }
    guard !held.isEmpty, roll(2) == 0 else { return }
    let id = held[roll(held.count)].terms.id
    let decision: HeldDecision = [.release, .releaseAlthoughEnded, .reject][roll(3)]
    let seen = model.payouts[id]?.holdReason
    try await compare("decide \(decision) about \(id)") {
      "\(try await $0.decide(id, decision, seen: seen, reason: "reason", requiredConfirmations: 2))"
    } _: {
      "\(try $0.decide(id, decision, seen: seen, reason: "reason", requiredConfirmations: 2))"
    }
  }

  private mutating func matchFindings() async throws {
    let (recipient, amount) = (Sample.recipient(first + roll(3)), try Amount(microUSDT: 1_000_000))
    let (named, count) = (Set(model.findings.map(\.what.txid).filter { _ in roll(4) == 0 }), [1, 3, 100][roll(3)])
    try await compare("match") { ledger in
      let found = try await ledger.unexplainedFindings(naming: named, atMost: count)
      return Self.text(found) + "\(try await ledger.payouts(paying: recipient, amount).map(\.id))"
        + "\(try await ledger.longestLifeMilliseconds())"
    } _: { tables in
      Self.text(tables.unexplainedFindings(naming: named, atMost: count))
        + "\(tables.payouts(paying: recipient, amount).map(\.id))\(LedgerTables.longestLifeMilliseconds)"
    }
  }

  private static func text(_ found: [UnexplainedFinding]) -> String {
    found.map { row in
      let state =
        switch row.adoption {
        case nil: "none"
        case .ordered(let payout): "ordered \(payout)"
        case .done(let payout): "done \(payout)"
        case .refused: "refused"
        }
      let finding = row.finding
      return "\(finding.txid) \(finding.kind) \(finding.blockNumber) \(finding.isJudged) "
        + "\(finding.isAcknowledged) \(finding.isSolid) \(state)"
    }.sorted().joined(separator: "; ")
  }
}
