import Ledger
import Logging
import Payouts
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
/// **One node's word is enough above the solid block**, since nothing final comes of it: a branch that it invents is left at
/// the latest when a block is solid that is not on it, since from then on whoever goes on with it serves no round; what it adds
/// to a true block against its root is not taken, and what it leaves out or keeps from the fence is found where another node
/// proves the body, else in the solid block (`FollowSolid`). Where the head is read behind the solid block, as after a long
/// pause, a quorum decides: else one node could lead it back again and again.
struct FollowHead: Sendable {
  /// The longest and shortest wait for the next block, in milliseconds: the longest is a slot of TRON's (reference §3.1).
  static let pauseMaximumMilliseconds: Int64 = 3_000
  static let pauseMinimumMilliseconds: Int64 = 50
  /// How often a block that is overdue is asked for, in milliseconds: a tenth of our newest block's age, within these.
  static let overdueMaximumMilliseconds: Int64 = 1_000
  static let overdueMinimumMilliseconds: Int64 = 50
  /// How young a block is whose body other nodes may not have yet, and how long the next look at them waits, in milliseconds.
  static let bodyPatienceMilliseconds: Int64 = 3_000
  static let bodyPauseMilliseconds: Int64 = 300
  /// Operators are called where a fork undoes so many blocks: the first of them had all its confirmations, 19, and only
  /// solidity was missing. TRON's own forks undo one or two.
  static let deepForkBlocks: Int64 = 19
  /// TRON's own forks, and how many deeper ones by one node operators are not called for.
  static let usualForkBlocks: Int64 = 2
  static let undoingsMaximum = 3
  /// How many blocks of the branch are kept at most: forks end above the solid block (reference §3.6).
  static let keptBlocksMaximum = 10_000
  /// So many are kept below the solid block, too: where the head is read behind it, as after a long pause, a false block that
  /// was read before is undone like any other.
  static let keptBelowSolidBlocks: Int64 = 100

