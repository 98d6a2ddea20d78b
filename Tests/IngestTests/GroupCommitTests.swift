import Ledger
import Payouts
import Synchronization
import Testing
import Worker

@testable import Ingest

/// Requests that share commits, over real HTTP on the real database.
struct GroupCommitTests {
  @Test func `five hundred concurrent requests share commits, and the one that the database refuses fails alone`()
    async throws
  {
    // Proves group commit: 499 are stored and told, one is refused by a constraint that only the database knows, and the
    // ledger saw far fewer transactions than payouts.
    let scene = try await IngestScene()
    try await scene.sql("ALTER TABLE payouts ADD CONSTRAINT no_marked_payout CHECK (external_id <> 'refuse me')")
    let counting = CountingLedger(scene.ledger)
    try await scene.serving(ledger: counting) { ingest async throws in
      let token = ingest.token()
      counting.hold()
      let replies = try await withThrowingTaskGroup(of: (Int, RunningIngest.Reply).self) { group in
        for number in 0..<500 {
          group.addTask {
            let mark = number == 137 ? "refuse me" : "payout \(number)"
            return (
              number, try await ingest.post(payoutBody(["external_id": "\"\(mark)\""]), key: "k\(number)", token: token)
            )
          }
        }
        group.addTask {
          try await until("all but those under way wait") {
            ingest.parts.commits.waitingCount + counting.heldCount == 500
          }
          counting.letGo()
          return (-1, RunningIngest.Reply(status: 0, headers: [:], bytes: []))
        }
        return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
      }
      for number in 0..<500 where number != 137 {
        #expect(replies[number]?.status == 201, "\(number)")
      }
      #expect(replies[137]?.status == 500 && replies[137]?.problem == "internal-error")
      #expect(try await scene.payoutCount() == 499)
      #expect(
        try await scene.sql("SELECT used FROM limit_windows WHERE scope = 'accepted' AND span = 'day'")
          == "\(499 * 12_500_000)")
      #expect(counting.callCount <= 2 + 2 + 2, "\(counting.callCount) commits for 500 payouts")
      // The key of the refused one is free, and its answer tells nothing of the database.
      #expect(replies[137].map { String(decoding: $0.bytes, as: UTF8.self).contains("constraint") } == false)
      #expect(scene.logs.lines.contains { $0.hasPrefix("error") && $0.contains("no_marked_payout") })
      #expect(try await ingest.post(payoutBody(["external_id": "\"mended\""]), key: "k137", token: token).status == 201)
      try await until("all are enqueued") { try await scene.streams.length(of: .payoutsImmediate) == 500 }
    }
  }

  @Test func `a caller that goes away does not withdraw its payout, nor hurt its neighbours`() async throws {
    // Proves that cancelling a waiting caller changes nothing: all are stored, each is answered once.
    let scene = try await IngestScene()
    let counting = CountingLedger(scene.ledger)
    try await scene.serving(ledger: counting) { ingest async throws in
      let token = ingest.token()
      counting.hold()
      try await withThrowingTaskGroup(of: Int?.self) { group in
        for number in 0..<10 {
          group.addTask { try await ingest.post(payoutBody(), key: "stay\(number)", token: token).status }
        }
        let leaving = Task {
          try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<10 {
              group.addTask { _ = try await ingest.post(payoutBody(), key: "leave\(number)", token: token) }
            }
            try await group.waitForAll()
          }
        }
        try await until("twenty are on their way") {
          ingest.parts.commits.waitingCount + counting.heldCount == 20
        }
        leaving.cancel()
        _ = await leaving.result
        counting.letGo()
        for try await status in group { #expect(status == 201) }
      }
      try await until("all twenty are stored") { try await scene.payoutCount() == 20 }
      #expect(try await ingest.post(payoutBody(), key: "leave3").headers.first(name: "Idempotency-Replayed") == "true")
    }
  }

  @Test func `an outcome that is unknown is told as such, and the same key finds out`() async throws {
    // Proves the third outcome: the commit happened, its answer is lost; 503 with Retry-After, then the replay.
    let scene = try await IngestScene()
    let counting = CountingLedger(scene.ledger)
    try await scene.serving(ledger: counting) { ingest async throws in
      counting.fail(.after(.outcomeUnknown))
      let unknown = try await ingest.post(payoutBody(), key: "key")
      #expect(unknown.status == 503 && unknown.problem == "outcome-unknown")
      #expect(unknown.headers.first(name: "Retry-After") != nil)
      #expect(try unknown.text("detail")?.contains("same Idempotency-Key") == true)
      counting.fail(nil)
      let found = try await ingest.post(payoutBody(), key: "key")
      #expect(found.status == 201 && found.headers.first(name: "Idempotency-Replayed") == "true")
      #expect(try await scene.payoutCount() == 1)

      counting.fail(.before(.unavailable))
      let unavailable = try await ingest.post(payoutBody(), key: "other")
      #expect(unavailable.status == 503 && unavailable.problem == "unavailable")
      #expect(unavailable.headers.first(name: "Retry-After") != nil)
      #expect(try await scene.payoutCount() == 1)
      counting.fail(.before(.corrupt))
      #expect(try await ingest.post(payoutBody(), key: "other").status == 500)
    }
  }

  @Test func `more than may wait is refused at once`() async throws {
    // Proves the bound of the queue and that it recovers; through the step itself, since ten thousand connections prove no
    // more.
    let scene = try await IngestScene()
    let counting = CountingLedger(scene.ledger)
    let metrics = IngestMetrics(Instruments(worker: "ingest", registry: PrometheusRegistry()))
    let commits = GroupCommit(
      ledger: counting, limits: AcceptanceLimits(hourly: nil, daily: nil), metrics: metrics, record: { _ in },
      accepted: { _ in }, failed: { _, _ in })
    let payouts = try (0..<GroupCommit.waitingMax + 1).map { _ in try NewPayout.some() }
    let stop = StopSignal()
    let problems: [Problem.Kind] = await withTaskGroup(of: Problem.Kind?.self) { group in
      for payout in payouts {
        group.addTask {
          do throws(Problem) {
            _ = try await commits.accept(payout)
            return nil
          } catch {
            stop.raise()
            return error.kind
          }
        }
      }
      // Nobody works yet, so exactly one is too many; then all others are stored.
      await stop.wait()
      group.addTask {
        try? await commits.run(until: stop)
        return nil
      }
      return await group.reduce(into: []) { if let kind = $1 { $0.append(kind) } }
    }
    #expect(problems == [.overloaded])
    #expect(try await scene.payoutCount() == GroupCommit.waitingMax)
    #expect(counting.callCount == GroupCommit.waitingMax / GroupCommit.groupMax)
  }

  @Test func `a stopping replica answers what it took and refuses the rest`() async throws {
    // Proves the drain over HTTP: a request that waits when shutdown begins gets its 201, and then nobody listens.
    let scene = try await IngestScene()
    let counting = CountingLedger(scene.ledger)
    try await scene.serving(ledger: counting) { ingest async throws in
      counting.hold()
      let token = ingest.token()
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { () async throws in
          #expect(try await ingest.post(payoutBody(), key: "late", token: token).status == 201)
        }
        try await until("the request is on its way") { counting.heldCount == 1 }
        await ingest.group.triggerGracefulShutdown()
        try await until("nobody listens any more") {
          do {
            _ = try await ingest.ask("GET", "/live", token: nil)
            return false
          } catch {
            return true
          }
        }
        counting.letGo()
        try await group.waitForAll()
      }
      #expect(try await scene.payoutCount() == 1)
    }
    let metrics = IngestMetrics(Instruments(worker: "ingest", registry: PrometheusRegistry()))
    let commits = GroupCommit(
      ledger: counting, limits: AcceptanceLimits(hourly: nil, daily: nil), metrics: metrics, record: { _ in },
      accepted: { _ in }, failed: { _, _ in })
    let stop = StopSignal()
    stop.raise()
    try await commits.run(until: stop)
    let problem = await #expect(throws: Problem.self) { try await commits.accept(NewPayout.some()) }
    #expect(problem?.kind == .shuttingDown)
  }
}

