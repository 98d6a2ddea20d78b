import Ledger
import Monitor
import Payouts
import Signer
import TestSupport
import Testing
import Tron
import Worker

/// Edges of the two tables of states (DESIGN.md §2) that a quiet day never walks, each by the workers' own steps on a real
/// ledger. `EdgeCoverageTests` tells which test walks which edge.
@Suite struct EdgeTests {
  /// How far a transaction has come when the solid chain speaks.
  enum Start: String, CaseIterable, CustomTestStringConvertible {
    /// The node has it, and every answer was lost.
    case signed
    /// A node said SUCCESS.
    case sent
    /// Monitor saw it in a block.
    case included

    var testDescription: String { rawValue }
    var transaction: TransactionStatus { self == .signed ? .signed : self == .sent ? .sent : .included }
    var payout: PayoutStatus { self == .signed ? .signed : self == .sent ? .broadcast : .confirming }
  }

  /// What the solid chain says of it.
  enum End: String, CaseIterable, CustomTestStringConvertible {
    case paid, failed, dead, anomalous

    var testDescription: String { rawValue }
    var transaction: TransactionStatus {
      switch self {
      case .paid: .solid
      case .failed: .failedOnChain
      case .dead: .dead
      case .anomalous: .anomalous
      }
    }
  }

  /// Each verdict from each state; what a block holds is not dead before a fork undoes that block.
  static let verdicts: [(Start, End)] = Start.allCases.flatMap { start in
    End.allCases.filter { !(start == .included && $0 == .dead) }.map { (start, $0) }
  }

  /// A receipt without a result proves nothing.
  private func hideResults(_ scene: PayingScene) async {
    await scene.node.setReceiptTampering { _, view, receipts in
      view == .head
        ? receipts
        : receipts.map { receipt in
          TransactionReceipt(
            txid: receipt.txid, blockNumber: receipt.blockNumber, blockTimestamp: receipt.blockTimestamp,
            fee: receipt.fee, energyUsed: receipt.energyUsed, netUsage: receipt.netUsage, netFee: receipt.netFee,
            result: nil, isFailed: receipt.isFailed, logs: receipt.logs)
        }
    }
  }

  /// Payout 1 as far as `start`.
  private func bring(_ scene: PayingScene, to start: Start) async throws -> (monitor: MonitorSteps, signer: SignerSteps)
  {
    if start == .signed {
      await scene.node.setBroadcast { _, _ in .error(.timeout, takes: true) }
    }
    let monitor = try scene.monitor()
    let signer = try scene.signer()
    try await scene.read(monitor)
    try await scene.run(signer.vouch)
    try await scene.schedule(numbers: 1...1)
    try await scene.run(signer.sign)
    // Where the answer is lost the step may tell so; what counts is what the ledger says then.
    _ = try? await signer.broadcast.run()
    if start == .included { try await scene.live(1, monitor) }
    #expect(try await scene.attempts(1)[0].status == start.transaction)
    #expect(try await scene.status(1) == start.payout)
    return (monitor, signer)
  }

  /// Only the solid chain is read: whatever comes next comes from its word alone.
  private func readSolid(_ blocks: Int, _ scene: PayingScene, _ monitor: MonitorSteps) async throws {
    for _ in 0..<blocks {
      try await scene.produce()
      try await scene.run(monitor.followSolid)
      try await scene.run(monitor.judgeLate)
    }
  }

  private func events(_ scene: PayingScene, _ number: Int = 1) async throws -> [PayoutEvent] {
    try await scene.ledger.history(of: PayingScene.payoutID(number))
  }

  private func expectLast(
    _ from: PayoutStatus, _ to: PayoutStatus, _ scene: PayingScene, at location: SourceLocation = #_sourceLocation
  ) async throws {
    let last = try #require(try await events(scene).last)
    #expect(last.from == from && last.to == to, "\(last)", sourceLocation: location)
  }

  @Test(arguments: EdgeTests.verdicts)
  func `each verdict of the solid chain is taken from each state of a transaction`(
    start: Start, end: End
  ) async throws {
    // Transaction: signed, sent, included → solid, failed_on_chain, dead, anomalous. Payout: signed, broadcast →
    // confirming, scheduled, held; confirming → confirmed, scheduled, held.
    try await PayingScene.run { scene in
      let (monitor, _) = try await bring(scene, to: start)
      let txid = try await scene.txid(1)
      switch end {
      case .paid: break
      case .failed: await scene.node.setExecution(.failure(.outOfTime), of: txid)
      case .anomalous: await hideResults(scene)
      case .dead: await scene.node.dropPending()
      }
      // A block that is made already keeps what it says: the failure comes with the other branch.
      if start == .included, end == .failed { await scene.node.fork(above: 40) }
      try await readSolid(end == .dead ? 62 : 19, scene, monitor)
      #expect(try await scene.attempts(1)[0].status == end.transaction)
      switch (start, end) {
      case (.included, .paid):
        try await scene.run(monitor.followHead)
        try await scene.run(monitor.confirm)
        try await expectLast(.confirming, .confirmed, scene)
      case (_, .paid): try await expectLast(start.payout, .confirming, scene)
      case (_, .failed), (_, .dead): try await expectLast(start.payout, .scheduled, scene)
      case (_, .anomalous): try await expectLast(start.payout, .held, scene)
      }
      let paid = await scene.node.payments(to: PayingScene.recipient(1))
      #expect(paid.count == (end == .paid || end == .anomalous ? 1 : 0))
    }
  }

