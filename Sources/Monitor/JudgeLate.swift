import Ledger
import Logging
import Payouts
import Synchronization
import Tron
import Worker

/// Judges transactions whose window the solid chain has passed without a verdict: dead ones, and those that a Signer put
/// back after their block was read (DESIGN.md §3 point 5).
///
/// Their whole window is read again for that verdict, after their rows were written, once for all of them.
struct JudgeLate: Sendable {
  /// How long to wait where there are none, in milliseconds.
  static let pauseMilliseconds: Int64 = 1_000
  /// How many at once.
  static let atOnce = 500
  /// How often the window of an anomalous transaction is read again, in milliseconds: only a node that corrects itself
  /// can make it clear, and its other callers need its answers too.
  static let anomalousEveryMilliseconds: Int64 = 60_000

  let ledger: any MonitorLedger
  let node: any TronNode
  let retryDelayMilliseconds: Int64
  let clock: any WallClock
  let anomalies = AnomalyLooks()
  let metrics: MonitorMetrics?
  let logger: Logger

  /// Judges what there is.
  func step() async throws -> StepOutcome {
    let unjudged = try await ledger.unjudged(atMost: Self.atOnce)
    let hasAnomalies = unjudged.contains { $0.transaction.status == .anomalous }
    let looksAgain =
      hasAnomalies && anomalies.isDue(at: clock.now(), everyMilliseconds: Self.anomalousEveryMilliseconds)
    let candidates = unjudged.filter { looksAgain || $0.transaction.status != .anomalous }
    var read: [Int64: ReadBlock] = [:]
    var verdicts: [TxID: TransactionVerdict] = [:]
    for candidate in candidates {
      // Nil where the node that answers now is behind the one that told us the solid head.
      guard
        let window = try await node.readWindow(
          above: candidate.referenceBlockNumber, through: candidate.expiration, sharing: &read)
      else { continue }
      let transaction = candidate.transaction
      let verdict = TransactionVerdict.judge(
        transaction.txid, expected: transaction.transfers, window: window)
      // What stays anomalous is known as such; it is read again until it is clear.
      if transaction.status == .anomalous, case .anomalous = verdict { continue }
      verdicts[transaction.txid] = verdict
    }
    if !verdicts.isEmpty {
      try await ledger.settle(verdicts, retryDelayMilliseconds: retryDelayMilliseconds)
      report(verdicts, metrics: metrics, logger: logger)
    }
    return verdicts.count == Self.atOnce ? .worked : .idle(milliseconds: Self.pauseMilliseconds)
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
