public import Payouts

/// A person's order to set the head to the solid block that was followed, because the head's branch is a false one from
/// deeper on than a fork can be undone. It ends no payout: what the dropped blocks held waits for a block again.
public struct HeadResetOrder: Sendable, Hashable {
  /// Its number.
  public let id: Int64
  /// Who ordered it.
  public let orderedBy: String
  /// Why, in the person's words.
  public let reason: String

  /// Of its parts; for this package's own ledgers.
  package init(id: Int64, orderedBy: String, reason: String) {
    self.id = id
    self.orderedBy = orderedBy
    self.reason = reason
  }
}

/// What came of an order to set the head anew.
public enum HeadResetAnswer: Sendable, Hashable {
  /// It stands, committed; a Monitor carries it out.
  case ordered
  /// One stands already.
  case standing
  /// The head's branch holds the solid block that was followed, or nothing was followed yet: there is nothing to mend.
  case notNeeded
}

/// An order to set the head anew, and what came of it.
public struct HeadResetRecord: Sendable, Hashable {
  /// Where it stands.
  public enum State: Sendable, Hashable {
    /// No Monitor has carried it out yet.
    case ordered
    /// The head went from the block of the first number to that of the second.
    case done(from: Int64, to: Int64)
    /// A Monitor has refused it for this reason.
    case refused(String)
  }

  /// The order.
  public let order: HeadResetOrder
  /// When it was given.
  public let orderedAt: Timestamp
  /// Where it stands.
  public let state: State

  /// Of its parts; for this package's own ledgers.
  package init(order: HeadResetOrder, orderedAt: Timestamp, state: State) {
    self.order = order
    self.orderedAt = orderedAt
    self.state = state
  }
}
