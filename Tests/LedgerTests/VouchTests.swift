import Payouts
import Postgres
import TestSupport
import Testing

@testable import Ledger

/// Continuity: what a restore took is put back from the Signers' journals before anything is signed (DESIGN.md §3).
@Suite struct VouchTests {
  private static let otherJournalID = [UInt8](repeating: 0x4b, count: 16)

  /// The present life of the server.
  private func life(_ test: TestLedger) async throws -> ServerLife {
    try await test.ledger.vouchingState(signer: TestLedger.signer).life
  }

  /// Declares a second Signer of the wallet.
  private func declareSecond(_ test: TestLedger) async throws {
    let declared = try await test.ledger.declare(
      wallet: Sample.wallet, signer: "signer-2", journalID: Self.otherJournalID, begin: test.place(100))
    #expect(declared == .declared)
  }

  /// An entry of a journal as another attempt, so that it is a transaction of its own.
  private func later(_ entry: JournalEntry, attempt: Int) -> JournalEntry {
    JournalEntry(
      txid: Sample.txid(entry.payouts[0].reference, attempt: attempt), wallet: entry.wallet, signer: entry.signer,
      signedBytes: entry.signedBytes, referenceBlockNumber: entry.referenceBlockNumber, headTime: entry.headTime,
      expiration: entry.expiration, feeLimit: entry.feeLimit,
      signedAt: entry.signedAt.advanced(byMilliseconds: Int64(attempt)),
      payouts: entry.payouts.map {
        JournalPayout(
          payout: $0.payout, reference: $0.reference, attemptNumber: attempt, token: $0.token,
          recipient: $0.recipient, amount: $0.amount)
      })
  }

  // Proves the whole way of a fresh installation on a server of its own, and that a real restart, fast or by a crash,
  // takes the trust away until the Signer vouches again.
  @Test func `every start of the server takes the trust away until the Signer vouches`() async throws {
    let server = try await PrivatePostgres.start()
    do {
      let url = try await server.createDatabase()
      let pool = TestLedger.pool(url)
      let ledger = TestLedger.ledger(pool)
      try await ledger.prepare(TestLedger.installation)
      #expect(try await ledger.watch() == nil)
      let fresh = try await ledger.vouchingState(signer: TestLedger.signer)
      #expect(!fresh.isContinuous && !fresh.hasVouched && fresh.declared == nil && fresh.lastRunID == nil)
      await pool.close()
      try await TestLedger.setUp(url)
      try await withLedger(at: url) { test async throws in
        try await test.signed(1)
        for mode in [PrivatePostgres.StopMode.fast, .immediate] {
          let before = try await test.ledger.vouchingState(signer: TestLedger.signer)
          #expect(before.isContinuous && before.hasVouched)
          #expect(before.declared == DeclaredJournal(wallet: Sample.wallet, journalID: TestLedger.journalID))
          try await server.restart(mode: mode)
          let after = try await test.ledger.vouchingState(signer: TestLedger.signer)
          #expect(!after.isContinuous && !after.hasVouched)
          #expect(after.life != before.life && after.life.systemIdentifier == before.life.systemIdentifier)
          #expect(!before.hasServerChanged && after.hasServerChanged)
          #expect(after.lastRunID == [UInt8](repeating: 7, count: 16))
          #expect(try await test.sign() == .blocked(.notContinuous))
          #expect(try await !test.ledger.conditions().isContinuous)
          // The word for the life before counts for nothing now.
          let stale = try await test.ledger.vouch(TestLedger.vouching(before.life), journal: [])
          #expect(stale == .anotherLife)
          #expect(try await test.vouch() == .vouched(putBack: [], missing: []))
          #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
        }
      }
    } catch {
      try await server.stop()
      throw error
    }
    try await server.stop()
  }

