import Ledger
import Payouts

/// What Redis' log of intents knows, and what must come of it.
///
/// Clients ask again and again, and each time a lost acceptance would be accepted anew: only here it is seen whether the
/// log alone would have brought it back.
extension Oracle {
  /// Entries stand in the log.
  func logged(_ entries: [[String: String]], at time: Int64) {
    for entry in entries {
      guard case .accepted(let accepted)? = try? Intent(fields: entry) else { continue }
      let reference = accepted.payout.terms.reference
      state.withLock { $0.logged[reference] = $0.logged[reference] ?? time }
    }
  }

  /// Redis has lost everything.
  func forgotLog() { state.withLock { ($0.logged, $0.hasLostLog) = ([:], true) } }

  /// Whether it ever did.
  var hasLostLog: Bool { state.withLock { $0.hasLostLog } }

  /// **Nobody vouches before the log's tail is in the database**: what stood in it when the server's
  /// present life began.
  func watchLog(_ after: LedgerTables) {
    let start = state.withLock { $0.startedAt }
    for (reference, time) in logged where time < start && after.payout(of: reference) == nil {
      violated("the history was vouched for without \(reference), which the log of intents tells of")
    }
  }

  /// **What the log tells of is never lost.**
  func judgeLog(_ tables: LedgerTables) {
    for reference in logged.keys where tables.payout(of: reference) == nil {
      violated("\(reference) stands in the log of intents and is gone")
    }
  }

  private var logged: [Reference: Int64] { state.withLock { $0.logged } }
}
