import Keystore
import Ledger
import Payouts
import TestSupport
import Testing
import Tron

/// Comparing the journal with the database after every start of either (DESIGN.md §3 "Continuity").
@Suite struct VouchTests {
  @Test func `a Signer that is not declared does not vouch`() async throws {
    // "A new installation is declared once by payoutctl signer init."
    try await PayingScene.run(isDeclared: false) { scene in
      let signer = try scene.signer()
      _ = try await scene.failure(of: signer.vouch)
      #expect(try await scene.ledger.conditions().isContinuous == false)
      try await scene.declare()
      try await scene.run(signer.vouch)
      #expect(try await scene.ledger.conditions().isContinuous)
    }
  }

  @Test func `another wallet's journal under a known name is refused`() async throws {
    try await PayingScene.run { scene in
      let journal = MemoryJournal(id: scene.journal.id, wallet: PayingScene.recipient(1))
      _ = try await scene.failure(of: scene.signer(journal: journal).vouch)
      #expect(try await scene.ledger.conditions().isContinuous == false)
      #expect(try await scene.alarms() == ["lost_journal"])
    }
  }

  @Test func `after a start of the server the Signer vouches again before it signs or sends`() async throws {
    // "It is false after every start of the server."
    let server = try await PrivatePostgres.start()
    try await PayingScene.run(on: server) { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      try await scene.schedule(numbers: 2...2)
      try await server.restart(mode: .immediate)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      #expect(try await scene.status(2) == .scheduled)
      #expect(await scene.node.broadcasts.isEmpty)
      try await scene.run(signer.vouch)
      try await scene.wait(milliseconds: 15_000)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      #expect(await scene.node.broadcasts.count == 2)
      #expect(try await scene.count("SELECT count(*) FROM vouchings") == 2)
    }
    try await server.stop()
  }

  @Test func `a Signer whose journal may hold what nobody knows ends where it would have to vouch with it`()
    async throws
  {
    // After a failed fsync only opening the file anew tells what it holds. Nothing is sent meanwhile that would notice it.
    let server = try await PrivatePostgres.start()
    try await PayingScene.run(on: server) { scene in
      let signer = try await scene.vouchedSigner()
      try await scene.schedule(numbers: 1...1)
      scene.journal.setFault { _ in .unknown }
      try await scene.run(signer.sign)
      scene.journal.setFault(nil)
      try await server.restart(mode: .immediate)
      try await scene.run(signer.broadcast)
      let last = try await scene.failure(of: signer.vouch)
      #expect(signer.vouch.isFatal(last), "\(last)")
      let next = try scene.signer(run: 2, journal: scene.journal.reopened())
      try await scene.run(next.vouch)
      try await scene.wait(milliseconds: 15_000)
      try await scene.run(next.broadcast)
      #expect(await scene.node.broadcasts.count == 1)
    }
    try await server.stop()
  }

