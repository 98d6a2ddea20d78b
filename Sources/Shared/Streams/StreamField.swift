/// The fields of our entries: ids only, never the authority to pay.
public enum StreamField {
  /// A payout's id, in the streams of accepted payouts.
  public static let payoutID = "payout_id"
  /// A settlement batch's id, in `batches.ready`.
  public static let batchID = "batch_id"
  /// A transaction's txid, in `transactions.sent`.
  public static let txid = "txid"
}
