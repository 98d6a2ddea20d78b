import Ledger
import Payouts

/// Orders to set the head to the solid block that was followed.
extension LedgerTables {
  /// An order's row.
  struct HeadReset: Equatable, Sendable {
    let order: HeadResetOrder
    let orderedAt: Timestamp
    var state = HeadResetRecord.State.ordered
  }

  /// The order that waits: there is at most one.
  var openHeadReset: HeadResetOrder? { headResets.first { $0.state == .ordered }?.order }

  /// Whether the head's branch holds the solid block that was followed.
  private var holdsSolid: Bool {
    cursors[.solid].map { solid in headBlock(solid.number)?.id == solid.id } ?? false
  }

  /// `Ledger.orderHeadReset`.
  mutating func orderHeadReset(reason: String) -> HeadResetAnswer {
    guard openHeadReset == nil else { return .standing }
    guard cursors[.head] != nil, cursors[.solid] != nil, !holdsSolid else { return .notNeeded }
    let order = HeadResetOrder(id: Int64(headResets.count + 1), orderedBy: actor, reason: reason)
    headResets.append(HeadReset(order: order, orderedAt: now))
    return .ordered
  }

  /// `Ledger.headResets`.
  func headResets(atMost count: Int) -> [HeadResetRecord] {
    headResets.reversed().prefix(count).map {
      HeadResetRecord(order: $0.order, orderedAt: $0.orderedAt, state: $0.state)
    }
  }

  /// `Ledger.resetHead`.
  mutating func resetHead(by order: HeadResetOrder, to solid: BlockPlace, from head: BlockPlace) throws -> [PayoutID]? {
    guard let index = headResets.firstIndex(where: { $0.order.id == order.id && $0.state == .ordered }),
      cursors[.head] == head, cursors[.solid] == solid, !holdsSolid
    else { return nil }
    headResets[index].state = .done(from: head.number, to: solid.number)
    actor = headResets[index].order.orderedBy
    blocks = [solid]
    cursors[.head] = solid
    headMovedAt = now
    return try forgetInclusions(above: -1, note: "the head was set to solid block \(solid.number)")
  }

  /// `Ledger.refuseHeadReset`.
  mutating func refuseHeadReset(_ order: HeadResetOrder, _ why: String) {
    guard let index = headResets.firstIndex(where: { $0.order.id == order.id && $0.state == .ordered }) else { return }
    headResets[index].state = .refused(why)
    raiseAlarm("head_reset_refused", "head", why)
  }
}