extension NewPayout {
  /// Some good payout.
  static func some() throws -> NewPayout {
    let id = PayoutID.random()
    let terms = PayoutTerms(
      id: id, reference: Reference(payoutWithoutKey: id), owner: "owner", network: .devnet,
      token: try Address(IngestScene.token), recipient: IngestScene.recipient, amount: try Amount(decimal: "1"),
      router: .v0, batchType: .immediate, createdAt: SystemClock().now())
    return NewPayout(
      terms: terms, seal: try Sealer(IngestScene.sealKey).seal(terms),
      particulars: PayoutParticulars(priority: .normal, reason: .custom, requestID: "r"),
      fingerprint: [UInt8](repeating: 0, count: 32))
  }
}

/// The real ledger, which counts acceptances, can hold them back, and can fail before or after them.
final class CountingLedger: IngestLedger {
  /// When an acceptance fails.
  enum Failure: Sendable {
    /// Before anything is done.
    case before(LedgerError.Code)
    /// After the commit, whose answer is lost.
    case after(LedgerError.Code)
  }

  private struct State {
    var callCount = 0
    var heldCount = 0
    var gate: StopSignal?
    var failure: Failure?
  }

  private let ledger: Ledger
  private let state = Mutex(State())

  /// What it says of a cancellation; nil for the real answer.
  private let onCancel: (@Sendable (PayoutID) throws -> CancelOutcome)?

