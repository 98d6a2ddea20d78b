import Ledger
import Payouts

extension ListPayouts {
  /// How a client's batch stands. A stranger's batch and one that does not exist look alike.
  ///
  /// - Parameter id: the id's text in the path; a text that is no id names no batch.
  func batch(_ id: String, for caller: Caller) async throws(Problem) -> ClientBatchProgress {
    guard let batchID = try? BatchID(id) else { throw .unknownBatch }
    let batch: ClientBatchProgress?
    do {
      batch = try await ledger.clientBatch(batchID)
    } catch {
      throw ReadPayout.problem(error)
    }
    // Whom one of its payouts names may read that payout, and not what else its owner pays.
    guard let batch, caller.mayRead(owner: batch.owner, beneficiary: nil) else { throw .unknownBatch }
    return batch
  }
}
