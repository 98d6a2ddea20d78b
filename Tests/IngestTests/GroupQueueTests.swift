import Synchronization
import Testing
import Worker

@testable import Ingest

/// The grouping as a pure machine: every event in every state.
struct GroupQueueTests {
  private func queue(groupMax: Int = 3, waitingMax: Int = 5) -> GroupQueue<Int> {
    GroupQueue(groupMax: groupMax, waitingMax: waitingMax)
  }

  @Test func `an idle lane gets an entry at once, alone`() {
    // Proves that nothing waits for company: no delay is added when idle.
    var queue = queue()
    guard case .sleep = queue.laneIsFree(0) else { Issue.record("a lane with nothing to do sleeps"); return }
    guard case .wake(lane: 0, group: [7]) = queue.submit(7) else { Issue.record("the lane is woken"); return }
    #expect(queue.waitingCount == 0)
  }

  @Test func `what waits while lanes are busy goes together, in order, up to the maximum`() {
    // Proves the grouping: everything that waited when a lane became free, oldest first, both sides of the maximum.
    var queue = queue()
    for entry in 1...4 {
      guard case .waits = queue.submit(entry) else { Issue.record("no lane is free"); return }
    }
    guard case .work([1, 2, 3]) = queue.laneIsFree(0) else { Issue.record("three go together"); return }
    guard case .work([4]) = queue.laneIsFree(1) else { Issue.record("the rest goes with the next lane"); return }
    guard case .sleep = queue.laneIsFree(0) else { Issue.record("nothing is left"); return }
  }

  @Test func `beyond the maximum that waits an entry is refused, and taken again when there is room`() {
    // Proves that the queue is bounded and recovers.
    var queue = queue()
    for entry in 1...5 { _ = queue.submit(entry) }
    guard case .refusedFull = queue.submit(6) else { Issue.record("the sixth is one too many"); return }
    guard case .work([1, 2, 3]) = queue.laneIsFree(0) else { Issue.record("three go"); return }
    guard case .waits = queue.submit(7) else { Issue.record("there is room again"); return }
    guard case .work([4, 5, 7]) = queue.laneIsFree(0) else { Issue.record("in order"); return }
  }

  @Test func `a closed queue takes nothing, is worked off, and ends its lanes`() {
    // Proves the drain: sleepers end at once, busy lanes when nothing waits any more.
    var queue = queue()
    guard case .sleep = queue.laneIsFree(0) else { Issue.record("idle"); return }
    guard case .sleep = queue.laneIsFree(1) else { Issue.record("idle"); return }
    guard case .wake(lane: let busy, group: [1]) = queue.submit(1) else { Issue.record("woken"); return }
    #expect(queue.close() == [1 - busy])
    guard case .refusedClosed = queue.submit(2) else { Issue.record("closed"); return }
    guard case .end = queue.laneIsFree(busy) else { Issue.record("the busy lane ends after its group"); return }

    var other = self.queue()
    _ = other.submit(1)
    #expect(other.close().isEmpty)
    guard case .work([1]) = other.laneIsFree(0) else { Issue.record("what waited is worked on"); return }
    guard case .end = other.laneIsFree(0) else { Issue.record("then it ends"); return }
  }

  @Test func `an abandoned queue gives back what nobody worked on`() {
    // Proves that no entry is forgotten on a hard stop.
    var queue = queue()
    for entry in 1...5 { _ = queue.submit(entry) }
    guard case .work = queue.laneIsFree(0) else { Issue.record("three are under way"); return }
    _ = queue.close()
    #expect(queue.abandon() == [4, 5])
    #expect(queue.waitingCount == 0)
  }

  @Test func `random events lose nothing, double nothing, and keep the order`() {
    // Proves the machine against a plain list, with a printed seed.
    let seed = UInt64.random(in: .min ... .max)
    print("seed of GroupQueueTests: \(seed)")
    var generator = SplitMix(state: seed)
    var queue = GroupQueue<Int>(groupMax: 4, waitingMax: 50)
    var (next, taken, done) = (0, [Int](), [Int]())
    var idle: Set<Int> = []
    for _ in 0..<20_000 {
      if Bool.random(using: &generator) {
        switch queue.submit(next) {
        case .waits: taken.append(next)
        case .wake(let lane, let group):
          #expect(idle.remove(lane) != nil)
          taken.append(next)
          done += group
        case .refusedFull: #expect(queue.waitingCount == 50)
        case .refusedClosed: Issue.record("it is open")
        }
        next += 1
      } else {
        let lane = Int.random(in: 0..<3, using: &generator)
        guard !idle.contains(lane) else { continue }
        switch queue.laneIsFree(lane) {
        case .work(let group):
          #expect((1...4).contains(group.count))
          done += group
        case .sleep: idle.insert(lane)
        case .end: Issue.record("it is open")
        }
      }
      #expect(idle.isEmpty || queue.waitingCount == 0)
    }
    _ = queue.close()
    done += queue.abandon()
    #expect(done == taken)
  }

  @Test func `a cancelled runner answers for what it never began`() async throws {
    // Proves the shell: with its only lane busy, entries wait; cancelling ends it and hands them to `abandon`, once.
    let abandoned = Mutex<[Int]>([])
    let worked = Mutex<[Int]>([])
    let begun = StopSignal()
    let runner = GroupRunner<Int>(laneCount: 1, groupMax: 1, waitingMax: 10) { group in
      worked.withLock { $0 += group }
      begun.raise()
      try? await SystemClock().sleep(milliseconds: 3_600_000)
    } abandon: { left in
      abandoned.withLock { $0 += left }
    }
    for entry in 1...3 { try runner.submit(entry) }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { try? await runner.run(until: StopSignal()) }
      await begun.wait()
      group.cancelAll()
    }
    #expect(worked.withLock { $0 } == [1])
    #expect(abandoned.withLock { $0 } == [2, 3])
    #expect(throws: GroupRunner<Int>.Refusal.closed) { try runner.submit(4) }
  }

  @Test func `a stopped runner finishes what waits`() async throws {
    // Proves the drain through the shell, with lanes that sleep and lanes that work.
    let worked = Mutex<[Int]>([])
    let stop = StopSignal()
    let runner = GroupRunner<Int>(laneCount: 2, groupMax: 2, waitingMax: 100) { group in
      await Task.yield()
      worked.withLock { $0 += group }
    } abandon: { _ in
      Issue.record("nothing is abandoned")
    }
    for entry in 0..<50 { try runner.submit(entry) }
    stop.raise()
    try await runner.run(until: stop)
    #expect(worked.withLock { $0.sorted() } == Array(0..<50))
  }
}

/// A small generator with a seed (SplitMix64, public domain by Sebastiano Vigna).
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
