import Ledger
import Synchronization

/// A record on its way to the ledger.
struct AuditEntry: Sendable {
  /// By what its caller is found.
  let number: UInt64
  /// What is stored.
  let record: AuditRecord
  /// When it came, in ticks.
  let tick: Int
}

/// Who waits for a record's commit, and for how long still.
///
/// Time is counted in ticks of whoever runs it, so that a clock that is set, or jumps, lets nobody wait longer.
final class AuditWaiting: Sendable {
  /// How long a tick is, in milliseconds.
  static let tickMilliseconds: Int64 = 100
  /// After so many ticks a caller goes on.
  static let ticksMax = Int(RecordAudit.waitMilliseconds / tickMilliseconds)

  private struct Caller: Sendable {
    let tick: Int
    let record: AuditRecord
    let continuation: CheckedContinuation<Void, Never>
  }

  private struct State {
    var tick = 0
    var lastNumber: UInt64 = 0
    var callers: [UInt64: Caller] = [:]
  }

  private let state = Mutex(State())

  /// Makes an entry of a record, with the caller who waits for it, where one does.
  func entry(for record: AuditRecord, waking continuation: CheckedContinuation<Void, Never>?) -> AuditEntry {
    state.withLock { state in
      state.lastNumber += 1
      let number = state.lastNumber
      if let continuation {
        state.callers[number] = Caller(tick: state.tick, record: record, continuation: continuation)
      }
      return AuditEntry(number: number, record: record, tick: state.tick)
    }
  }

  /// The records, dated back by the whole seconds that they have waited.
  func dated(_ entries: [AuditEntry]) -> [AuditRecord] {
    let now = state.withLock { $0.tick }
    return entries.map { entry in
      let seconds = Int64(now - entry.tick) * Self.tickMilliseconds / 1_000
      return seconds > 0 ? entry.record.waited(milliseconds: seconds * 1_000) : entry.record
    }
  }

  /// Lets those go on who wait for one of these.
  func release(_ entries: [AuditEntry]) {
    let released = state.withLock { state in
      entries.compactMap { state.callers.removeValue(forKey: $0.number) }
    }
    for caller in released { caller.continuation.resume() }
  }

  /// A tick has passed: whoever has waited for long enough goes on.
  /// - Parameter telling: told first what is not stored yet, of those who go on.
  func tick(telling: (AuditRecord) -> Void = { _ in }) {
    let late = state.withLock { state in
      state.tick += 1
      let now = state.tick
      let numbers = state.callers.filter { now - $0.value.tick >= Self.ticksMax }.map(\.key)
      return numbers.compactMap { state.callers.removeValue(forKey: $0) }
    }
    for caller in late {
      telling(caller.record)
      caller.continuation.resume()
    }
  }
}
