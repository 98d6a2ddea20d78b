import Ledger
import Logging
import Payouts
import Synchronization
import Tron
import Worker

/// Judges transactions whose window the solid chain has passed without a verdict: dead ones, and those that a Signer put
/// back after their block was read (DESIGN.md §3 point 5).
///
/// Their whole window is read again for that verdict, after their rows were written, once for all of them; what decides in it
/// is agreed by a quorum of nodes (`AgreedReading`).
struct JudgeLate: Sendable {
  /// How long to wait where there are none, in milliseconds.
  static let pauseMilliseconds: Int64 = 1_000
  /// How many at once.
  static let atOnce = 500
  /// How often the window of an anomalous transaction is read again, in milliseconds: only a node that corrects itself
  /// can make it clear, and its other callers need its answers too.
  static let anomalousEveryMilliseconds: Int64 = 60_000

  /// After its expiration a transaction without a verdict is an alarm, in milliseconds: solid blocks come within a minute.
  static let overdueMilliseconds: Int64 = 600_000

  let ledger: any MonitorLedger
  let node: any TronNode
  let disagreements: TellDisagreements
  let retryDelayMilliseconds: Int64
  let clock: any WallClock
  let anomalies = AnomalyLooks()
  let turns = Turns<TxID>()
  let metrics: MonitorMetrics?
  let logger: Logger

  /// Judges what there is. One that cannot be judged now does not keep the others waiting.
  ///
  /// All that is read for a verdict comes from one node, whose solid view has reached our solid block. What this one cannot
  /// show is read anew, whole, from the next. One that answers nothing at all is given up at once, with what it has shown
  /// settled: a node may tell its head and hang on old blocks, and each of them would cost the whole time of a call.
  func step() async throws -> StepOutcome {
    let idle = StepOutcome.idle(milliseconds: Self.pauseMilliseconds)
    var waiting = try await candidates()
    guard !waiting.isEmpty, let cursor = try await ledger.cursor(.solid) else { return idle }
    var settled = 0
    var failures: [TxID: any Error] = [:]
    do {
      try await disagreements.after {
        try await node.round(of: .solid, reaching: cursor.number) { round in
          let (judged, unreadable) = try await judge(waiting, on: round, from: cursor)
          failures = unreadable
          if !judged.isEmpty {
            try await ledger.settle(judged, retryDelayMilliseconds: retryDelayMilliseconds)
            report(judged, metrics: metrics, logger: logger)
            settled += judged.count
          }
          waiting.removeAll { failures[$0.transaction.txid] == nil }
          // A node's failure first: there the next node may do better.
          let errors = waiting.compactMap { failures[$0.transaction.txid] }
          if let error = ChainReadError.worst(of: errors) { throw error }
        }
      }
    } catch  where isUnreadable(error) {
      for candidate in waiting { try await callIfOverdue(candidate, failures[candidate.transaction.txid] ?? error) }
      if settled == 0 { throw error }
    }
    return settled == Self.atOnce ? .worked : idle
  }

  /// What one node shows of these: the verdicts, and why there is none on others. What stays anomalous is in neither.
  private func judge(
    _ waiting: [UnjudgedTransaction], on round: NodeRound, from cursor: BlockPlace
  ) async throws -> (verdicts: [TxID: TransactionVerdict], failures: [TxID: any Error]) {
    var reading = AgreedReading(noting: disagreements.log)
    reading.take(try await blockThatWasFollowed(cursor, round))
    var verdicts: [TxID: TransactionVerdict] = [:]
    var failures: [TxID: any Error] = [:]
    let inTurn = turns.order(waiting) { $0.transaction.txid }
    for (index, candidate) in inTurn.enumerated() {
      let txid = candidate.transaction.txid
      do {
        verdicts[txid] = try await judge(candidate, by: round, &reading)
      } catch {
        failures[txid] = error
        guard TronNodeError.isSilence(error) else { continue }
        turns.failed(txid)
        for unasked in inTurn[index...] { failures[unasked.transaction.txid] = error }
        break
      }
    }
    return (verdicts, failures)
  }

  private func isUnreadable(_ error: any Error) -> Bool {
    error is TronNodeError || error is ChainReadError || error is ChainContradiction
  }

  private func candidates() async throws -> [UnjudgedTransaction] {
    let unjudged = try await ledger.unjudged(atMost: Self.atOnce)
    let hasAnomalies = unjudged.contains { $0.transaction.status == .anomalous }
    let looksAgain =
      hasAnomalies && anomalies.isDue(at: clock.now(), everyMilliseconds: Self.anomalousEveryMilliseconds)
    return unjudged.filter { looksAgain || $0.transaction.status != .anomalous }
  }

  /// What is read for a verdict is to be the chain that was followed: the node's block at our solid place must be ours.
  private func blockThatWasFollowed(_ cursor: BlockPlace, _ round: NodeRound) async throws -> ReadBlock {
    guard let block = try await round.node.readBlock(cursor.number, .solid, known: round.latest) else {
      throw ChainReadError.absent(cursor.number)
    }
    guard block.place.id == cursor.id else {
      throw ChainReadError.otherChain(cursor.number)
    }
    return block
  }

  /// - Returns: nil where nothing is new: what stays anomalous is known as such, and is read again until it is clear.
  private func judge(
    _ candidate: UnjudgedTransaction, by round: NodeRound, _ reading: inout AgreedReading
  ) async throws -> TransactionVerdict? {
    let transaction = candidate.transaction
    let window = try await reading.window(
      of: transaction.txid, above: candidate.referenceBlockNumber, through: candidate.expiration, by: round)
    guard let first = window.first, candidate.refers(to: first.parentID) else {
      throw ChainContradiction("the blocks read for \(transaction.txid) do not follow the one that it refers to")
    }
    let verdict = try TransactionVerdict.judge(
      transaction.txid, expected: transaction.transfers, window: window)
    switch (transaction.status, verdict) {
    case (.anomalous, .anomalous): return nil
    case (.included, .dead), (.anomalous, .dead):
      throw ChainContradiction("a block held \(transaction.txid), and none of the solid ones does that could")
    default: return verdict
    }
  }

  /// A payout must not wait for ever with nobody told.
  private func callIfOverdue(_ candidate: UnjudgedTransaction, _ error: any Error) async throws {
    guard clock.now().milliseconds(since: candidate.expiration) >= Self.overdueMilliseconds else { return }
    try await ledger.raiseAlarm(
      kind: "unjudged_transaction", subject: "transaction \(candidate.transaction.txid)",
      message: "it has long expired, and its end cannot be told: \(error)")
  }
}

extension UnjudgedTransaction {
  /// Whether its signed bytes name this block: windows of another chain prove nothing.
  fileprivate func refers(to block: BlockID) -> Bool {
    (try? SignedTransaction(bytes: signedBytes))?.contents.refers(to: block) ?? false
  }
}

/// When anomalous transactions were last read again. In memory only: after a start they are read at once.
final class AnomalyLooks: Sendable {
  private let last = Mutex<Timestamp?>(nil)

  /// Whether it is time again; if so, it was now. A clock that was set back makes it time.
  func isDue(at now: Timestamp, everyMilliseconds: Int64) -> Bool {
    last.withLock { last in
      if let last, (0..<everyMilliseconds).contains(now.milliseconds(since: last)) { return false }
      last = now
      return true
    }
  }
}
