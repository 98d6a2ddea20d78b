import Ledger
import Payouts
import Signer
import Streams
import Synchronization
import TestSupport
import Testing
import Tron

/// When Signer must not act (DESIGN.md §1 "A worker that may not act does not read", §3 points 1 and 3).
@Suite struct RestraintTests {
  @Test func `while no node accepts, one trial is signed a block`() async throws {
    // "While no node accepts, nothing is signed but one trial a block."
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      await scene.node.setBroadcast { _, _ in .answer(.serverBusy, takes: false) }
      try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      try await scene.schedule(numbers: 2...6)
      func signedCount() async throws -> Int64 { try await scene.count("SELECT count(*) FROM transactions") }
      for count in Int64(2)...4 {
        for _ in 0..<3 { try await scene.run(signer.sign) }
        #expect(try await signedCount() == count)
        #expect(try await scene.ledger.conditions().standstill == .noNodeAccepts)
        try await scene.produce()
        try await scene.follow()
      }
      // One node takes one: the brake is off.
      await scene.node.setBroadcast(nil)
      try await scene.run(signer.broadcast)
      try await scene.run(signer.sign)
      #expect(try await signedCount() == 6)
      #expect(try await scene.streams.length(of: .batchesReady) == 0)
    }
  }

  /// Payout 1 in a batch with 2 and 3, its first attempt said to have ended, which Signer cannot prove yet.
  private func unprovenFirst(_ scene: PayingScene, _ signer: SignerSteps) async throws -> BatchID {
    let batch = try await scene.schedule(numbers: 1...3)
    try await scene.run(signer.sign)
    #expect(try await scene.count("SELECT count(*) FROM transactions") == 1)
    try await scene.run(signer.broadcast)
    try await scene.freeByForce(1)
    return batch
  }

  @Test func `the breaker's trial is the first payout that can be signed`() async throws {
    // Payout 1 waits for a proof and would hide the others: then nothing would ever close the breaker.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner(maximumInFlight: 1)
      let batch = try await unprovenFirst(scene, signer)
      try await scene.force(
        "UPDATE breaker SET state = 'open', cause = 'x', closes_by = 'trial', trial_at = ledger_now()")
      try await scene.announce(batch)
      try await scene.run(signer.sign)
      #expect(try await scene.attempts(1).count == 1)
      #expect(try await scene.status(2) == .signed)
      #expect(try await scene.status(3) == .scheduled)
      #expect(try await scene.ledger.conditions().isBreakerTrialOut)
    }
  }

  @Test func `while no node accepts, a batch of which nothing can be signed takes no trial away`() async throws {
    // "One trial a block": one that is signed.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      let unproven = try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      await scene.node.setBroadcast { _, _ in .answer(.serverBusy, takes: false) }
      try await scene.run(signer.broadcast)
      try await scene.freeByForce(1)
      try await scene.announce(unproven)
      try await scene.schedule(numbers: 2...3)
      try await scene.run(signer.sign)
      #expect(try await scene.attempts(1).count == 1)
      #expect(try await scene.status(2) == .signed)
      #expect(try await scene.status(3) == .scheduled)
      for _ in 0..<3 { try await scene.run(signer.sign) }
      #expect(try await scene.status(3) == .scheduled)
    }
  }

  @Test func `no more transactions are out than may be`() async throws {
    // "At most MAX_IN_FLIGHT_TRANSACTIONS are out and not in a block."
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner(maximumInFlight: 3)
      try await scene.schedule(numbers: 1...5)
      for _ in 0..<3 { try await scene.run(signer.sign) }
      #expect(try await scene.count("SELECT count(*) FROM transactions") == 3)
      #expect(try await scene.ledger.conditions().standstill == .inFlightLimit)
      try await scene.wait(milliseconds: 14_000)
      try await scene.run(signer.sign)
      #expect(try await scene.ledger.conditions().standstillSince == PayingScene.noon)
      try await scene.wait(milliseconds: 15_000)
      #expect(try await scene.ledger.conditions().standstill == nil)
      try await scene.run(signer.broadcast)
      try await scene.produce()
      let head = await scene.node.headPlace
      let included = try await [1, 2].asyncMap { try await scene.txid($0) }
      _ = try await scene.ledger.apply(
        head: HeadBlock(place: head, transactions: included, suspects: [], keepAbove: head.number - 30),
        after: try await scene.ledger.cursor(.head))
      try await scene.run(signer.sign)
      #expect(try await scene.count("SELECT count(*) FROM transactions") == 5)
      #expect(try await scene.streams.length(of: .batchesReady) == 0)
    }
  }

  @Test func `what the cap keeps back is passed on, neither tried batch by batch nor locked`() async throws {
    // A window's flood waits in thousands of batches: one of them finds out that there is no room, and no payout is written.
    try await PayingScene.run { scene in
      try await scene.follow()
      let asked = Mutex(0)
      let ledger = WatchedLedger(ledger: scene.ledger, beforeSign: { _ in asked.withLock { $0 += 1 } })
      let signer = try scene.signer(ledger: ledger, maximumInFlight: 1)
      try await scene.run(signer.vouch)
      for number in 1...6 { try await scene.schedule(numbers: number...number) }
      try await scene.run(signer.sign)
      // The first is signed, the second finds the cap reached.
      #expect(asked.withLock { $0 } == 2)
      // Whoever locks a row writes itself into it.
      let lastLockers = "SELECT sum(xmax::text::bigint)::bigint FROM payouts WHERE status = 'scheduled'"
      let before = try await scene.count(lastLockers)
      try await scene.run(signer.sign)
      #expect(asked.withLock { $0 } == 3)
      #expect(try await scene.count("SELECT count(*) FROM transactions") == 1)
      #expect(try await scene.streams.length(of: .batchesReady) == 5)
      #expect(try await scene.count(lastLockers) == before)
    }
  }

  /// What forbids to sign, as SQL.
  static let prohibitions = [
    "SELECT open_breaker('test', 'x', 'x')", "UPDATE pause SET paused = true, reason = 'lunch'",
    "DELETE FROM continuity",
    """
    INSERT INTO unclaimed_transfers (txid, kind, wallet, block_number, block_id)
    VALUES (decode(repeat('ee', 32), 'hex'), 'owned_transaction', decode(repeat('41', 21), 'hex'), 1,
      decode(repeat('ee', 32), 'hex'))
    """,
    "UPDATE chain_cursors SET number = number - 11", "DELETE FROM chain_cursors",
  ]

  @Test(arguments: RestraintTests.prohibitions)
  func `a Signer that may not act reads no entries and signs nothing`(prohibition: String) async throws {
    // Breaker, pause, continuity, an open finding, the fence too far behind the head or not begun.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule(numbers: 1...1)
      try await scene.force(prohibition)
      for _ in 0..<3 { try await scene.run(signer.sign) }
      #expect(try await scene.status(1) == .scheduled)
      let pending = try await scene.streams.readPending(
        [.batchesReady], after: [:], group: .signer, consumer: try .init(PayingScene.signerName), count: 10)
      #expect(pending.isEmpty)
      #expect(try await scene.streams.length(of: .batchesReady) == 1)
    }
  }

  @Test func `a fence exactly as far behind as it may be is fresh`() async throws {
    // §7: "fresh = at most 10 blocks behind the head".
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule(numbers: 1...1)
      try await scene.force("UPDATE chain_cursors SET number = number - 10")
      try await scene.run(signer.sign)
      #expect(try await scene.status(1) == .signed)
    }
  }

  @Test func `a lost entry and a retry that is due are swept back into the stream`() async throws {
    // "A lost one is re-sent by a sweeper": FLUSHALL costs seconds.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule(numbers: 1...1)
      await scene.streams.flushAll()
      try await scene.run(signer.sweep)
      #expect(try await scene.streams.length(of: .batchesReady) == 0)
      try await scene.wait(milliseconds: 15_000)
      try await scene.run(signer.sweep)
      try await scene.run(signer.sign)
      #expect(try await scene.status(1) == .signed)
    }
  }

  @Test func `the sweeper sends the more urgent batches first`() async throws {
    // The order in `batches.ready` is the order of signing, also of what was lost.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      var batches: [Priority: BatchID] = [:]
      for (number, priority) in [Priority.low, .normal, .urgent, .high].enumerated() {
        scene.clock.advance(byMilliseconds: 1)
        batches[priority] = try await scene.schedule([try scene.payout(number + 1, priority: priority)])
      }
      await scene.streams.flushAll()
      try await scene.wait(milliseconds: 15_000)
      try await scene.run(signer.sweep)
      let sent = try await scene.streams.read(
        [.batchesReady], group: ConsumerGroup("onlookers"), consumer: ConsumerName("test"), count: 10,
        blockMilliseconds: 0)
      let expected = [Priority.urgent, .high, .normal, .low].map { batches[$0]?.description }
      #expect(sent.map { $0.fields[StreamField.batchID] } == expected)
    }
  }

  @Test func `the sweeper goes round through all batches, and begins again`() async throws {
    // Those that cannot be signed now must not hide the others for ever. It takes 200 at once.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      var batches: Set<BatchID> = []
      for number in 1...205 {
        scene.clock.advance(byMilliseconds: 1)
        batches.insert(try await scene.schedule(numbers: number...number))
      }
      #expect(batches.count == 205)
      await scene.streams.flushAll()
      try await scene.wait(milliseconds: 15_000)
      try await scene.run(signer.sweep)
      #expect(try await scene.streams.length(of: .batchesReady) == 200)
      try await scene.run(signer.sweep)
      #expect(try await scene.streams.length(of: .batchesReady) == 205)
      let swept = try await scene.streams.readNew(205)
      #expect(swept == batches)
      // What stands in the stream, delivered or not, is not lost.
      for _ in 0..<2 { try await scene.run(signer.sweep) }
      #expect(try await scene.streams.length(of: .batchesReady) == 205)
      await scene.streams.flushAll()
      try await scene.run(signer.sweep)
      #expect(try await scene.streams.length(of: .batchesReady) == 200)
    }
  }

  @Test func `a node of another network is asked for nothing`() async throws {
    // "A node counts only if its genesis block id is that of TRON_NETWORK."
    try await PayingScene.run { scene in
      let stranger = CheckedNode(scene.node, genesis: BlockID(exactly: [UInt8](repeating: 9, count: 32)))
      await #expect(throws: TronNodeError.self) { _ = try await stranger.latestBlock(.head) }
      await #expect(throws: TronNodeError.self) { _ = try await stranger.broadcast([1]) }
      #expect(await scene.node.takeCalls() == [.genesis, .genesis])
    }
  }
}

extension MemoryStreams {
  /// The batches named by the first entries that nobody has read.
  fileprivate func readNew(_ count: Int) async throws -> Set<BatchID> {
    let entries = try await read(
      [.batchesReady], group: .signer, consumer: ConsumerName("looker"), count: count, blockMilliseconds: 0)
    return Set(try entries.map { try BatchID($0.fields[StreamField.batchID] ?? "") })
  }
}

extension Sequence {
  fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows -> [Value] {
    var values: [Value] = []
    for element in self { values.append(try await transform(element)) }
    return values
  }
}
