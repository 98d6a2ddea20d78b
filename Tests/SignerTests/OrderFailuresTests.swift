import Keystore
import Ledger
import Monitor
import Payouts
import Signer
import Synchronization
import TestSupport
import Testing
import Tron

/// What cannot be carried out of operators' orders is told, and keeps nothing else waiting (DESIGN.md §3 "The fence").
@Suite struct OrderFailuresTests {
  private static let cold = PayingScene.recipient(700)

  private func orderSweep(_ scene: PayingScene, amount: Int64) async throws -> TreasuryOrder {
    let order = TreasuryOrder(
      id: PayoutID(at: scene.clock.now(), randomness: [UInt8](repeating: UInt8(amount), count: 10)),
      token: PayingScene.token, recipient: Self.cold, amount: try Amount(microUSDT: amount), isDespiteBreaker: true,
      reason: "to safety")
    try await scene.ledger.order(order)
    return order
  }

  /// Payouts 1 and 2 were paid, which a restore took from database and journal; a person has ordered to adopt the payments.
  private func adoptionsOrdered(
    _ scene: PayingScene, node: (any TronNode)? = nil
  ) async throws -> (txids: [TxID], journal: MemoryJournal, signer: SignerSteps) {
    let monitor = try scene.monitor()
    let txids = try await scene.losePayments(try [scene.payout(1), scene.payout(2)], monitor)
    let journal = scene.emptyJournal()
    let signer = try scene.signer(run: 2, journal: journal, node: node, treasury: [Self.cold])
    try await scene.live(1, monitor)
    try await scene.run(signer.vouch)
    try await scene.live(20, monitor)
    #expect(Set(try await scene.reconcile("the restore took them").outcomes.values) == [.ordered])
    return (txids, journal, signer)
  }

  /// The database refuses this transaction from now on.
  private func refuse(_ txid: TxID, _ scene: PayingScene) async throws {
    try await scene.force(
      """
      CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.txid = \(PayingScene.sql(txid.bytes)) THEN
          RAISE EXCEPTION 'the test refuses it' USING ERRCODE = 'TP002';
        END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER refuse_one BEFORE INSERT ON transactions FOR EACH ROW EXECUTE FUNCTION refuse_one();
      """)
  }

  @Test func `an adoption that the ledger refuses after it was journaled calls operators, and the others go on`()
    async throws
  {
    try await PayingScene.run { scene in
      let (txids, journal, signer) = try await adoptionsOrdered(scene)
      try await refuse(txids[0], scene)
      let failure = try await scene.failure(of: signer.carryOutOrders)
      #expect((failure as? LedgerError)?.code == .illegalChange, "\(failure)")
      #expect(try await scene.status(2) == .signed)
      #expect(try await scene.status(1) != .signed)
      // It stands in the journal for ever: what the ledger does not take keeps this Signer from vouching anew.
      #expect(journal.holds(txids[0]))
      let alarm = try #require(
        try await scene.ledger.standingAlarms(atMost: 100).first { $0.kind == "adoption_failed" })
      #expect(alarm.subject == "transaction \(txids[0])")
      #expect(alarm.message.contains("the ledger refuses it"), "\(alarm.message)")
      // The order stands, and is carried out as soon as the ledger takes it.
      try await scene.force("DROP TRIGGER refuse_one ON transactions")
      try await scene.run(signer.carryOutOrders)
      #expect(try await scene.status(1) == .signed)
      #expect(journal.held.count == 2)
    }
  }

  @Test func `a sweep and an adoption that fail in one look are both told`() async throws {
    try await PayingScene.run { scene in
      let node = ReplicaNode(of: scene.node)
      let (txids, _, signer) = try await adoptionsOrdered(
        scene, node: CheckedNode(node, genesis: scene.node.genesis))
      _ = try await orderSweep(scene, amount: 5)
      try await refuse(txids[0], scene)
      await node.setAway(true)
      try await scene.wait(milliseconds: 60_000)
      let failure = "\(try await scene.failure(of: signer.carryOutOrders))"
      #expect(failure.contains("the test has switched it off"), "\(failure)")
      #expect(failure.contains("the test refuses it"), "\(failure)")
    }
  }

  @Test func `a treasury order that cannot be decided on keeps no other one waiting, and is told`() async throws {
    // The journal cannot be read at the first one's place: "nobody may then believe that there is nothing".
    try await PayingScene.run { scene in
      try await scene.follow()
      let journal = UnreadableJournal(scene.journal)
      let signer = try scene.signer(journal: journal, treasury: [Self.cold])
      try await scene.run(signer.vouch)
      let first = try await orderSweep(scene, amount: 5)
      try await scene.wait(milliseconds: 1_000)
      let second = try await orderSweep(scene, amount: 7)
      journal.cannotBeRead(at: first.reference)
      let failure = try await scene.failure(of: signer.carryOutOrders)
      #expect(failure is JournalError, "\(failure)")
      #expect(scene.journal.held.map(\.payouts.first?.payout) == [second.id])
      // Unsigned as long as it is so, and signed afterwards.
      _ = try await scene.failure(of: signer.carryOutOrders)
      #expect(scene.journal.held.count == 1)
      journal.cannotBeRead(at: nil)
      try await scene.run(signer.carryOutOrders)
      #expect(scene.journal.held.map(\.payouts.first?.payout) == [second.id, first.id])
    }
  }
}

/// A journal one place of which may be unreadable.
private final class UnreadableJournal: Journal {
  private let journal: MemoryJournal
  private let broken = Mutex<Reference?>(nil)
  let id: [UInt8]
  let wallet: Address

  init(_ journal: MemoryJournal) {
    self.journal = journal
    (id, wallet) = (journal.id, journal.wallet)
  }

  func cannotBeRead(at reference: Reference?) { broken.withLock { $0 = reference } }

  func adopt(_ life: ServerLife) async { await journal.adopt(life) }
  func entries() async throws -> [JournalEntry] { try await journal.entries() }
  func append(_ entries: [JournalEntry], under life: ServerLife) async throws {
    try await journal.append(entries, under: life)
  }
  func holds(_ txid: TxID) -> Bool { journal.holds(txid) }
  func attempts(of reference: Reference) throws -> [JournalEntry] {
    guard broken.withLock({ $0 }) != reference else {
      throw JournalError.io(operation: "read", path: "memory", errno: 5)
    }
    return journal.attempts(of: reference)
  }
  func amountSigned(since time: Timestamp, except unpaid: Set<TxID>) -> Amount {
    journal.amountSigned(since: time, except: unpaid)
  }
}
