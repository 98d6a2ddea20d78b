import Keystore
import Ledger
import Monitor
import Payouts
import Signer
import TestSupport
import Testing
import Tron

/// Treasury orders: the wallet's own money to an address of Signer's own configuration (DESIGN.md §3 "The fence").
@Suite struct TreasuryTests {
  private static let cold = PayingScene.recipient(700)

  private func order(
    _ scene: PayingScene, to recipient: Address = cold, token: Address = PayingScene.token, amount: Int64 = 50_000_000,
    despite: Bool = false
  ) async throws -> TreasuryOrder {
    let order = TreasuryOrder(
      id: PayoutID(at: scene.clock.now(), randomness: [UInt8](recipient.bytes.suffix(10))), token: token,
      recipient: recipient, amount: try Amount(microUSDT: amount), isDespiteBreaker: despite, reason: "to safety")
    try await scene.ledger.order(order)
    return order
  }

  private func state(_ scene: PayingScene) async throws -> TreasuryOrderRecord.State? {
    try await scene.ledger.treasuryOrders(atMost: 1).first?.state
  }

  @Test func `an order is signed, journaled, sent and followed like a payout, and is no finding`() async throws {
    // "Operators' own transactions are journaled orders to the Signer, first."
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      try await scene.read(monitor)
      let signer = try scene.signer(hourlyLimit: 2_000_000, treasury: [Self.cold])
      try await scene.run(signer.vouch)
      _ = try await order(scene)
      try await scene.run(signer.carryOutOrders)
      let entry = try #require(scene.journal.held.first)
      #expect(entry.purpose == .treasury)
      #expect(await scene.node.broadcasts.isEmpty)
      try await scene.run(signer.broadcast)
      #expect(await scene.node.broadcasts == [entry.txid])
      try await scene.live(20, monitor)
      #expect(try await state(scene) == .signed(entry.txid, .solid))
      #expect(await scene.node.payments(to: Self.cold) == [entry.txid])
      #expect(try await scene.ledger.conditions().openFindings == 0)
      #expect(try await scene.breaker() == nil)
      // It took nothing of Signer's own limit: 50 USDT went, and 2 may still be paid.
      try await scene.schedule(numbers: 1...2)
      try await scene.run(signer.sign)
      #expect(try await scene.count("SELECT count(*) FROM payouts WHERE status = 'signed'") == 2)
      // And nothing of it comes again.
      try await scene.run(signer.carryOutOrders)
      #expect(await scene.node.payments(to: Self.cold).count == 1)
    }
  }

  @Test func `an order to an address that Signer's configuration does not name is refused`() async throws {
    // Whoever can write the database must not be able to send money anywhere.
    try await PayingScene.run { scene in
      let signer = try scene.signer(treasury: [Self.cold])
      try await scene.follow()
      try await scene.run(signer.vouch)
      for (recipient, token) in [
        (PayingScene.recipient(66), PayingScene.token), (Self.cold, PayingScene.recipient(67)),
      ] {
        _ = try await order(scene, to: recipient, token: token, despite: true)
        try await scene.run(signer.carryOutOrders)
        guard case .refused? = try await state(scene) else {
          Issue.record("\(String(describing: try await state(scene)))")
          return
        }
        try await scene.wait(milliseconds: 1_000)
      }
      try await scene.run(signer.broadcast)
      #expect(await scene.node.broadcasts.isEmpty)
      #expect(scene.journal.held.isEmpty)
      #expect(
        try await scene.alarms() == ["operator", "treasury_refused", "operator", "treasury_refused"])
    }
  }

  @Test func `an order that must wait keeps no other one waiting`() async throws {
    // The journal knows the first one and the ledger does not: it waits to be put back.
    try await PayingScene.run { scene in
      try await scene.follow()
      let signer = try scene.signer(treasury: [Self.cold])
      try await scene.run(signer.vouch)
      let first = try await order(scene)
      try await scene.run(signer.carryOutOrders)
      try await scene.force(
        "DELETE FROM attempts; DELETE FROM transactions; UPDATE treasury_orders SET txid = NULL, signed_in = NULL")
      try await scene.wait(milliseconds: 1_000)
      let second = try await order(scene, amount: 7_000_000)
      try await scene.run(signer.carryOutOrders)
      #expect(scene.journal.held.map(\.payouts.first?.payout) == [first.id, second.id])
    }
  }

  @Test func `while a stolen key is at work only an order despite the breaker is signed`() async throws {
    // The emergency that the flag is for: the money is brought to safety while nothing else is signed.
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      try await scene.read(monitor)
      let signer = try scene.signer(treasury: [Self.cold])
      try await scene.run(signer.vouch)
      let stolen = try UnsignedTransaction.tokenTransfer(
        owner: scene.wallet, token: PayingScene.token, to: PayingScene.recipient(66), amount: Amount(microUSDT: 9),
        referenceBlock: scene.node.genesis, expiration: scene.clock.now().advanced(byMilliseconds: 60_000),
        timestamp: scene.clock.now(), feeLimit: Sun(1))
      await scene.node.produce(foreign: [try ScriptedNode.Foreign(rawData: stolen.rawData)])
      try await scene.read(monitor)
      #expect(try await scene.breaker() == "unknown_transaction")
      try await scene.schedule(numbers: 1...1)
      _ = try await order(scene, amount: 10_000_000)
      try await scene.run(signer.carryOutOrders)
      #expect(try await state(scene) == .ordered)
      try await scene.force("UPDATE treasury_orders SET refused_at = ledger_now(), refusal = 'superseded'")
      try await scene.wait(milliseconds: 1_000)
      let emergency = try await order(scene, amount: 40_000_000, despite: true)
      try await scene.run(signer.carryOutOrders)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      #expect(scene.journal.held.map(\.payouts.first?.payout) == [emergency.id])
      try await scene.live(20, monitor)
      #expect(await scene.node.payments(to: Self.cold).count == 1)
      #expect(try await scene.status(1) == .scheduled)
      // Never while the history is not vouched for.
      try await scene.force("DELETE FROM continuity; DELETE FROM vouchings")
      try await scene.wait(milliseconds: 1_000)
      _ = try await order(scene, amount: 1, despite: true)
      try await scene.run(signer.carryOutOrders)
      #expect(try await state(scene) == .ordered)
    }
  }

  @Test func `a payout that the database calls a treasury order counts in Signer's own limit`() async throws {
    // "Its limits are counted in its journal too": by what Signer's own configuration says, not by the database's word.
    try await PayingScene.run { scene in
      try await scene.follow()
      let signer = try scene.signer(treasury: [Self.cold])
      try await scene.run(signer.vouch)
      try await scene.schedule(numbers: 1...1)
      scene.journal.setFault { _ in .notDone }
      try await scene.run(signer.sign)
      scene.journal.setFault(nil)
      try await scene.force(
        """
        INSERT INTO treasury_orders (id, reference, token, recipient, amount, despite_breaker, reason)
        SELECT id, reference, token, recipient, amount, false, 'forged' FROM payouts
        """)
      try await scene.run(signer.broadcast)
      #expect(scene.journal.held.map(\.purpose) == [.payouts])
      #expect(scene.journal.amountSigned(since: PayingScene.noon, except: []) == (try Amount(microUSDT: 1_000_000)))
    }
  }
}