  let ledger: any MonitorLedger
  let node: any TronNode
  let fence: Fence
  let producers: CountProducers
  let disagreements: TellDisagreements
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
    return try await disagreements.after {
      try await node.round(of: .head) { round in try await follow(round, from: cursor, watch: watch) }
    }
  }

  private func follow(_ round: NodeRound, from cursor: BlockPlace, watch: ChainWatch) async throws -> StepOutcome {
    let latest = round.latest
    let solid = try await solidBlock()
    if latest.header.number <= cursor.number {
      return try await compare(round, with: cursor, solid)
    }
    guard let block = try await round.node.readBlock(cursor.number + 1, .head, known: latest) else {
      throw ChainReadError.absent(cursor.number + 1)
    }
    if let solid, block.place.number <= solid.place.number, try await !isAgreed(block, solid, round) {
      return .idle(milliseconds: Self.overdueMaximumMilliseconds)
    }
    guard block.parentID == cursor.id else { return try await undo(from: cursor, round) }
    if solid?.isMissed(at: cursor) == true { throw leave(round, at: block.place.number) }
    // Its header of this place was another one when it had us undo this very block.
    guard !source.takesBack(round.number, block.place.id) else {
      throw TronNodeError(.inconsistent, call: "block \(block.place.number)", reason: "it is the one that it had not")
    }
    producers.headers.note(block.header)
    guard let body = try await bestBody(of: block, round) else {
      return .idle(milliseconds: Self.bodyPauseMilliseconds)
    }
    if let flaw = body.flaw(after: cursor) {
      throw TronNodeError(.inconsistent, call: "block \(block.place.number)", reason: flaw)
    }
    try await apply(body, after: cursor, solid, watch: watch)
    source.note(round.number, of: block.place.id)
    let isCaughtUp = latest.header.number == block.place.number
    return isCaughtUp ? .idle(milliseconds: pause(after: block.place, previous: cursor)) : .worked
  }

  /// The node has nothing newer. Where its own head is on another branch, ours is undone already if it was this node that told
  /// us of it, or if ours does not hold the block that a quorum knows to be solid: a false branch may be as long as it likes.
  private func compare(
    _ round: NodeRound, with cursor: BlockPlace, _ solid: SolidBlock?
  ) async throws -> StepOutcome {
    let theirs = round.latest.header
    try theirs.refuseFlaw()
    let ours = theirs.number == cursor.number ? cursor : try await ledger.headBlock(theirs.number)
    let isAstray = solid?.isMissed(at: cursor) == true
    let isAbove = cursor.number > solid?.place.number ?? -1
    if let ours, ours.id != theirs.id, isAstray || isAbove && source.isNode(round.number, of: cursor.id) {
      return try await undo(from: cursor, round)
    }
    if isAstray {
      // Who is behind the place where the branches part is on both; who is far behind, perhaps on another one.
      if theirs.number < cursor.number { throw ChainReadError.absent(cursor.number) }
      throw leave(round, at: theirs.number)
    }
    let age = clock.now().milliseconds(since: cursor.time)
    return .idle(
      milliseconds: min(max(age / 10, Self.overdueMinimumMilliseconds), Self.overdueMaximumMilliseconds))
  }

  /// A node that changes a body under a true header would keep from the fence what is in it until the block is solid: then
  /// another node's is taken, and waited for where that node does not have a new block yet.
  ///
  /// - Returns: nil where a node is waited for.
  private func bestBody(of block: ReadBlock, _ round: NodeRound) async throws -> ReadBlock? {
    guard !block.isBodyProven else { return block }
    switch try await round.provenBody(of: block, .head) {
    case .proven(let theirs): return theirs
    case .awaited where (0..<Self.bodyPatienceMilliseconds).contains(clock.now().milliseconds(since: block.place.time)):
      return nil
    case .awaited, .none: return block
    }
  }

  private func apply(
    _ block: ReadBlock, after cursor: BlockPlace, _ solid: SolidBlock?, watch: ChainWatch
  ) async throws {
    let head = HeadBlock(
      // A body that is not shown to be its header's may be made up, and under a true header no fork would ever undo that, nor
      // take a finding back: it waits for the solid block.
      place: block.place, transactions: block.isBodyProven ? block.entries.map(\.transaction.txid) : [],
      suspects: block.isBodyProven ? fence.suspects(in: block, wallets: watch.wallets) : [],
      keepAbove: keepAbove(solid, watch: watch))
    guard try await ledger.apply(head: head, after: cursor) else { return }
    metrics?.show(head: block.place.number)
  }

  /// Which blocks are forgotten. None while our branch does not hold the block that a quorum knows to be solid: it may be one
  /// node's own, and what it has in common with the others' must not be lost, or nobody could ever undo it.
  private func keepAbove(_ solid: SolidBlock?, watch: ChainWatch) -> Int64 {
    guard let solid else { return watch.begin.number - 1 }
    return solid.isHeld ? solid.place.number - 1 - Self.keptBelowSolidBlocks : -1
  }

  /// The block that a quorum knows to be solid, and whether our branch holds it. One row is read, however far below the head
  /// it is.
  private func solidBlock() async throws -> SolidBlock? {
    guard let place = try await ledger.cursor(.solid) else { return nil }
    return SolidBlock(place: place, isHeld: try await ledger.headBlock(place.number)?.id == place.id)
  }

  // MARK: Nodes that lead astray

  /// A block that is not above the solid one is taken up only where a quorum has it.
  ///
  /// - Returns: false where too few have it yet.
  private func isAgreed(_ block: ReadBlock, _ solid: SolidBlock, _ round: NodeRound) async throws -> Bool {
    if block.place.number == solid.place.number {
      if block.place.id != solid.place.id { throw leave(round, at: block.place.number) }
      return true
    }
    return try await isAgreed(block.header, round)
  }

  /// - Returns: false where too few have it yet.
  private func isAgreed(_ header: BlockHeader, _ round: NodeRound) async throws -> Bool {
    do { try await round.agree(on: header, .head, noting: disagreements.log) } catch let error as ChainReadError
      where error.isWaiting
    { return false }
    return true
  }

  /// The next node is asked, and the log names this one.
  private func leave(_ round: NodeRound, at number: Int64) -> ChainReadError {
    logger.warning(
      "A node's head is on a branch without the block that a quorum knows to be solid",
      metadata: ["node": "\(round.number)", LogKey.blockNumber: "\(number)"])
    return .otherChain(number)
  }

  // MARK: Forks

  /// Finds the newest block that our branch and the node's have in common, and forgets ours above it.
  private func undo(from cursor: BlockPlace, _ round: NodeRound) async throws -> StepOutcome {
    let common = try await newestCommonBlock(with: round, from: cursor)
    // Nobody undoes what a quorum knows to be solid: a branch that begins below it is this node's own.
    let solid = try await solidBlock()
    guard let (common, left) = common, solid?.forbids(goingBackTo: common) != true else {
      let message =
        "the branch of node \(round.number) has no block in common with ours down to the solid one: it is on another chain, "
        + "then take it out; or ours is, where every node says so and the head stands still: then 'payoutctl head reset'"
      try await ledger.raiseAlarm(kind: "deep_fork", subject: "node \(round.number)", message: message)
      // One node among several may lie; the next one is asked.
      throw ChainReadError.otherChain(cursor.number)
    }
    if let solid, common.number < solid.place.number, try await !isDepthAgreed(common, round) {
      return .idle(milliseconds: Self.overdueMaximumMilliseconds)
    }
    try await tellOfDeepFork(from: cursor, to: common, wasAstray: solid?.isMissed(at: cursor) == true)
    guard let payouts = try await ledger.undoHead(above: common.number, from: cursor) else { return .worked }
    source.note(round.number, of: common.id, left: left)
    try await tellIfLedBack(by: round.number, blocks: cursor.number - common.number)
    metrics?.countFork()
    logger.warning(
      "A fork undid blocks",
      metadata: [
        LogKey.blockNumber: "\(common.number)", "undone": "\(cursor.number - common.number)",
        "node": "\(round.number)", LogKey.payoutCount: "\(payouts.count)",
      ])
    return .worked
  }

  /// How deep a fork goes below the solid block is a quorum's to say: else one node could have all of ours undone that are
  /// kept. The block above the common one must be another than ours for a quorum, too.
  ///
  /// - Returns: false where too few have that block yet.
  private func isDepthAgreed(_ common: BlockPlace, _ round: NodeRound) async throws -> Bool {
    let number = common.number + 1
    guard let theirs = try await round.node.header(number, .head) else { throw ChainReadError.absent(number) }
    try theirs.refuseFlaw()
    guard try await isAgreed(theirs, round) else { return false }
    let ours = try await ledger.headBlock(number)
    guard theirs.parentID == common.id, theirs.id != ours?.id else { throw ChainReadError.gap(above: common.number) }
    return true
  }

  /// The newest of our blocks that the node's branch has too; nil where it has none of those that are kept.
  ///
  /// Ids name their parents: what two branches have in common they have from the beginning up to one block. So it is searched
  /// for in steps that grow, then by halves: some thirty headers at most, where a walk through a long false branch would use
  /// up what a node answers in a minute, and begin anew with the next error.
  ///
  /// - Returns: that block, and ours above it.
  private func newestCommonBlock(
    with round: NodeRound, from cursor: BlockPlace
  ) async throws -> (common: BlockPlace, left: BlockID?)? {
    let ours = try await ledger.recentBlocks(atMost: Self.keptBlocksMaximum)
      .filter { $0.number <= round.latest.header.number }
    func isTheirs(_ index: Int) async throws -> Bool {
      guard let theirs = try await round.node.header(ours[index].number, .head) else {
        throw ChainReadError.gap(above: cursor.number)
      }
      try theirs.refuseFlaw()
      return theirs.id == ours[index].id
    }
    guard !ours.isEmpty else { throw ChainReadError.gap(above: cursor.number) }
    var (differs, probe) = (-1, 0)
    while try await !isTheirs(probe) {
      guard probe < ours.count - 1 else { return nil }
      (differs, probe) = (probe, min(2 * probe + 1, ours.count - 1))
    }
    while probe - differs > 1 {
      let middle = (probe + differs) / 2
      if try await isTheirs(middle) { probe = middle } else { differs = middle }
    }
    // Its next block is no child of ours, and yet ours is still its own: two branches answer in turn.
    guard ours[probe].number < cursor.number else { throw ChainReadError.gap(above: cursor.number) }
    return (ours[probe], probe > 0 ? ours[probe - 1].id : nil)
  }

  /// Before it is undone: who dies in between is told of it again.
  private func tellOfDeepFork(from cursor: BlockPlace, to place: BlockPlace, wasAstray: Bool) async throws {
    let undone = cursor.number - place.number
    guard undone >= Self.deepForkBlocks else { return }
    let cause =
      if wasAstray {
        "\(source.node(of: cursor.id).map { "node \($0)" } ?? "a node") led there, and a quorum has another solid block in "
          + "their place: see whether it lies"
      } else { "find out why the network split before you trust it with more" }
    let message =
      "\(undone) blocks above block \(place.number) were left for another branch, and no quorum had found one of them solid; "
      + "their transactions wait for a block again, and nothing was confirmed by them; \(cause)"
    try await ledger.raiseAlarm(kind: "deep_reorganisation", subject: "block \(place.number)", message: message)
  }

  /// Forks of that depth do not come one after the other: a node that has us undo again and again may make its blocks up, so
  /// that the fence never comes near the head and nothing is signed.
  private func tellIfLedBack(by node: Int, blocks: Int64) async throws {
    guard blocks > Self.usualForkBlocks, source.countUndoing(by: node, at: clock.now()) >= Self.undoingsMaximum else {
      return
    }
    try await ledger.raiseAlarm(
      kind: "head_led_back", subject: "node \(node)",
      message:
        "node \(node) of TRON_RPC_URL had us undo more than \(Self.usualForkBlocks) blocks \(Self.undoingsMaximum) times "
        + "within \(HeadSource.undoingsMilliseconds / 60_000) minutes: where the others have no such forks, take it out of the "
        + "list; while the fence is behind nothing is signed")
  }

  /// Until about when the next block is due: blocks come in slots of one length.
  private func pause(after place: BlockPlace, previous: BlockPlace) -> Int64 {
    let slot = place.time.milliseconds(since: previous.time)
    let due = place.time.advanced(byMilliseconds: slot).milliseconds(since: clock.now())
    // A clock that is behind the chain's must not make it sleep through blocks.
    return max(min(due, slot, Self.pauseMaximumMilliseconds), Self.pauseMinimumMilliseconds)
  }
}

/// The block that a quorum knows to be solid, as our branch of the head stands to it.
private struct SolidBlock {
  let place: BlockPlace
  /// Whether our branch has it.
  let isHeld: Bool

  /// Whether our branch has come as far and is another one.
  func isMissed(at head: BlockPlace) -> Bool { place.number <= head.number && !isHeld }

  /// Whether going back would undo it.
  func forbids(goingBackTo block: BlockPlace) -> Bool { isHeld && block.number < place.number }
}

/// The chain says what it cannot say. Nothing goes on until it stops or a person has looked.
struct ChainContradiction: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
