public import Payouts
import Postgres

/// How a client's batch stands.
public struct ClientBatchProgress: Sendable, Hashable {
  /// Its name.
  public let id: BatchID
  /// Who asked for it.
  public let owner: String
  /// How large it is, as it was accepted.
  public let size: ClientBatchSize
  /// How many of its payouts were paid, by us or outside.
  public let completedCount: Int
  /// How many of its payouts ended unpaid.
  public let failedCount: Int

  /// Of its parts.
  public init(id: BatchID, owner: String, size: ClientBatchSize, completedCount: Int, failedCount: Int) {
    self.id = id
    self.owner = owner
    self.size = size
    self.completedCount = completedCount
    self.failedCount = failedCount
  }
}

extension Ledger {
  private static let progress = """
    SELECT b.owner, b.payout_count::bigint AS payout_count, b.total_amount,
      count(*) FILTER (WHERE p.status IN ('confirmed', 'settled_externally')) AS completed,
      count(*) FILTER (WHERE p.status IN ('failed', 'rejected', 'expired', 'cancelled')) AS failed
    FROM client_batches b
      LEFT JOIN payout_directory d ON d.client_batch_id = b.id AND d.owner = b.owner
      LEFT JOIN payouts p ON p.id = d.id
    WHERE b.id = $1
    GROUP BY b.id
    """

  /// How a client's batch stands, whoever owns it; nil where there is none. A payout whose row a disaster took has not ended.
  public func clientBatch(_ id: BatchID) async throws -> ClientBatchProgress? {
    try await read(Self.progress, [.uuid(id.bytes)]).rows.first.map { row in
      ClientBatchProgress(
        id: id, owner: try row.text("owner"),
        size: ClientBatchSize(
          payoutCount: Int(try row.int8("payout_count")), total: try Amount(microUSDT: row.int8("total_amount"))),
        completedCount: Int(try row.int8("completed")), failedCount: Int(try row.int8("failed")))
    }
  }
}
