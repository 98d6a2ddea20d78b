import Ledger
import Payouts
import Postgres
import TestSupport
import Testing

@testable import Simulation

/// Who waits for a COMMIT that is late, and who passes it by: the model (`LateCommit`) against real PostgreSQL.
///
/// On both sides one operation comes as far as its COMMIT, and then another one is asked. The model is asked as the
/// simulator asks it: by its own ledger, with a fault at its gate. So its list of locks is tested as well as the names by
/// which the list knows operations. PostgreSQL gets no COMMIT before the other operation was seen to wait for it, or has
/// ended. Where both do the same, both answers and all rows are compared, too.
@Suite(.serialized) struct LateCommitTests {
  @Test(arguments: LateCommitTests.waiting)
  func `whom the model lets wait for a late COMMIT waits in PostgreSQL, and ends alike`(pair: Pair) async throws {
    try await check(pair, modelWaits: true, realWaits: true)
  }

  @Test(arguments: LateCommitTests.passing)
  func `whom the model lets pass by a late COMMIT passes by in PostgreSQL, and ends alike`(pair: Pair) async throws {
    try await check(pair, modelWaits: false, realWaits: false)
  }

  // Where one of these fails, the model has come closer to PostgreSQL: the pair belongs to those above.
  @Test(arguments: LateCommitTests.stricter)
  func `some wait in the model who pass by in PostgreSQL`(pair: Pair) async throws {
    try await check(pair, modelWaits: true, realWaits: false)
  }

  @Test(arguments: LateCommitTests.laxer)
  func `some pass by in the model who wait in PostgreSQL`(pair: Pair) async throws {
    try await check(pair, modelWaits: false, realWaits: true)
  }

  private func check(_ pair: Pair, modelWaits: Bool, realWaits: Bool) async throws {
    try await withLedger { fresh async throws in
      // In the middle of an hour, so that no window of a limit ends on the way.
      let hour = fresh.now.milliseconds - fresh.now.milliseconds % 3_600_000
      let test = TestLedger(
        ledger: fresh.ledger, pool: fresh.pool, url: fresh.url, now: Timestamp(milliseconds: hour + 1_200_000))
      let clock = LedgerClock(url: test.url)
      let result: Result<Void, any Error>
      do {
        try await clock.freeze(at: test.now)
        var scene = Scene(walk: try await ModelWalk(test, clock, seed: 1), clock: clock)
        try await scene.prepare()
        for act in pair.before { try await scene.both(act.body) }
        let word = try ModelledWorld.word(of: pair, in: scene.modelled)
        let real = try await carryOut(pair, at: word.moments, in: scene)
        #expect(word.waits == modelWaits, "the model")
        #expect(real.waits == realWaits, "PostgreSQL")
        if modelWaits == realWaits {
          #expect(real.answers == word.answers)
          scene.walk.model = word.after
          try await scene.walk.compareRows()
        }
        result = .success(())
      } catch {
        result = .failure(error)
      }
      await clock.close()
      try result.get()
    }
  }

  // MARK: PostgreSQL

  /// - Returns: whether the other one had to wait, and both answers.
  private func carryOut(
    _ pair: Pair, at moments: [Int64], in scene: Scene
  ) async throws -> (waits: Bool, answers: [String]) {
    let server = try await PrivatePostgres.shared()
    let hold = try await CommitHold.start(serverPort: server.port)
    let url = scene.walk.test.url
    let heldURL = "postgresql://\(PrivatePostgres.user)@127.0.0.1:\(hold.port)/\(TestLedger.name(of: url))"
    let pools = [heldURL, url].map { TestLedger.pool($0, connectionLimit: 1) }
    let result: Result<(waits: Bool, answers: [String]), any Error>
    do {
      result = .success(try await meet(pair, at: moments, in: scene, hold, pools))
    } catch {
      result = .failure(error)
    }
    hold.letGo()
    for pool in pools { await pool.close() }
    try await hold.stop()
    return try result.get()
  }

  private func meet(
    _ pair: Pair, at moments: [Int64], in scene: Scene, _ hold: CommitHold, _ pools: [PostgresPool]
  ) async throws -> (waits: Bool, answers: [String]) {
    let (test, world) = (scene.walk.test, scene.real)
    let holder = try await Self.backend(of: pools[0])
    let asker = try await Self.backend(of: pools[1])
    hold.arm()
    try await scene.clock.set(Timestamp(milliseconds: moments[0]))
    let held = Self.start(pair.held, of: pools[0], in: world)
    try await eventually("its COMMIT is held back") { hold.isHolding || held.value != nil }
    try #require(hold.isHolding)
    try await scene.clock.set(Timestamp(milliseconds: moments[1]))
    let other = Self.start(pair.other, of: pools[1], in: world)
    let waits = Taken<Bool>()
    try await eventually("the other one waits for it, or ends") {
      let isWaiting = try await test.value(
        """
        SELECT wait_event_type = 'Lock' AND \(holder) = ANY (pg_blocking_pids(pid)) AS is_waiting
        FROM pg_stat_activity WHERE pid = \(asker)
        """)
      if isWaiting == "true" { waits.put(true) }
      return isWaiting == "true" || other.value != nil
    }
    hold.letGo()
    try await eventually("both have ended") { held.value != nil && other.value != nil }
    let first = try #require(held.value)
    let second = try #require(other.value)
    return (waits.value == true, [try first.get(), try second.get()])
  }

  private static func backend(of pool: PostgresPool) async throws -> Int32 {
    let row = try await pool.execute("SELECT pg_backend_pid() AS pid").rows[0]
    return try row.int4("pid")
  }

