import Ledger
import Logging
import Payouts
import Tron
import Worker

/// Follows the solid chain block by block, without a gap, and stores what it says of our transactions
/// (DESIGN.md §3 point 5). Only here does anything become final.
///
/// A block and its receipts come from one node, whose solid view has reached that block; nothing of it counts before
/// - a quorum of nodes has the same block in its solid view, by its id;
/// - it is solid by our own count of producers too (`CountProducers`): the lower of the two is used;
/// - its body hashes to its header's root, or a quorum gives the same transactions and results;
/// - a quorum gives the same receipts of the transactions that are ours.
///
/// The next block may come from another node: that it is the child of ours is what holds them together. The fence looks at
/// these blocks too: what a node kept from `FollowHead` is found here, where no node decides alone.
struct FollowSolid: Sendable {
  /// How long to wait for the next solid block, in milliseconds: no money waits for it.
  static let pauseMilliseconds: Int64 = 500

  let ledger: any MonitorLedger
  let node: any TronNode
  let fence: Fence
  let producers: CountProducers
  let disagreements: TellDisagreements
  let retryDelayMilliseconds: Int64
  let metrics: MonitorMetrics?
  let logger: Logger

  /// Takes up the next solid block.
  func step() async throws -> StepOutcome {
    let idle = StepOutcome.idle(milliseconds: Self.pauseMilliseconds)
    guard let watch = try await ledger.watch() else { return idle }
    guard let cursor = try await ledger.cursor(.solid) else {
      _ = try await ledger.apply(
        solid: watch.begin, after: nil, verdicts: [:], retryDelayMilliseconds: retryDelayMilliseconds)
      return .worked
    }
    do {
      return try await disagreements.after {
        try await node.round(of: .solid) { round in
          guard round.latest.header.number > cursor.number else { return idle }
          let block = try await readAgreed(after: cursor, round)
          try await apply(block, after: cursor, watch: watch, round)
          return round.latest.header.number > block.place.number ? .worked : idle
        }
      }
    } catch let error as ChainReadError where error.isWaiting {
      return idle
    }
  }

  /// The next solid block, as far as a quorum and our own count agree on it.
  private func readAgreed(after cursor: BlockPlace, _ round: NodeRound) async throws -> ReadBlock {
    guard let block = try await round.node.readBlock(cursor.number + 1, .solid, known: round.latest) else {
      throw ChainReadError.absent(cursor.number + 1)
    }
    try await round.agree(on: block.header, .solid, noting: disagreements.log)
    guard block.parentID == cursor.id else {
      let message = "solid block \(block.place.number) is not the child of the solid block \(cursor.id)"
      try await ledger.raiseAlarm(
        kind: "solid_chain_changed", subject: "block \(block.place.number)", message: message)
      throw ChainContradiction(message)
    }
    try await producers.check(block.header, round, noting: disagreements.log)
    if case .byAnotherKey = block.header.signature { metrics?.countForeignSignature() }
    guard !block.isBodyProven else { return block }
    metrics?.countUnprovenBody()
    return try await round.agreeOnBody(of: block, noting: disagreements.log)
  }

  private func apply(
    _ block: ReadBlock, after cursor: BlockPlace, watch: ChainWatch, _ round: NodeRound
  ) async throws {
    var verdicts: [TxID: TransactionVerdict] = [:]
    let ours = try await ledger.known(block.entries.map(\.transaction.txid))
    let suspects = fence.suspects(in: block, wallets: watch.wallets).filter { suspect in
      !ours.contains { $0.txid == suspect.txid }
    }
    // What the fence finds in receipts may be one node's lie as well.
    let deciding = Set(ours.map(\.txid)).union(suspects.map(\.txid))
    try await round.agreeOnReceipts(of: deciding, in: block, noting: disagreements.log)
    // Before the cursor moves past them.
    if !suspects.isEmpty { try await ledger.store(findings: suspects, in: block.place) }
    for known in ours {
      do {
        verdicts[known.txid] = try TransactionVerdict.judge(known.txid, expected: known.transfers, in: block)
      } catch {
        // The reading goes on; the transaction stays live, and `JudgeLate` reads its window again and tells of it.
        logger.warning("A block gives no verdict", error: error, metadata: [LogKey.txID: "\(known.txid)"])
      }
    }
    guard
      try await ledger.apply(
        solid: block.place, after: cursor, verdicts: verdicts, retryDelayMilliseconds: retryDelayMilliseconds)
    else { return }
    metrics?.show(solid: block.place.number)
    report(verdicts, metrics: metrics, logger: logger)
  }
}

/// Tells operators how transactions ended: milestones, or what somebody must look at.
func report(_ verdicts: [TxID: TransactionVerdict], metrics: MonitorMetrics?, logger: Logger) {
  for (txid, verdict) in verdicts.sorted(by: { $0.key < $1.key }) {
    metrics?.count(verdict)
    let metadata: Logger.Metadata = [LogKey.txID: "\(txid)"]
    switch verdict {
    case .paid: logger.info("A transaction paid", metadata: metadata)
    case .failedOnChain(_, _, let result):
      logger.warning(
        "A transaction failed on chain; its payout is freed", metadata: metadata.merging(["result": "\(result)"]) { $1 }
      )
    case .dead: logger.warning("A transaction can never be included; its payout is freed", metadata: metadata)
    case .anomalous(_, let finding):
      logger.critical(
        "A transaction proves neither payment nor failure; the breaker is open",
        metadata: metadata.merging(["finding": "\(finding)"]) { $1 })
    }
  }
}
