import Ledger
import Payouts
import Testing

@testable import Simulation

/// What operators order, and what a Signer makes of it.
extension ModelWalk {
  mutating func orders() async throws {
    switch roll(4) {
    case 0: try await orderAdoption()
    case 1: try await carryOutAdoptions()
    case 2: try await orderSweep()
    default: try await signSweep()
    }
  }

  private mutating func orderAdoption() async throws {
    let payouts = model.payouts(in: Set(PayoutStatus.allCases))
    guard !payouts.isEmpty else { return try await look() }
    let isInUse = roll(5) == 0
    let waiting = payouts.filter { row in
      row.status.waitsForAttempt && (model.attemptInUse(of: row.terms.reference) != nil) == isInUse
    }
    let row = waiting.isEmpty || roll(3) == 0 ? payouts[roll(payouts.count)] : waiting[roll(waiting.count)]
    let found = model.findings.filter { !$0.isExplained }.map(\.what.txid)
    let txid =
      found.isEmpty || roll(5) == 0
      ? Sample.txid(Sample.reference(9_000 + roll(5)), attempt: 9) : found[roll(found.count)]
    let solid = model.cursors[.solid]?.number ?? 0
    let terms = row.terms
    let order = AdoptionOrder(
      payout: terms.id, txid: txid, wallet: Sample.wallet, signedBytes: [UInt8](repeating: 0xab, count: 250),
      referenceBlockNumber: TestLedger.startNumber, expiration: model.now.advanced(byMilliseconds: 20_000),
      timestamp: model.now, feeLimit: Sun(1),
      transfer: ExpectedTransfer(
        token: terms.token, from: Sample.wallet, to: terms.recipient,
        amount: roll(8) == 0 ? try Amount(microUSDT: 7) : terms.amount),
      block: Sample.place(solid + Int64(roll(4) / 3), at: model.now), reason: "reason")
    try await compare("order-adoption of \(txid) for \(terms.id)") {
      "\(String(describing: try await $0.order(order)))"
    } _: {
      "\(String(describing: $0.order(order)))"
    } locking: { _ in
      [terms.id.description]
    }
  }

  private mutating func carryOutAdoptions() async throws {
    let taken = Taken<[JournalEntry]>()
    let (life, signer) = (someLife(), someSigner())
    let journalID = someJournalID(of: signer)
    try await compare("adoptions to carry out") { ledger in
      let lot = try await ledger.adoptionsToCarryOut(wallet: Sample.wallet, signer: signer, atMost: 10)
        .transactions
      taken.put(lot)
      return "\(lot.map { "\($0.txid) \($0.headTime) \($0.signedAt) \($0.payouts)" })"
    } _: {
      let lot = $0.adoptionsToCarryOut(wallet: Sample.wallet, signer: signer, atMost: 10).transactions
      return "\(lot.map { "\($0.txid) \($0.headTime) \($0.signedAt) \($0.payouts)" })"
    }
    for entry in taken.value ?? [] {
      if roll(3) == 0 {
        try await compare("refuse adoption \(entry.txid)") {
          try await $0.refuseAdoption(of: entry.txid, "why")
          return "done"
        } _: {
          $0.refuseAdoption(of: entry.txid)
          return "done"
        }
        continue
      }
      remember(entry, by: signer)
      try await compare("adopt \(entry.txid)") {
        "\(try await $0.adopt(entry, signer: signer, journalID: journalID, life: life))"
      } _: {
        "\(try $0.adopt(entry, signer: signer, journalID: journalID, life: life))"
      }
    }
  }

  private mutating func orderSweep() async throws {
    let order = TreasuryOrder(
      id: Sample.payoutID(500_000 + first + roll(4)), token: Sample.token, recipient: Sample.recipient(1),
      amount: try Amount(microUSDT: Int64(5 + roll(2))), isDespiteBreaker: roll(3) == 0, reason: "reason")
    try await compare("order-sweep \(order.id)") {
      try await $0.order(order)
      return "done"
    } _: {
      $0.order(order)
      return "done"
    }
  }

  private mutating func signSweep() async throws {
    let (whim, now, head) = (roll(8), model.now, try #require(model.cursors[.head]))
    let signing = TreasurySigning(
      wallet: Sample.wallet, signer: someSigner(), head: Sample.place(head.number + Int64(roll(12)), at: now),
      maximumInFlight: roll(8) == 0 ? 2 : 1_000, fenceLagBlocks: 10)
    try await compare("sign-sweep whim \(whim)") { ledger in
      "\(try await ledger.signTreasuryOrder(signing) { Self.decide($0, whim, now) })"
    } _: {
      "\(try $0.signTreasuryOrder(signing) { Self.decide($0, whim, now) })"
    }
  }

  private static func decide(_ order: TreasuryOrder, _ whim: Int, _ now: Timestamp) -> TreasuryDecision {
    switch whim {
    case 0: .refuse("why")
    case 1: .wait
    // One that waits keeps no other one waiting.
    case 2 where order.amount.microUSDT == 5: .wait
    default:
      .sign(
        SignedPayout(
          payout: order.id, reference: order.reference, attemptNumber: 1,
          txid: Sample.txid(order.reference, attempt: 1),
          signedBytes: [UInt8](repeating: 0xab, count: 250), referenceBlockNumber: TestLedger.startNumber,
          headTime: now, expiration: now.advanced(byMilliseconds: 20_000), feeLimit: Sun(1),
          transfer: ExpectedTransfer(
            token: order.token, from: Sample.wallet, to: order.recipient, amount: order.amount)))
    }
  }
}
