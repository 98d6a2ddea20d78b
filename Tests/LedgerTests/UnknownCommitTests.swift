import Ledger
import Payouts
import Postgres
import TestSupport
import Testing

/// What the ledger does where a COMMIT was not answered.
@Suite struct UnknownCommitTests {
  /// Runs a test on a ledger whose first COMMITs are cut.
  private func withCutter<Value: Sendable>(
    _ cuts: [CommitCutter.Cut], prepare: (TestLedger) async throws -> Void = { _ in },
    _ body: (TestLedger, Ledger, CommitCutter) async throws -> Value
  ) async throws -> Value {
    try await withLedger { test async throws in
      try await prepare(test)
      let server = try await PrivatePostgres.shared()
      let cutter = try await CommitCutter.start(serverPort: server.port, cutting: cuts)
      let pool = TestLedger.pool(
        "postgresql://\(PrivatePostgres.user)@127.0.0.1:\(cutter.port)/\(TestLedger.name(of: test.url))",
        acquireTimeoutMilliseconds: 3_000)
      let result: Result<Value, any Error>
      do {
        result = .success(try await body(test, TestLedger.ledger(pool), cutter))
      } catch {
        result = .failure(error)
      }
      await pool.close()
      try await cutter.stop()
      return try result.get()
    }
  }

