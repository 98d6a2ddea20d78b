import Monitor
import TestSupport
import Tron

/// Three nodes of the scene's chain, the first of which is to lie.
struct ThreeNodes {
  let liar: ReplicaNode
  let others: [ReplicaNode]
  let monitor: MonitorSteps

  init(_ scene: PayingScene, first: (any TronNode)? = nil, knownProducers: Int? = 1) throws {
    liar = ReplicaNode(of: scene.node)
    others = [ReplicaNode(of: scene.node), ReplicaNode(of: scene.node)]
    let group = NodeGroup(
      [first ?? liar] + others, genesis: scene.node.genesis, now: { [clock = scene.clock] in clock.now() })
    monitor = try scene.monitor(node: group, knownProducers: knownProducers)
  }

  var all: [ReplicaNode] { [liar] + others }
}

extension PayingScene {
  /// Lets blocks come, whatever Monitor's steps throw meanwhile.
  func live(_ blocks: Int, through monitor: MonitorSteps) async throws {
    for _ in 0..<blocks {
      try await produce()
      await readThrough(monitor)
    }
  }

  /// Lets Monitor look at the chain, whatever its steps throw meanwhile.
  func readThrough(_ monitor: MonitorSteps) async {
    for step in [monitor.followHead, monitor.followSolid, monitor.judgeLate, monitor.confirm] {
      // What one node alone makes fail is read anew in the next round, when that node is left alone.
      for _ in 0..<3 { try? await run(step) }
    }
  }
}
