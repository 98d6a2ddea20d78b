import Testing

@testable import Postgres

/// The pool's decisions, without connections or clocks.
@Suite struct PoolStateMachineTests {
  private let start = ContinuousClock.now

  private func machine(slots: Int = 2, waitersMax: Int = 3) -> PoolStateMachine {
    PoolStateMachine(slotCount: slots, waitersMax: waitersMax)
  }

  private func id(_ acquisition: PoolStateMachine.Acquisition) throws -> UInt64 {
    guard case .queued(let id) = acquisition else { throw NothingThrown() }
    return id
  }

  // Proves that slots are leased once each, that the next callers wait in order, and that one beyond the
  // maximum is refused while the last one within it is not.
  @Test func `callers beyond the slots wait in order, up to the maximum`() throws {
    var machine = machine()
    #expect(machine.acquire() == .leased(.init(slot: 0, idleSince: nil)))
    #expect(machine.acquire() == .leased(.init(slot: 1, idleSince: nil)))
    let waiters = try (0..<3).map { _ in try id(machine.acquire()) }
    #expect(machine.acquire() == .refused(.tooManyWaiters))
    #expect(machine.waitingCount == 3)
    for (slot, waiter) in zip([1, 0, 1], waiters) {
      let next = machine.release(slot, isLive: true, now: start)
      #expect(next?.waiter == waiter)
      #expect(next?.lease == .init(slot: slot, idleSince: start))
    }
    #expect(machine.release(0, isLive: true, now: start) == nil)
    #expect(machine.release(1, isLive: false, now: start) == nil)
    #expect((machine.idleCount, machine.busyCount, machine.waitingCount) == (1, 0, 0))
  }

  // Proves that a newcomer cannot overtake: a slot returned while somebody waits never becomes free.
  @Test func `a returned slot goes to the waiter, not to a newcomer`() throws {
    var machine = machine(slots: 1)
    _ = machine.acquire()
    let first = try id(machine.acquire())
    #expect(machine.release(0, isLive: true, now: start)?.waiter == first)
    let second = try id(machine.acquire())
    #expect(machine.release(0, isLive: true, now: start)?.waiter == second)
  }

  // Proves that giving up works once, and only before the lease was given; the next waiter moves up.
  @Test func `a waiter that gave up is passed over`() throws {
    var machine = machine(slots: 1)
    _ = machine.acquire()
    let first = try id(machine.acquire())
    let second = try id(machine.acquire())
    #expect(machine.giveUp(first) == true)
    #expect(machine.giveUp(first) == false)
    #expect(machine.release(0, isLive: false, now: start)?.waiter == second)
    #expect(machine.giveUp(second) == false)
    #expect(machine.waitingCount == 0)
  }

  // Proves that the queue's memory does not grow with callers that came and went while nothing was returned:
  // after many of them, the one that stayed is still served first.
  @Test func `thousands of waiters that gave up leave the order alone`() throws {
    var machine = machine(slots: 1, waitersMax: 2)
    _ = machine.acquire()
    let patient = try id(machine.acquire())
    for _ in 0..<10_000 {
      let impatient = try id(machine.acquire())
      #expect(machine.giveUp(impatient) == true)
    }
    let last = try id(machine.acquire())
    #expect(machine.release(0, isLive: true, now: start)?.waiter == patient)
    #expect(machine.release(0, isLive: true, now: start)?.waiter == last)
  }

  // Proves the choice among free slots: the connection used last, then an empty slot that does not rest.
  @Test func `live connections come first, then slots that need no rest`() {
    var generator = SystemRandomNumberGenerator()
    var machine = machine(slots: 3)
    for _ in 0..<3 { _ = machine.acquire() }
    machine.connectingFailed(0, now: start, using: &generator)
    _ = machine.release(0, isLive: false, now: start)
    _ = machine.release(1, isLive: false, now: start)
    _ = machine.release(2, isLive: true, now: start)
    #expect(machine.acquire() == .leased(.init(slot: 2, idleSince: start)))
    #expect(machine.acquire() == .leased(.init(slot: 1, idleSince: nil)))
    #expect(machine.acquire() == .leased(.init(slot: 0, idleSince: nil)))
    _ = machine.release(1, isLive: true, now: start)
    _ = machine.release(2, isLive: true, now: start + .seconds(1))
    #expect(machine.acquire() == .leased(.init(slot: 2, idleSince: start + .seconds(1))))
  }

  /// Always draws the same number, for the two ends of the jitter: 2⁵³ makes `Int.random` give the lowest of up
  /// to two thousand values, the largest number the highest one. (A zero would be drawn again, for ever.)
  private struct ConstantGenerator: RandomNumberGenerator {
    let value: UInt64
    mutating func next() -> UInt64 { value }
  }

  // Proves that rests double from 50 ms to 2 s and stay there, that jitter takes off at most half, and that
  // one success ends all rests.
  @Test func `rests double up to two seconds, less a random half, until one attempt succeeds`() {
    var lowest = machine()
    var highest = machine()
    var low = ConstantGenerator(value: 1 << 53)
    var high = ConstantGenerator(value: .max)
    for full in [50, 100, 200, 400, 800, 1600, 2000, 2000, 2000] {
      lowest.connectingFailed(1, now: start, using: &low)
      highest.connectingFailed(1, now: start, using: &high)
      #expect(lowest.restsUntil(1) == start + .milliseconds(full / 2))
      #expect(highest.restsUntil(1) == start + .milliseconds(full))
    }
    #expect(highest.restsUntil(0) == nil)
    highest.connectingSucceeded()
    #expect(highest.restsUntil(1) == nil)
    highest.connectingFailed(1, now: start, using: &high)
    #expect(highest.restsUntil(1) == start + .milliseconds(50))
  }

  // Proves that closing refuses all who wait and all who come, and is complete with the last return.
  @Test func `closing refuses waiters and newcomers and ends with the last return`() throws {
    var machine = machine()
    _ = machine.acquire()
    _ = machine.acquire()
    _ = machine.release(1, isLive: true, now: start)
    _ = machine.acquire()
    let waiter = try id(machine.acquire())
    let other = try id(machine.acquire())
    #expect(machine.giveUp(other) == true)
    _ = machine.release(1, isLive: true, now: start)  // to the waiter
    let late = try id(machine.acquire())
    #expect(machine.close().refused == [late])
    #expect(waiter < late)
    #expect(machine.acquire() == .refused(.poolClosed))
    #expect(!machine.isDrained)
    #expect(machine.release(0, isLive: true, now: start) == nil)
    #expect(!machine.isDrained)
    #expect(machine.release(1, isLive: true, now: start) == nil)
    #expect(machine.isDrained)
    #expect(machine.idleCount == 0)
  }

  // Proves that closing names the idle connections, which somebody has to close.
  @Test func `closing names the idle slots`() {
    var machine = machine()
    _ = machine.acquire()
    _ = machine.release(0, isLive: true, now: start)
    #expect(machine.close().idle == [0])
    #expect(machine.isDrained)
  }
}