  private static func start(_ act: Act, of pool: PostgresPool, in world: World) -> Taken<Result<String, any Error>> {
    let ledger = TestLedger.ledger(pool)
    let ended = Taken<Result<String, any Error>>()
    Task {
      do { ended.put(.success(try await act.body(ledger, world))) } catch { ended.put(.failure(error)) }
    }
    return ended
  }
}

// MARK: The pairs

extension LateCommitTests {
  /// Two operations; the first one's COMMIT is late.
  struct Pair: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// What is done before both.
    let before: [Act]
    let held: Act
    let other: Act

    init(_ what: String, after before: [Act] = [], _ held: Act, _ other: Act) {
      testDescription = what
      self.before = before
      self.held = held
      self.other = other
    }
  }

  static let waiting: [Pair] = [
    Pair("two decisions about a payout", .decide(1, .release), .decide(1, .reject)),
    Pair("a payout goes into a batch; it is held", .schedule(atMost: 1), .hold(2)),
    Pair("a batch is signed; it is held", .sign(4), .holdBatch(4)),
    Pair("a payout goes into a batch; it is cancelled", .schedule(atMost: 1), .cancel(2)),
    Pair("a batch is signed; its payout is cancelled", .sign(4), .cancel(4)),
    Pair("a payout is cancelled; its batch is signed", .cancel(4), .sign(4)),
    Pair("a transaction is sent; it is in a block", .answer(6), .head(6)),
    Pair("two acceptances, of one limit's window", .accept(20), .accept(21)),
    Pair("a request, and the same again", .accept(20), .accept(20, id: 70)),
    Pair("an acceptance; an end gives its amount back", .accept(20), .expire),
    Pair("a signing; an attempt's end gives its amount back", .sign(4), .die(6)),
    Pair("two signings", .sign(4), .sign(5)),
    Pair("a signing; one of the treasury's, with nothing to sign", .sign(4), .sweep),
    Pair("one of the treasury's, with nothing to sign; a signing", .sweep, .sign(4)),
    Pair("a signing; the breaker is opened", .sign(4), .open),
    Pair("a signing; the breaker, which is closed, is closed", .sign(4), .close),
    Pair("the breaker, which is closed, is closed; a signing", .close, .sign(4)),
    Pair("the breaker is closed; the fence finds something", .close, .find),
    Pair("the fence finds something; the breaker is closed", .find, .close),
    Pair("the breaker is closed; a finding is judged", after: [.find], .close, .judge),
    Pair("a vouching; a quarantine is asked for", .vouch, .quarantine),
    Pair("a quarantine is asked for; quarantines begin", .quarantine, .begin),
    Pair("quarantines begin; a vouching", .begin, .vouch),
    Pair("a vouching; a retired journal is brought", .vouch, .bring),
    Pair("a vouching; the log of intents was compared", .vouch, .checkpoint),
    Pair("the head is set anew; a solid block", .reset(from: 9), .solid),
    Pair("the head is not set anew after all; a block of the head", .reset(from: 3), .head()),
    Pair("a fork is undone; a solid block", .undo, .solid),
    Pair("two results of one delivery", .tell(0), .tell(0)),
  ]

  static let passing: [Pair] = [
    Pair("SKIP LOCKED: two take what is to be sent", .take(1), .take(10)),
    Pair("SKIP LOCKED: a transaction is sent; what is to be sent is taken", .answer(6), .take(10)),
    Pair("SKIP LOCKED: two put payouts into batches", .schedule(atMost: 1), .schedule(atMost: 2, into: 41)),
    Pair("SKIP LOCKED: two claim servers", .claim, .claim),
    Pair("results of two deliveries", .tell(0), .tell(1)),
    Pair("decisions about two payouts", after: [.hold(2)], .decide(1, .release), .decide(2, .release)),
    Pair("a signing; an acceptance", .sign(4), .accept(20)),
    Pair("an acceptance; a signing", .accept(20), .sign(4)),
    Pair("a signing; a vouching", .sign(4), .vouch),
    Pair("a vouching; a signing", .vouch, .sign(4)),
    Pair("a signing; a Signer says that it stands still", .sign(4), .standStill),
    Pair("a vouching; how it stands is read", .vouch, .state),
    Pair("the breaker is closed; a block of the head without a finding", .close, .head(6)),
    Pair("the fence finds something; findings are judged", .find, .judge),
    Pair("the head is not set anew after all; a signing", .reset(from: 3), .sign(4)),
  ]

  /// The simulator meets less than there is.
  static let stricter: [Pair] = [
    // The alarms are one list in the model; in PostgreSQL two subjects are two rows.
    Pair("two payouts are held, each with an alarm of its own", .hold(2), .hold(3)),
    // A signing looks before it locks, sees the breaker open, and ends; the model's waits for its turn, and signs.
    Pair("an open breaker is closed; a signing", after: [.open], .close, .sign(4)),
    // Without an order the treasury's signing does not come to the breaker.
    Pair("one of the treasury's, with nothing to sign; the breaker is closed", .sweep, .close),
  ]

  /// The simulator meets what cannot be: harmless, where nothing of one speaks against the other.
  static let laxer: [Pair] = [
    // A vouching's UPDATE of findings waits for the lock on their table, also where it explains none.
    Pair("the breaker is closed; a vouching", .close, .vouch),
    // The second one waits until the names of both servers stand there. In the model it passes both by.
    Pair(
      "two claim servers that were never called",
      after: [.accept(30, told: "https://a.example/hook"), .accept(31, told: "https://b.example/hook")], .claim, .claim),
  ]
}
