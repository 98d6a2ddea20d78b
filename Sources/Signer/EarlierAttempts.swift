import Payouts
import Synchronization

/// What this process has proven by itself about attempts in its own journal (DESIGN.md §3 "The seal").
///
/// The ledger may say that an earlier attempt ended unpaid; whoever writes the database could make it say so. So Signer
/// signs a reference again only after it has read on the solid chain, itself, that each earlier attempt moved nothing.
final class EarlierAttempts: Sendable {
  private struct State {
    var unpaid: Set<TxID> = []
    var wanted: [TxID: JournalEntry] = [:]
  }

  private let state = Mutex(State())

  /// Whether all of these are proven to have moved nothing; asks for the proof of those that are not.
  func areProvenUnpaid(_ attempts: [JournalEntry]) -> Bool {
    state.withLock { state in
      let open = attempts.filter { !state.unpaid.contains($0.txid) }
      for attempt in open { state.wanted[attempt.txid] = attempt }
      return open.isEmpty
    }
  }

  /// What waits for proof.
  var wanted: [JournalEntry] { state.withLock { $0.wanted.values.sorted { $0.txid < $1.txid } } }

  /// It moved nothing.
  func proveUnpaid(_ txid: TxID) {
    state.withLock { state in
      state.wanted[txid] = nil
      state.unpaid.insert(txid)
    }
  }

  /// It cannot be proven now; it is asked for again when its payout comes up again.
  func forget(_ txid: TxID) { state.withLock { $0.wanted[txid] = nil } }
}
