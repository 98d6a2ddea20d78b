import Ledger
import Logging
import Payouts
import Postgres
import Streams
import TestSupport
import Testing
import Tron

@testable import Payoutctl

/// Operators of the scene, by the commands' own ways.
extension RestoreScene {
  /// `payoutctl release`, `reject` and `settle`.
  @discardableResult
  func decide(_ number: Int, _ decision: HeldDecision) async throws -> PayoutStatus {
    try await DecideHeld(
      ledger: scene.ledger, payout: record(number).id, decision: decision,
      seen: record(number).holdReason, reason: "by policy",
      requiredConfirmations: 19,
      intents: IntentRecorder(log, logger: Logger(label: "log", factory: { _ in SwiftLogNoOpLogHandler() }))
    ).run()
  }

  /// A client withdraws its payout: what Ingest does, and tells the log.
  func cancel(_ number: Int) async throws {
    guard case .cancelled(let record) = try await scene.ledger.cancel(record(number).id, note: "withdrawn"),
      let end = PayoutEnd(record)
    else { throw SceneError("payout \(number) cannot be cancelled") }
    try await log.appendIntents([Intent.ended(end).fields])
  }

  /// A person looks at payouts that wait.
  func hold(_ numbers: ClosedRange<Int>) async throws {
    try await scene.pool.executeScript(
      """
      UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'operator_decision'
      WHERE reference IN (\(numbers.map { PayingScene.sql(Self.reference($0).bytes) }.joined(separator: ", ")))
      """)
  }

  /// `payoutctl intents replay`.
  @discardableResult
  func replay() async throws -> ReplayIntents.Report {
    try await ReplayIntents(
      ledger: scene.ledger, log: log, seals: try SealVerifier(scene.sealer.publicKeyText), isDryRun: false
    ).run()
  }

  /// `payoutctl reconcile`, with `--apply` where there is a reason.
  func reconcile(_ reason: String? = nil) async throws -> ReconcileReport { try await scene.reconcile(reason) }

  /// `payoutctl breaker close`.
  func closeBreaker() async throws -> String? { try await scene.ledger.closeBreaker(reason: "looked at")?.cause }

  /// Every payout is at its end or waits for a person.
  func isAtRest() async throws -> Bool {
    try await scene.count(
      """
      SELECT count(*) FROM payouts WHERE status NOT IN
        ('held', 'confirmed', 'failed', 'rejected', 'expired', 'cancelled', 'settled_externally')
      """) == 0
  }

  /// Until when the newest quarantine waits, where that is a wait of the server's present life.
  func presentWait() async throws -> Timestamp? {
    try await scene.ledger.quarantines(atMost: 1).first.flatMap { $0.isOfPresentLife ? $0.until : nil }
  }

  func isContinuous() async throws -> Bool { try await scene.ledger.conditions().isContinuous }

  /// How many findings nothing has explained.
  func unexplained() async throws -> Int64 {
    try await scene.count("SELECT count(*) FROM unclaimed_transfers WHERE explained_at IS NULL")
  }

  /// While the history is not trusted, everybody tries what must wait: owners cancel, persons reject and settle, a
  /// batch is signed. Each gets its typed answer; that it changed nothing is told by `look`.
  ///
  /// - Parameter blocks: what may keep a batch from being signed just now.
  func tryWhatMustWait(_ numbers: [Int], blocks: Set<SigningBlock> = [.notContinuous]) async throws {
    #expect(try await scene.count("SELECT history_is_trusted()::int") == 0)
    var tried: [PayoutStatus: Int] = [:]
    for number in numbers {
      let record = try await record(number)
      tried[record.status, default: 0] += 1
      switch record.status {
      case .queued, .scheduled:
        #expect(try await scene.ledger.cancel(record.id, note: "withdrawn") == .historyNotTrusted)
        // Whoever asks the database by himself is refused as well.
        let cancel = "UPDATE payouts SET status = 'cancelled' WHERE id = '\(record.id)'"
        #expect(try await code(of: cancel) == .historyNotTrusted)
      case .held:
        for decision in [HeldDecision.reject, .settle(proof: "a bank's receipt")] {
          let answer = try await refusal(of: decision, for: number)
          #expect(answer?.contains("nothing ends unpaid") == true, "\(number): \(answer ?? "done")")
        }
      default: Issue.record("\(number) is \(record.status): nothing to be tried")
      }
    }
    #expect(tried[.scheduled, default: 0] > 0 && tried[.held, default: 0] > 0, "\(tried)")
    let batches = try await scene.pool.execute(
      "SELECT DISTINCT settlement_batch_id AS id FROM payouts WHERE status = 'scheduled' LIMIT 3"
    ).rows.map { try BatchID(bytes: $0.uuid("id")) }
    for batch in batches {
      let order = SigningOrder(
        batch: batch, wallet: scene.wallet, signer: names[0], head: await scene.node.headPlace, maximumInFlight: 1_000,
        maximumPayouts: 100, fenceLagBlocks: 10)
      let outcome = try await scene.ledger.sign(order) { _ in [] }
      #expect(blocks.map(SigningOutcome.blocked).contains(outcome), "\(outcome)")
    }
    try await look()
  }

  /// What a command says that refuses; nil where it does not.
  private func refusal(of decision: HeldDecision, for number: Int) async throws -> String? {
    do {
      try await decide(number, decision)
      return nil
    } catch let refusal as Refusal {
      return refusal.text
    }
  }

  /// How the database refuses a statement; nil where it does not.
  private func code(of sql: String) async throws -> LedgerError.Code? {
    do {
      _ = try await scene.pool.execute(PostgresStatement(sql))
      return nil
    } catch let error as PostgresError {
      return LedgerError(error).code
    }
  }
}