  @Test(arguments: [Start.signed, .sent])
  func `a transaction comes into a block from each state, and a fork takes it out again`(start: Start) async throws {
    // Transaction: signed, sent → included → sent. Payout: signed (seen in a block first), broadcast → confirming →
    // broadcast.
    try await PayingScene.run { scene in
      let (monitor, _) = try await bring(scene, to: start)
      try await scene.live(1, monitor)
      #expect(try await scene.attempts(1)[0].status == .included)
      try await expectLast(start.payout, .confirming, scene)
      await scene.node.fork(above: 40)
      await scene.node.produce([])
      await scene.node.produce([])
      try await scene.read(monitor)
      #expect(try await scene.attempts(1)[0].status == .sent)
      try await expectLast(.confirming, .broadcast, scene)
      try await scene.live(20, monitor)
      try await expectLast(.confirming, .confirmed, scene)
      #expect(await scene.node.payments(to: PayingScene.recipient(1)).count == 1)
    }
  }

  /// What an anomalous transaction turns out to be, from where its payout was held.
  static let clearings: [(Start, End)] = Start.allCases.flatMap { start in
    // The head's block of an included one stays as it is.
    (start == .included ? [End.paid] : [.paid, .failed]).map { (start, $0) }
  }

  @Test(arguments: EdgeTests.clearings)
  func `an anomalous transaction that becomes clear lets its payout go on by a person's word`(
    start: Start, end: End
  ) async throws {
    // Transaction: anomalous → solid, failed_on_chain. Payout: held → confirmed (held before any block), confirming (held
    // in one), scheduled (its attempt has ended unpaid).
    try await PayingScene.run { scene in
      let (monitor, _) = try await bring(scene, to: start)
      let txid = try await scene.txid(1)
      if end == .failed { await scene.node.setExecution(.failure(.revert), of: txid) }
      await hideResults(scene)
      try await readSolid(19, scene, monitor)
      try await expectLast(start.payout, .held, scene)
      func decide(_ decision: HeldDecision) async throws -> HeldOutcome {
        try await scene.ledger.decide(
          PayingScene.payoutID(1), decision, reason: "read it on the chain", requiredConfirmations: 19)
      }
      // As long as it is not clear a person may only adopt or settle it, by what they have seen on the chain.
      for decision in [HeldDecision.release, .reject] {
        #expect(try await decide(decision) == .refused(.attemptIsLive(txid, .anomalous)))
      }
      await scene.node.setReceiptTampering(nil)
      try await readSolid(66, scene, monitor)
      try await scene.run(monitor.followHead)
      try await scene.run(monitor.confirm)
      #expect(try await scene.attempts(1)[0].status == end.transaction)
      #expect(try await scene.status(1) == .held)
      let expected: PayoutStatus = end == .failed ? .scheduled : start == .included ? .confirming : .confirmed
      #expect(try await decide(.release) == .done(expected))
      try await expectLast(.held, expected, scene)
      // The chain stands still meanwhile: confirming looks again after a while.
      scene.clock.advance(byMilliseconds: 5_000)
      try await scene.run(monitor.confirm)
      #expect(try await scene.status(1) == (end == .failed ? .scheduled : .confirmed))
      #expect(try await scene.attempts(1).count == 1)
    }
  }

  @Test(arguments: [PayoutStatus.kycPending, .compliancePending, .queued, .scheduled, .held])
  func `a journal puts a payout back from every state that a restore can leave it in`(state: PayoutStatus) async throws
  {
    // kyc_pending, compliance_pending, queued, scheduled, held → signed (DESIGN.md §2, last row).
    try await PayingScene.run { scene in
      let (monitor, _) = try await scene.sent()
      let txid = try await scene.txid(1)
      try await scene.restoreToBeforeSigning(1)
      let isInBatch = state == .scheduled || state == .held
      try await scene.force(
        """
        UPDATE payouts SET status = '\(state.rawValue)',
          held_from = \(state == .held ? "'scheduled'" : "NULL"), hold_reason = \(state == .held ? "'signer_limit'" : "NULL"),
          settlement_batch_id = CASE WHEN \(isInBatch) THEN settlement_batch_id END
        """)
      let next = try scene.signer(run: 2)
      try await scene.run(next.vouch)
      try await expectLast(state, .signed, scene)
      #expect(try await scene.attempts(1).map(\.txid) == [txid])
      // Nothing else is signed for it, and it is paid by what was signed.
      try await scene.run(next.sweep)
      try await scene.run(next.sign)
      try await scene.live(20, monitor)
      #expect(try await scene.status(1) == .confirmed)
      #expect(await scene.node.payments(to: PayingScene.recipient(1)) == [txid])
    }
  }
}
