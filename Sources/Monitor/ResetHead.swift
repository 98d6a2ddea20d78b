import Ledger
import Logging
import Payouts
import Synchronization
import Tron
import Worker

/// Sets the head to the solid block that was followed, where a person has ordered that: our head stands on a false branch
/// that begins deeper than a fork can be undone (`FollowHead.keptBlocksMaximum`), so that no node's branch goes on from it.
///
/// **Nothing final comes of it**, and it rests on no single node: a quorum must have the solid block that was followed, and
/// another one than ours where the two branches part. Verdicts stand; what the false branch held waits for a block again,
/// and is read again as any other.
struct ResetHead: Sendable {
  let ledger: any MonitorLedger
  let node: any TronNode
  let disagreements: TellDisagreements
  let clock: any WallClock
  let logger: Logger
  private let failures = Failures()
  /// So long an order that found no quorum waits, in milliseconds: meanwhile the head is followed as it stands, also
  /// where each question waits for a node that hangs.
  static let pauseMilliseconds: Int64 = 10_000

  init(
    ledger: any MonitorLedger, node: any TronNode, disagreements: TellDisagreements, clock: any WallClock,
    logger: Logger
  ) {
    self.ledger = ledger
    self.node = node
    self.disagreements = disagreements
    self.clock = clock
    self.logger = logger
  }

  private enum Finding {
    case isFalse
    case isTrue
    case otherSolid
  }

  /// - Returns: false where the order must wait, and the head is followed as it stands.
  func carryOut(_ order: HeadResetOrder, from head: BlockPlace) async throws -> Bool {
    guard failures.isPauseOver(order.id, at: clock.now()), let solid = try await ledger.cursor(.solid) else {
      return false
    }
    let finding: Finding
    do {
      finding = try await disagreements.after {
        try await node.round(of: .solid, reaching: solid.number) { round in try await look(round, head, solid) }
      }
    } catch {
      guard error is ChainReadError || error is TronNodeError else { throw error }
      try Task.checkCancellation()
      failures.note(order.id, at: clock.now())
      logger.warning("The order to set the head to the solid block waits for a quorum of nodes", error: error)
      return false
    }
    switch finding {
    case .isFalse: return try await reset(by: order, to: solid, from: head)
    case .isTrue:
      try await refuse(
        order, "a quorum has our branch's block \(min(head.number, solid.number)): the head stands on the true branch")
    case .otherSolid:
      try await refuse(
        order,
        "a quorum has another block \(solid.number) than the solid one that was followed: the database or the nodes are of "
          + "another chain")
    }
    return true
  }

  private func look(_ round: NodeRound, _ head: BlockPlace, _ solid: BlockPlace) async throws -> Finding {
    guard try await agreedBlock(solid.number, round) == solid.id else { return .otherSolid }
    // A head that is read behind the solid block is false only where the quorum has another block there.
    let ours: BlockID?
    let theirs: BlockID
    if head.number < solid.number {
      (ours, theirs) = (head.id, try await agreedBlock(head.number, round))
    } else {
      (ours, theirs) = (try await ledger.headBlock(solid.number)?.id, solid.id)
    }
    return ours == theirs ? .isTrue : .isFalse
  }

  private func agreedBlock(_ number: Int64, _ round: NodeRound) async throws -> BlockID {
    guard let header = try await round.node.header(number, .solid) else { throw ChainReadError.absent(number) }
    try header.refuseFlaw()
    try await round.agree(on: header, .solid, noting: disagreements.log)
    return header.id
  }

  /// - Returns: false where the head or the solid block has moved meanwhile.
  private func reset(by order: HeadResetOrder, to solid: BlockPlace, from head: BlockPlace) async throws -> Bool {
    guard let payouts = try await ledger.resetHead(by: order, to: solid, from: head) else { return false }
    logger.warning(
      "The head was set to the solid block by an operator's order",
      metadata: [
        LogKey.blockNumber: "\(solid.number)", "head": "\(head.number)", LogKey.payoutCount: "\(payouts.count)",
      ])
    return true
  }

  private func refuse(_ order: HeadResetOrder, _ why: String) async throws {
    try await ledger.refuseHeadReset(order, why)
    logger.error("Refused an order to set the head to the solid block", metadata: ["reason": "\(why)"])
  }
}

/// When an order last found no quorum.
private final class Failures: Sendable {
  private let last = Mutex<(order: Int64, at: Timestamp)?>(nil)

  func note(_ order: Int64, at now: Timestamp) { last.withLock { $0 = (order, now) } }

  /// A clock that goes back delays nothing.
  func isPauseOver(_ order: Int64, at now: Timestamp) -> Bool {
    last.withLock { last in
      guard let last, last.order == order else { return true }
      return !(0..<ResetHead.pauseMilliseconds).contains(now.milliseconds(since: last.at))
    }
  }
}