  init(_ ledger: Ledger, onCancel: (@Sendable (PayoutID) throws -> CancelOutcome)? = nil) {
    self.ledger = ledger
    self.onCancel = onCancel
  }

  /// How many acceptances were asked for.
  var callCount: Int { state.withLock { $0.callCount } }
  /// How many payouts are held back inside an acceptance.
  var heldCount: Int { state.withLock { $0.heldCount } }

  func hold() { state.withLock { $0.gate = StopSignal() } }

  func letGo() {
    let gate = state.withLock { state in
      defer { state.gate = nil }
      return state.gate
    }
    gate?.raise()
  }

  func fail(_ failure: Failure?) { state.withLock { $0.failure = failure } }

  func accept(_ requests: [AcceptanceRequest], limits: AcceptanceLimits) async throws -> [RequestOutcome] {
    let (gate, failure) = state.withLock { state in
      state.callCount += 1
      if state.gate != nil { state.heldCount += requests.count }
      return (state.gate, state.failure)
    }
    await gate?.wait()
    if case .before(let code) = failure { throw LedgerError(code, "the test lets it fail") }
    let outcomes = try await ledger.accept(requests, limits: limits)
    if case .after(let code) = failure { throw LedgerError(code, "the test loses the answer") }
    return outcomes
  }

  func accepted(under references: [Reference]) async throws -> [AcceptedRequest?] {
    try await ledger.accepted(under: references)
  }
  func payout(_ id: PayoutID) async throws -> PayoutRecord? { try await ledger.payout(id) }
  func history(of id: PayoutID) async throws -> [PayoutEvent] { try await ledger.history(of: id) }
  func attempts(of id: PayoutID) async throws -> [AttemptRecord] { try await ledger.attempts(of: id) }
  func conditions() async throws -> PayingConditions { try await ledger.conditions() }
  func cancel(_ payout: PayoutID, note: String) async throws -> CancelOutcome {
    if let onCancel { return try onCancel(payout) }
    return try await ledger.cancel(payout, note: note)
  }
  func wallets() async throws -> [Address] { try await ledger.wallets() }
}
