import Ledger
import Logging
import Payouts
import Streams
import TestSupport
import Testing
import Worker

@testable import Ingest

/// What becomes of a client's wish to withdraw its payout, but for the route.
struct CancelPayoutTests {
  private func step(
    _ scene: IngestScene, _ ledger: (any IngestLedger)? = nil, log: (any IntentLog)? = nil
  ) -> CancelPayout {
    let metrics = IngestMetrics(Instruments(worker: "ingest", registry: PrometheusRegistry()))
    let logger = Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() })
    let intents = RecordIntents(
      log: log ?? scene.streams, health: HealthRegistry(service: "ingest", clock: scene.clock), metrics: metrics,
      logger: logger)
    return CancelPayout(ledger: ledger ?? scene.ledger, intents: intents, metrics: metrics, logger: logger)
  }

  private func ends(_ scene: IngestScene) async throws -> [PayoutEnd] {
    try await scene.streams.intents(after: .zero, atMost: 1_000).compactMap { entry in
      guard case .ended(let end) = try Intent(fields: entry.fields) else { return nil }
      return end
    }
  }

  private func refusal(_ step: CancelPayout, _ id: String, _ caller: Caller) async -> Problem.Kind? {
    do throws(Problem) {
      _ = try await step.cancel(id, for: caller)
      return nil
    } catch {
      return error.kind
    }
  }

  private let owner = Caller(id: "client-1", role: .service, nodeIDs: [])

  @Test func `its owner or an admin withdraws a payout, and the log is told once by each process`() async throws {
    // Proves the whole step: who may, what is stored and logged, and that it may be asked again, also of another process,
    // whose predecessor may have died before it told the log.
    let scene = try await IngestScene()
    try await scene.vouch()
    try await scene.serving { ingest async throws in
      let step = step(scene)
      let body = payoutBody(["beneficiary_user_id": "\"friend\""])
      let (id, other) = (
        try #require(try await ingest.post(body).text("payout_id")),
        try #require(try await ingest.post(body).text("payout_id"))
      )
      let stranger = Caller(id: "stranger", role: .service, nodeIDs: [])
      let friend = Caller(id: "friend", role: .service, nodeIDs: [])
      #expect(await refusal(step, id, stranger) == .notFound)
      #expect(await refusal(step, "7", owner) == .notFound)
      #expect(await refusal(step, "\(PayoutID.random())", owner) == .notFound)
      #expect(await refusal(step, id, friend) == .forbidden)
      #expect(try await ends(scene).isEmpty)
      for _ in 0..<2 {
        let record = try await step.cancel(id, for: owner)
        #expect(record.status == .cancelled && record.note == "cancelled by client-1")
      }
      _ = try await step.cancel(other, for: Caller(id: "root", role: .admin, nodeIDs: []))
      _ = try await self.step(scene).cancel(id, for: owner)
      let told = try await ends(scene)
      #expect(told.map { "\($0.payout)" } == [id, other, id] && told.allSatisfy { $0.status == .cancelled })
      #expect(try await ingest.get("/payouts/\(id)").text("status") == "cancelled")
    }
  }

  @Test func `what cannot be withdrawn is told why, and nothing is changed`() async throws {
    // Proves each outcome of the ledger's as a problem: 409, with Retry-After where it helps; 503 where nobody knows.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let step = step(scene)
      let id = try #require(try await ingest.post(payoutBody()).text("payout_id"))
      // Nobody has vouched for this scene's ledger yet.
      do throws(Problem) {
        _ = try await step.cancel(id, for: owner)
        Issue.record("it was cancelled")
      } catch {
        #expect(error.kind == .historyNotTrusted && error.kind.status == 409 && error.retryAfterSeconds == 10)
      }
      try await scene.sql("SET session_replication_role = replica; UPDATE payouts SET status = 'signed'")
      #expect(await refusal(step, id, owner) == .cannotCancel)
      #expect(try await ends(scene).isEmpty)
      let told: [(Result<CancelOutcome, LedgerError>, Problem.Kind)] = [
        (.success(.mayBePaid), .cannotCancel), (.failure(LedgerError(.outcomeUnknown, "x")), .outcomeUnknown),
        (.failure(LedgerError(.historyNotTrusted, "x")), .historyNotTrusted),
        (.failure(LedgerError(.unavailable, "x")), .unavailable),
        (.failure(LedgerError(.corrupt, "x")), .internalError),
      ]
      for (answer, kind) in told {
        let step = self.step(scene, CountingLedger(scene.ledger) { _ in try answer.get() })
        #expect(await refusal(step, id, owner) == kind, "\(answer)")
      }
    }
  }

  @Test func `of two that ask at once none is told before the log has it`() async throws {
    // Proves that an append under way counts for nobody: both wait for one of their own.
    let scene = try await IngestScene()
    try await scene.vouch()
    let log = GatedLog(scene.streams)
    try await scene.serving { ingest async throws in
      let id = try #require(try await ingest.post(payoutBody()).text("payout_id"))
      let step = step(scene, log: log)
      log.isOpen = false
      await withTaskGroup(of: Problem.Kind?.self) { group in
        for _ in 0..<2 { group.addTask { await refusal(step, id, owner) } }
        do { try await until("both wait for the log") { log.waiting == 2 } } catch { Issue.record(error) }
        log.isOpen = true
        for await refused in group { #expect(refused == nil) }
      }
    }
  }

  // DESIGN.md §3 "Continuity": a restore may take the end, and whoever was told of it does not ask again: it would be paid
  // although its client has paid it another way.
  @Test func `nobody is told of a cancellation that the log has not got`() async throws {
    let redis = try await PrivateRedis.start()
    let scene = try await IngestScene()
    try await scene.vouch()
    let log = try RedisStreams(
      url: redis.url, logger: Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() }))
    try await scene.serving { ingest async throws in
      let id = try #require(try await ingest.post(payoutBody()).text("payout_id"))
      let step = step(scene, log: log)
      try await redis.kill()
      for _ in 0..<2 { #expect(await refusal(step, id, owner) == .outcomeUnknown) }
      #expect(try await ingest.get("/payouts/\(id)").text("status") == "cancelled")
      try await redis.restart()
      try await until("the log has it") {
        _ = await step.intents.recorder.retry()
        return await refusal(step, id, owner) == nil
      }
      let kept = try await log.intents(after: .zero, atMost: 10).compactMap { try? Intent(fields: $0.fields) }
      // What was kept, once, and what this process was told has come in.
      #expect(kept.count == 2)
    }
    await redis.stop()
  }
}
