import Ledger
import Monitor
import Payouts
import Signer
import Streams
import TestSupport
import Testing
import Tron

/// Whose failure a revert was, and what follows (DESIGN.md §3 point 6).
@Suite struct BlameTests {
  private static let funds = Amount.oneMillionUSDT

  /// A wallet with money, and a token that refuses payout 1 for its own sake.
  private func refusePayout(_ scene: PayingScene) async {
    let wallet = scene.wallet
    await scene.node.changeToken { token in
      token.balances[wallet] = Self.funds
      token.refusedRecipients = [PayingScene.recipient(1)]
    }
  }

  /// What the token's contract is like when the revert is looked into, and whose failure it is then.
  static let circumstances: [(FailureBlame, @Sendable (inout ScriptedToken, Address) -> Void)] = [
    (.payout, { _, _ in }), (.tokenPaused, { token, _ in token.isPaused = true }),
    (.walletBlacklisted, { token, wallet in token.blacklist = [wallet] }),
    (.walletShort, { token, wallet in token.balances[wallet] = .microUSDT(999_999) }),
    (.payout, { token, wallet in token.balances[wallet] = .microUSDT(1_000_000) }),
    (.passed, { token, _ in token.refusedRecipients = [] }),
    // A token that refuses everybody, whatever it says of itself.
    (.other, { token, wallet in token.refusedRecipients = [PayingScene.recipient(1), wallet] }),
    // The wallet is emptied while the transfer is simulated, or was empty and is funded just then.
    (.walletShort, { token, wallet in token.afterSimulation = [{ $0.balances[wallet] = .zero }] }),
    (.tokenPaused, { token, _ in token.afterSimulation = [{ $0.isPaused = true }] }),
  ]

  @Test(arguments: BlameTests.circumstances.indices)
  func `a revert is the payout's own only where a simulation repeats it with the wallet funded and the token open`(
    index: Int
  ) async throws {
    let (blame, change) = Self.circumstances[index]
    try await PayingScene.run { scene in
      let (monitor, signer) = try await scene.sent()
      await refusePayout(scene)
      let wallet = scene.wallet
      await scene.node.changeToken { change(&$0, wallet) }
      try await scene.fail(1, .revert, monitor)
      #expect(try await scene.status(1) == .scheduled)
      #expect(try await scene.attempts(1)[0].blame == nil)
      // Until Monitor has told, the payout is not signed again, however long that takes.
      try await scene.retry(monitor, signer)
      #expect(try await scene.attempts(1).count == 1)
      try await scene.run(monitor.blameFailures)
      #expect(try await scene.attempts(1)[0].blame == blame)
      #expect(try await scene.alarms() == (blame == .payout ? [] : ["failure_\(blame.rawValue)"]))
      try await scene.retry(monitor, signer, slots: 1)
      #expect(try await scene.attempts(1).count == 2)
    }
  }

  /// Three nodes of the scene's chain, the first of which lies.
  private func three(_ scene: PayingScene) -> (nodes: [ReplicaNode], group: NodeGroup) {
    let nodes = (0..<3).map { _ in ReplicaNode(of: scene.node) }
    let group = NodeGroup(nodes, genesis: scene.node.genesis, now: { [clock = scene.clock] in clock.now() })
    return (nodes, group)
  }

