import Synchronization

/// Lets a few look-ups of API keys go on at a time, lets a few more wait for them, and refuses the rest.
///
/// Anybody can make keys up, and each of them asks the database. Unbounded they would take all of its connections, and
/// payouts could not be accepted any more; so a flood of them is a flood for API keys alone.
final class LookUpSlots: Sendable {
  /// How many look-ups go on at a time: half of the connections that the pool has.
  static let underWayMax = 4
  /// How many wait for their turn.
  static let waitingMax = 32

  private enum Answer: Sendable {
    case taken
    case full
    case cancelled
  }

  private struct Waiter: Sendable {
    let number: UInt64
    let continuation: CheckedContinuation<Answer, Never>
  }

  private struct State {
    var underWay = 0
    /// Those that wait, the first one first. While there are any, all slots are taken.
    var waiting: [Waiter] = []
    var lastNumber: UInt64 = 0
  }

  private let state = Mutex(State())

  /// How many wait now.
  var waitingCount: Int { state.withLock { $0.waiting.count } }

  /// Takes a slot, which `release` must follow; waits for one where all are taken.
  /// - Throws: `Problem` of kind `overloaded` where too many wait already; `unavailable` where the caller is cancelled.
  func take() async throws(Problem) {
    let number = state.withLock { state in
      state.lastNumber += 1
      return state.lastNumber
    }
    let answer = await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<Answer, Never>) in
        if let settled = settle(number, continuation) { continuation.resume(returning: settled) }
      }
    } onCancel: {
      giveUp(number)
    }
    switch answer {
    case .taken: return
    case .full: throw Self.tooMany
    case .cancelled: throw .ledgerUnavailable.because(CancellationError())
    }
  }

  /// Gives a slot back: to whoever has waited longest.
  func release() {
    let next: Waiter? = state.withLock { state in
      guard !state.waiting.isEmpty else {
        state.underWay -= 1
        return nil
      }
      return state.waiting.removeFirst()
    }
    next?.continuation.resume(returning: .taken)
  }

  /// What can be answered at once; nil where it waits.
  ///
  /// A task that is cancelled is marked before its handler runs, and both look under one lock: so the mark is seen
  /// here, or the handler finds who waits.
  private func settle(_ number: UInt64, _ continuation: CheckedContinuation<Answer, Never>) -> Answer? {
    state.withLock { state in
      if Task.isCancelled { return .cancelled }
      if state.underWay < Self.underWayMax {
        state.underWay += 1
        return .taken
      }
      guard state.waiting.count < Self.waitingMax else { return .full }
      state.waiting.append(Waiter(number: number, continuation: continuation))
      return nil
    }
  }

  /// Whoever waits under this number does so no more.
  private func giveUp(_ number: UInt64) {
    let waiter: Waiter? = state.withLock { state in
      guard let index = state.waiting.firstIndex(where: { $0.number == number }) else { return nil }
      return state.waiting.remove(at: index)
    }
    waiter?.continuation.resume(returning: .cancelled)
  }

  private static let tooMany = Problem(
    .overloaded, "More API keys come than this replica looks up at a time. Nothing was changed; try again later.",
    retryAfterSeconds: 1)
}
