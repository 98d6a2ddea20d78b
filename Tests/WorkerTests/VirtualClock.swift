import Payouts
import Synchronization
import Worker

/// A clock that stands still until a test moves it. A sleep ends when the time reaches its end, or on cancellation.
final class VirtualClock: WallClock {
  private struct Sleeper {
    let end: Int64
    let continuation: CheckedContinuation<Void, any Error>
  }

  private struct State {
    var now: Int64
    var nextID = 0
    var sleepers: [Int: Sleeper] = [:]
    var cancelledEarly: Set<Int> = []
  }

  private let state: Mutex<State>

  init(startingAt milliseconds: Int64 = 1_764_000_000_000) { state = Mutex(State(now: milliseconds)) }

  func now() -> Timestamp { Timestamp(milliseconds: state.withLock { $0.now }) }

  func sleep(milliseconds: Int64) async throws {
    try Task.checkCancellation()
    guard milliseconds > 0 else { return }
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        let isCancelled = state.withLock { state in
          if state.cancelledEarly.remove(id) != nil { return true }
          state.sleepers[id] = Sleeper(end: state.now + milliseconds, continuation: continuation)
          return false
        }
        if isCancelled { continuation.resume(throwing: CancellationError()) }
      }
    } onCancel: {
      let sleeper = state.withLock { state in
        let sleeper = state.sleepers.removeValue(forKey: id)
        if sleeper == nil { state.cancelledEarly.insert(id) }
        return sleeper
      }
      sleeper?.continuation.resume(throwing: CancellationError())
    }
  }

  /// How long each sleeper still sleeps, ascending, in milliseconds.
  var remaining: [Int64] { state.withLock { state in state.sleepers.values.map { $0.end - state.now }.sorted() } }

  /// Moves the time and wakes whoever is due.
  func advance(milliseconds: Int64) {
    let due = state.withLock { state in
      state.now += milliseconds
      let due = state.sleepers.filter { $0.value.end <= state.now }
      for id in due.keys { state.sleepers[id] = nil }
      return due.sorted { $0.key < $1.key }.map(\.value.continuation)
    }
    for continuation in due { continuation.resume() }
  }
}

/// Always the largest number, so that chance adds all it can.
struct LargestNumber: RandomSource {
  func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 0xff, count: count) }
  func uniform(below bound: UInt64) -> UInt64 { bound - 1 }
}

/// Always the smallest.
struct SmallestNumber: RandomSource {
  func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
  func uniform(below bound: UInt64) -> UInt64 { 0 }
}

/// Asks for a condition again and again, for at most 20 s, with a breath between two questions.
func eventually(_ condition: () async throws -> Bool) async rethrows -> Bool {
  let deadline = ContinuousClock.now + .seconds(20)
  while ContinuousClock.now < deadline {
    if try await condition() { return true }
    try? await Task.sleep(for: .milliseconds(1))
  }
  return try await condition()
}

/// Something that tasks count together.
final class Tally: Sendable {
  private let value = Mutex(0)
  var count: Int { value.withLock { $0 } }
  @discardableResult func increment() -> Int {
    value.withLock { value in
      value += 1
      return value
    }
  }
}