  // Proves that what tells one table from its copy is seen: VACUUM FULL rewrites it, a dump loaded makes another one.
  @Test func `another file or another table of transactions takes the trust away`() async throws {
    try await withLedger { test async throws in
      #expect(try await test.value("SELECT continuous()") == "true")
      try await test.run("UPDATE transactions SET last_answer = 'x'")
      #expect(try await test.value("SELECT continuous()") == "true")
      _ = try await test.pool.execute("VACUUM FULL transactions")
      #expect(try await test.value("SELECT continuous()") == "false")
      #expect(try await test.vouch() == .vouched(putBack: [], missing: []))
      try await test.run(
        """
        ALTER TABLE transactions RENAME TO old_transactions;
        CREATE TABLE transactions (LIKE old_transactions INCLUDING ALL)
        """)
      #expect(try await test.value("SELECT continuous()") == "false")
      try await test.run("DROP TABLE transactions; ALTER TABLE old_transactions RENAME TO transactions")
      #expect(try await test.value("SELECT continuous()") == "true")
    }
  }

  /// Which rows of old failures a restore took: attempts alone, or their transactions too.
  static let losses = ["attempts", "attempts and transactions"]

  // Proves that old failures that come back together from a journal open no breaker and call nobody, by whichever way their
  // end is found out again, and that their payouts wait for Monitor's word and then go on.
  @Test(arguments: VouchTests.losses) func `old failures that were put back do not open the breaker`(
    loss: String
  ) async throws {
    try await withLedger { test async throws in
      try await test.signed(9)
      let journal = try await test.take()
      let txids = (1...9).map { test.txid($0) }
      let deaths = Dictionary(uniqueKeysWithValues: txids.map { ($0, TransactionVerdict.dead) })
      try await test.ledger.settle(deaths, retryDelayMilliseconds: 0)
      #expect(try await test.value("SELECT state || failures_in_row FROM breaker") == "closed9")
      try await test.force("DELETE FROM attempts; UPDATE breaker SET failures_in_row = 1")
      if loss != "attempts" { try await test.force("DELETE FROM transactions") }
      try await test.loseContinuity()
      #expect(try await test.vouch(journal) == .vouched(putBack: txids.sorted(), missing: []))
      if loss == "attempts" {
        #expect(try await test.rows("SELECT DISTINCT outcome, blame FROM attempts") == ["dead|"])
        #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
        #expect(try await test.blame(.expired).isEmpty)
      } else {
        try await test.ledger.settle(deaths, retryDelayMilliseconds: 0)
      }
      #expect(try await test.rows("SELECT DISTINCT outcome, blame FROM attempts") == ["dead|expired"])
      #expect(try await test.value("SELECT state || failures_in_row FROM breaker") == "closed1")
      #expect(try await test.rows("SELECT kind, count FROM alarms") == ["failure_expired|1"])
      // Nor do they help what fails today to open it: nine more make ten in a row, and eight do not.
      #expect(try await test.sign() == .done(signed: 9, held: 0, waiting: 0))
      func die(_ numbers: ClosedRange<Int>) async throws {
        try await test.ledger.settle(
          Dictionary(uniqueKeysWithValues: numbers.map { (test.txid($0, attempt: 2), .dead) }),
          retryDelayMilliseconds: 0)
      }
      try await die(1...8)
      #expect(try await test.value("SELECT state FROM breaker") == "closed")
      try await die(9...9)
      #expect(try await test.value("SELECT state FROM breaker") == "open")
    }
  }

