import Payouts
import Synchronization

/// What this process has proven by itself about attempts in its own journal (DESIGN.md §3 "The seal").
///
/// The ledger may say that an earlier attempt ended unpaid; whoever writes the database could make it say so. So Signer
/// signs a reference again only after it has read on the solid chain, itself, that each earlier attempt moved nothing.
///
/// What was just signed stands in the ledger before it stands in the journal: who reads the ledger can send it, and could
/// free its payout in the meantime. So it is remembered here until it is journaled.
final class EarlierAttempts: Sendable {
  fileprivate struct State {
    var unpaid: Set<TxID> = []
    var wanted: [TxID: JournalEntry] = [:]
    var unjournaled: [Reference: [JournalEntry]] = [:]
  }

  private let state = Mutex(State())

  /// Remembers what this process signed and may have committed. Each pays one payout.
  func remember(_ signed: [JournalEntry]) {
    state.withLock { state in
      for entry in signed {
        for payout in entry.payouts { state.unjournaled[payout.reference, default: []].append(entry) }
      }
    }
  }

  /// These stand in the journal now.
  func journaled(_ entries: [JournalEntry]) {
    state.withLock { state in
      for entry in entries {
        for payout in entry.payouts { state.forget(entry.txid, of: payout.reference) }
      }
    }
  }

  /// Whether all attempts of a reference, those of the journal and those that are not in it yet, are proven to have moved
  /// nothing; asks for the proof of those that are not.
  func areProvenUnpaid(_ journaled: [JournalEntry], of reference: Reference) -> Bool {
    state.withLock { state in
      let attempts = journaled + (state.unjournaled[reference] ?? [])
      let open = attempts.filter { !state.unpaid.contains($0.txid) }
      for attempt in open { state.wanted[attempt.txid] = attempt }
      return open.isEmpty
    }
  }

  /// What was proven to have moved nothing.
  var unpaid: Set<TxID> { state.withLock { $0.unpaid } }

  /// What waits for proof.
  var wanted: [JournalEntry] { state.withLock { $0.wanted.values.sorted { $0.txid < $1.txid } } }

  /// It moved nothing.
  func proveUnpaid(_ txid: TxID) {
    state.withLock { state in
      let proven = state.wanted.removeValue(forKey: txid)
      for payout in proven?.payouts ?? [] { state.forget(txid, of: payout.reference) }
      state.unpaid.insert(txid)
    }
  }

  /// It cannot be proven now; it is asked for again when its payout comes up again.
  func forget(_ txid: TxID) { state.withLock { $0.wanted[txid] = nil } }
}

extension EarlierAttempts.State {
  fileprivate mutating func forget(_ txid: TxID, of reference: Reference) {
    guard let left = unjournaled[reference]?.filter({ $0.txid != txid }) else { return }
    unjournaled[reference] = left.isEmpty ? nil : left
  }
}
