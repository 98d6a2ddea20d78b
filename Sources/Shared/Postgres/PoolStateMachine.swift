/// Decides who gets a connection: the pool without its connections, its clock and its randomness.
///
/// A pool has a fixed number of *slots*. A slot is leased to one caller at a time; in it stands a live
/// connection, or nothing, in which case the caller opens one there itself. Callers are served in the order
/// of their arrival. A slot whose connection could not be opened rests before the next attempt, twice as long
/// after each failure; one success lets all of them try again at once, since the server is evidently back.
struct PoolStateMachine {
  typealias Instant = ContinuousClock.Instant
  typealias WaiterID = UInt64

  /// The right to use one slot until it is released.
  struct Lease: Equatable, Sendable {
    /// The slot, from 0.
    let slot: Int
    /// Since when its connection was idle; nil where there is none.
    let idleSince: Instant?
  }

  /// The answer to a caller that asks for a connection.
  enum Acquisition: Equatable {
    case leased(Lease)
    /// Known as this waiter from now on.
    case queued(WaiterID)
    case refused(PostgresError.Code)
  }

  /// The first rest after a failed attempt to connect; it doubles with each further failure.
  static let restInitialMilliseconds = 50
  /// The longest rest.
  static let restMaxMilliseconds = 2_000

  private enum Slot {
    case empty
    case idle(since: Instant)
    case leased
  }

  private var slots: [Slot]
  private var failures: [Int]
  private var restsUntil: [Instant?]
  private let waitersMax: Int
  /// Waiters in the order of arrival, from `queueHead` on; those not in `waiting` have gone.
  private var queue: [WaiterID] = []
  private var queueHead = 0
  private var waiting: Set<WaiterID> = []
  private var lastID: WaiterID = 0
  /// True once the pool takes no new callers.
  private(set) var isClosing = false

  /// A pool of so many empty slots.
  init(slotCount: Int, waitersMax: Int) {
    slots = Array(repeating: .empty, count: slotCount)
    failures = Array(repeating: 0, count: slotCount)
    restsUntil = Array(repeating: nil, count: slotCount)
    self.waitersMax = waitersMax
  }

  /// Slots with a connection that nobody uses.
  var idleCount: Int {
    slots.count { if case .idle = $0 { true } else { false } }
  }

  /// Slots that are leased.
  var busyCount: Int {
    slots.count { if case .leased = $0 { true } else { false } }
  }

  /// Callers that wait.
  var waitingCount: Int { waiting.count }

  /// True once the pool is closing and everything was returned.
  var isDrained: Bool { isClosing && busyCount == 0 }

  /// A caller asks for a connection: the one used last, so that the others may be let go by the network
  /// unnoticed; else an empty slot, the one that may be tried soonest; else the end of the queue.
  mutating func acquire() -> Acquisition {
    if isClosing { return .refused(.poolClosed) }
    if waiting.isEmpty, let lease = freeLease() {
      slots[lease.slot] = .leased
      return .leased(lease)
    }
    guard waiting.count < waitersMax else { return .refused(.tooManyWaiters) }
    lastID += 1
    compactQueue()
    queue.append(lastID)
    waiting.insert(lastID)
    return .queued(lastID)
  }

  private func freeLease() -> Lease? {
    var best: Lease?
    var bestRest: Instant?
    for (index, slot) in slots.enumerated() {
      switch slot {
      case .leased: continue
      case .idle(let since):
        if let known = best?.idleSince, known >= since { continue }
        best = Lease(slot: index, idleSince: since)
      case .empty:
        if best?.idleSince != nil { continue }
        let rest = restsUntil[index]
        if best != nil, !Self.isSooner(rest, than: bestRest) { continue }
        best = Lease(slot: index, idleSince: nil)
        bestRest = rest
      }
    }
    return best
  }

  private static func isSooner(_ first: Instant?, than second: Instant?) -> Bool {
    guard let second else { return false }
    guard let first else { return true }
    return first < second
  }

  /// A waiter gives up, by time or cancellation.
  ///
  /// - Returns: false where it no longer waits, because it got a lease or was told of the closing: it has to
  ///   take that.
  mutating func giveUp(_ id: WaiterID) -> Bool {
    waiting.remove(id) != nil
  }

  /// A caller returns its slot.
  ///
  /// - Parameter isLive: whether a connection fit for the next caller stands in it.
  /// - Returns: the waiter that gets it now, if any. While closing there is none, and the connection is to be
  ///   closed.
  mutating func release(_ slot: Int, isLive: Bool, now: Instant) -> (waiter: WaiterID, lease: Lease)? {
    guard case .leased = slots[slot] else { preconditionFailure("slot \(slot) was returned twice") }
    if isClosing {
      slots[slot] = .empty
      return nil
    }
    let idleSince = isLive ? now : nil
    if let waiter = nextWaiter() { return (waiter, Lease(slot: slot, idleSince: idleSince)) }
    slots[slot] = isLive ? .idle(since: now) : .empty
    return nil
  }

  private mutating func nextWaiter() -> WaiterID? {
    while queueHead < queue.count {
      let id = queue[queueHead]
      queueHead += 1
      if waiting.remove(id) != nil { return id }
    }
    return nil
  }

  /// Keeps the queue's memory within twice the number of those who wait.
  private mutating func compactQueue() {
    guard queue.count >= 2 * waiting.count + 64 else { return }
    queue = queue[queueHead...].filter(waiting.contains)
    queueHead = 0
  }

  /// Until when the slot rests; nil where it may be tried at once.
  func restsUntil(_ slot: Int) -> Instant? { restsUntil[slot] }

  /// An attempt to open a connection in the slot failed. It rests for 50 ms, 100 ms, … up to 2 s, of which a
  /// random half is left off, so that many clients do not come back in step.
  mutating func connectingFailed(_ slot: Int, now: Instant, using generator: inout some RandomNumberGenerator) {
    // Doubling five times passes the longest rest; a larger shift would overflow.
    let doublings = min(failures[slot], 6)
    failures[slot] += 1
    let full = min(Self.restInitialMilliseconds << doublings, Self.restMaxMilliseconds)
    restsUntil[slot] = now + .milliseconds(Int.random(in: (full / 2)...full, using: &generator))
  }

  /// A connection was opened in some slot: the server is there, no slot has to rest.
  mutating func connectingSucceeded() {
    for slot in slots.indices {
      failures[slot] = 0
      restsUntil[slot] = nil
    }
  }

  /// Takes no new callers.
  ///
  /// - Returns: the waiters that are to be refused, and the slots whose idle connections are to be closed.
  mutating func close() -> (refused: [WaiterID], idle: [Int]) {
    isClosing = true
    let refused = queue[queueHead...].filter(waiting.contains)
    queue.removeAll()
    queueHead = 0
    waiting.removeAll()
    var idle: [Int] = []
    for (index, slot) in slots.enumerated() {
      if case .idle = slot {
        idle.append(index)
        slots[index] = .empty
      }
    }
    return (Array(refused), idle)
  }
}
