import Ledger
import Logging
import Payouts
import Tron
import Worker

/// Follows the head's branch block by block: what is included, what a fork undid, and what the fence finds.
///
/// One request for a block and one for all its receipts, however many payouts wait.
struct FollowHead: Sendable {
  /// The longest and shortest wait for the next block, in milliseconds: the longest is a slot of TRON's (reference §3.1).
  static let pauseMaximumMilliseconds: Int64 = 3_000
  static let pauseMinimumMilliseconds: Int64 = 50
  /// How often a block that is overdue is asked for, in milliseconds: a tenth of our newest block's age, within these.
  static let overdueMaximumMilliseconds: Int64 = 1_000
  static let overdueMinimumMilliseconds: Int64 = 50
  /// How many blocks of the branch are kept at most: forks end above the solid block (reference §3.6).
  static let keptBlocksMaximum = 10_000

  let ledger: any MonitorLedger
  let node: any TronNode
  let fence: Fence
  let clock: any WallClock
  let metrics: MonitorMetrics?
  let logger: Logger

  /// Takes up the next block, or undoes what the chain undid.
  func step() async throws -> StepOutcome {
    guard let watch = try await ledger.watch() else { return .idle(milliseconds: Self.pauseMaximumMilliseconds) }
    guard let cursor = try await ledger.cursor(.head) else {
      let beginning = HeadBlock(
        place: watch.begin, transactions: [], suspects: [], keepAbove: watch.begin.number - 1)
      _ = try await ledger.apply(head: beginning, after: nil)
      return .worked
    }
    let latest = try await node.latestBlock(.head)
    if latest.header.number <= cursor.number {
      return try await compare(latest, with: cursor)
    }
    guard let block = try await node.readBlock(cursor.number + 1, .head, known: latest) else {
      throw ChainReadError.absent(cursor.number + 1)
    }
    guard block.parentID == cursor.id else {
      try await undo(from: cursor)
      return .worked
    }
    try await apply(block, after: cursor, watch: watch)
    let isCaughtUp = latest.header.number == block.place.number
    return isCaughtUp ? .idle(milliseconds: pause(after: block.place, previous: cursor)) : .worked
  }

  /// The node has nothing newer. Where its head is on another branch than ours, ours is undone already now.
  private func compare(_ latest: Block, with cursor: BlockPlace) async throws -> StepOutcome {
    let ours =
      latest.header.number == cursor.number
      ? cursor
      : try await ledger.recentBlocks(atMost: Self.keptBlocksMaximum).first { $0.number == latest.header.number }
    if let ours, ours.id != latest.header.id {
      try await undo(from: cursor)
      return .worked
    }
    let age = clock.now().milliseconds(since: cursor.time)
    return .idle(
      milliseconds: min(max(age / 10, Self.overdueMinimumMilliseconds), Self.overdueMaximumMilliseconds))
  }

  private func apply(_ block: ReadBlock, after cursor: BlockPlace, watch: ChainWatch) async throws {
    let solid = try await ledger.cursor(.solid)?.number ?? watch.begin.number
    let head = HeadBlock(
      place: block.place, transactions: block.entries.map(\.transaction.txid),
      suspects: fence.suspects(in: block, wallets: watch.wallets), keepAbove: min(solid, block.place.number) - 1)
    guard try await ledger.apply(head: head, after: cursor) else { return }
    metrics?.show(head: block.place.number)
  }

  /// Finds the newest block that our branch and the node's have in common, and forgets ours above it.
  private func undo(from cursor: BlockPlace) async throws {
    var isNodeBehind = true
    for place in try await ledger.recentBlocks(atMost: Self.keptBlocksMaximum) {
      guard let theirs = try await node.block(place.number, .head)?.header.id else { continue }
      isNodeBehind = false
      guard theirs == place.id else { continue }
      // Its next block is no child of ours, and yet ours is still its own: two branches answer in turn.
      guard place.number < cursor.number else { throw ChainReadError.gap(above: cursor.number) }
      let payouts = try await ledger.undoHead(above: place.number)
      metrics?.countFork()
      logger.warning(
        "A fork undid blocks",
        metadata: [
          LogKey.blockNumber: "\(place.number)", "undone": "\(cursor.number - place.number)",
          LogKey.payoutCount: "\(payouts.count)",
        ])
      return
    }
    // Several nodes may answer behind one address, some of them behind the others.
    if isNodeBehind { throw ChainReadError.gap(above: cursor.number) }
    let message = "the node's branch has no block in common with ours down to the solid one: it is on another chain"
    try await ledger.raiseAlarm(kind: "deep_fork", subject: "block \(cursor.number)", message: message)
    throw ChainContradiction(message)
  }

  /// Until about when the next block is due: blocks come in slots of one length.
  private func pause(after place: BlockPlace, previous: BlockPlace) -> Int64 {
    let slot = place.time.milliseconds(since: previous.time)
    let due = place.time.advanced(byMilliseconds: slot).milliseconds(since: clock.now())
    // A clock that is behind the chain's must not make it sleep through blocks.
    return max(min(due, slot, Self.pauseMaximumMilliseconds), Self.pauseMinimumMilliseconds)
  }
}

/// The chain says what it cannot say. Nothing goes on until it stops or a person has looked.
struct ChainContradiction: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
