import Payouts
import TestSupport
import Testing
import Tron

/// Several nodes that stand in for one: fail-over, rounds that are never mixed, broadcasts (DESIGN.md §3 points 3, 5, 7).
@Suite struct NodeGroupTests {
  /// A chain, some nodes of it, and their group, in virtual time.
  struct Scene: Sendable {
    let clock = VirtualClock(ReadBlockTests.start)
    let chain: ScriptedNode
    let nodes: [ReplicaNode]
    let group: NodeGroup

    init(_ count: Int = 2) {
      let chain = ScriptedNode(headTime: clock.now())
      let nodes = (0..<count).map { _ in ReplicaNode(of: chain) }
      self.chain = chain
      self.nodes = nodes
      group = NodeGroup(nodes, genesis: chain.genesis, now: { [clock] in clock.now() })
    }

    /// What each was asked since the last time, without the check of its genesis.
    func calls() async -> [[ScriptedNode.Call]] {
      var calls: [[ScriptedNode.Call]] = []
      for node in nodes { calls.append(await node.takeCalls().filter { $0 != .genesis }) }
      return calls
    }
  }

  private static func error(_ code: TronNodeError.Code, pause: Int64? = nil) -> TronNodeError {
    TronNodeError(code, call: "test", reason: "the test lets it fail", pauseMilliseconds: pause)
  }

  // MARK: Reads

  @Test func `a read goes to the next node in the same call, and the failed one is left alone for a while`()
    async throws
  {
    let scene = Scene()
    await scene.nodes[0].setAway(true)
    #expect(try await scene.group.energyPrice() == Sun(100))
    #expect(try await scene.group.energyPrice() == Sun(100))
    // Its genesis is what the first call could not learn; the second did not try.
    #expect(await scene.nodes[0].takeCalls() == [.genesis])
    #expect(await scene.calls()[1] == [.energyPrice, .energyPrice])
    await scene.nodes[0].setAway(false)
    scene.clock.advance(byMilliseconds: 1_000)
    _ = try await scene.group.energyPrice()
    #expect(await scene.calls() == [[.energyPrice], []])
  }

  @Test func `a node of another network is never asked anything, nor given a transaction`() async throws {
    // "A node counts only if its genesis block id is that of TRON_NETWORK": each by itself, also as the second one.
    let chain = ScriptedNode(headTime: ReadBlockTests.start)
    let stranger = ScriptedNode(headTime: ReadBlockTests.start, height: 41)
    #expect(chain.genesis != stranger.genesis)
    for nodes in [[stranger, chain], [chain, stranger]] {
      let group = NodeGroup(nodes, genesis: chain.genesis, now: { ReadBlockTests.start })
      #expect(try await group.latestBlock(.head).header.number == 40)
      _ = try? await group.broadcast([1, 2, 3])
      #expect(try await group.round(of: .solid) { round in round.latest.header.number } == 22)
      await group.look()
      #expect(Set(await stranger.takeCalls()) == [.genesis])
    }
  }

