import Keystore
import Ledger
import Monitor
import Payouts
import Signer
import TestSupport
import Testing
import Tron

@testable import Payoutctl

/// Payments that a disaster took from both database and journal come back as findings, and an operator adopts them
/// (DESIGN.md §3 "The fence").
@Suite struct ReconcileTests {
  /// Payouts of which 1 and 2, and 3 and 4, are twins: equal recipient and amount.
  private func twins(_ scene: PayingScene) throws -> [NewPayout] {
    try (1...5).map { number in
      try scene.payout(
        number, amount: number == 5 ? 7_000_000 : 1_000_000,
        recipient: PayingScene.recipient([0, 1, 1, 3, 3, 5][number]))
    }
  }

  @Test func `payments lost by database and journal are found, never signed again, adopted, and confirmed once each`()
    async throws
  {
    // "A payout that equals an unclaimed one in recipient, amount and reference bits is held, never signed." "reconcile
    // matches it to a payout by recipient, amount and reference bits and adopts it."
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      let payouts = try twins(scene)
      let txids = try await scene.losePayments(payouts, monitor)
      let journal = scene.emptyJournal()
      let signer = try scene.signer(run: 2, journal: journal)
      try await scene.live(1, monitor)
      // Vouched, judged, and even acknowledged by a person who does not know better: nothing is signed again.
      try await scene.run(signer.vouch)
      try await scene.read(monitor)
      #expect(try await scene.breaker() == "unknown_transaction")
      _ = try await scene.ledger.closeBreaker(reason: "does not know better")
      for _ in 0..<3 {
        try await scene.run(signer.sweep)
        try await scene.run(signer.sign)
        try await scene.live(7, monitor)
      }
      for number in 1...5 {
        #expect(try await scene.record(number).holdReason == "unclaimed_transfer", "payout \(number)")
      }
      #expect(await scene.node.broadcasts.count == 5)

      // A look changes nothing; each transaction fits exactly its payout, twins by their bits.
      let look = try await scene.reconcile()
      for (payout, txid) in zip(payouts, txids) {
        let entry = try #require(look.transactions.first { $0.txid == "\(txid)" })
        #expect(entry.outcome == .matches && entry.payoutId == "\(payout.terms.id)", "\(entry)")
        #expect(entry.chain == "paid")
      }
      #expect(try await scene.count("SELECT count(*) FROM adoptions") == 0)

      #expect(Set(try await scene.reconcile("the restore took them").outcomes.values) == [.ordered])
      try await scene.run(signer.carryOutOrders)
      for number in 1...5 { #expect(try await scene.status(number) == .signed) }
      // Journal first: from now on this Signer's own proof knows them.
      #expect(Set(journal.held.map(\.txid)) == Set(txids))
      try await scene.live(45, monitor)
      for (number, txid) in zip(1...5, txids) {
        #expect(try await scene.status(number) == .confirmed, "payout \(number)")
        #expect(try await scene.attempts(number).map(\.txid) == [txid])
        #expect(
          try await scene.ledger.history(of: PayingScene.payoutID(number)).map(\.to)
            == [.queued, .scheduled, .held, .signed, .confirming, .confirmed])
      }
      #expect(await scene.node.broadcasts.count == 5)
      #expect(await scene.node.payments(to: PayingScene.recipient(1)).count == 2)
      #expect(try await scene.reconcile().transactions.isEmpty)
      let signed = "SELECT sum(used) FROM limit_windows WHERE scope = 'signed' AND span = 'day'"
      #expect(try await scene.count(signed) == 11_000_000)
      // And other payouts go on.
      try await scene.schedule(numbers: 6...6)
      try await scene.run(signer.sign)
      #expect(try await scene.status(6) == .signed)
    }
  }

  @Test func `what a quorum had in a solid block is never called dropped, and what equals it waits for a person`()
    async throws
  {
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      let twins = Array(try twins(scene).prefix(2))
      let txids = try await scene.losePayments(twins, monitor)
      let signer = try scene.signer(run: 2, journal: scene.emptyJournal())
      try await scene.live(1, monitor)
      try await scene.run(signer.vouch)
      try await scene.live(22, monitor)
      await scene.node.setBlockTampering { block, _ in
        Block(
          header: block.header, transactions: block.transactions.filter { $0.txid != txids[0] },
          isBodyProven: block.isBodyProven)
      }
      await scene.node.setReceiptTampering { _, _, receipts in receipts.filter { $0.txid != txids[0] } }
      let report = try await scene.reconcile("now")
      #expect(report.outcomes == ["\(txids[0])": .unreadable, "\(txids[1])": .choose], "\(report)")
      await scene.node.setBlockTampering { block, _ in block }
      await scene.node.setReceiptTampering { _, _, receipts in receipts }
      #expect(Set(try await scene.reconcile().outcomes.values) == [.matches])
    }
  }

  @Test func `a found transaction that a fork dropped is told as such once its place is solid`() async throws {
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      let txid = try await scene.losePayments([scene.payout(1)], monitor)[0]
      let signer = try scene.signer(run: 2, journal: scene.emptyJournal())
      try await scene.live(1, monitor)
      try await scene.run(signer.vouch)
      try await scene.read(monitor)
      await scene.node.fork(above: await scene.node.head.number - 2)
      await scene.node.dropPending()
      // A later block may hold it as long as it can be valid.
      try await scene.live(22, monitor)
      #expect(try await scene.reconcile("now").outcomes == ["\(txid)": .notSolid])
      try await scene.live(240, monitor)
      #expect(try await scene.reconcile("now").outcomes == ["\(txid)": .dropped])
    }
  }

  @Test func `an adopted payout is confirmed by the solid chain, not by the operator's word`() async throws {
    // Before its block is solid it cannot even be ordered; afterwards Monitor reads the window itself, and a result that
    // proves nothing confirms nothing.
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      let txid = try await scene.losePayments([scene.payout(1)], monitor)[0]
      let signer = try scene.signer(run: 2, journal: scene.emptyJournal())
      try await scene.live(1, monitor)
      try await scene.run(signer.vouch)
      try await scene.read(monitor)
      #expect(try await scene.reconcile("now").outcomes == ["\(txid)": .notSolid])
      try await scene.live(18, monitor)
      #expect(try await scene.reconcile("now").outcomes == ["\(txid)": .ordered])
      try await scene.run(signer.carryOutOrders)
      #expect(try await scene.status(1) == .signed)
      // What Monitor now reads says something else than what the operator read.
      await scene.node.setReceiptTampering { _, _, receipts in
        receipts.map { receipt in
          TransactionReceipt(
            txid: receipt.txid, blockNumber: receipt.blockNumber, blockTimestamp: receipt.blockTimestamp,
            fee: receipt.fee, energyUsed: receipt.energyUsed, netUsage: receipt.netUsage, netFee: receipt.netFee,
            result: receipt.result, isFailed: receipt.isFailed, logs: [])
        }
      }
      try await scene.live(45, monitor)
      #expect(try await scene.status(1) == .held)
      #expect(try await scene.record(1).holdReason == "anomalous_transaction")
      await scene.node.setReceiptTampering(nil)
      try await scene.live(25, monitor)
      #expect(try await scene.attempts(1).map(\.outcome) == [.paid])
    }
  }

  @Test func `a lost attempt that failed is adopted too, and its payout is paid by another one`() async throws {
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      let txid = try await scene.losePayments([scene.payout(1)], monitor)[0]
      await scene.node.setExecution(.failure(.outOfEnergy), of: txid)
      let signer = try scene.signer(run: 2, journal: scene.emptyJournal())
      try await scene.live(20, monitor)
      try await scene.run(signer.vouch)
      try await scene.read(monitor)
      let report = try await scene.reconcile("it failed")
      #expect(report.outcomes == ["\(txid)": .ordered])
      #expect(report.transactions.map(\.chain) == ["failed on chain: OUT_OF_ENERGY"])
      try await scene.run(signer.carryOutOrders)
      _ = try await scene.ledger.closeBreaker(reason: "explained")
      try await scene.live(70, monitor)
      #expect(try await scene.attempts(1).map(\.outcome) == [.failedOnChain])
      try await scene.run(monitor.blameFailures)
      for _ in 0..<3 {
        try await scene.run(signer.sweep)
        try await scene.run(signer.sign)
        try await scene.run(signer.prove)
      }
      try await scene.run(signer.broadcast)
      try await scene.live(20, monitor)
      #expect(try await scene.attempts(1).map(\.outcome) == [.failedOnChain, .paid])
      #expect(await scene.node.payments(to: PayingScene.recipient(1)).count == 1)
    }
  }

  @Test func `a payout whose row is gone is matched once its client submits it again`() async throws {
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      let payout = try scene.payout(1)
      let txid = try await scene.losePayments([payout], monitor)[0]
      try await scene.force("DELETE FROM payouts; DELETE FROM payout_references; DELETE FROM payout_events")
      let signer = try scene.signer(run: 2, journal: scene.emptyJournal())
      try await scene.live(20, monitor)
      try await scene.run(signer.vouch)
      try await scene.read(monitor)
      let report = try await scene.reconcile("now")
      #expect(report.outcomes == ["\(txid)": .noPayout])
      #expect(report.transactions[0].detail.contains("submits it again under its key"))
      #expect(report.complaint != nil)

      // Another id, the same reference: the client's key makes it.
      let again = try scene.payout(2, recipient: payout.terms.recipient, reference: payout.terms.reference)
      _ = try await scene.ledger.accept([again], limits: AcceptanceLimits(hourly: nil, daily: nil))
      #expect(try await scene.reconcile("submitted again").outcomes == ["\(txid)": .ordered])
      try await scene.run(signer.carryOutOrders)
      try await scene.live(45, monitor)
      #expect(try await scene.status(2) == .confirmed)
      #expect(try await scene.attempts(2).map(\.txid) == [txid])
    }
  }

  @Test func `where several fit, a person chooses by the payout's id`() async throws {
    // Two payouts whose references are equal in all that a transaction carries of them.
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      func reference(_ last: UInt8) -> Reference {
        // The last bytes count modulo 1000 ms: 1,000 apart, they carry the same milliseconds.
        let low = UInt16(last) * 1_000
        return Reference(
          exactly: [UInt8](repeating: 0x5c, count: 30) + [UInt8(low >> 8), UInt8(truncatingIfNeeded: low)])
      }
      let recipient = PayingScene.recipient(1)
      let payouts = try (1...2).map {
        try scene.payout($0, recipient: recipient, reference: reference(UInt8($0)))
      }
      #expect(payouts[0].terms.reference.milliseconds == payouts[1].terms.reference.milliseconds)
      let txids = try await scene.losePayments([payouts[0]], monitor)
      _ = try await scene.ledger.accept([payouts[1]], limits: AcceptanceLimits(hourly: nil, daily: nil))
      let signer = try scene.signer(run: 2, journal: scene.emptyJournal())
      try await scene.live(20, monitor)
      try await scene.run(signer.vouch)
      try await scene.read(monitor)
      let report = try await scene.reconcile("which")
      #expect(report.outcomes == ["\(txids[0])": .choose])
      #expect(Set(report.transactions[0].choices) == Set(payouts.map { "\($0.terms.id)" }))
      #expect(try await scene.count("SELECT count(*) FROM adoptions") == 0)
      let chosen = [txids[0]: payouts[1].terms.id]
      #expect(try await scene.reconcile("the second", choosing: chosen).outcomes == ["\(txids[0])": .ordered])
      try await scene.run(signer.carryOutOrders)
      try await scene.live(45, monitor)
      #expect(try await scene.status(2) == .confirmed)
      #expect(try await scene.status(1) == .scheduled)
    }
  }

  @Test func `what a thief signs is matched to no payout`() async throws {
    // The wallet's own key, and a transfer that equals a waiting payout but for the bits of its reference.
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      try await scene.read(monitor)
      let signer = try await scene.vouchedSigner()
      let payout = try scene.payout(1)
      let terms = payout.terms
      _ = try await scene.ledger.accept([payout], limits: AcceptanceLimits(hourly: nil, daily: nil))
      let bits = (terms.reference.topTenBits + 1) & 0x3ff
      let wrong = scene.clock.now().advanced(byMilliseconds: 60_000).milliseconds & ~0x3ff | bits
      let stolen = try UnsignedTransaction.tokenTransfer(
        owner: scene.wallet, token: PayingScene.token, to: terms.recipient, amount: terms.amount,
        referenceBlock: scene.node.genesis, expiration: Timestamp(milliseconds: wrong),
        timestamp: scene.clock.now(), feeLimit: Sun(1)
      ).signed(by: scene.key)
      await scene.node.produce(foreign: [
        try ScriptedNode.Foreign(rawData: stolen.rawData, signatures: [[UInt8](stolen.bytes.suffix(65))])
      ])
      try await scene.live(19, monitor)
      #expect(try await scene.reconcile("mine").outcomes == ["\(stolen.txid)": .noPayout])
      try await scene.run(signer.carryOutOrders)
      #expect(try await scene.breaker() == "unknown_transaction")
    }
  }

  /// What does not stand in the signed bytes, or not so.
  static let alterations = [
    "amount = 5", "signed_at = signed_at - interval '2 days'", "signed_at = signed_at + interval '2 days'",
    "head_time_ms = head_time_ms - 1", "head_time_ms = expiration_ms - 1, signed_at = signed_at + interval '1 second'",
  ]

  @Test(arguments: ReconcileTests.alterations)
  func `an order whose bytes are not what stands beside them is refused and not journaled`(
    alteration: String
  ) async throws {
    // Whoever writes the database can write an order; the journal must not learn from it. By false times it would count in
    // another hour's limit.
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      let txid = try await scene.losePayments([scene.payout(1)], monitor)[0]
      let journal = scene.emptyJournal()
      let signer = try scene.signer(run: 2, journal: journal)
      try await scene.live(20, monitor)
      try await scene.run(signer.vouch)
      try await scene.read(monitor)
      #expect(try await scene.reconcile("now").outcomes == ["\(txid)": .ordered])
      try await scene.force("UPDATE adoptions SET \(alteration)")
      try await scene.run(signer.carryOutOrders)
      #expect(journal.held.isEmpty)
      #expect(try await scene.status(1) == .scheduled)
      #expect(try await scene.alarms().contains("adoption_refused"))
      #expect(try await scene.reconcile("again").outcomes == ["\(txid)": .ordered])
      try await scene.run(signer.carryOutOrders)
      #expect(try await scene.status(1) == .signed)
    }
  }

  @Test func `an adoption does not wait for a sweep that cannot be signed while no node answers`() async throws {
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      _ = try await scene.losePayments([scene.payout(1)], monitor)
      let signer = try scene.signer(run: 2, journal: scene.emptyJournal(), treasury: [PayingScene.recipient(700)])
      try await scene.live(20, monitor)
      try await scene.run(signer.vouch)
      try await scene.read(monitor)
      _ = try await scene.reconcile("now")
      try await scene.ledger.order(
        TreasuryOrder(
          id: PayingScene.payoutID(700), token: PayingScene.token, recipient: PayingScene.recipient(700),
          amount: Amount(microUSDT: 5), isDespiteBreaker: true, reason: "to safety"))
      try await scene.wait(milliseconds: 5_000)
      await scene.node.setFault { _ in .unreachable }
      #expect(try await scene.failure(of: signer.carryOutOrders) is TronNodeError)
      #expect(try await scene.status(1) == .signed)
      await scene.node.setFault(nil)
      try await scene.run(signer.carryOutOrders)
      guard case .signed? = try await scene.ledger.treasuryOrders(atMost: 1).first?.state else {
        Issue.record("the sweep was not signed afterwards")
        return
      }
    }
  }

  @Test func `an adoption survives the death of the Signer between journal and ledger, and another restore`()
    async throws
  {
    // The journal is what makes an adoption last: the next vouching puts it back from there.
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      let txid = try await scene.losePayments([scene.payout(1)], monitor)[0]
      let journal = scene.emptyJournal()
      var signer = try scene.signer(run: 2, journal: journal)
      try await scene.live(20, monitor)
      try await scene.run(signer.vouch)
      try await scene.read(monitor)
      _ = try await scene.reconcile("now")
      journal.setFault { _ in .unknown }
      _ = try await scene.failure(of: signer.carryOutOrders)
      #expect(try await scene.status(1) == .scheduled)
      // The next process; and the database is restored to before the order.
      let next = journal.reopened()
      #expect(next.holds(txid))
      try await scene.force("DELETE FROM adoptions; DELETE FROM continuity; DELETE FROM vouchings")
      signer = try scene.signer(run: 3, journal: next)
      try await scene.run(signer.vouch)
      #expect(try await scene.status(1) == .signed)
      try await scene.live(45, monitor)
      #expect(try await scene.status(1) == .confirmed)
    }
  }
}