  // Proves who may not vouch: under an unknown name, with another journal, for another life.
  @Test func `only the declared journal vouches, for the present life`() async throws {
    try await withLedger { test async throws in
      try await test.loseContinuity()
      let life = try await life(test)
      #expect(
        try await test.ledger.vouch(TestLedger.vouching(life, signer: "nobody"), journal: []) == .anotherJournal)
      #expect(
        try await test.ledger.vouch(TestLedger.vouching(life, journalID: Self.otherJournalID), journal: [])
          == .anotherJournal)
      let other = ServerLife(
        systemIdentifier: life.systemIdentifier, timeline: "00000002", startMicroseconds: life.startMicroseconds,
        transactionsOID: life.transactionsOID, transactionsFileNode: life.transactionsFileNode)
      #expect(try await test.ledger.vouch(TestLedger.vouching(other), journal: []) == .anotherLife)
      #expect(try await test.value("SELECT count(*) FROM vouchings") == "0")
      #expect(try await test.value("SELECT continuous()") == "false")
    }
  }

  // Proves that all names of all lists must vouch: declared ones, configured ones, and those in another Signer's list.
  @Test func `every name of every list must vouch`() async throws {
    try await withLedger { test async throws in
      try await declareSecond(test)
      try await test.loseContinuity()
      let life = try await life(test)
      let first = TestLedger.vouching(life, names: [TestLedger.signer, "signer-3"])
      #expect(
        try await test.ledger.vouch(first, journal: []) == .vouched(putBack: [], missing: ["signer-2", "signer-3"]))
      #expect(try await test.ledger.vouchingState(signer: TestLedger.signer).hasVouched)
      let second = TestLedger.vouching(life, signer: "signer-2", names: [], journalID: Self.otherJournalID)
      // A list that names nobody is no list.
      #expect(try await ledgerError { _ = try await test.ledger.vouch(second, journal: []) }.code == .refused)
      let word = TestLedger.vouching(life, signer: "signer-2", names: ["signer-2"], journalID: Self.otherJournalID)
      #expect(try await test.ledger.vouch(word, journal: []) == .vouched(putBack: [], missing: ["signer-3"]))
      #expect(try await test.sign() == .blocked(.notContinuous))
      let third = [UInt8](repeating: 0x4c, count: 16)
      #expect(
        try await test.ledger.declare(
          wallet: Sample.wallet, signer: "signer-3", journalID: third, begin: test.place(100)) == .declared)
      let last = TestLedger.vouching(life, signer: "signer-3", names: ["signer-3"], journalID: third)
      #expect(try await test.ledger.vouch(last, journal: []) == .vouched(putBack: [], missing: []))
      #expect(try await test.value("SELECT continuous()") == "true")
    }
  }

  /// What a restore can have made of a payout whose transaction it took.
  private static let restored: [(PayoutStatus, String)] = [
    (.broadcast, "status = 'broadcast'"),
    (.scheduled, "status = 'scheduled', not_before = now() + interval '1 hour'"),
    (.queued, "status = 'queued', settlement_batch_id = NULL"),
    (.kycPending, "status = 'kyc_pending', settlement_batch_id = NULL"),
    (.compliancePending, "status = 'compliance_pending', settlement_batch_id = NULL"),
    (.held, "status = 'held', held_from = 'queued', hold_reason = 'broken_seal', settlement_batch_id = NULL"),
  ]

  // Proves the put-back from every state that a restore can have left a payout in: exactly what is missing, signed from
  // then on, sent again, freed or paid as any other; limits counted again; and that a second vouching puts back nothing.
  @Test(arguments: restored.indices)
  func `what a restore took is put back before anything is signed`(index: Int) async throws {
    let (status, change) = Self.restored[index]
    try await withLedger { test async throws in
      // No lease ends while a slow machine comes to its second taking.
      try await test.freeze()
      try await test.signed(2)
      let journal = try await test.broadcast()
      try await test.forget(test.txid(1))
      try await test.force(
        """
        UPDATE payouts SET \(change) WHERE id = \(Sample.sql(Sample.payoutID(1)));
        UPDATE limit_windows SET used = 1000000 WHERE scope = 'signed'
        """)
      try await test.loseContinuity()
      #expect(try await test.vouch(journal) == .vouched(putBack: [test.txid(1)], missing: []))
      let record = try #require(try await test.ledger.payout(Sample.payoutID(1)))
      #expect(record.status == (status == .broadcast ? .broadcast : .signed))
      #expect(record.heldFrom == nil && record.notBefore == nil)
      #expect(try await test.status(Sample.payoutID(2)) == .broadcast)
      #expect(try await test.used("signed") == ["hour": 2_000_000, "day": 2_000_000])
      #expect(
        try await test.rows("SELECT signer, txid = \(Sample.sql(test.txid(1).bytes)) FROM put_backs")
          == ["signer-1|true"])
      #expect(try await test.vouch(journal) == .vouched(putBack: [], missing: []))
      // It is the same transaction: taken again as it was.
      let again = try await test.broadcast()
      #expect(again == journal.filter { $0.txid == test.txid(1) })
      #expect(try await test.status(Sample.payoutID(1)) == .broadcast)
      // Freed, it waits in a batch, one of its own where it has none, and is signed again from there.
      try await test.ledger.settle([test.txid(1): .dead], retryDelayMilliseconds: 0)
      let freed = try #require(try await test.ledger.payout(Sample.payoutID(1)))
      let keepsBatch = status == .broadcast || status == .scheduled
      #expect(freed.status == .scheduled)
      #expect(freed.settlementBatch == (keepsBatch ? Sample.batchID(1) : Sample.payoutID(1)))
      let batch = try #require(freed.settlementBatch)
      #expect(try await test.ledger.batchesToSign(waitingFor: 0, atMost: 10) == [batch])
      #expect(try await test.sign(test.order(batch)) == .done(signed: 1, held: 0, waiting: 0))
      #expect(try await test.ledger.attempts(of: Sample.payoutID(1)).map(\.number) == [1, 2])
    }
  }

  // Proves that a payout whose row is gone is put back as an attempt of its reference, can be settled, and that its name
  // is known to whoever asks for it again.
  @Test func `what was signed is put back although the payout's row is gone`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      let journal = try await test.broadcast()
      try await test.forget(test.txid(1))
      try await test.force("DELETE FROM payouts; DELETE FROM payout_references; DELETE FROM limit_windows")
      try await test.loseContinuity()
      #expect(try await test.vouch(journal) == .vouched(putBack: [test.txid(1)], missing: []))
      #expect(try await test.used("signed") == ["hour": 1_000_000, "day": 1_000_000])
      #expect(try await test.broadcast() == journal)
      try await test.head(101, [test.txid(1)])
      try await test.ledger.settle([test.txid(1): .paid(test.place(101), Sample.cost)], retryDelayMilliseconds: 0)
      #expect(try await test.ledger.attempts(of: Sample.payoutID(1)).map(\.outcome) == [.paid])
      #expect(try await test.value("SELECT count(*) FROM payouts") == "0")
    }
  }

  // Proves that attempts alone are put back too: with their transaction's end where it has one.
  @Test func `lost attempts are put back with their transaction's end`() async throws {
    try await withLedger { test async throws in
      try await test.signed(2)
      let journal = try await test.broadcast()
      try await test.ledger.settle([test.txid(1): .paid(test.place(101), Sample.cost)], retryDelayMilliseconds: 0)
      try await test.force("DELETE FROM attempts")
      #expect(try await test.vouch(journal) == .vouched(putBack: journal.map(\.txid).sorted(), missing: []))
      #expect(try await test.ledger.attempts(of: Sample.payoutID(1)).map(\.outcome) == [.paid])
      #expect(try await test.ledger.attempts(of: Sample.payoutID(2)).map(\.outcome) == [nil])
    }
  }

  // Proves that a later attempt waits for the earlier one's verdict, that nobody vouches meanwhile, and that the earlier
  // one's death lets it in.
  @Test func `a later attempt is put back after the earlier one's verdict`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      let first = try await test.broadcast()
      let journal = first + [later(first[0], attempt: 2)]
      try await test.loseContinuity()
      // The restore took the first one's end and the second one: the first is live here.
      #expect(try await test.vouch(journal) == .waitsForVerdicts(putBack: [], deferred: [test.txid(1, attempt: 2)]))
      #expect(try await test.sign() == .blocked(.notContinuous))
      try await test.ledger.settle([test.txid(1): .dead], retryDelayMilliseconds: 0)
      #expect(try await test.vouch(journal) == .vouched(putBack: [test.txid(1, attempt: 2)], missing: []))
      #expect(try await test.status(Sample.payoutID(1)) == .signed)
      #expect(try await test.ledger.attempts(of: Sample.payoutID(1)).map(\.outcome) == [.dead, nil])
    }
  }

  // Proves the same where both were lost: the first goes in at once, the second after the first one's verdict.
  @Test func `of two lost attempts the first goes in first`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      let first = try await test.broadcast()
      let second = later(first[0], attempt: 2)
      try await test.forget(test.txid(1))
      try await test.loseContinuity()
      #expect(
        try await test.vouch([second] + first)
          == .waitsForVerdicts(putBack: [test.txid(1)], deferred: [second.txid]))
      #expect(try await test.value("SELECT count(*) FROM vouchings") == "0")
      try await test.ledger.settle(
        [test.txid(1): .failedOnChain(test.place(101), Sample.cost, result: "OUT_OF_ENERGY")],
        retryDelayMilliseconds: 0)
      #expect(try await test.vouch([second] + first) == .vouched(putBack: [second.txid], missing: []))
    }
  }

  // Proves that a journal that contradicts a paid attempt is not believed: no vouching, breaker and alarm for a person,
  // and what else it brought is kept.
  @Test func `a journal that contradicts a paid attempt opens the breaker`() async throws {
    try await withLedger { test async throws in
      try await test.signed(2)
      let journal = try await test.broadcast()
      let first = try #require(journal.first { $0.txid == test.txid(1) })
      try await test.ledger.settle([test.txid(1): .paid(test.place(101), Sample.cost)], retryDelayMilliseconds: 0)
      try await test.forget(test.txid(2))
      try await test.loseContinuity()
      let second = later(first, attempt: 2)
      #expect(try await test.vouch(journal + [second]) == .contradicted([second.txid]))
      #expect(
        try await test.rows("SELECT state, cause, closes_by FROM breaker") == ["open|contradicted_journal|operator"])
      #expect(
        try await test.rows("SELECT kind, subject FROM alarms") == ["contradicted_journal|transaction \(second.txid)"])
      #expect(try await test.status(test.txid(2)) == "signed")
      #expect(try await test.value("SELECT continuous()") == "false")
    }
  }

  // Proves that a long journal is compared in parts, none of it twice and none left out.
  @Test func `a journal longer than one comparison is compared whole`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      let known = try await test.broadcast()
      let foreign = (2...10_003).map { number in
        let reference = Sample.reference(number)
        return JournalEntry(
          txid: Sample.txid(reference, attempt: 1), wallet: Sample.wallet, signer: TestLedger.signer,
          signedBytes: known[0].signedBytes, referenceBlockNumber: 1, headTime: known[0].headTime,
          expiration: known[0].expiration, feeLimit: known[0].feeLimit, signedAt: known[0].signedAt,
          payouts: [
            JournalPayout(
              payout: Sample.payoutID(number), reference: reference, attemptNumber: 1, token: Sample.token,
              recipient: Sample.recipient(number), amount: known[0].payouts[0].amount)
          ])
      }
      // All but three of them are there already.
      let sparse = [foreign[0], foreign[9_998], foreign[10_000]]
      try await test.force(
        """
        INSERT INTO transactions (txid, wallet, signer, signed_bytes, reference_block_number, head_time_ms,
          expiration_ms, fee_limit_sun, signed_at)
        SELECT substr(txid, 1, 29) || substr(int8send(i), 6), wallet, signer, signed_bytes, 1, head_time_ms,
          expiration_ms, 0, signed_at FROM transactions, generate_series(2, 10003) i
        WHERE i NOT IN (2, 10000, 10002);
        INSERT INTO attempts (reference, payout_id, number, txid, token, recipient, amount)
        SELECT sha256(txid), gen_random_uuid(), 1, txid, '\(hex(Sample.token))', '\(hex(Sample.token))', 1
        FROM transactions t WHERE NOT EXISTS (SELECT FROM attempts a WHERE a.txid = t.txid)
        """)
      #expect(try await test.vouch(known + foreign) == .vouched(putBack: sparse.map(\.txid), missing: []))
    }
  }

  private func hex(_ address: Address) -> String { "\\x" + Hex.text(address.bytes) }

  // Proves that two Signers that vouch at once do it one after the other: together they make the history continuous.
  @Test func `two Signers vouch at once`() async throws {
    try await withLedger { test async throws in
      try await declareSecond(test)
      try await test.loseContinuity()
      let life = try await life(test)
      async let first = test.ledger.vouch(TestLedger.vouching(life), journal: [])
      async let second = test.ledger.vouch(
        TestLedger.vouching(life, signer: "signer-2", names: ["signer-2"], journalID: Self.otherJournalID),
        journal: [])
      let outcomes = [try await first, try await second]
      #expect(outcomes.contains(.vouched(putBack: [], missing: [])))
      #expect(try await test.value("SELECT continuous()") == "true")
    }
  }
}