  @Test func `what a restore took is put back before anything is signed, and paid once`() async throws {
    // "Then a payout that was signed and sent looks unsigned." The transaction is already in the node's pool.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      let batch = try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      let txid = try await scene.txid(1)
      try await scene.restoreToBeforeSigning(1)
      #expect(try await scene.attempts(1).isEmpty)
      let next = try scene.signer(run: 2)
      try await scene.announce(batch)
      try await scene.run(next.sign)
      #expect(try await scene.attempts(1).isEmpty)
      try await scene.run(next.vouch)
      #expect(try await scene.attempts(1).map(\.txid) == [txid])
      #expect(try await scene.status(1) == .signed)
      try await scene.run(next.sign)
      try await scene.run(next.broadcast)
      try await scene.produce(2)
      #expect(await scene.node.payments(to: PayingScene.recipient(1)) == [txid])
      #expect(try await scene.attempts(1).count == 1)
    }
  }

  @Test func `a second attempt waits for the verdict on a first that a restore made live again`() async throws {
    // "They go in once Monitor has found the earlier one's end": no reference ever has two live attempts.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      let batch = try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      let first = try await scene.txid(1)
      await scene.node.dropPending()
      try await scene.produce(60)
      try await scene.follow()
      try await scene.freeByForce(1)
      for _ in 0..<2 {
        try await scene.announce(batch)
        try await scene.run(signer.sign)
        try await scene.run(signer.prove)
      }
      try await scene.run(signer.broadcast)
      let second = try await scene.txid(1)
      #expect(second != first)
      // The restore loses the second attempt and the end of the first.
      try await scene.restoreToBeforeSigning(1)
      try await scene.force(
        """
        UPDATE transactions SET status = 'sent';
        UPDATE attempts SET outcome = NULL, ended_at = NULL, blame = NULL;
        UPDATE payouts SET status = 'broadcast';
        """)
      let next = try scene.signer(run: 2)
      try await scene.run(next.vouch)
      #expect(try await scene.ledger.conditions().isContinuous == false)
      #expect(try await scene.attempts(1).map(\.txid) == [first])
      try await scene.ledger.settle([first: .dead], retryDelayMilliseconds: 0)
      try await scene.run(next.vouch)
      #expect(try await scene.ledger.conditions().isContinuous)
      #expect(try await scene.attempts(1).map(\.txid) == [first, second])
      #expect(try await scene.status(1) == .signed)
    }
  }

  @Test func `a declared Signer that the configuration does not list is told at once`() async throws {
    // "The database may forget one": then only SIGNER_NAMES knows that it must vouch.
    try await PayingScene.run { scene in
      _ = try await scene.ledger.declare(
        wallet: scene.wallet, signer: "signer-2", journalID: [UInt8](repeating: 0x4b, count: 16),
        begin: await scene.node.headPlace)
      let listing = try scene.signer(names: [PayingScene.signerName, "signer-2"])
      try await scene.run(listing.vouch)
      #expect(try await scene.alarms().isEmpty)
      let silent = try scene.signer()
      for _ in 0..<3 { try await scene.run(silent.vouch) }
      #expect(try await scene.alarms() == ["unlisted_signer"])
      #expect(try await scene.count("SELECT sum(count) FROM alarms") == 1)
    }
  }

  @Test func `a Signer with another journal asks for a quarantine, and the right journal ends it`() async throws {
    // "Another id under a known name is a lost journal": operators are called, nothing is signed, a wait begins.
    try await PayingScene.run { scene in
      try await scene.follow()
      let other = MemoryJournal(id: [UInt8](repeating: 0x4c, count: 16), wallet: scene.wallet)
      let lost = try scene.signer(journal: other)
      for _ in 0..<3 { try await scene.run(lost.vouch) }
      #expect(try await scene.alarms() == ["lost_journal", "quarantine"])
      let open = try await scene.ledger.quarantines(atMost: 10)
      #expect(open.map(\.cause) == [.journalLost] && open.map(\.isOfPresentLife) == [true])
      #expect(try await scene.ledger.conditions().isContinuous == false)
      #expect(try await scene.ledger.conditions().quarantine?.until == open[0].until)
      try await scene.run(try scene.signer(run: 2).vouch)
      #expect(try await scene.ledger.conditions().isContinuous)
      #expect(try await scene.ledger.quarantines(atMost: 10).map(\.outcome) == [.vouched])
    }
  }

  @Test func `no wait begins while the node's clock and ours differ`() async throws {
    // "Own clock when it began (which must agree with the quorum's head)."
    try await PayingScene.run { scene in
      let other = MemoryJournal(id: [UInt8](repeating: 0x4c, count: 16), wallet: scene.wallet)
      let lost = try scene.signer(journal: other)
      try await scene.wait(milliseconds: 60_001)
      try await scene.run(lost.vouch)
      _ = try await scene.failure(of: lost.vouch)
      #expect(try await scene.ledger.quarantines(atMost: 10).map(\.until) == [nil])
      await scene.node.produce(at: scene.clock.now())
      try await scene.wait(milliseconds: 1_000)
      try await scene.run(lost.vouch)
      #expect(try await scene.ledger.quarantines(atMost: 10).first?.until != nil)
    }
  }

  @Test func `a Signer whose journal another one has replaced stops, although it vouched for this life`() async throws {
    // "Another id under a known name is a lost journal": what it signs would stand in a journal that nobody reads
    // again.
    try await PayingScene.run { scene in
      try await scene.follow()
      let signer = try scene.signer()
      try await scene.run(signer.vouch)
      _ = try await scene.schedule(numbers: 1...1)
      try await scene.force("UPDATE journals SET journal_id = \(PayingScene.sql([UInt8](repeating: 9, count: 16)))")
      try await scene.run(signer.vouch)
      try await scene.run(signer.sign)
      #expect(try await scene.status(1) == .scheduled)
    }
  }

  @Test func `a Signer that never vouched waits too where the server has started since its declaration`() async throws {
    // A copy of both from before the first vouching: the journal is empty, and payouts that were paid since look
    // unsigned.
    try await PayingScene.run(maximumExpirationMilliseconds: 60_000, clockBoundMilliseconds: 10_000) { scene in
      let monitor = try scene.monitor()
      try await scene.read(monitor)
      try await scene.force("UPDATE journals SET declared_at = 'epoch'")
      let signer = try scene.signer(expirationMilliseconds: 30_000, isDevelopment: false)
      try await scene.run(signer.vouch)
      #expect(try await scene.ledger.conditions().isContinuous == false)
      let wait = try #require(try await scene.ledger.quarantines(atMost: 10).first)
      #expect(wait.cause == .bothStarted)
      // Once the blocks of the wait are solid it vouches, and not before.
      let until = try #require(wait.until)
      while await scene.node.place(scene.node.solidNumber).time < until {
        try await scene.run(signer.vouch)
        #expect(try await scene.ledger.conditions().isContinuous == false)
        try await scene.live(1, monitor)
      }
      try await scene.run(signer.vouch)
      #expect(try await scene.ledger.conditions().isContinuous)
      #expect(try await scene.ledger.quarantines(atMost: 10).map(\.outcome) == [.waited])
    }
    // A new installation, whose server has run since before it was declared, does not wait.
    try await PayingScene.run { scene in
      try await scene.follow()
      try await scene.run(scene.signer(isDevelopment: false).vouch)
      #expect(try await scene.ledger.conditions().isContinuous)
    }
  }

  @Test(arguments: [true, false])
  func `a Signer that never vouched waits where a dump was loaded that others had vouched for`(
    isLoaded: Bool
  ) async throws {
    // The server has run all the while; that the others' word is for another life tells that the tables were loaded
    // anew.
    try await PayingScene.run { scene in
      try await scene.follow()
      try await scene.run(scene.signer(isDevelopment: false).vouch)
      let journal = MemoryJournal(id: [UInt8](repeating: 0x4b, count: 16), wallet: scene.wallet)
      _ = try await scene.ledger.declare(
        wallet: scene.wallet, signer: "signer-2", journalID: journal.id, begin: await scene.node.headPlace)
      // As a dump does, this gives the table another file.
      if isLoaded { _ = try await scene.pool.execute("VACUUM FULL transactions") }
      #expect(try await scene.ledger.conditions().isContinuous == !isLoaded)
      let second = try scene.signer(
        name: "signer-2", names: ["signer-1", "signer-2"], run: 2, journal: journal, isDevelopment: false)
      try await scene.run(second.vouch)
      let waits = try await scene.ledger.quarantines(atMost: 10)
      #expect(waits.map(\.signer) == (isLoaded ? ["signer-2"] : []))
      #expect(waits.allSatisfy { $0.cause == .bothStarted })
      #expect(try await scene.ledger.vouchingState(signer: "signer-2").hasVouched == !isLoaded)
    }
  }

  @Test(arguments: ["journal", "database"])
  func `the wait after both have started is as long as the longest life that is known`(
    where place: String
  ) async throws {
    // A shorter TRANSACTION_EXPIRATION_SECONDS since then must not end it early: what is lost was signed with the
    // longer one.
    let server = try await PrivatePostgres.start()
    try await PayingScene.run(on: server) { scene in
      let signer = try await scene.vouchedSigner(expirationMilliseconds: 300_000)
      try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      try await server.restart(mode: .fast)
      try await scene.wait(milliseconds: 0)
      if place == "journal" { try await scene.force("DELETE FROM attempts; DELETE FROM transactions") }
      let journal = place == "journal" ? scene.journal : MemoryJournal(id: scene.journal.id, wallet: scene.wallet)
      let next = try scene.signer(run: 2, journal: journal, expirationMilliseconds: 30_000, isDevelopment: false)
      try await scene.run(next.vouch)
      let wait = try #require(try await scene.ledger.quarantines(atMost: 1).first)
      let begun = try #require(wait.beganAt)
      #expect(wait.cause == .bothStarted)
      #expect(try #require(wait.until).milliseconds(since: begun) >= 2 * 60_000 + 300_000)
    }
    try await server.stop()
  }

  @Test(arguments: [false, true])
  func `outside dev a Signer waits where it and the server have both started since`(
    isDevelopment: Bool
  ) async throws {
    // "One snapshot may have taken both back: outside dev, the same wait with the configured expiration."
    let server = try await PrivatePostgres.start()
    try await PayingScene.run(on: server) { scene in
      try await scene.follow()
      try await scene.run(scene.signer(run: 1, isDevelopment: isDevelopment).vouch)
      // One of the two alone is no reason.
      try await scene.run(scene.signer(run: 2, isDevelopment: isDevelopment).vouch)
      #expect(try await scene.ledger.conditions().isContinuous)
      try await server.restart(mode: .fast)
      try await scene.wait(milliseconds: 0)
      let both = try scene.signer(run: 3, isDevelopment: isDevelopment)
      try await scene.run(both.vouch)
      #expect(try await scene.ledger.conditions().isContinuous == isDevelopment)
      if !isDevelopment {
        let wait = try #require(try await scene.ledger.quarantines(atMost: 1).first)
        #expect(wait.cause == .bothStarted)
        #expect(wait.until == wait.beganAt?.advanced(byMilliseconds: 2 * 60_000 + 120_000))
        // The process that lived through it does not get past it either: its word is as good as the snapshot.
        try await scene.run(scene.signer(run: 2, isDevelopment: isDevelopment).vouch)
        #expect(try await scene.ledger.conditions().isContinuous == false)
      }
    }
    try await server.stop()
  }
}