  @Test func `all nodes away for an hour end nothing, and the first that is back is found at once`() async throws {
    let scene = Scene(3)
    for node in scene.nodes { await node.setAway(true) }
    for _ in 0..<360 {
      scene.clock.advance(byMilliseconds: 10_000)
      let error = await #expect(throws: TronNodeError.self) {
        try await scene.group.round(of: .head) { _ in Issue.record("nobody answers") }
      }
      #expect(error?.code == .unreachable)
      await scene.group.look()
    }
    #expect(scene.group.reports.allSatisfy { !$0.isWell && $0.health.failures > 5 })
    await scene.nodes[2].setAway(false)
    #expect(try await scene.group.round(of: .head) { $0.number } == 3)
    #expect(scene.group.reports.map(\.isWell) == [false, false, true])
  }

  @Test func `a node that asks to be left alone is, even where it is the only one`() async throws {
    // TronGrid: "suspended for 30s" (reference §4.5).
    let scene = Scene(1)
    await scene.nodes[0].setFault { $0 == .energyPrice ? Self.error(.rateLimited, pause: 30_000) : nil }
    await #expect(throws: TronNodeError.self) { try await scene.group.energyPrice() }
    await scene.nodes[0].setFault(nil)
    _ = await scene.calls()
    for _ in 0..<29 {
      scene.clock.advance(byMilliseconds: 1_000)
      let error = await #expect(throws: TronNodeError.self) { try await scene.group.energyPrice() }
      #expect(error?.code == .rateLimited)
      await #expect(throws: TronNodeError.self) { try await scene.group.broadcast([1]) }
      await #expect(throws: TronNodeError.self) { try await scene.group.round(of: .head) { _ in } }
      await scene.group.look()
    }
    #expect(await scene.calls() == [[]])
    scene.clock.advance(byMilliseconds: 1_000)
    #expect(try await scene.group.energyPrice() == Sun(100))
  }

  @Test func `a node that answers 503 is passed over at once, and asked on where it is alone`() async throws {
    let several = Scene()
    await several.nodes[0].setFault { _ in Self.error(.unavailable) }
    #expect(try await several.group.round(of: .head) { $0.number } == 2)
    #expect(several.group.reports.map(\.isWell) == [false, true])
    // Alone it is asked as often as the caller asks, who waits for five seconds at most, and serves as soon as it is well.
    let alone = Scene(1)
    await alone.nodes[0].setFault { $0 == .genesis ? nil : Self.error(.unavailable) }
    for _ in 0..<30 {
      let error = await #expect(throws: TronNodeError.self) { try await alone.group.round(of: .head) { _ in } }
      #expect(error?.code == .unavailable)
      #expect(alone.group.reports[0].pauseLeftMilliseconds <= 5_000)
      alone.clock.advance(byMilliseconds: 5_000)
    }
    #expect(await alone.calls() == [[ScriptedNode.Call](repeating: .latest(.head), count: 30)])
    await alone.nodes[0].setFault(nil)
    #expect(try await alone.group.round(of: .head) { $0.number } == 1)
    #expect(alone.group.reports[0].isWell)
  }

  @Test func `a node that is more than ten blocks behind is asked after the others`() async throws {
    let scene = Scene()
    await scene.nodes[0].setLag(10)
    await scene.group.look()
    #expect(try await scene.group.round(of: .head) { $0.latest.header.number } == 30)
    await scene.nodes[0].setLag(11)
    await scene.group.look()
    #expect(scene.group.reports.map(\.isBehind) == [true, false])
    #expect(try await scene.group.round(of: .head) { $0.latest.header.number } == 40)
    #expect(try await scene.group.latestBlock(.solid).header.number == 22)
    // It still serves where the others cannot.
    await scene.nodes[1].setAway(true)
    #expect(try await scene.group.round(of: .head) { $0.latest.header.number } == 29)
  }

  // MARK: Rounds

  @Test func `a block and its receipts come from one node`() async throws {
    // "A pool of nodes is not monotonic" (reference §3.4): receipts of another node may be another branch's.
    let scene = Scene()
    await scene.chain.produce(foreign: [try ReadBlockTests.transfer(expiresAfter: 6_000)])
    await scene.nodes[0].setFault { $0 == .receipts(41, .head) ? Self.error(.timeout) : nil }
    let read = try await scene.group.round(of: .head) { try await $0.node.readBlock(41, .head) }
    #expect(read?.entries.count == 1)
    #expect(
      await scene.calls() == [
        [.latest(.head), .block(41, .head), .receipts(41, .head)],
        [.latest(.head), .block(41, .head), .receipts(41, .head)],
      ])
  }

  @Test func `a node that has lost its receipts is left alone longer and longer, although it tells its head`()
    async throws
  {
    // `[]` is also what a node says that has lost its history (reference §0 trap 4).
    let scene = Scene()
    let chain = scene.chain
    await chain.produce(foreign: [try ReadBlockTests.transfer(expiresAfter: 6_000)])
    await scene.nodes[0].setFault { call in
      if case .receipts = call { Self.error(.apiClosed) } else { nil }
    }
    func read() async throws {
      let number = try await scene.group.round(of: .head) { round in
        _ = try await round.node.readBlock(41, .head)
        return round.number
      }
      #expect(number == 2)
    }
    try await read()
    var asked = 0
    for _ in 0..<60 {
      scene.clock.advance(byMilliseconds: 1_000)
      await scene.group.look()
      try await read()
      asked += await scene.calls()[0].filter { $0 == .receipts(41, .head) }.count
    }
    // After 1, 3, 7, 15, 31 seconds and once at the beginning.
    #expect(asked == 6)
    #expect(scene.group.reports[0].health.failures == 6)
  }

  @Test func `a node that has not reached a block does not serve its round, and that is no failure`() async throws {
    let scene = Scene()
    await scene.nodes[0].setLag(1)
    #expect(try await scene.group.round(of: .solid, reaching: 22) { $0.number } == 2)
    #expect(try await scene.group.round(of: .solid, reaching: 21) { $0.number } == 1)
    await scene.nodes[1].setLag(1)
    let error = await #expect(throws: ChainReadError.self) {
      try await scene.group.round(of: .solid, reaching: 22) { _ in Issue.record("nobody is that far") }
    }
    guard case .absent(22) = error else { return #expect(Bool(false), "\(String(describing: error))") }
    #expect(scene.group.reports.allSatisfy { $0.health.failures == 0 })
  }

  @Test func `a node that failed is asked no more in its round, but where the others come to no quorum`() async throws {
    let scene = Scene(3)
    let log = DisagreementLog()
    try await scene.group.round(of: .solid) { round in
      await scene.nodes[1].setFault { if case .header = $0 { Self.error(.timeout) } else { nil } }
      try await round.agree(on: round.latest.header, .solid, noting: log)
      await scene.nodes[1].setFault(nil)
      _ = await scene.calls()
      try await round.agree(on: round.latest.header, .solid, noting: log)
      #expect(await scene.calls().map(\.count) == [0, 0, 1])
      // The third one lacks the block: with the second one, which is back, there is a quorum.
      await scene.nodes[2].setLag(1)
      try await round.agree(on: round.latest.header, .solid, noting: log)
      #expect(await scene.calls().map(\.count) == [0, 1, 1])
    }
  }

  @Test func `what is not the node's fault ends a round at once, and counts for nobody`() async throws {
    // The ledger refused, a person must look, or the caller was cancelled: asking another node would only do it twice.
    let scene = Scene()
    struct Refused: Error {}
    let errors: [any Error] = [
      Refused(), CancellationError(), Self.error(.cancelled), ChainReadError.node(Self.error(.cancelled)),
    ]
    for error in errors { #expect(await rounds(in: scene, throwing: error) == 1) }
    #expect(scene.group.reports.allSatisfy { $0.health.failures == 0 })
    // Each kind of the node's own failure goes on to the next one.
    for error in [ChainReadError.gap(above: 1), .absent(1), .unproven(1), .node(Self.error(.inconsistent))] {
      #expect(await rounds(in: scene, throwing: error) == 2)
    }
  }

  /// How many nodes are asked where the first thing that a round does throws.
  private func rounds(in scene: Scene, throwing error: any Error) async -> Int {
    var count = 0
    do {
      try await scene.group.round(of: .head) { _ in
        count += 1
        throw error
      }
    } catch {
      return count
    }
    return 0
  }

  // MARK: Broadcasts

  @Test func `a transaction goes to every node, and the best answer is kept`() async throws {
    func answer(_ code: BroadcastCode, _ message: String = "") -> BroadcastAnswer {
      BroadcastAnswer(code: code, message: message, txid: nil)
    }
    let success = answer(.success)
    let known = answer(.notEnoughEffectiveConnection, BroadcastAnswer.peersKnowAlready)
    let duplicate = answer(.duplicateTransaction)
    let refused = answer(.signatureError)
    let lagging = answer(.taposError)
    let alone = answer(.notEnoughEffectiveConnection, "Effective connection: 0 is less than …")
    let examples: [(BroadcastAnswer?, BroadcastAnswer?, best: BroadcastAnswer)] = [
      (success, refused, success), (lagging, success, success), (nil, success, success), (duplicate, success, success),
      (lagging, duplicate, duplicate), (refused, known, known), (lagging, refused, refused), (alone, refused, refused),
      (nil, alone, alone),
    ]
    for (first, second, best) in examples {
      let scene = Scene()
      for (node, answer) in zip(scene.nodes, [first, second]) {
        if let answer { await node.setForgetting(answer) } else { await node.setAway(true) }
      }
      let kept = try await scene.group.broadcast([1])
      #expect(kept == best)
      for node in scene.nodes { #expect(await node.takeCalls().contains { $0 == .broadcast || $0 == .genesis }) }
    }
  }

  @Test func `where no node answers, a perhaps is told before a no`() async throws {
    // `unreachable` says that nothing was sent: that must not cover up the node that may have taken it.
    for codes in [[TronNodeError.Code.unreachable, .timeout], [.timeout, .unreachable]] {
      let scene = Scene()
      for (node, code) in zip(scene.nodes, codes) {
        await node.setFault { $0 == .broadcast ? Self.error(code) : nil }
      }
      let error = await #expect(throws: TronNodeError.self) { try await scene.group.broadcast([1]) }
      #expect(error?.code == .timeout)
    }
  }
}