  @Test func `one node alone cannot make a failure the payout's own, and a quorum can`() async throws {
    // A payout's own failures end it: the first node lies that the token refuses it.
    try await PayingScene.run { scene in
      _ = try await scene.sent(2)
      let (nodes, group) = three(scene)
      let monitor = try scene.monitor(node: group, maximumOwnFailures: 1)
      await refusePayout(scene)
      try await scene.fail(1, .revert, monitor)
      await scene.node.changeToken { $0.refusedRecipients = [] }
      await nodes[0].setSimulationLie { call, outcome in
        if case .transfer(let transfer) = call, transfer.to == PayingScene.recipient(1) { return .reverted([]) }
        return outcome
      }
      try await scene.run(monitor.blameFailures)
      #expect(try await scene.attempts(1)[0].blame == .passed)
      #expect(try await scene.status(1) == .scheduled)
    }
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let (nodes, group) = three(scene)
      let monitor = try scene.monitor(node: group, maximumOwnFailures: 1)
      await refusePayout(scene)
      try await scene.fail(1, .revert, monitor)
      for node in nodes.dropFirst() { await node.setAway(true) }
      #expect(try await scene.failure(of: monitor.blameFailures) is ChainReadError)
      #expect(try await scene.attempts(1)[0].blame == nil)
      // Its payout does not wait for ever in silence.
      try await scene.wait(milliseconds: 600_000)
      _ = try await scene.failure(of: monitor.blameFailures)
      #expect(try await scene.alarms().contains("unexplained_failure"))
      await nodes[2].setAway(false)
      try await scene.wait(milliseconds: 60_000)
      try await scene.run(monitor.blameFailures)
      #expect(try await scene.status(1) == .failed)
    }
  }

  @Test func `a payout whose every attempt the token refuses fails for good, proven unpaid`() async throws {
    // scheduled → failed, by the steps alone: three attempts, each in a solid block as REVERT, each repeated by a simulation.
    try await PayingScene.run { scene in
      let (_, signer) = try await scene.sent()
      let monitor = try scene.monitor(maximumOwnFailures: 3)
      await refusePayout(scene)
      for attempt in 1...3 {
        try await scene.fail(1, .revert, monitor)
        #expect(try await scene.status(1) == .scheduled)
        try await scene.run(monitor.blameFailures)
        if attempt < 3 { try await scene.retry(monitor, signer, slots: 85) }
      }
      #expect(try await scene.status(1) == .failed)
      #expect(try await scene.attempts(1).map(\.blame) == [.payout, .payout, .payout])
      #expect(try await scene.states(1).suffix(2) == [.scheduled, .failed])
      #expect(try await scene.count("SELECT sum(used) FROM limit_windows") == 0)
      try await scene.retry(monitor, signer, slots: 85)
      #expect(try await scene.status(1) == .failed)
      #expect(await scene.node.payments(to: PayingScene.recipient(1)).isEmpty)
      #expect(try await scene.breaker() == nil)
    }
  }

  @Test func `an end by failure stands in the log of intents, at the latest when Redis is back`() async throws {
    // Proves commit, then log; and that a log that is away ends the payout all the same and is not forgotten.
    try await PayingScene.run { scene in
      let (_, _) = try await scene.sent()
      let monitor = try scene.monitor(maximumOwnFailures: 1)
      await refusePayout(scene)
      try await scene.fail(1, .revert, monitor)
      await scene.streams.setFault { $0 == .appendIntents ? .notDone : nil }
      try await scene.run(monitor.blameFailures)
      #expect(try await scene.status(1) == .failed)
      #expect(try await scene.streams.intentExtent() == nil)
      await scene.streams.setFault(nil)
      try await scene.run(monitor.recordIntents)
      let told = try await scene.streams.intents(after: .zero, atMost: 10).map { try Intent(fields: $0.fields) }
      #expect(told == [.ended(try #require(PayoutEnd(try await scene.record(1))))])
    }
  }

  @Test func `with all nodes away nothing is simulated, counted or ended`() async throws {
    // "All nodes away for an hour ends nothing."
    try await PayingScene.run { scene in
      let (_, signer) = try await scene.sent()
      let monitor = try scene.monitor(maximumOwnFailures: 1)
      await refusePayout(scene)
      try await scene.fail(1, .revert, monitor)
      try await scene.schedule(numbers: 2...2)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      try await scene.schedule(numbers: 3...3)
      await scene.node.setFault { _ in .unreachable }
      for _ in 0..<60 {
        try await scene.wait(milliseconds: 60_000)
        #expect(try await scene.failure(of: monitor.blameFailures) is TronNodeError)
        for step in [monitor.followHead, monitor.followSolid, monitor.judgeLate, monitor.confirm] {
          _ = try? await step.run()
        }
        for step in [signer.sweep, signer.sign, signer.broadcast] { _ = try? await step.run() }
      }
      #expect(try await scene.attempts(1).map(\.blame) == [nil])
      #expect(try await scene.status(1) == .scheduled)
      #expect(try await scene.status(2) == .broadcast)
      #expect(try await scene.status(3) == .scheduled)
      #expect(try await scene.alarms() == ["unexplained_failure"])
      // They come back, and it goes on where it was.
      await scene.node.setFault(nil)
      try await scene.run(monitor.blameFailures)
      #expect(try await scene.status(1) == .failed)
    }
  }

  @Test func `a node that refuses to simulate one transfer does not keep others from being judged`() async throws {
    try await PayingScene.run { scene in
      let (monitor, _) = try await scene.sent(2)
      await refusePayout(scene)
      await scene.node.setExecution(.failure(.revert), of: try await scene.txid(1))
      try await scene.fail(2, .revert, monitor)
      let refused = PayingScene.recipient(1)
      await scene.node.setFault { call in
        if case .simulate(.transfer(let transfer)) = call, transfer.to == refused { .nodeError } else { nil }
      }
      #expect(try await scene.failure(of: monitor.blameFailures) is TronNodeError)
      #expect(try await scene.attempts(1)[0].blame == nil)
      #expect(try await scene.attempts(2)[0].blame == .passed)
      // Nobody is called at first, and somebody is after ten minutes.
      #expect(try await !scene.alarms().contains("unexplained_failure"))
      try await scene.wait(milliseconds: 600_000)
      #expect(try await scene.failure(of: monitor.blameFailures) is TronNodeError)
      #expect(try await scene.alarms().contains("unexplained_failure"))
    }
  }

  @Test func `a hundred failures that no node can look into do not hide the next`() async throws {
    // A hundred are looked at in a round; the others have their turn in the next one, and the first again after them.
    try await PayingScene.run { scene in
      let (monitor, signer) = try await scene.sent(100)
      try await scene.schedule(numbers: 101...102)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      let wallet = scene.wallet
      await scene.node.changeToken { token in token.balances[wallet] = Self.funds }
      for number in 1...102 {
        await scene.node.setExecution(.failure(.revert), of: try await scene.txid(number))
      }
      try await scene.live(19, monitor)
      // Which are looked at first is the ledger's to say: by the moment of their end, and then by txid.
      let order = try await scene.ledger.unblamedFailures(atMost: 200).map(\.transfer.to)
      #expect(order.count == 102)
      let refused = Set(order.prefix(100))
      await scene.node.setFault { call in
        if case .simulate(.transfer(let transfer)) = call, refused.contains(transfer.to) { .nodeError } else { nil }
      }
      let unblamed = "SELECT count(*) FROM attempts WHERE blame IS NULL"
      #expect(try await scene.failure(of: monitor.blameFailures) is TronNodeError)
      #expect(try await scene.count(unblamed) == 102)
      try await scene.run(monitor.blameFailures)
      #expect(try await scene.count(unblamed) == 100)
      #expect(try await scene.failure(of: monitor.blameFailures) is TronNodeError)
      await scene.node.setFault(nil)
      for _ in 0..<2 { try await scene.run(monitor.blameFailures) }
      #expect(try await scene.count(unblamed) == 0)
    }
  }

  @Test func `a payout that is held when its last own failure is found out fails after its release`() async throws {
    // held → scheduled → failed, and no attempt more in between.
    try await PayingScene.run { scene in
      let (_, signer) = try await scene.sent()
      let monitor = try scene.monitor(maximumOwnFailures: 1)
      await refusePayout(scene)
      try await scene.fail(1, .revert, monitor)
      try await scene.force("UPDATE payouts SET status = 'held', held_from = 'scheduled', hold_reason = 'dead_letter'")
      try await scene.run(monitor.blameFailures)
      #expect(try await scene.status(1) == .held)
      _ = try await scene.ledger.decide(
        PayingScene.payoutID(1), .release, reason: "again", requiredConfirmations: 19)
      try await scene.retry(monitor, signer)
      #expect(try await scene.attempts(1).count == 1)
      try await scene.run(monitor.blameFailures)
      #expect(try await scene.states(1).suffix(2) == [.scheduled, .failed])
      try await scene.retry(monitor, signer)
      #expect(try await scene.attempts(1).count == 1)
    }
  }

  @Test func `a payout does not fail while the history is not vouched for`() async throws {
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      let monitor = try scene.monitor(maximumOwnFailures: 1)
      await refusePayout(scene)
      try await scene.fail(1, .revert, monitor)
      try await scene.force("DELETE FROM continuity; DELETE FROM vouchings;")
      #expect(try await monitor.blameFailures.run() == .idle(milliseconds: 10_000))
      #expect(try await scene.status(1) == .scheduled)
      let next = try scene.signer(run: 2)
      try await scene.run(next.vouch)
      try await scene.run(monitor.blameFailures)
      #expect(try await scene.status(1) == .failed)
    }
  }

  @Test func `many deaths open the breaker, one payout is tried, and its payment lets the others go`() async throws {
    // By the steps of Signer and Monitor alone: ten of eleven die in a node that forgets them; the trial pays.
    try await PayingScene.run { scene in
      let (monitor, signer) = try await scene.sent(10)
      await scene.node.dropPending()
      try await scene.schedule(numbers: 11...13)
      try await scene.live(57, monitor)
      #expect(try await scene.breaker() == nil)
      try await scene.live(1, monitor)
      #expect(try await scene.breaker() == "repeated_failures")
      try await scene.run(signer.sign)
      #expect(try await scene.status(11) == .scheduled)
      try await scene.live(20, monitor)
      for _ in 0..<3 { try await scene.run(signer.sign) }
      let out = try await scene.count("SELECT count(*) FROM transactions WHERE status = 'signed'")
      #expect(out == 1)
      #expect(try await scene.ledger.conditions().isBreakerTrialOut)
      // A restart of everybody finds it as it was.
      let second = (try scene.monitor("monitor-2"), try scene.signer(run: 9))
      try await scene.run(second.1.vouch)
      try await scene.run(second.1.sign)
      #expect(try await scene.count("SELECT count(*) FROM transactions WHERE status = 'signed'") == 1)
      try await scene.run(second.1.broadcast)
      try await scene.live(19, second.0)
      #expect(try await scene.breaker() == nil)
      try await scene.retry(second.0, second.1)
      try await scene.live(19, second.0)
      for number in 1...13 { #expect(try await scene.status(number) == .confirmed, "\(number)") }
    }
  }
}

extension Amount {
  /// Enough for every payout of a scene.
  fileprivate static let oneMillionUSDT = microUSDT(1_000_000_000_000)

  /// An amount that is one.
  fileprivate static func microUSDT(_ count: Int64) -> Amount {
    guard let amount = try? Amount(microUSDT: count) else { preconditionFailure("\(count) is no amount") }
    return amount
  }
}
