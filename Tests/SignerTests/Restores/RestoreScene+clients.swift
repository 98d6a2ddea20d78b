import Ledger
import Logging
import Payouts
import Streams
import TestSupport
import Testing

@testable import Payoutctl

/// Clients and operators of the scene. A payout is named by its number, whatever id an acceptance gave it.
extension RestoreScene {
  static func reference(_ number: Int) -> Reference { Reference(payoutWithoutKey: PayingScene.payoutID(number)) }

  /// Clients submit these payouts, each under its own key, once more where they have done so before: Ingest gives the request
  /// another id and tells the log what it accepted.
  func submit(_ numbers: some Sequence<Int> & Sendable) async throws {
    for number in numbers {
      let turn = submissions[number, default: 0]
      submissions[number] = turn + 1
      let sealed = try scene.payout(
        number + turn * 5_000, recipient: PayingScene.recipient(number), reference: Self.reference(number))
      let request = NewPayout(
        terms: sealed.terms, seal: sealed.seal, particulars: sealed.particulars,
        fingerprint: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 32))
      let outcome = try await scene.ledger.accept([request], limits: AcceptanceLimits(hourly: nil, daily: nil))
      switch outcome[0] {
      case .accepted(let record):
        let intent = Intent.accepted(AcceptedPayout(record, fingerprint: request.fingerprint))
        try await log.appendIntents([intent.fields])
      case .replayed, .knownUnder: break
      default: Issue.record("\(number): \(outcome)")
      }
    }
  }

  /// Puts queued payouts into one batch, of which only this Signer hears, and lets it sign them.
  func sign(_ numbers: ClosedRange<Int>, by name: String) async throws {
    var ids: [PayoutID] = []
    for number in numbers { ids.append(try await record(number).id) }
    let randomness = [UInt8](repeating: UInt8(truncatingIfNeeded: numbers.lowerBound), count: 10)
    let id = BatchID(at: scene.clock.now(), randomness: randomness)
    for batch in try await scene.ledger.schedule(ids, maximumPerBatch: 100, newBatchID: { id }) {
      try await scene.announce(batch.id)
    }
    guard let signer = running[name]?.steps else { throw SceneError("\(name) does not run") }
    await carryOut(signer.sign)
  }

  /// The payout that stands under a number's reference.
  func record(_ number: Int) async throws -> PayoutRecord {
    let row = try await scene.pool.execute(
      "SELECT id FROM payouts WHERE reference = $1", [.bytes(Self.reference(number).bytes)]
    ).rows.first
    guard let row, let record = try await scene.ledger.payout(PayoutID(bytes: row.uuid("id"))) else {
      throw SceneError("payout \(number) is not there")
    }
    return record
  }

  /// A person holds and rejects a payout that waits, by the command's own way.
  func reject(_ number: Int) async throws {
    let id = try await record(number).id
    if try await record(number).status != .held {
      try await scene.pool.executeScript(
        """
        UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'operator_decision' WHERE id = '\(id)'
        """)
    }
    let decide = DecideHeld(
      ledger: scene.ledger, payout: id, decision: .reject, reason: "by policy", requiredConfirmations: 19,
      intents: IntentRecorder(log, logger: Logger(label: "log", factory: { _ in SwiftLogNoOpLogHandler() })))
    guard try await decide.run() == .rejected else { throw SceneError("\(number) was not rejected") }
  }

  /// `payoutctl intents replay`.
  @discardableResult
  func replay() async throws -> ReplayIntents.Report {
    try await ReplayIntents(
      ledger: scene.ledger, log: log, seals: try SealVerifier(scene.sealer.publicKeyText), isDryRun: false
    ).run()
  }

  /// What is open of the fence.
  func openFindings() async throws -> Int { try await scene.ledger.conditions().openFindings }

  /// `payoutctl breaker close`.
  func closeBreaker() async throws { _ = try await scene.ledger.closeBreaker(reason: "looked at") }

  /// Every payout is at its end or waits for a person.
  func isAtRest() async throws -> Bool {
    try await scene.count(
      """
      SELECT count(*) FROM payouts WHERE status NOT IN
        ('held', 'confirmed', 'failed', 'rejected', 'expired', 'cancelled', 'settled_externally')
      """) == 0
  }

  func isContinuous() async throws -> Bool { try await scene.ledger.conditions().isContinuous }

  /// How often the chain paid each of these.
  func payments(_ numbers: some Sequence<Int> & Sendable) async -> [Int: Int] {
    var payments: [Int: Int] = [:]
    for number in numbers { payments[number] = await scene.node.payments(to: PayingScene.recipient(number)).count }
    return payments
  }
}
