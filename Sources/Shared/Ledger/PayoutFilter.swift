public import Payouts

/// To what a list of payouts is narrowed; nil lets everything through.
public struct PayoutFilter: Sendable, Hashable {
  /// The state.
  public var status: PayoutStatus?
  /// The router.
  public var router: RouterType?
  /// When it is paid.
  public var batchType: BatchType?
  /// The client's batch.
  public var clientBatch: BatchID?
  /// Who is paid.
  public var recipient: Address?
  /// The client's own reference.
  public var externalID: String?
  /// The node it is for.
  public var node: String?
  /// The client's session.
  public var session: String?
  /// From this time on, to the millisecond: by the time in the payout's id, which is that of its acceptance.
  public var createdFrom: Timestamp?
  /// Before this time, likewise.
  public var createdTo: Timestamp?

  /// One that lets everything through.
  public init() {}
}

/// A part of a list of payouts, newest first.
public struct PayoutPage: Sendable, Hashable {
  /// At most as many as were asked for. Fewer do not mean that the list ends here: `next` does.
  public let records: [PayoutRecord]
  /// Where the list goes on: below this id; nil where nothing follows.
  public let next: PayoutID?
}
