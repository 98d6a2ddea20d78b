public import Keystore
public import Payouts
import Synchronization

/// A journal in memory, with the same promises as the file, which can fail as a disk does.
public final class MemoryJournal: Journal {
  /// How an append fails.
  public enum Fault: Sendable, Hashable {
    /// Nothing was written.
    case notDone
    /// All was written, and the caller is told that it failed: from then on only opening it anew helps.
    case unknown
  }

  private struct State {
    /// What is on the disk.
    var entries: [JournalEntry]
    /// What it knows to be there.
    var known: [JournalEntry]
    var life: ServerLife?
    var fault: (@Sendable ([JournalEntry]) -> Fault?)?
    var isUnusable = false
  }

  /// See `Journal`.
  public let id: [UInt8]
  /// See `Journal`.
  public let wallet: Address
  private let state: Mutex<State>

  /// - Parameters:
  ///   - id: 16 bytes.
  ///   - entries: what it holds from the beginning, as after a restart.
  public init(id: [UInt8], wallet: Address, entries: [JournalEntry] = []) {
    self.id = id
    self.wallet = wallet
    state = Mutex(State(entries: entries, known: entries))
  }

  /// Lets appends fail as `fault` says from now on; nil ends that.
  public func setFault(_ fault: (@Sendable ([JournalEntry]) -> Fault?)?) { state.withLock { $0.fault = fault } }

  /// What the next process finds: the same journal, opened anew.
  public func reopened() -> MemoryJournal { MemoryJournal(id: id, wallet: wallet, entries: held) }

  /// All that the next process finds.
  public var held: [JournalEntry] { state.withLock { $0.entries } }
  private var known: [JournalEntry] { state.withLock { $0.known } }

  /// See `Journal`.
  public func holds(_ txid: TxID) -> Bool { known.contains { $0.txid == txid } }

  /// See `Journal`.
  public func adopt(_ life: ServerLife) async { state.withLock { $0.life = life } }

  /// See `Journal`.
  public func entries() async throws -> [JournalEntry] {
    try state.withLock { state in
      guard !state.isUnusable else { throw JournalError.unusable(path: "memory") }
      return state.entries
    }
  }

  /// See `Journal`.
  public func append(_ entries: [JournalEntry], under life: ServerLife) async throws {
    try state.withLock { state in
      guard life == state.life else { throw JournalError.anotherLife }
      var held = Set(state.known.map(\.txid))
      let new = entries.filter { held.insert($0.txid).inserted }
      guard !new.isEmpty else { return }
      guard !state.isUnusable else { throw JournalError.unusable(path: "memory") }
      let fault = state.fault?(new)
      state.isUnusable = fault == .unknown
      if fault != .notDone { state.entries += new }
      if fault != nil { throw JournalError.io(operation: "write", path: "memory", errno: 28) }
      state.known += new
    }
  }

  /// See `Journal`.
  public func attempts(of reference: Reference) -> [JournalEntry] {
    known.filter { $0.payouts.contains { $0.reference == reference } }
  }

  /// See `Journal`.
  public func amountSigned(since time: Timestamp, except unpaid: Set<TxID>) -> Amount {
    let sum = known.filter { $0.purpose == .payouts && $0.signedAt >= time && !unpaid.contains($0.txid) }
      .flatMap(\.payouts).reduce(Int128(0)) { $0 + Int128($1.amount.microUSDT) }
    return (try? Amount(microUSDT: Int64(clamping: sum))) ?? .zero
  }
}
