import Ledger
import Payouts

/// How a client's batch stands, in one word.
enum BatchStatus: String, CaseIterable, Sendable {
  /// Some of it has not ended.
  case processing
  /// All of it was paid.
  case completed
  /// Some was paid, some ended unpaid.
  case partiallyFailed = "partially_failed"
  /// All of it ended unpaid.
  case failed

  init(_ progress: ClientBatchProgress) {
    self =
      if progress.pendingCount > 0 {
        .processing
      } else if progress.failedCount == 0 {
        .completed
      } else if progress.completedCount == 0 {
        .failed
      } else {
        .partiallyFailed
      }
  }
}

extension ClientBatchProgress {
  /// How many of its payouts have not ended; those whose rows a disaster took, too.
  var pendingCount: Int { size.payoutCount - completedCount - failedCount }
}

/// Tells a batch.
extension AnswerPayout {
  /// The answer to the request that created it, told from what never changes: a replay is the same, byte for byte.
  func created(_ batch: BatchAcceptance) -> JSONValue {
    let estimate = batch.records.map {
      EstimateConfirmation.time(ofAccepted: $0, requiredConfirmations: requiredConfirmations)
    }.max()
    return .object([
      .init("batch_id", .text(batch.id.description)), .init("total_payouts", .integer(batch.records.count)),
      .init("total_amount_usdt", .text(batch.total.description)),
      .init("status", .text(BatchStatus.processing.rawValue)),
      .init("payout_ids", .array(batch.records.map { .text($0.id.description) })),
      .init("estimated_completion", .text(orNull: estimate?.description)),
    ])
  }

  /// Where it stands now.
  static func progress(_ batch: ClientBatchProgress) -> JSONValue {
    .object([
      .init("batch_id", .text(batch.id.description)), .init("total_payouts", .integer(batch.size.payoutCount)),
      .init("completed_payouts", .integer(batch.completedCount)), .init("failed_payouts", .integer(batch.failedCount)),
      .init("pending_payouts", .integer(batch.pendingCount)),
      .init("total_amount_usdt", .text(batch.size.total.description)),
      .init("status", .text(BatchStatus(batch).rawValue)),
    ])
  }
}