  // Proves that an acceptance whose COMMIT was not answered tells the truth by asking again by itself, and never makes a
  // second row: it was committed in one case, and not in the other.
  @Test(arguments: [CommitCutter.Cut.before, .after])
  func `an acceptance with an unknown COMMIT finds out and is accepted once`(cut: CommitCutter.Cut) async throws {
    try await withCutter([cut]) { test, ledger, cutter async throws in
      let outcomes = try await ledger.accept(
        [Sample.payout(1), Sample.payout(2), Sample.payout(1, id: 9)], limits: TestLedger.unlimited)
      #expect(cutter.remaining == 0)
      #expect(
        outcomes.map(AcceptTests.name) == [
          "accepted \(Sample.payoutID(1))", "accepted \(Sample.payoutID(2))", "replayed \(Sample.payoutID(1))",
        ])
      #expect(try await test.value("SELECT count(*) FROM payouts") == "2")
      #expect(try await test.used("accepted") == ["hour": 2_000_000, "day": 2_000_000])
      #expect(try await test.value("SELECT count(*) FROM payout_events") == "2")
    }
  }

  // Proves the same for a batch: it is there once and whole, by whichever of the two transactions.
  @Test(arguments: [CommitCutter.Cut.before, .after])
  func `a batch with an unknown COMMIT finds out and is accepted once`(cut: CommitCutter.Cut) async throws {
    try await withCutter([cut]) { test, ledger, cutter async throws in
      let outcomes = try await ledger.accept(
        [Sample.batch(1, 1...3), Sample.batch(2, 1...3, ids: [1: 9])], limits: TestLedger.unlimited)
      #expect(cutter.remaining == 0)
      #expect(outcomes.map(BatchTests.name) == ["accepted 1: 1,2,3", "replayed 1: 1,2,3"])
      #expect(try await test.value("SELECT count(*) FROM payouts") == "3")
      #expect(try await test.value("SELECT count(*) || ' ' || sum(payout_count) FROM client_batches") == "1 3")
      #expect(try await test.used("accepted") == ["hour": 3_000_000, "day": 3_000_000])
    }
  }

  // Proves that two unknown COMMITs in a row are told as unknown, and that asking again finds out what they did; in all
  // four ways they can have gone.
  @Test(arguments: [CommitCutter.Cut.before, .after], [CommitCutter.Cut.before, .after])
  func `two unknown COMMITs are told as unknown`(first: CommitCutter.Cut, second: CommitCutter.Cut) async throws {
    try await withCutter([first, second]) { test, ledger, cutter async throws in
      let payouts = [try Sample.payout(1), try Sample.payout(2)]
      let error = try await ledgerError { _ = try await ledger.accept(payouts, limits: TestLedger.unlimited) }
      #expect(error.code == .outcomeUnknown)
      #expect(cutter.remaining == 0)
      let outcomes = try await ledger.accept(payouts, limits: TestLedger.unlimited)
      #expect(
        outcomes.map(AcceptTests.name) == ["accepted \(Sample.payoutID(1))", "accepted \(Sample.payoutID(2))"])
      #expect(try await test.value("SELECT count(*) FROM payouts") == "2")
      #expect(try await test.used("accepted") == ["hour": 2_000_000, "day": 2_000_000])
    }
  }

  // Proves that once something is unknown nothing later makes it "not done": the COMMIT was committed and its answer
  // lost, and the question after it cannot be asked, because the server takes no connection any more.
  @Test func `what is unknown stays unknown when the database then goes away`() async throws {
    try await withCutter([.after, .shut]) { test, ledger, cutter async throws in
      let error = try await ledgerError {
        _ = try await ledger.accept([Sample.payout(1)], limits: TestLedger.unlimited)
      }
      #expect(error.code == .outcomeUnknown)
      #expect(cutter.remaining == 1)
      #expect(try await test.value("SELECT count(*) FROM payouts") == "1")
    }
  }

  // Proves that a group that falls apart while each goes alone is told as unknown, since some of it was accepted: one
  // is refused, so each goes alone; the first is committed, and then the server takes no connection any more.
  @Test func `a group that was accepted in part is never told as not accepted`() async throws {
    try await withCutter([.afterTelling, .shut]) { test, ledger, cutter async throws in
      let error = try await ledgerError {
        _ = try await ledger.accept(
          [Sample.payout(1), Sample.payout(2, customData: "{no json"), Sample.payout(3)], limits: TestLedger.unlimited)
      }
      #expect(error.code == .outcomeUnknown)
      #expect(cutter.remaining == 1)
      #expect(try await test.value("SELECT count(*) FROM payouts") == "1")
    }
  }

  // Proves that a signing whose COMMIT was not answered is told as unknown, and that nothing is signed twice: what was
  // committed is taken for broadcast, what was not is signed again.
  @Test(arguments: [CommitCutter.Cut.before, .after])
  func `a signing with an unknown COMMIT signs each payout once`(cut: CommitCutter.Cut) async throws {
    try await withCutter([cut], prepare: { try await $0.schedule(3) }) { test, ledger, cutter async throws in
      let sign = {
        try await ledger.sign(test.order()) { batch in batch.candidates.map { .sign(Sample.signed($0, batch)) } }
      }
      let error = try await ledgerError { _ = try await sign() }
      #expect(error.code == .outcomeUnknown)
      #expect(cutter.remaining == 0)
      let outcome = try await sign()
      #expect(outcome == .done(signed: cut == .before ? 3 : 0, held: 0, waiting: 0))
      #expect(try await test.take().count == 3)
      #expect(try await test.value("SELECT count(*) FROM attempts") == "3")
      #expect(try await test.used("signed") == ["hour": 3_000_000, "day": 3_000_000])
    }
  }

  // Proves that nothing is handed out to be sent by a taking whose own COMMIT was not answered: only a later write with a clean
  // COMMIT shows that what was signed is on disk (DESIGN.md §3 point 1).
  @Test(arguments: [CommitCutter.Cut.before, .after])
  func `what is taken for broadcast under an unknown COMMIT is not handed out`(cut: CommitCutter.Cut) async throws {
    try await withCutter([cut], prepare: { try await $0.signed(2) }) { test, ledger, cutter async throws in
      func take() async throws -> BroadcastLot {
        try await ledger.takeForBroadcast(
          wallet: Sample.wallet, headTime: test.now, leaseMilliseconds: 0, atMost: 10)
      }
      #expect(try await ledgerError { _ = try await take() }.code == .outcomeUnknown)
      #expect(cutter.remaining == 0)
      #expect(try await take().transactions.count == 2)
    }
  }

  // Proves that what an earlier request was answered with is told by a write, too: a row that is there by a COMMIT that
  // nobody answered is no 201 yet ("the same before a 201").
  @Test func `what was accepted under a reference is told only with a clean COMMIT`() async throws {
    try await withCutter([.after], prepare: { try await $0.accept([Sample.payout(1)]) }) { test, ledger, cutter in
      let error = try await ledgerError { _ = try await ledger.accepted(under: Sample.reference(1)) }
      #expect(error.code == .outcomeUnknown)
      #expect(try await ledger.accepted(under: Sample.reference(1))?.record.id == Sample.payoutID(1))
    }
  }

  // Proves the same of a vouching: its word does not count before it is known to be on disk, and is given again.
  @Test(arguments: [CommitCutter.Cut.before, .after])
  func `a vouching with an unknown COMMIT is none, and is made again`(cut: CommitCutter.Cut) async throws {
    try await withCutter([cut], prepare: { try await $0.loseContinuity() }) { test, ledger, cutter async throws in
      let vouching = TestLedger.vouching(try await test.ledger.vouchingState(signer: TestLedger.signer).life)
      #expect(try await ledgerError { _ = try await ledger.vouch(vouching, journal: []) }.code == .outcomeUnknown)
      #expect(try await ledger.vouch(vouching, journal: []) == .vouched(putBack: [], missing: []))
      #expect(try await test.value("SELECT continuous()") == "true")
    }
  }
}
