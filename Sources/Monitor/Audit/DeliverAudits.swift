import Ledger
import Logging
import Worker

/// Posts audit records to `AUDIT_SINK_URL`, in the order of the chain, none skipped, each at least once.
///
/// By one Monitor at a time: whoever takes the next batch has it for as long as a call may last. What was posted is
/// recorded afterwards; a process that dies between the two, or finds its time over, leaves it to be posted again.
struct DeliverAudits: Sendable {
  /// The most records in one call.
  static let batchMax = 100
  /// How long a batch is one Monitor's, in milliseconds: longer than a call may last.
  static let leaseMilliseconds: Int64 = 30_000
  /// How long to wait where nothing is left, in milliseconds.
  static let pauseMilliseconds: Int64 = 1_000
  /// How long to wait after a call in vain: 1 s, 2 s … 5 min.
  static let backOff = BackOff(initialMilliseconds: 1_000, maximumMilliseconds: 300_000)

  let ledger: any AuditSinkLedger
  let receiver: any AuditReceiver
  let metrics: AuditSinkMetrics?
  let logger: Logger

  /// The step, for a run loop, which tries again what failed.
  var step: Step { Step("deliver_audits", backOff: Self.backOff) { try await deliver() } }

  /// Posts the next batch, where there is one and nobody else has it.
  func deliver() async throws -> StepOutcome {
    metrics?.show(try await ledger.auditSinkDepth())
    guard
      let batch = try await ledger.takeAudits(leaseMilliseconds: Self.leaseMilliseconds, atMost: Self.batchMax)
    else { return .idle(milliseconds: Self.pauseMilliseconds) }
    do {
      try await receiver.take(Self.body(batch))
    } catch {
      metrics?.countFailedCall()
      await giveBack(batch)
      throw error
    }
    metrics?.count(delivered: batch.audits.count)
    if try await !ledger.recordDelivered(batch) {
      logger.warning("Audit records were posted for too long: another Monitor posts them again")
    }
    return batch.audits.count == Self.batchMax ? .worked : .idle(milliseconds: Self.pauseMilliseconds)
  }

  /// Where even that fails, the batch is free when its time is over.
  private func giveBack(_ batch: AuditBatch) async {
    do { try await ledger.giveBack(batch) } catch {
      logger.debug("A batch of audit records was not given back", error: error)
    }
  }

  /// `{"records": […]}`, each record with all of its fields, in the order of the chain.
  static func body(_ batch: AuditBatch) -> [UInt8] {
    JSON.object([("records", .array(batch.audits.map { JSON.audit($0.fields) }))]).utf8
  }
}

extension JSON {
  /// An audit record.
  fileprivate static func audit(_ fields: [AuditField]) -> JSON { .object(fields.map { ($0.name, value($0.value)) }) }

  private static func value(_ value: AuditField.Value) -> JSON {
    switch value {
    case .text(let text): .text(text)
    case .integer(let number): .integer(number)
    case .absent: .null
    }
  }
}
