import Payouts
import Synchronization

/// What Signer's steps know of one another's work. It lives in memory only: after a start everything is asked anew.
final class SignerState: Sendable {
  private struct State {
    var vouchedLife: ServerLife?
    var doesNodeAccept = true
    var lastTrialBlock: Int64?
    var wasBlocked = false
    var lastSwept: BatchID?
    var hasToldUnlisted = false
    var intentsUnreadableSince: Timestamp?
  }

  private let state = Mutex(State())

  /// The life of the database server that this process has vouched for.
  var vouchedLife: ServerLife? {
    get { state.withLock { $0.vouchedLife } }
    set { state.withLock { $0.vouchedLife = newValue } }
  }

  /// Since when the log of intents could not be read for a vouching; nil where it could.
  var intentsUnreadableSince: Timestamp? {
    get { state.withLock { $0.intentsUnreadableSince } }
    set { state.withLock { $0.intentsUnreadableSince = newValue } }
  }

  /// Whether operators were called about Signers that `SIGNER_NAMES` does not list.
  var hasToldUnlisted: Bool {
    get { state.withLock { $0.hasToldUnlisted } }
    set { state.withLock { $0.hasToldUnlisted = newValue } }
  }

  /// Where the sweeper stands on its way through all batches; nil at the beginning.
  var lastSwept: BatchID? {
    get { state.withLock { $0.lastSwept } }
    set { state.withLock { $0.lastSwept = newValue } }
  }

  /// Remembers whether a round of broadcasts found a node that takes anything.
  func record(taken: Int, refused: Int) {
    state.withLock { state in
      if taken > 0 { state.doesNodeAccept = true } else if refused > 0 { state.doesNodeAccept = false }
    }
  }

  /// How many payouts may be signed now: while no node accepts, nothing but one trial a block (DESIGN.md §3 point 3). A
  /// batch of which nothing can be signed is no trial: the next one may be.
  func allowance(atMost count: Int, headNumber: Int64) -> Int {
    state.withLock { state in
      if state.doesNodeAccept { return count }
      // Of several nodes one may be behind: a head that goes back is no new block.
      return state.lastTrialBlock.map { headNumber > $0 } ?? true ? 1 : 0
    }
  }

  /// Something was signed at this head, or may have been.
  func recordSigned(headNumber: Int64) {
    state.withLock { state in
      guard !state.doesNodeAccept else { return }
      state.lastTrialBlock = max(state.lastTrialBlock ?? headNumber, headNumber)
    }
  }

  /// Remembers that a batch could not be signed just now.
  func recordBlocked() { state.withLock { $0.wasBlocked = true } }

  /// Whether that happened since `takeBlocked` was asked last.
  var isBlocked: Bool { state.withLock { $0.wasBlocked } }

  /// Whether that happened since it was asked last.
  func takeBlocked() -> Bool {
    state.withLock { state in
      defer { state.wasBlocked = false }
      return state.wasBlocked
    }
  }
}
