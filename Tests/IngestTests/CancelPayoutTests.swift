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
  private func step(_ scene: IngestScene, _ ledger: (any IngestLedger)? = nil) -> CancelPayout {
    CancelPayout(
      ledger: ledger ?? scene.ledger,
      intents: RecordIntents(
        log: scene.streams, health: HealthRegistry(service: "ingest", clock: scene.clock),
        metrics: IngestMetrics(Instruments(worker: "ingest", registry: PrometheusRegistry())),
        logger: Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() })))
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

  @Test func `its owner or an admin withdraws a payout, and each time the log is told`() async throws {
    // Proves the whole step: who may, what is stored and logged, and that it may be asked again.
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
      let told = try await ends(scene)
      #expect(told.map { "\($0.payout)" } == [id, id, other] && told.allSatisfy { $0.status == .cancelled })
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
    }
  }
}
