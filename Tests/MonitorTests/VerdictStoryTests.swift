import Ledger
import Monitor
import Payouts
import Signer
import TestSupport
import Testing
import Tron

/// How attempts end, and what follows (DESIGN.md §3 points 5 and 6).
@Suite struct VerdictStoryTests {
  @Test
  func `a dropped transaction is dead only with the first solid block at its expiration, and is paid by a second`()
    async throws
  {
    // "It is in none of the solid blocks from its reference block + 1 through the first one whose time ≥ its expiration."
    try await PayingScene.run { scene in
      let (monitor, signer) = try await scene.sent()
      let expiration = try await scene.signed(1).expiration
      await scene.node.dropPending()
      // The first block at or after the expiration is the last that can hold it.
      let last = (expiration.milliseconds(since: PayingScene.noon) + 2_999) / 3_000 + 40
      try await scene.live(Int(last + 17 - 40), monitor)
      #expect(await scene.node.solidNumber == last - 1)
      #expect(try await scene.attempts(1)[0].outcome == nil)
      #expect(try await scene.status(1) == .broadcast)
      try await scene.live(1, monitor)
      #expect(try await scene.attempts(1)[0].outcome == .dead)
      #expect(try await scene.status(1) == .scheduled)
      #expect(try await scene.record(1).notBefore != nil)
      // Its delay passes; the sweeper brings the batch, Signer proves the death itself, and signs.
      try await scene.live(21, monitor)
      for _ in 0..<3 {
        try await scene.run(signer.sweep)
        try await scene.run(signer.sign)
        try await scene.run(signer.prove)
      }
      try await scene.run(signer.broadcast)
      try await scene.live(19, monitor)
      #expect(try await scene.status(1) == .confirmed)
      #expect(try await scene.attempts(1).map(\.outcome) == [.dead, .paid])
      #expect(await scene.node.payments(to: PayingScene.recipient(1)).count == 1)
      #expect(try await scene.breaker() == nil)
    }
  }

  @Test func `a transaction in exactly the last block that can hold it is paid, not dead`() async throws {
    // Missed slots: the block's time is after the expiration, its parent's before it.
    try await PayingScene.run { scene in
      let (monitor, signer) = try await scene.sent()
      let expiration = try await scene.signed(1).expiration
      let txid = try await scene.txid(1)
      try await scene.wait(milliseconds: 200_000)
      await scene.node.produce([], at: expiration.advanced(byMilliseconds: -1))
      // The node has forgotten it after 60 s; one millisecond before its expiration it is still sent.
      try await scene.run(signer.broadcast)
      await scene.node.produce([txid], at: expiration.advanced(byMilliseconds: 9_000))
      for _ in 0..<20 { await scene.node.produce() }
      // The head is never read: only the solid chain's word counts.
      try await scene.run(monitor.followSolid)
      try await scene.run(monitor.judgeLate)
      #expect(try await scene.attempts(1)[0].outcome == .paid)
      try await scene.read(monitor)
      #expect(try await scene.status(1) == .confirmed)
    }
  }

  @Test func `a named failure frees the payout for another attempt`() async throws {
    // OUT_OF_TIME on a healthy transfer (reference §5.6): nothing moved.
    try await PayingScene.run { scene in
      let (monitor, signer) = try await scene.sent()
      let first = try await scene.txid(1)
      await scene.node.setExecution(.failure(.outOfTime), of: first)
      try await scene.live(18, monitor)
      #expect(try await scene.status(1) == .confirming)
      try await scene.live(1, monitor)
      #expect(try await scene.status(1) == .scheduled)
      #expect(try await scene.attempts(1)[0].outcome == .failedOnChain)
      #expect(try await scene.attempts(1)[0].result == "OUT_OF_TIME")
      // Signer itself reads the whole window before it signs the reference again.
      try await scene.live(45, monitor)
      for _ in 0..<3 {
        try await scene.run(signer.sweep)
        try await scene.run(signer.sign)
        try await scene.run(signer.prove)
      }
      try await scene.run(signer.broadcast)
      try await scene.live(19, monitor)
      #expect(try await scene.status(1) == .confirmed)
      #expect(await scene.node.payments(to: PayingScene.recipient(1)) == [try await scene.txid(1)])
      #expect(try await scene.txid(1) != first)
    }
  }

