import Keystore
import Ledger
import Payouts
import Signer
import Synchronization
import TestSupport
import Testing
import Tron

/// Own journal, then broadcast, and again (DESIGN.md §3 points 2 to 4).
@Suite struct BroadcastTests {
  @Test func `everything is journaled before it is sent`() async throws {
    // "Only then broadcast those bytes": at each broadcast the journal is looked into.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      let unjournaled = Mutex(0)
      let journal = scene.journal
      await scene.node.setBroadcast { _, txid in
        if !journal.holds(txid) { unjournaled.withLock { $0 += 1 } }
        return nil
      }
      try await scene.schedule(numbers: 1...20)
      // Whether the journal failed when it was signed, or not.
      scene.journal.setFault { _ in .notDone }
      try await scene.run(signer.sign)
      #expect(scene.journal.held.isEmpty)
      scene.journal.setFault(nil)
      try await scene.run(signer.broadcast)
      #expect(await scene.node.broadcasts.count == 20)
      #expect(unjournaled.withLock { $0 } == 0)
      for number in 1...20 { #expect(try await scene.status(number) == .broadcast) }
      #expect(try await scene.streams.length(of: .transactionsSent) == 20)
    }
  }

  @Test func `what is signed is journaled at once, as the ledger holds it`() async throws {
    // "Signer appends txid, expiration, signed bytes, payouts, references, recipients and amounts": the same by its own
    // knowledge and by the database, which is not asked for it.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule(numbers: 1...3)
      try await scene.run(signer.sign)
      let own = scene.journal.held
      let lot = try await scene.ledger.takeForBroadcast(
        wallet: scene.wallet, headTime: scene.node.head.timestamp, leaseMilliseconds: 0, atMost: 10)
      #expect(own.count == 3)
      #expect(own.sorted { $0.txid < $1.txid } == lot.transactions.sorted { $0.txid < $1.txid })
      try await scene.wait(milliseconds: 1)
      try await scene.run(signer.broadcast)
      #expect(scene.journal.held == own)
    }
  }

  @Test func `while the journal fails nothing is sent and next to nothing signed, and later everything is`()
    async throws
  {
    // "Only then broadcast": on a full disk. What is signed meanwhile could only die.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule(numbers: 1...2)
      scene.journal.setFault { _ in .notDone }
      try await scene.run(signer.sign)
      _ = try await scene.failure(of: signer.broadcast)
      #expect(await scene.node.broadcasts.isEmpty)
      #expect(try await scene.alarms() == ["journal_failed"])
      try await scene.schedule(numbers: 3...12)
      for _ in 0..<3 { try await scene.run(signer.sign) }
      #expect(try await scene.count("SELECT count(*) FROM transactions") == 3)
      scene.journal.setFault(nil)
      try await scene.wait(milliseconds: 15_000)
      try await scene.run(signer.broadcast)
      #expect(await scene.node.broadcasts.count == 3)
      #expect(scene.journal.held.count == 3)
      try await scene.run(signer.sign)
      #expect(try await scene.count("SELECT count(*) FROM transactions") == 12)
    }
  }

  @Test func `a journal that may or may not be on disk ends the process, and the next one sends`() async throws {
    // After a failed fsync only opening the file anew tells what it holds.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule(numbers: 1...2)
      scene.journal.setFault { _ in .unknown }
      try await scene.run(signer.sign)
      scene.journal.setFault(nil)
      let last = try await scene.failure(of: signer.broadcast)
      #expect(signer.broadcast.isFatal(last))
      #expect(await scene.node.broadcasts.isEmpty)
      let next = try scene.signer(run: 2, journal: scene.journal.reopened())
      try await scene.run(next.vouch)
      try await scene.wait(milliseconds: 15_000)
      try await scene.run(next.broadcast)
      #expect(await scene.node.broadcasts.count == 2)
    }
  }

  @Test func `the same bytes are sent about every 15 s until they are in a block`() async throws {
    // "Repeat that about every 15 s until the transaction is in a block or expired (a node forgets what is pending)."
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      try await scene.wait(milliseconds: 13_000)
      try await scene.run(signer.broadcast)
      #expect(await scene.node.broadcasts.count == 1)
      try await scene.wait(milliseconds: 2_000)
      try await scene.run(signer.broadcast)
      let txid = try await scene.txid(1)
      #expect(await scene.node.broadcasts == [txid, txid])
      // In a block: Monitor's word ends it.
      try await scene.produce()
      let head = await scene.node.headPlace
      _ = try await scene.ledger.apply(
        head: HeadBlock(place: head, transactions: [txid], suspects: [], keepAbove: head.number - 30),
        after: try await scene.ledger.cursor(.head))
      try await scene.wait(milliseconds: 30_000)
      try await scene.run(signer.broadcast)
      #expect(await scene.node.broadcasts.count == 2)
      #expect(scene.journal.held.count == 1)
    }
  }

  @Test func `an expired transaction is not sent any more`() async throws {
    // The last moment is one before its expiration by the head's time.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      let expiration = try await scene.signed(1).expiration
      for (time, count) in [(expiration.advanced(byMilliseconds: -1), 1), (expiration, 1)] {
        try await scene.wait(milliseconds: max(15_000, time.milliseconds(since: scene.clock.now())))
        await scene.node.produce([], at: time)
        try await scene.run(signer.broadcast)
        #expect(await scene.node.broadcasts.count == count)
      }
    }
  }

  @Test func `with slow nodes those for which a round had no time come first in the next one`() async throws {
    // The clock moves with each answer: no new ones are begun after five seconds. Not one is sent twice before all were once.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule(numbers: 1...40)
      try await scene.run(signer.sign)
      await scene.node.setBroadcast { [clock = scene.clock] _, _ in
        clock.advance(byMilliseconds: 1_000)
        return nil
      }
      _ = try await signer.broadcast.run()
      let first = await scene.node.broadcasts
      try #require(!first.isEmpty && first.count < 40)
      #expect(try await scene.count("SELECT count(*) FROM transactions WHERE last_answer IS NULL") == 40 - first.count)
      for _ in 0..<10 { _ = try await signer.broadcast.run() }
      let sent = await scene.node.broadcasts
      #expect(sent.count == 40 && Set(sent).count == 40)
      // More come due than there is time for: each has its turn all the same. Eight are under way together, and which of them
      // ends first is chance.
      for _ in 0..<20 {
        try await scene.wait(milliseconds: 5_000)
        _ = try await signer.broadcast.run()
      }
      let times = Dictionary(grouping: await scene.node.broadcasts) { $0 }.mapValues(\.count)
      #expect(times.count == 40)
      #expect(try #require(times.values.max()) - #require(times.values.min()) <= 2, "\(times.values.sorted())")
      #expect(try #require(times.values.min()) >= 2)
    }
  }

  /// Reference §2.5: what each answer means for the transaction's state.
  static let answers: [(BroadcastCode, String, isTaken: Bool)] = [
    (.success, "", true), (.duplicateTransaction, "Dup transaction.", true),
    (.duplicateTransaction, "Transaction already exists.", true),
    (.notEnoughEffectiveConnection, "P2P broadcast failed.", true),
    (.notEnoughEffectiveConnection, "Effective connection: 0", false), (.signatureError, "sig error", false),
    (.contractValidateError, "balance is not sufficient", false), (.contractExecutionError, "", false),
    (.bandwidthError, "", false), (.taposError, "Tapos check error.", false), (.tooBigTransaction, "", false),
    (.transactionExpired, "Transaction expired", false), (.serverBusy, "", false), (.noConnection, "", false),
    (.blockUnsolidified, "", false), (.otherError, "", false), (.unrecognized("NEW"), "", false),
  ]

  @Test(arguments: BroadcastTests.answers.indices)
  func `no broadcast answer ends an attempt`(index: Int) async throws {
    // "A broadcast answer never ends an attempt." Taken is sent, and again 15 s later, whatever word the node had for it: it
    // may know nothing of the transaction, or forget it. Anything else is tried again 3 s later.
    let (code, message, isTaken) = Self.answers[index]
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      await scene.node.setBroadcast { _, _ in .answer(code, message, takes: isTaken) }
      try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      let attempt = try await scene.attempts(1)[0]
      #expect(attempt.outcome == nil)
      #expect(attempt.status == (isTaken ? .sent : .signed))
      #expect(attempt.lastAnswer == "\(code) \(message)")
      #expect(try await scene.status(1) == (isTaken ? .broadcast : .signed))
      try await scene.wait(milliseconds: 3_000)
      try await scene.run(signer.broadcast)
      #expect(await scene.node.broadcasts.count == (isTaken ? 1 : 2))
      try await scene.wait(milliseconds: 12_000)
      try await scene.run(signer.broadcast)
      #expect(await scene.node.broadcasts.count == (isTaken ? 2 : 3))
      #expect(try await scene.attempts(1).count == 1)
    }
  }

  @Test(arguments: [TronNodeError.Code.timeout, .connectionLost, .unreachable, .rateLimited, .nodeError])
  func `an answer that is lost leaves the attempt live, and the payout is paid once`(code: TronNodeError.Code)
    async throws
  {
    // Time-outs whose request was taken: the same bytes are sent again, "at most one execution".
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      await scene.node.setBroadcast { number, _ in number == 1 ? .error(code, takes: true) : nil }
      try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      #expect(try await scene.attempts(1)[0].status == .signed)
      try await scene.wait(milliseconds: 3_000)
      try await scene.run(signer.broadcast)
      #expect(try await scene.attempts(1)[0].status == .sent)
      try await scene.produce(2)
      #expect(await scene.node.payments(to: PayingScene.recipient(1)).count == 1)
      #expect(await scene.node.broadcasts.count == 2)
    }
  }

  @Test func `after a crash between commit and journal it is taken again, journaled and sent`() async throws {
    // The first process dies with the transaction committed and in no journal; a new one finds it.
    try await PayingScene.run { scene in
      try await scene.follow()
      let doomed = try scene.signer(ledger: WatchedLedger(ledger: scene.ledger, afterSign: { _ in throw Crash() }))
      try await scene.run(doomed.vouch)
      try await scene.schedule(numbers: 1...1)
      #expect(try await scene.failure(of: doomed.sign) is Crash)
      #expect(try await scene.status(1) == .signed)
      #expect(scene.journal.held.isEmpty)
      let next = try scene.signer(run: 2)
      try await scene.run(next.vouch)
      try await scene.wait(milliseconds: 15_000)
      try await scene.run(next.sign)
      try await scene.run(next.broadcast)
      let txid = try await scene.txid(1)
      #expect(scene.journal.holds(txid))
      #expect(await scene.node.broadcasts == [txid])
      #expect(try await scene.attempts(1).count == 1)
    }
  }

  @Test func `another Signer's transaction is journaled before it is sent again`() async throws {
    // "It does so too before it re-sends another Signer's transaction."
    try await PayingScene.run { scene in
      let other = MemoryJournal(id: [UInt8](repeating: 0x4b, count: 16), wallet: scene.wallet)
      _ = try await scene.ledger.declare(
        wallet: scene.wallet, signer: "signer-2", journalID: other.id, begin: scene.node.place(scene.node.solidNumber))
      try await scene.follow()
      let names = ["signer-1", "signer-2"]
      let first = try scene.signer(names: names)
      let second = try scene.signer(name: "signer-2", names: names, journal: other)
      try await scene.run(first.vouch)
      #expect(try await scene.ledger.conditions().isContinuous == false)
      try await scene.run(second.vouch)
      #expect(try await scene.ledger.conditions().isContinuous)
      try await scene.schedule(numbers: 1...1)
      try await scene.run(first.sign)
      try await scene.run(first.broadcast)
      let txid = try await scene.txid(1)
      #expect(!other.holds(txid))
      other.setFault { _ in .notDone }
      try await scene.wait(milliseconds: 15_000)
      _ = try await scene.failure(of: second.broadcast)
      #expect(await scene.node.broadcasts.count == 1)
      other.setFault(nil)
      try await scene.wait(milliseconds: 15_000)
      try await scene.run(second.broadcast)
      #expect(other.holds(txid))
      #expect(await scene.node.broadcasts.count == 2)
    }
  }

  @Test func `what was read under an earlier life of the server is thrown away`() async throws {
    // "Bytes read or committed under an earlier start and not yet journaled are thrown away." The server is started again
    // between the reading and the journal, and the Signer vouches meanwhile.
    let server = try await PrivatePostgres.start()
    try await PayingScene.run(on: server) { scene in
      try await scene.follow()
      let vouching = try scene.signer(run: 1)
      let isFirst = Mutex(true)
      let watched = WatchedLedger(
        ledger: scene.ledger,
        afterTake: {
          guard
            isFirst.withLock({ first in
              defer { first = false }; return first
            })
          else { return }
          try await server.restart(mode: .fast)
          try await scene.run(vouching.vouch)
        })
      let signer = try scene.signer(run: 1, ledger: watched)
      try await scene.run(signer.vouch)
      try await scene.schedule(numbers: 1...1)
      scene.journal.setFault { _ in .notDone }
      try await scene.run(signer.sign)
      scene.journal.setFault(nil)
      #expect(try await scene.failure(of: signer.broadcast) as? JournalError == .anotherLife)
      #expect(scene.journal.held.isEmpty)
      #expect(await scene.node.broadcasts.isEmpty)
      // The database still has it: after this process, too, has vouched for the new life, it is taken anew.
      try await scene.wait(milliseconds: 15_000)
      try await scene.run(signer.broadcast)
      #expect(await scene.node.broadcasts.isEmpty)
      try await scene.run(signer.vouch)
      try await scene.wait(milliseconds: 15_000)
      try await scene.run(signer.broadcast)
      #expect(scene.journal.held.count == 1)
      #expect(await scene.node.broadcasts.count == 1)
    }
    try await server.stop()
  }

  /// Every change to what is stored that the signed bytes contradict.
  static let alterations = [
    "UPDATE transactions SET signed_bytes = set_byte(signed_bytes, 40, get_byte(signed_bytes, 40) # 1)",
    "UPDATE transactions SET signed_bytes = signed_bytes || '\\x00'::bytea",
    "UPDATE transactions SET expiration_ms = expiration_ms + 1024",
    "UPDATE transactions SET fee_limit_sun = fee_limit_sun + 1",
    "UPDATE transactions SET reference_block_number = reference_block_number + 1",
    "UPDATE attempts SET amount = amount + 1", "UPDATE attempts SET recipient = token",
    "UPDATE attempts SET token = recipient",
    "UPDATE attempts SET reference = set_byte(reference, 0, get_byte(reference, 0) # 128)",
    "UPDATE attempts SET reference = set_byte(reference, 31, get_byte(reference, 31) # 1)",
  ]

  @Test(arguments: BroadcastTests.alterations)
  func `altered transactions are never journaled or sent, and open the breaker`(alteration: String) async throws {
    // Paired with the checks before storing: what comes back must be what was signed.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      let journaled = scene.journal.held
      try await scene.force(alteration)
      try await scene.run(signer.broadcast)
      #expect(journaled.count == 1 && scene.journal.held == journaled)
      #expect(await scene.node.broadcasts.isEmpty)
      #expect(try await scene.breaker() == "altered_transaction")
    }
  }
}
