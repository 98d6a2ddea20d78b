import Ledger
import Logging
import Payouts
import Synchronization
import Tron
import Worker

/// Follows the head's branch block by block: what is included, what a fork undid, and what the fence finds.
///
/// One request for a block and one for all its receipts, however many payouts wait.
///
/// A round asks one node, and the next round perhaps another one. So a node that is behind our head, or whose head is on
/// another branch that is no longer than ours, undoes nothing, unless it is the one that told us of our head: a node goes
/// over to a longer branch only (reference §3.6). A longer branch undoes ours whoever tells of it, and any branch does where
/// ours does not hold the solid block.
///
/// **One node's word is enough here**, since nothing final comes of it: a branch that it invents is left when another node
/// serves a round, what it adds to a true block against its root is not taken, what it leaves out waits for the solid
/// block, and what it keeps from the fence is found there too (`FollowSolid`, by a quorum).
struct FollowHead: Sendable {
  /// The longest and shortest wait for the next block, in milliseconds: the longest is a slot of TRON's (reference §3.1).
  static let pauseMaximumMilliseconds: Int64 = 3_000
  static let pauseMinimumMilliseconds: Int64 = 50
  /// How often a block that is overdue is asked for, in milliseconds: a tenth of our newest block's age, within these.
  static let overdueMaximumMilliseconds: Int64 = 1_000
  static let overdueMinimumMilliseconds: Int64 = 50
  /// Operators are called where a fork undoes so many blocks: the first of them had all its confirmations, 19, and only
  /// solidity was missing. TRON's own forks undo one or two.
  static let deepForkBlocks: Int64 = 19
  /// How many blocks of the branch are kept at most: forks end above the solid block (reference §3.6).
  static let keptBlocksMaximum = 10_000
  /// So many are kept below the solid block, too: where the head is read behind it, as after a long pause, one node's false
  /// block is undone like any other.
  static let keptBelowSolidBlocks: Int64 = 100

