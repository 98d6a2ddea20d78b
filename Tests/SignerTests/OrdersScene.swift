import Ledger
import Logging
import Monitor
import Payouts
import Signer
import TestSupport
import Testing
import Tron

@testable import Payoutctl

/// Disasters that take payments from database and journal together, and what an operator orders then.
extension PayingScene {
  /// A Monitor in this scene.
  func monitor() throws -> MonitorSteps {
    try MonitorSteps(
      MonitorParts(
        ledger: ledger, streams: streams, intents: streams, node: CheckedNode(node, genesis: node.genesis),
        clock: clock),
      policy: MonitorPolicy(
        name: "monitor-1", token: PayingScene.token, requiredConfirmations: 19, retryDelayMilliseconds: 60_000),
      metrics: nil, logger: Logger(label: "monitor"))
  }

  /// Lets Monitor read all there is, and judge what the fence found.
  func read(_ monitor: MonitorSteps) async throws {
    for step in [monitor.followHead, monitor.followSolid, monitor.judgeLate, monitor.judgeFindings, monitor.confirm] {
      try await run(step)
    }
  }

  /// Lets slots pass: blocks with all that is pending, each of which Monitor reads.
  func live(_ blocks: Int, _ monitor: MonitorSteps) async throws {
    for _ in 0..<blocks {
      try await produce()
      try await read(monitor)
    }
  }

  /// Payouts that were signed and sent, and are in no block; database and journal are both taken back to before that.
  ///
  /// - Returns: their transactions, in the order of the numbers.
  func losePayments(_ payouts: [NewPayout], _ monitor: MonitorSteps) async throws -> [TxID] {
    try await run(monitor.followHead)
    try await run(monitor.followSolid)
    let first = try signer()
    try await run(first.vouch)
    try await schedule(payouts)
    // Twins within one second collide: the second is signed by the next look.
    for _ in 0..<3 {
      try await run(first.sign)
      try await run(first.sweep)
    }
    try await run(first.broadcast)
    var txids: [TxID] = []
    for payout in payouts {
      let attempts = try await ledger.attempts(of: payout.terms.id)
      txids.append(try #require(attempts.first).txid)
    }
    try await force(
      """
      DELETE FROM attempts; DELETE FROM transactions; DELETE FROM continuity; DELETE FROM vouchings;
      DELETE FROM payout_events WHERE to_status IN ('signed', 'broadcast');
      UPDATE payouts SET status = 'scheduled'; UPDATE limit_windows SET used = 0 WHERE scope = 'signed';
      """)
    return txids
  }

  /// The same journal as it was before it held anything.
  func emptyJournal() -> MemoryJournal { MemoryJournal(id: journal.id, wallet: wallet) }

  /// What `payoutctl reconcile` says, and orders where a reason is given.
  func reconcile(
    _ reason: String? = nil, choosing chosen: [TxID: PayoutID] = [:], through nodes: (any TronNode)? = nil
  ) async throws -> ReconcileReport {
    let nodes = nodes ?? CheckedNode(node, genesis: node.genesis)
    return try await ReconcileFindings(
      ledger: ledger, find: FindTransaction(node: nodes, token: PayingScene.token), wanted: [], chosen: chosen,
      reason: reason
    ).run()
  }
}

extension ReconcileReport {
  /// What came of each transaction.
  var outcomes: [String: Outcome] {
    Dictionary(uniqueKeysWithValues: transactions.map { ($0.txid, $0.outcome) })
  }
}
