import Ledger
import Monitor
import Payouts
import Signer
import TestSupport
import Testing
import Tron

@testable import Worker

/// What a quorum of two needs, and what is counted where it decides (DESIGN.md §3 point 5).
@Suite struct TwoNodesTests {
  private func nodes(_ count: Int, _ scene: PayingScene) -> (nodes: [ReplicaNode], group: NodeGroup) {
    let nodes = (0..<count).map { _ in ReplicaNode(of: scene.node) }
    return (nodes, NodeGroup(nodes, genesis: scene.node.genesis, now: { [clock = scene.clock] in clock.now() }))
  }

  /// Lets blocks come, whatever Monitor's steps throw meanwhile.
  private func live(_ blocks: Int, _ scene: PayingScene, _ monitor: MonitorSteps) async throws {
    for _ in 0..<blocks {
      try await scene.produce()
      for step in [monitor.followHead, monitor.followSolid, monitor.judgeLate, monitor.confirm] {
        for _ in 0..<3 { try? await scene.run(step) }
      }
    }
  }

  @Test func `of two nodes one away halts every verdict, and they resume when it is back`() async throws {
    // "Of two, one down halts all verdicts, safely": paid, failed and dead, each due many blocks ago.
    try await PayingScene.run { scene in
      let (_, signer) = try await scene.sent()
      let (nodes, group) = nodes(2, scene)
      let monitor = try scene.monitor(node: group)
      try await live(1, scene, monitor)
      for (number, isIncluded) in [(2, true), (3, false)] {
        try await scene.schedule(numbers: number...number)
        try await scene.run(signer.sign)
        try await scene.run(signer.broadcast)
        if isIncluded {
          await scene.node.setExecution(.failure(.outOfEnergy), of: try await scene.txid(number))
        } else {
          await scene.node.dropPending()
        }
        try await live(1, scene, monitor)
      }
      let before = try await scene.ledger.cursor(.solid)
      await nodes[1].setAway(true)
      try await live(70, scene, monitor)
      #expect(try await scene.ledger.cursor(.solid) == before)
      for number in 1...3 { #expect(try await scene.attempts(number).map(\.outcome) == [nil], "payout \(number)") }
      #expect(try await scene.status(1) == .confirming)
      await nodes[1].setAway(false)
      try await live(3, scene, monitor)
      #expect(try await scene.status(1) == .confirmed)
      #expect(try await scene.attempts(2).map(\.outcome) == [.failedOnChain])
      #expect(try await scene.attempts(3).map(\.outcome) == [.dead])
    }
  }

  @Test func `a body that its header's root does not prove is counted where a quorum of bodies decides`() async throws {
    // "Where a body cannot be reproduced byte for byte, the quorum of bodies decides, and a metric counts it."
    try await PayingScene.run { scene in
      _ = try await scene.sent()
      await scene.node.setBlockTampering { block, _ in
        Block(header: block.header, transactions: block.transactions, isBodyProven: block.transactions.isEmpty)
      }
      let registry = PrometheusRegistry()
      let monitor = try scene.monitor(
        node: nodes(3, scene).group,
        metrics: MonitorMetrics(Instruments(worker: "monitor", registry: registry)))
      func counted() -> [Substring] {
        registry.text().split(separator: "\n").filter { $0.hasPrefix("payouts_monitor_unproven_bodies_total") }
      }
      #expect(counted() == ["payouts_monitor_unproven_bodies_total 0"])
      try await live(25, scene, monitor)
      #expect(try await scene.attempts(1).map(\.outcome) == [.paid])
      #expect(counted() == ["payouts_monitor_unproven_bodies_total 1"])
    }
  }
}