  let ledger: any MonitorLedger
  let node: any TronNode
  let fence: Fence
  let producers: CountProducers
  let reset: ResetHead
  let clock: any WallClock
  let source = HeadSource()
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
    if let order = watch.headReset, try await reset.carryOut(order, from: cursor) { return .worked }
    return try await node.round(of: .head) { round in try await follow(round, from: cursor, watch: watch) }
  }

  private func follow(_ round: NodeRound, from cursor: BlockPlace, watch: ChainWatch) async throws -> StepOutcome {
    let latest = round.latest
    if latest.header.number <= cursor.number {
      return try await compare(round, with: cursor)
    }
    guard let block = try await round.node.readBlock(cursor.number + 1, .head, known: latest) else {
      throw ChainReadError.absent(cursor.number + 1)
    }
    guard block.parentID == cursor.id else {
      try await undo(from: cursor, round)
      return .worked
    }
    producers.headers.note(block.header)
    try await apply(block, after: cursor, watch: watch)
    source.note(round.number, of: block.place.id)
    let isCaughtUp = latest.header.number == block.place.number
    return isCaughtUp ? .idle(milliseconds: pause(after: block.place, previous: cursor)) : .worked
  }

  /// The node has nothing newer. Where its own head is on another branch, ours is undone already if it was this node that told
  /// us of it, or if ours does not hold the block that a quorum knows to be solid: a false branch may be as long as it likes.
  private func compare(_ round: NodeRound, with cursor: BlockPlace) async throws -> StepOutcome {
    let theirs = round.latest.header
    let ours = theirs.number == cursor.number ? cursor : try await ledger.headBlock(theirs.number)
    if let ours, ours.id != theirs.id, try await mayUndo(cursor, round) {
      try await undo(from: cursor, round)
      return .worked
    }
    let age = clock.now().milliseconds(since: cursor.time)
    return .idle(
      milliseconds: min(max(age / 10, Self.overdueMinimumMilliseconds), Self.overdueMaximumMilliseconds))
  }

  private func mayUndo(_ cursor: BlockPlace, _ round: NodeRound) async throws -> Bool {
    if source.isNode(round.number, of: cursor.id) { return true }
    guard let solid = try await ledger.cursor(.solid), solid.number <= cursor.number else { return false }
    return try await !holds(solid)
  }

  private func apply(_ block: ReadBlock, after cursor: BlockPlace, watch: ChainWatch) async throws {
    let keepAbove = try await keepAbove(block.place, watch: watch)
    let head = HeadBlock(
      // A body that is not shown to be its header's may be made up, and under a true header no fork would ever undo that: it
      // waits for the solid block.
      place: block.place, transactions: block.isBodyProven ? block.entries.map(\.transaction.txid) : [],
      suspects: fence.suspects(in: block, wallets: watch.wallets),
      keepAbove: keepAbove)
    guard try await ledger.apply(head: head, after: cursor) else { return }
    metrics?.show(head: block.place.number)
  }

  /// Which blocks are forgotten. None while our branch does not hold the block that a quorum knows to be solid: it may be one
  /// node's own, and what it has in common with the others' must not be lost, or nobody could ever undo it.
  private func keepAbove(_ block: BlockPlace, watch: ChainWatch) async throws -> Int64 {
    guard let solid = try await ledger.cursor(.solid) else { return watch.begin.number - 1 }
    guard try await holds(solid) else { return -1 }
    return solid.number - 1 - Self.keptBelowSolidBlocks
  }

  /// Whether our branch holds a block. One row is read, however far below the head it is.
  private func holds(_ place: BlockPlace) async throws -> Bool {
    try await ledger.headBlock(place.number)?.id == place.id
  }

  /// Finds the newest block that our branch and the node's have in common, and forgets ours above it.
  private func undo(from cursor: BlockPlace, _ round: NodeRound) async throws {
    var isNodeBehind = true
    for place in try await ledger.recentBlocks(atMost: Self.keptBlocksMaximum)
    where place.number <= round.latest.header.number {
      guard let theirs = try await round.node.block(place.number, .head)?.header.id else { continue }
      isNodeBehind = false
      guard theirs == place.id else { continue }
      // Its next block is no child of ours, and yet ours is still its own: two branches answer in turn.
      guard place.number < cursor.number else { throw ChainReadError.gap(above: cursor.number) }
      // Nobody undoes what a quorum knows to be solid: a branch that begins below it is this node's own.
      if let solid = try await ledger.cursor(.solid), place.number < solid.number, try await holds(solid) { break }
      try await tellOfDeepFork(from: cursor, to: place)
      let payouts = try await ledger.undoHead(above: place.number)
      source.note(round.number, of: place.id)
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
    let message =
      "the node's branch has no block in common with ours down to the solid one: it is on another chain; or ours is, where "
      + "every node says so and the head stands still: then 'payoutctl head reset'"
    try await ledger.raiseAlarm(kind: "deep_fork", subject: "block \(cursor.number)", message: message)
    // One node among several may lie; the next one is asked.
    throw ChainReadError.otherChain(cursor.number)
  }

  /// Before it is undone: who dies in between is told of it again.
  private func tellOfDeepFork(from cursor: BlockPlace, to place: BlockPlace) async throws {
    let undone = cursor.number - place.number
    guard undone >= Self.deepForkBlocks else { return }
    let message =
      "a fork undid \(undone) blocks above block \(place.number), none of them solid; their transactions wait for a block "
      + "again, and nothing was confirmed by them; find out why the network split before you trust it with more"
    try await ledger.raiseAlarm(kind: "deep_reorganisation", subject: "block \(place.number)", message: message)
  }

  /// Until about when the next block is due: blocks come in slots of one length.
  private func pause(after place: BlockPlace, previous: BlockPlace) -> Int64 {
    let slot = place.time.milliseconds(since: previous.time)
    let due = place.time.advanced(byMilliseconds: slot).milliseconds(since: clock.now())
    // A clock that is behind the chain's must not make it sleep through blocks.
    return max(min(due, slot, Self.pauseMaximumMilliseconds), Self.pauseMinimumMilliseconds)
  }
}

/// Which node told this process of the newest block. In memory only: after a start, and where a replica stored the block, a
/// fork is seen once it is longer.
final class HeadSource: Sendable {
  private struct Told: Equatable {
    let node: Int
    let block: BlockID
  }

  private let last = Mutex<Told?>(nil)

  /// It was this node, by its place in `TRON_RPC_URL`, and this block.
  func note(_ node: Int, of block: BlockID) { last.withLock { $0 = Told(node: node, block: block) } }

  /// Whether this node told of this block.
  func isNode(_ node: Int, of block: BlockID) -> Bool { last.withLock { $0 == Told(node: node, block: block) } }
}

/// The chain says what it cannot say. Nothing goes on until it stops or a person has looked.
struct ChainContradiction: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
