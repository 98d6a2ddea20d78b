import Ledger
import Payouts
import Synchronization
import TestSupport
import Testing
import Tron

/// What Signer signs, what it holds, and what it lets wait (DESIGN.md §3 point 1 and "The seal").
@Suite struct DecideTests {
  @Test func `a broken seal holds its payout, opens the breaker, and nothing else of the batch is signed`() async throws
  {
    // "A broken seal: held, breaker, alarm." The amount of the second of three payouts was changed in the database.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule(numbers: 1...3)
      try await scene.force("UPDATE payouts SET amount = 2000000 WHERE id = '\(PayingScene.payoutID(2))'")
      try await scene.run(signer.sign)
      #expect(try await scene.record(2).status == .held)
      #expect(try await scene.record(2).holdReason == HoldReason.brokenSeal.rawValue)
      #expect(try await scene.status(1) == .scheduled)
      #expect(try await scene.status(3) == .scheduled)
      #expect(try await scene.breaker() == HoldReason.brokenSeal.rawValue)
      #expect(try await scene.alarms() == [HoldReason.brokenSeal.rawValue])
      try await scene.run(signer.sign)
      #expect(try await scene.count("SELECT count(*) FROM transactions") == 0)
    }
  }

  @Test func `a seal by a key that Signer does not know is broken`() async throws {
    // Signer holds the public keys of Ingest alone: another key mints nothing.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      let payout = try scene.payout(1)
      let stranger = try Sealer("k1:" + String(repeating: "6f", count: 32))
      try await scene.schedule([
        NewPayout(
          terms: payout.terms, seal: try stranger.seal(payout.terms), particulars: payout.particulars,
          fingerprint: payout.fingerprint)
      ])
      try await scene.run(signer.sign)
      #expect(try await scene.record(1).holdReason == HoldReason.brokenSeal.rawValue)
    }
  }

  @Test func `an intact batch is signed as a whole, the same entry twice signs nothing more`() async throws {
    // "A duplicate or forged entry does nothing."
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      let batch = try await scene.schedule(numbers: 1...3)
      try await scene.announce(batch)
      try await scene.streams.append([["batch_id": "no id"], ["else": "x"]], to: .batchesReady)
      try await scene.run(signer.sign)
      for number in 1...3 { #expect(try await scene.status(number) == .signed) }
      #expect(try await scene.count("SELECT count(*) FROM transactions") == 3)
      #expect(try await scene.streams.length(of: .batchesReady) == 0)
    }
  }

  @Test func `a payout that equals an unclaimed transfer in recipient, amount and bits is held`() async throws {
    // "A payout that equals an unclaimed one in these is held, never signed." Both sides: other bits, other amount; and a
    // transfer without bits, which may be any payout's.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      let payouts = try (1...4).map { try scene.payout($0) }
      func unclaimed(_ number: Int, amount: Int64, bits: Int64?) -> String {
        let txid = PayingScene.sql([UInt8](repeating: UInt8(number), count: 32))
        return """
          INSERT INTO unclaimed_transfers (txid, kind, wallet, recipient, amount, reference_bits, block_number,
            block_id, judged_at, acknowledged_at)
          VALUES (\(txid), 'token_transfer', \(PayingScene.sql(scene.wallet.bytes)),
            \(PayingScene.sql(PayingScene.recipient(number).bytes)), \(amount), \(bits.map { "\($0)" } ?? "NULL"), 1,
            \(txid), now(), now());
          """
      }
      let bits = payouts.map(\.terms.reference.topTenBits)
      try await scene.force(
        unclaimed(1, amount: 1_000_000, bits: bits[0]) + unclaimed(2, amount: 1_000_000, bits: bits[1] ^ 1)
          + unclaimed(3, amount: 1_000_000, bits: nil) + unclaimed(4, amount: 1_000_001, bits: bits[3]))
      try await scene.schedule(payouts)
      try await scene.run(signer.sign)
      #expect(try await scene.record(1).holdReason == HoldReason.unclaimedTransfer.rawValue)
      #expect(try await scene.status(2) == .signed)
      #expect(try await scene.record(3).holdReason == HoldReason.unclaimedTransfer.rawValue)
      #expect(try await scene.status(4) == .signed)
    }
  }

  @Test func `foreign networks and tokens, and recipients that may not be paid, are held`() async throws {
    // Everything here is rightly sealed: Signer's own rules refuse it.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule([
        try scene.payout(1, network: .nile), try scene.payout(2, token: PayingScene.recipient(77)),
        try scene.payout(3, recipient: scene.wallet), try scene.payout(4, recipient: PayingScene.token),
        try scene.payout(5, recipient: .zero), try scene.payout(6),
      ])
      try await scene.run(signer.sign)
      for number in 1...2 { #expect(try await scene.record(number).holdReason == HoldReason.foreignTerms.rawValue) }
      for number in 3...5 {
        #expect(try await scene.record(number).holdReason == HoldReason.forbiddenRecipient.rawValue)
      }
      #expect(try await scene.status(6) == .signed)
      #expect(try await scene.breaker() == nil)
    }
  }

  @Test(arguments: [false, true])
  func `a reference with a live or paid attempt is held, not signed again`(hasPaid: Bool) async throws {
    // "No live or paid attempt of its reference": the row was made to look unsigned while its attempt is live, or has paid.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      let batch = try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      if hasPaid {
        let place = await scene.node.headPlace
        let cost = TransactionCost(fee: Sun(1), energyUsed: 1, bandwidthUsed: 1)
        try await scene.ledger.settle([scene.txid(1): .paid(place, cost)], retryDelayMilliseconds: 0)
      }
      try await scene.force("UPDATE payouts SET status = 'scheduled' WHERE id = '\(PayingScene.payoutID(1))'")
      try await scene.announce(batch)
      try await scene.run(signer.sign)
      #expect(try await scene.record(1).holdReason == HoldReason.referenceInUse.rawValue)
      #expect(try await scene.attempts(1).count == 1)
    }
  }

  @Test func `two equal payouts of one second with colliding references are paid by different transactions`()
    async throws
  {
    // Reference §0 trap 3: "equal recipient, amount, reference, expiration and timestamp are one transaction". These agree
    // in the ten top bits and modulo 1000 too; "a collision takes the next second".
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      var first = [UInt8](repeating: 0, count: 32)
      var second = first
      var third = first
      (first[30], first[31]) = (0, 7)
      (second[30], second[31]) = (0x03, 0xef)
      (third[30], third[31]) = (0x07, 0xd7)
      let references = [first, second, third].map { Reference(exactly: $0) }
      #expect(Set(references.map(\.milliseconds)).count == 1)
      try await scene.schedule(
        try references.enumerated().map {
          try scene.payout($0.offset + 1, recipient: PayingScene.recipient(9), reference: $0.element)
        })
      try await scene.run(signer.sign)
      let txids = try await [scene.txid(1), scene.txid(2), scene.txid(3)]
      #expect(Set(txids).count == 3)
      try await scene.run(signer.broadcast)
      try await scene.produce()
      #expect(Set(await scene.node.payments(to: PayingScene.recipient(9))) == Set(txids))
    }
  }

  @Test func `an earlier attempt must be proven unpaid by Signer itself, whatever the ledger says`() async throws {
    // "Nor repeat one": the database is made to free a payout that was paid. Signer reads the chain, opens the breaker,
    // and signs nothing.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      let batch = try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      try await scene.produce(65)
      try await scene.follow()
      try await scene.freeByForce(1)
      try await scene.announce(batch)
      try await scene.run(signer.sign)
      #expect(try await scene.attempts(1).count == 1)
      try await scene.run(signer.prove)
      #expect(try await scene.breaker() == "contradicted_ledger")
      try await scene.closeBreaker()
      try await scene.announce(batch)
      try await scene.run(signer.sign)
      #expect(try await scene.attempts(1).count == 1)
      #expect(await scene.node.payments(to: PayingScene.recipient(1)).count == 1)
    }
  }

  @Test func `what is signed and not journaled yet cannot be freed behind Signer's back either`() async throws {
    // Between COMMIT and journal whoever reads the database has the bytes: they send them themselves and free the payout.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      let batch = try await scene.schedule(numbers: 1...2)
      scene.journal.setFault { _ in .notDone }
      try await scene.run(signer.sign)
      scene.journal.setFault(nil)
      let stolen = try await scene.signed(1)
      try await scene.freeByForce(1)
      _ = try await scene.node.broadcast(stolen.bytes)
      try await scene.run(signer.broadcast)
      #expect(!scene.journal.holds(stolen.txid))
      for _ in 0..<2 {
        try await scene.announce(batch)
        try await scene.run(signer.sign)
        try await scene.run(signer.prove)
        #expect(try await scene.attempts(1).count == 1)
        try await scene.produce(65)
        try await scene.follow()
      }
      #expect(try await scene.attempts(1).count == 1)
      #expect(await scene.node.payments(to: PayingScene.recipient(1)) == [stolen.txid])
      #expect(try await scene.breaker() == "contradicted_ledger")
    }
  }

  @Test func `what was signed is not repeated by the next process either, although it was never taken for broadcast`()
    async throws
  {
    // Who writes the database keeps the transaction from being taken, sends it himself, waits for the Signer to be started
    // anew, and frees the payout: only the journal can still know of it.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      let batch = try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      try await scene.force("UPDATE transactions SET next_broadcast_at = 'infinity'")
      try await scene.run(signer.broadcast)
      _ = try await scene.node.broadcast(scene.signed(1).bytes)
      try await scene.freeByForce(1)
      let next = try scene.signer(run: 2, journal: scene.journal.reopened())
      try await scene.run(next.vouch)
      for _ in 0..<2 {
        try await scene.announce(batch)
        try await scene.run(next.sign)
        try await scene.run(next.prove)
        try await scene.produce(65)
        try await scene.follow()
      }
      #expect(try await scene.attempts(1).count == 1)
      #expect(await scene.node.payments(to: PayingScene.recipient(1)).count == 1)
      #expect(try await scene.breaker() == "contradicted_ledger")
    }
  }

  @Test func `what was signed with an unknown COMMIT cannot be freed behind Signer's back either`() async throws {
    // The COMMIT went through and its answer was lost. Before the Signer reads it again, the payout is freed in the database.
    try await PayingScene.run { scene in
      try await scene.follow()
      let isLost = Mutex(true)
      let ledger = WatchedLedger(
        ledger: scene.ledger,
        afterSign: { _ in
          if isLost.withLock({ $0 }) { throw LedgerError(.outcomeUnknown, "the test has lost the answer") }
        })
      let signer = try scene.signer(ledger: ledger)
      try await scene.run(signer.vouch)
      let batch = try await scene.schedule(numbers: 1...1)
      #expect(try await scene.failure(of: signer.sign) is LedgerError)
      isLost.withLock { $0 = false }
      #expect(try await scene.status(1) == .signed)
      let bytes = try await scene.signed(1).bytes
      try await scene.freeByForce(1)
      _ = try await scene.node.broadcast(bytes)
      try await scene.announce(batch)
      try await scene.run(signer.sign)
      #expect(try await scene.attempts(1).count == 1)
      try await scene.produce(65)
      try await scene.follow()
      try await scene.run(signer.prove)
      #expect(try await scene.breaker() == "contradicted_ledger")
      #expect(await scene.node.payments(to: PayingScene.recipient(1)).count == 1)
    }
  }

  @Test func `the window of that proof cannot be shifted by who writes the database`() async throws {
    // The reference block's number is changed before the transaction is journaled, so that its window would begin above
    // the block that pays it. The signed bytes name the block too: nothing is journaled or sent.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule(numbers: 1...1)
      scene.journal.setFault { _ in .notDone }
      try await scene.run(signer.sign)
      scene.journal.setFault(nil)
      try await scene.force("UPDATE transactions SET reference_block_number = reference_block_number + 30")
      try await scene.run(signer.broadcast)
      #expect(scene.journal.held.isEmpty)
      #expect(await scene.node.broadcasts.isEmpty)
      #expect(try await scene.breaker() == "altered_transaction")
    }
  }

  @Test func `an attempt proven dead by Signer itself is followed by another`() async throws {
    // The other side of the proof: nothing of the first attempt is in its window, so the second is signed and paid.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      let batch = try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      await scene.node.dropPending()
      // Its expiration is at most 40 blocks on; before that block is solid nothing is proven.
      try await scene.produce(57)
      try await scene.follow()
      try await scene.freeByForce(1)
      try await scene.announce(batch)
      try await scene.run(signer.sign)
      try await scene.run(signer.prove)
      try await scene.announce(batch)
      try await scene.run(signer.sign)
      #expect(try await scene.attempts(1).count == 1)
      try await scene.produce(3)
      try await scene.follow()
      try await scene.run(signer.prove)
      try await scene.announce(batch)
      try await scene.run(signer.sign)
      #expect(try await scene.attempts(1).count == 2)
      try await scene.run(signer.broadcast)
      try await scene.produce()
      #expect(await scene.node.payments(to: PayingScene.recipient(1)) == [try await scene.txid(1)])
      #expect(try await scene.breaker() == nil)
    }
  }

  @Test func `a proof that a pruned node cannot give is told to somebody`() async throws {
    // "{}" below the solid head: the payout would wait for ever with every step healthy.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      let batch = try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      await scene.node.dropPending()
      let reference = await scene.node.solidNumber
      try await scene.produce(60)
      try await scene.follow()
      try await scene.freeByForce(1)
      try await scene.announce(batch)
      try await scene.run(signer.sign)
      await scene.node.setFault { call in
        if case .block(let number, .solid) = call, number <= reference + 5 { .apiClosed } else { nil }
      }
      #expect(try await scene.failure(of: signer.prove) is ChainReadError)
      #expect(try await scene.alarms().isEmpty)
      try await scene.produce(240)
      #expect(try await scene.failure(of: signer.prove) is ChainReadError)
      #expect(try await scene.alarms() == ["unproven_attempt"])
      #expect(try await scene.status(1) == .scheduled)
    }
  }
}
