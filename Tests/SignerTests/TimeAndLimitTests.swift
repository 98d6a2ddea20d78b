import Ledger
import Payouts
import Synchronization
import TestSupport
import Testing
import Tron

/// Lives of transactions, clocks, prices, and Signer's own limits (DESIGN.md §3 points 1 and 7, §7).
@Suite struct TimeAndLimitTests {
  @Test func `the expiration is the largest time within the limit that carries the reference's top ten bits`()
    async throws
  {
    // "Expiration: the largest value ≤ the limit whose low ten bits are the reference's top ten." Timestamp: "the present
    // second plus (reference mod 1000) ms".
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      let payouts = try (1...20).map { try scene.payout($0) }
      try await scene.schedule(payouts)
      try await scene.run(signer.sign)
      let limit = await scene.node.head.timestamp.milliseconds + 120_000
      for (index, payout) in payouts.enumerated() {
        let contents = try await scene.signed(index + 1).contents
        let expiration = contents.expiration.milliseconds
        #expect(expiration & 0x3ff == payout.terms.reference.topTenBits)
        #expect(expiration <= limit && expiration + 0x400 > limit)
        #expect(
          contents.timestamp.milliseconds
            == scene.clock.now().milliseconds / 1_000 * 1_000 + payout.terms.reference.milliseconds)
        #expect(contents.refers(to: await scene.node.place(scene.node.solidNumber).id))
      }
    }
  }

  @Test func `no transaction outlives its payout, and one with too little life is not signed`() async throws {
    // "Never after the payout's expires_at". 15 s and a reference's bits are the least that is worth signing.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      let head = await scene.node.head.timestamp
      try await scene.schedule([
        try scene.payout(1, expiresAt: head.advanced(byMilliseconds: 60_000)),
        try scene.payout(2, expiresAt: head.advanced(byMilliseconds: 14_999)),
        try scene.payout(3, expiresAt: head.advanced(byMilliseconds: 16_024)),
      ])
      try await scene.run(signer.sign)
      let expiration = try await scene.signed(1).expiration
      #expect(expiration <= head.advanced(byMilliseconds: 60_000))
      #expect(expiration > head.advanced(byMilliseconds: 60_000 - 0x400))
      #expect(try await scene.status(2) == .scheduled)
      #expect(try await scene.status(3) == .signed)
    }
  }

  @Test(arguments: [(60_000, true), (60_001, false), (-60_000, true), (-60_001, false)])
  func `nothing is signed while the head's time and Signer's clock differ by more than the bound`(
    change: Int64, signs: Bool
  ) async throws {
    // "Nothing is signed while head time and own clock differ by more than a bound."
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule(numbers: 1...1)
      scene.clock.advance(byMilliseconds: change)
      if signs {
        try await scene.run(signer.sign)
      } else {
        _ = try await scene.failure(of: signer.sign)
      }
      #expect(try await scene.status(1) == (signs ? .signed : .scheduled))
      // What it may not sign it does not read.
      #expect(try await scene.streams.length(of: .batchesReady) == (signs ? 0 : 1))
    }
  }

  @Test(arguments: [(6_000, true), (6_001, false), (-1, false)])
  func `a look at the chain that has aged while the Signer waited for locks signs nothing`(
    waited: Int64, signs: Bool
  ) async throws {
    // "Fence fresh", head time and clock are of the look: what was fresh before a long wait says nothing after it.
    try await PayingScene.run { scene in
      try await scene.follow()
      let isSlow = Mutex(true)
      let clock = scene.clock
      let ledger = WatchedLedger(
        ledger: scene.ledger,
        underLocks: {
          if isSlow.withLock({ $0 }) { clock.advance(byMilliseconds: waited) }
        })
      let signer = try scene.signer(ledger: ledger)
      try await scene.run(signer.vouch)
      try await scene.schedule(numbers: 1...1)
      _ = try await signer.sign.run()
      #expect(try await scene.status(1) == (signs ? .signed : .scheduled))
      // It is tried again at once, by a new look.
      isSlow.withLock { $0 = false }
      _ = try await signer.sign.run()
      #expect(try await scene.status(1) == .signed)
    }
  }

  @Test func `the fee limit follows the price of energy, and no price makes it a fortune`() async throws {
    // Reference §5.4: simulated energy × price × a margin. Above 15,000 TRX TRON itself would refuse it.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      await scene.node.setEnergyPrice(Sun(210))
      try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      #expect(try await scene.signed(1).contents.feeLimit == Sun(210 * 156_342))
      for (index, price) in [Int64(0), -1, 95_944, .max].enumerated() {
        await scene.node.setEnergyPrice(Sun(price))
        try await scene.wait(milliseconds: 61_000)
        await scene.node.produce(nil, at: scene.clock.now())
        try await scene.follow()
        try await scene.schedule([try scene.payout(index + 2)])
        _ = try await scene.failure(of: signer.sign)
        #expect(try await scene.count("SELECT count(*) FROM transactions") == 1)
        await scene.streams.flushAll()
      }
    }
  }

  @Test func `a payout above Signer's own limit is held, one that finds its window full waits for the next`()
    async throws
  {
    // "Signer counts its own limits when it signs." "Release never overrides the signer's own limit."
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner(hourlyLimit: 10_000_000, dailyLimit: 15_000_000)
      let batch = try await scene.schedule([
        try scene.payout(1, amount: 10_000_001), try scene.payout(2, amount: 6_000_000),
        try scene.payout(3, amount: 6_000_000), try scene.payout(4, amount: 4_000_000),
      ])
      try await scene.run(signer.sign)
      #expect(try await scene.record(1).holdReason == HoldReason.signerLimit.rawValue)
      #expect(try await scene.status(2) == .signed)
      #expect(try await scene.status(3) == .scheduled)
      #expect(try await scene.status(4) == .signed)
      // Whoever asks is told, operators are called, and the sweeper does not bring it up all the time.
      #expect(try await scene.record(3).note?.contains("limit of 10") == true)
      #expect(try await scene.alarms() == ["signer_limit", "signer_limit"])
      try await scene.wait(milliseconds: 30_000)
      #expect(try await scene.ledger.batchesToSign(waitingFor: 0, atMost: 10).isEmpty)
      try await scene.wait(milliseconds: 30_000)
      #expect(try await scene.ledger.batchesToSign(waitingFor: 0, atMost: 10) == [batch])
      // The next hour has room for it, but the day does not.
      for (milliseconds, expected) in [(3_600_000, PayoutStatus.scheduled), (86_400_000, .signed)] {
        try await scene.wait(milliseconds: Int64(milliseconds))
        await scene.node.produce([], at: scene.clock.now())
        try await scene.follow()
        try await scene.announce(batch)
        try await scene.run(signer.sign)
        #expect(try await scene.status(3) == expected)
      }
    }
  }

  @Test func `what moved nothing counts in neither limit once Signer has proven it`() async throws {
    // An outage must not use up the day's limit with attempts that died.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner(hourlyLimit: 10_000_000)
      let batch = try await scene.schedule([try scene.payout(1, amount: 10_000_000)])
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      await scene.node.dropPending()
      // In the same hour: expired, and the solid chain has passed it.
      try await scene.produce(65)
      try await scene.follow()
      try await scene.pool.executeScript(
        """
        UPDATE transactions SET status = 'dead';
        UPDATE attempts SET outcome = 'dead', blame = 'expired';
        UPDATE payouts SET status = 'scheduled';
        """)
      for _ in 0..<3 {
        try await scene.announce(batch)
        try await scene.run(signer.sign)
        try await scene.run(signer.prove)
      }
      #expect(try await scene.attempts(1).map(\.outcome) == [.dead, nil])
      #expect(try await scene.status(1) == .signed)
    }
  }

  @Test func `limits count in the journal too, since a database may forget`() async throws {
    // "Its limits are counted in its journal too": the ledger knows nothing of the 6 USDT that the journal holds.
    try await PayingScene.run { scene in
      try await scene.follow()
      let life = try await scene.ledger.vouchingState(signer: PayingScene.signerName).life
      let signer = try scene.signer(hourlyLimit: 10_000_000)
      try await scene.run(signer.vouch)
      try await scene.journal.append([try scene.foreignEntry(amount: 6_000_000)], under: life)
      try await scene.schedule([try scene.payout(1, amount: 4_000_001), try scene.payout(2, amount: 4_000_000)])
      try await scene.run(signer.sign)
      #expect(try await scene.status(1) == .scheduled)
      #expect(try await scene.status(2) == .signed)
    }
  }
}