  /// What proves neither payment nor failure.
  static let anomalies: [ScriptedNode.Execution] = [
    .init(inBlock: nil, inReceipt: .success, isFailed: false),
    .init(inBlock: .success, inReceipt: nil, isFailed: false),
    .init(inBlock: .unknown, inReceipt: .unknown, isFailed: true),
    .init(inBlock: .unrecognized("NEW"), inReceipt: .unrecognized("NEW"), isFailed: true),
    .init(inBlock: .success, inReceipt: .revert, isFailed: true),
    .init(inBlock: .revert, inReceipt: .revert, isFailed: false), .success(logs: []),
    .success(logs: [
      EventLog(
        TokenTransfer(
          token: PayingScene.token, sender: PayingScene.recipient(8), recipient: PayingScene.recipient(1),
          value: [UInt8](repeating: 0, count: 31) + [1]))
    ]),
  ]

  @Test(arguments: VerdictStoryTests.anomalies.indices)
  func `an anomalous end holds the payout, opens the breaker, and stays live until it is clear`(index: Int) async throws
  {
    // "Anything else frees nothing and confirms nothing: anomalous, payout held, breaker." It "is read again until it is
    // clear": here the node first said something else than the chain, then corrects itself.
    try await PayingScene.run { scene in
      let (monitor, signer) = try await scene.sent()
      let txid = try await scene.txid(1)
      let wrong = Self.anomalies[index]
      await scene.node.setBlockTampering { block, view in
        guard view == .solid, block.transactions.contains(where: { $0.txid == txid }) else { return block }
        let changed = block.transactions.compactMap { transaction in
          try? BlockTransaction(rawData: transaction.rawData, contractResult: wrong.inBlock)
        }
        return Block(header: block.header, transactions: changed)
      }
      await scene.node.setReceiptTampering { _, view, receipts in
        view == .head
          ? receipts
          : receipts.map { receipt in
            TransactionReceipt(
              txid: receipt.txid, blockNumber: receipt.blockNumber, blockTimestamp: receipt.blockTimestamp,
              fee: receipt.fee, energyUsed: receipt.energyUsed, netUsage: receipt.netUsage, netFee: receipt.netFee,
              result: wrong.inReceipt, isFailed: wrong.isFailed, logs: wrong.logs ?? receipt.logs)
          }
      }
      try await scene.live(19, monitor)
      #expect(try await scene.status(1) == .held)
      #expect(try await scene.record(1).holdReason == HoldReason.anomalousTransaction.rawValue)
      #expect(try await scene.breaker() == HoldReason.anomalousTransaction.rawValue)
      #expect(try await scene.attempts(1)[0].outcome == nil)
      #expect(try await scene.attempts(1)[0].status == .anomalous)
      // Nothing is signed, and reading it again changes nothing while it stays so.
      try await scene.schedule(numbers: 2...2)
      try await scene.live(45, monitor)
      try await scene.run(signer.sign)
      #expect(try await scene.status(2) == .scheduled)
      #expect(try await scene.attempts(1)[0].status == .anomalous)
      #expect(try await scene.alarms() == [HoldReason.anomalousTransaction.rawValue])
      await scene.node.setBlockTampering(nil)
      await scene.node.setReceiptTampering(nil)
      try await scene.live(21, monitor)
      #expect(try await scene.attempts(1)[0].outcome == .paid)
      // A person decides on the payout; nothing else can become of it than paid.
      #expect(try await scene.status(1) == .held)
      #expect(try await scene.attempts(1).count == 1)
    }
  }

  @Test func `a put-back whose block was read already is judged by reading its window again`() async throws {
    // "Read for that verdict, after the attempt's row was written." The database forgot the transaction before its block
    // came, so the block told Monitor nothing but a finding, which the put-back explains.
    try await PayingScene.run { scene in
      let (monitor, _) = try await scene.sent()
      let txid = try await scene.txid(1)
      try await scene.restoreToBeforeSigning(1)
      try await scene.live(65, monitor)
      try await scene.run(monitor.judgeFindings)
      #expect(try await scene.ledger.conditions().openFindings == 2)
      #expect(try await scene.breaker() == nil)
      let next = try scene.signer(run: 2)
      try await scene.run(next.vouch)
      #expect(try await scene.ledger.conditions().openFindings == 0)
      try await scene.run(monitor.judgeFindings)
      try await scene.run(next.sign)
      try await scene.live(1, monitor)
      #expect(try await scene.breaker() == nil)
      #expect(try await scene.status(1) == .confirmed)
      #expect(try await scene.attempts(1).map(\.txid) == [txid])
      #expect(await scene.node.payments(to: PayingScene.recipient(1)).count == 1)
    }
  }
}
