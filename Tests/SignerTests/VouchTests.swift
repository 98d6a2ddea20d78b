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
}
