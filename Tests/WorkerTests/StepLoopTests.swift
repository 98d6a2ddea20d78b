import Logging
import Payouts
import ServiceLifecycle
import Synchronization
import Testing

@testable import Worker

struct StepLoopTests {
  private let clock = VirtualClock()
  private let output = KeptOutput()
  private let registry = PrometheusRegistry()

  private struct Trouble: Error {}

  private func loop(
    _ steps: [Step], health: HealthRegistry, random: any RandomSource = LargestNumber()
  ) -> StepLoop {
    let logger = Logger(label: "test") { label in
      StructuredLogHandler(
        label: label, service: "test", level: .trace, format: .json, clock: clock, output: output)
    }
    return StepLoop(
      steps, clock: clock, random: random, health: health, logger: logger,
      instruments: Instruments(worker: "test", registry: registry), drainMilliseconds: 15_000)
  }

  /// Runs a loop beside a test, which then raises the signal; ends with the loop.
  private func run(_ loop: StepLoop, _ body: (StopSignal) async throws -> Void) async throws {
    let stop = StopSignal()
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await loop.run(until: stop) }
      try await body(stop)
      stop.raise()
      try await tasks.waitForAll()
    }
  }

  /// Proves that a step that worked goes again at once, and that an idle one begins its next round exactly when its
  /// time is over, not a millisecond earlier.
  @Test func `work goes on at once and idleness waits`() async throws {
    let rounds = Tally()
    let health = HealthRegistry(service: "test", clock: clock)
    let step = Step("a") { rounds.increment() % 5 == 0 ? .idle(milliseconds: 700) : .worked }
    try await run(loop([step], health: health)) { _ in
      #expect(await eventually { clock.remaining == [700] })
      #expect(rounds.count == 5)
      clock.advance(milliseconds: 699)
      #expect(clock.remaining == [1])
      #expect(rounds.count == 5)
      clock.advance(milliseconds: 1)
      #expect(await eventually { clock.remaining == [700] })
      #expect(rounds.count == 10)
      #expect(health.component("step.a")?.state == .ok)
    }
    let read = try PrometheusReader(registry.text())
    #expect(read.value("payouts_test_step_rounds_total", ["step": "a", "outcome": "worked"]) == 8)
    #expect(read.value("payouts_test_step_rounds_total", ["step": "a", "outcome": "idle"]) == 2)
    #expect(read.value("payouts_test_step_round_seconds_count", ["step": "a"]) == 10)
  }

  /// Proves that waits are kept within their bounds, whatever a step asks for.
  @Test(arguments: zip([.min, 0, 1, 300_000, .max] as [Int64], [1, 1, 1, 300_000, 300_000] as [Int64]))
  func `an idle time is kept within bounds`(_ asked: Int64, _ kept: Int64) async throws {
    let health = HealthRegistry(service: "test", clock: clock)
    try await run(loop([Step("a") { .idle(milliseconds: asked) }], health: health)) { _ in
      #expect(await eventually { clock.remaining == [kept] })
    }
  }

  /// Proves that a step that asks nodes waits for five seconds at most, whatever the loop does with the others.
  @Test func `a step may have a back-off of its own`() async throws {
    let health = HealthRegistry(service: "test", clock: clock)
    let step = Step("a", backOff: .asking) { throw Trouble() }
    try await run(loop([step], health: health)) { _ in
      for expected in [200, 400, 800, 1_600, 3_200, 5_000, 5_000] as [Int64] {
        #expect(await eventually { clock.remaining == [expected] })
        clock.advance(milliseconds: expected)
      }
    }
  }

  /// Proves that failures wait longer each time up to the maximum, are reported and logged, and that one success
  /// begins anew.
  @Test func `back-off grows to its maximum and ends with success`() async throws {
    let rounds = Tally()
    let health = HealthRegistry(service: "test", clock: clock)
    let step = Step("a", stateWhenFailing: .failed) {
      guard rounds.increment() == 11 else { throw Trouble() }
      return .idle(milliseconds: 5)
    }
    try await run(loop([step], health: health)) { _ in
      for expected in [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000] as [Int64] {
        #expect(await eventually { clock.remaining == [expected] })
        #expect(health.component("step.a")?.state == .failed)
        clock.advance(milliseconds: expected)
      }
      #expect(await eventually { clock.remaining == [5] })
      #expect(health.component("step.a") == .init(state: .ok, since: clock.now(), detail: nil))
      clock.advance(milliseconds: 5)
      #expect(await eventually { clock.remaining == [200] })
    }
    let levels = output.lines.compactMap { line in
      ["warning", "error", "info"].first { line.contains("\"level\":\"\($0)\"") }
    }
    #expect(
      levels == Array(repeating: "warning", count: 4) + Array(repeating: "error", count: 6) + ["info", "warning"])
    #expect(
      output.lines[1].contains("\"failure.count\":\"2\"") && output.lines[1].contains("\"retry.delay_ms\":\"400\""))
    #expect(output.lines.allSatisfy { $0.contains("\"step.name\":\"a\"") })
  }

  /// Proves that chance takes away at most half of a wait, and that the smallest and largest numbers stay inside.
  @Test func `jitter lies between half a wait and all of it`() {
    let backOff = BackOff(initialMilliseconds: 3, maximumMilliseconds: 100)
    #expect(
      (1...8).map { backOff.delay(afterFailures: $0, random: SmallestNumber()) } == [1, 3, 6, 12, 24, 48, 50, 50])
    #expect(
      (1...8).map { backOff.delay(afterFailures: $0, random: LargestNumber()) } == [3, 6, 12, 24, 48, 96, 100, 100])
    #expect(backOff.ceiling(afterFailures: .max) == 100)
    let widest = BackOff(initialMilliseconds: .max, maximumMilliseconds: .max)
    #expect(widest.ceiling(afterFailures: 60) == .max)
    let drawn = (0..<200).map { _ in BackOff.standard.delay(afterFailures: 3, random: SystemRandomSource()) }
    #expect(drawn.allSatisfy { (400...800).contains($0) } && Set(drawn).count > 1)
  }

  /// Proves that a step in trouble does not hold up its neighbour, and that its state is degraded unless it says more.
  @Test func `a failing step leaves the others alone`() async throws {
    let rounds = Tally()
    let health = HealthRegistry(service: "test", clock: clock)
    let steps = [
      Step("bad") { throw Trouble() },
      Step("good") {
        rounds.increment()
        return .idle(milliseconds: 10)
      },
    ]
    #expect(health.report().reasonsNotReady().isEmpty)
    try await run(loop(steps, health: health)) { _ in
      #expect(await eventually { clock.remaining == [10, 200] })
      for _ in 0..<10 {
        clock.advance(milliseconds: 10)
        #expect(await eventually { clock.remaining.first == 10 })
      }
      #expect(rounds.count == 11)
      #expect(health.report().status == .degraded)
      #expect(health.report().reasonsNotReady().isEmpty)
    }
  }

  /// Proves that the worker is not ready before each step has done one round.
  @Test func `steps that did not run yet keep the worker unready`() {
    let health = HealthRegistry(service: "test", clock: clock)
    _ = loop([Step("a") { .worked }, Step("b") { .worked }], health: health)
    #expect(health.report().reasonsNotReady() == ["step.a: not tried yet", "step.b: not tried yet"])
  }

  /// Proves that an error marked as fatal ends the loop with that error, and cuts off the other steps' waits.
  @Test func `a fatal error ends the loop`() async throws {
    let health = HealthRegistry(service: "test", clock: clock)
    let steps = [
      Step("calm") { .idle(milliseconds: 1_000) },
      Step("bad", stateWhenFailing: .failed) { throw FatalStepError("the journal is gone", underlying: Trouble()) },
    ]
    let error = try await #require(throws: FatalStepError.self) {
      try await loop(steps, health: health).run(until: StopSignal())
    }
    #expect("\(error)" == "the journal is gone (Trouble())")
    #expect(clock.remaining.isEmpty)
    #expect(health.component("step.bad")?.state == .failed)
    #expect(output.urgent.contains(true))
    await #expect(throws: Trouble.self) {
      let own = Step("own", isFatal: { $0 is Trouble }) { throw Trouble() }
      try await loop([own], health: health).run(until: StopSignal())
    }
  }

  /// A round that goes on until the test opens it.
  private final class Gate: Sendable {
    let began = StopSignal()
    let open = StopSignal()
  }

  /// Proves that on shutdown a running round finishes, no new one begins, and an idle step does not sleep on.
  @Test func `graceful shutdown finishes rounds and begins none`() async throws {
    let gate = Gate()
    let rounds = Tally()
    let finished = Tally()
    let health = HealthRegistry(service: "test", clock: clock)
    let steps = [
      Step("busy") {
        rounds.increment()
        gate.began.raise()
        await gate.open.wait()
        finished.increment()
        return .worked
      },
      Step("calm") { .idle(milliseconds: 60_000) },
    ]
    try await run(loop(steps, health: health)) { stop in
      await gate.began.wait()
      #expect(await eventually { clock.remaining == [60_000] })
      stop.raise()
      // The idle step is gone; what sleeps now is the limit of the drain.
      #expect(await eventually { clock.remaining == [15_000] })
      #expect(finished.count == 0)
      clock.advance(milliseconds: 14_999)
      #expect(clock.remaining == [1])
      gate.open.raise()
    }
    #expect(rounds.count == 1)
    #expect(finished.count == 1)
    #expect(clock.remaining.isEmpty)
  }

  /// Proves that a fatal error lets another step's running round finish, begins no new one, and is thrown at the end.
  @Test func `a fatal error waits for running rounds`() async throws {
    let gate = Gate()
    let rounds = Tally()
    let finished = Tally()
    let health = HealthRegistry(service: "test", clock: clock)
    let steps = [
      Step("busy") {
        rounds.increment()
        gate.began.raise()
        await gate.open.wait()
        if !Task.isCancelled { finished.increment() }
        return .worked
      },
      Step("bad") {
        await gate.began.wait()
        throw FatalStepError("no")
      },
    ]
    await #expect(throws: FatalStepError.self) {
      try await run(loop(steps, health: health)) { stop in
        #expect(await eventually { clock.remaining == [15_000] })
        #expect(stop.isRaised)
        gate.open.raise()
      }
    }
    #expect(rounds.count == 1)
    #expect(finished.count == 1)
  }

  /// Proves that a round that does not end is cancelled when the drain's time is over, and that this is named.
  @Test func `a drain has an end`() async throws {
    let gate = Gate()
    let health = HealthRegistry(service: "test", clock: clock)
    let step = Step("stuck") {
      gate.began.raise()
      // Cancellation ends this wait, the signal never comes.
      await gate.open.wait()
      try Task.checkCancellation()
      return .worked
    }
    let error = try await #require(throws: WorkerError.self) {
      try await run(loop([step], health: health)) { stop in
        await gate.began.wait()
        stop.raise()
        #expect(await eventually { clock.remaining == [15_000] })
        clock.advance(milliseconds: 15_000)
      }
    }
    #expect(error.code == .drainTimedOut)
    #expect(health.component("step.stuck")?.state == .starting)
  }

  /// Proves that the lifecycle package's own shutdown reaches the loop, and its cancellation too.
  @Test func `a service group stops the loop`() async throws {
    let health = HealthRegistry(service: "test", clock: clock)
    let loop = loop([Step("a") { .idle(milliseconds: 60_000) }], health: health)
    let group = ServiceGroup(
      configuration: .init(services: [loop], logger: Logger(label: "x") { _ in SwiftLogNoOpLogHandler() }))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      #expect(await eventually { clock.remaining == [60_000] })
      await group.triggerGracefulShutdown()
      try await tasks.waitForAll()
    }
    let task = Task { try await loop.run() }
    #expect(await eventually { clock.remaining == [60_000] })
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }
}

struct StopSignalTests {
  /// Proves that everybody who waits is woken, before and after the signal.
  @Test func `a raised signal wakes all, for ever`() async {
    let stop = StopSignal()
    let woken = Tally()
    await withTaskGroup(of: Void.self) { tasks in
      for _ in 0..<50 {
        tasks.addTask {
          await stop.wait()
          woken.increment()
        }
      }
      #expect(!stop.isRaised)
      stop.raise()
      stop.raise()
    }
    await stop.wait()
    #expect(woken.count == 50)
    #expect(stop.isRaised)
  }

  /// Proves that cancellation ends a wait, before it began and while it lasts, and leaves the others waiting.
  @Test func `cancelling one waiter leaves its neighbours`() async {
    let stop = StopSignal()
    let woken = Tally()
    for _ in 0..<200 {
      let task = Task {
        await stop.wait()
        woken.increment()
      }
      task.cancel()
      await task.value
    }
    #expect(woken.count == 200)
    let neighbour = Task {
      await stop.wait()
      woken.increment()
    }
    let cancelled = Task { await stop.wait() }
    cancelled.cancel()
    await cancelled.value
    #expect(woken.count == 200)
    stop.raise()
    await neighbour.value
    #expect(woken.count == 201)
  }

  /// Proves that a pause ends by the clock, by the signal, or by cancellation, whichever is first.
  @Test func `a pause has three ends`() async throws {
    let clock = VirtualClock()
    let stop = StopSignal()
    let first = Task { try await stop.pause(milliseconds: 100, by: clock) }
    #expect(await eventually { clock.remaining == [100] })
    clock.advance(milliseconds: 100)
    try await first.value
    let second = Task { try await stop.pause(milliseconds: 100, by: clock) }
    #expect(await eventually { clock.remaining == [100] })
    second.cancel()
    await #expect(throws: CancellationError.self) { try await second.value }
    let third = Task { try await stop.pause(milliseconds: 100, by: clock) }
    #expect(await eventually { clock.remaining == [100] })
    stop.raise()
    try await third.value
    #expect(clock.remaining.isEmpty)
  }
}

struct SystemTimeTests {
  /// Proves that the system's clock tells Unix milliseconds, that sleep lasts at least its time, and is cancellable.
  @Test func `the system clock tells and waits`() async throws {
    let clock = SystemClock()
    let now = clock.now()
    #expect(now > Timestamp(milliseconds: 1_760_000_000_000) && now < Timestamp(milliseconds: 4_100_000_000_000))
    let began = ContinuousClock.now
    try await clock.sleep(milliseconds: 15)
    #expect(ContinuousClock.now - began >= .milliseconds(15))
    try await clock.sleep(milliseconds: 0)
    let task = Task { try await clock.sleep(milliseconds: 3_600_000) }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  /// Proves the shape of the system's randomness; its quality is the operating system's.
  @Test func `system randomness has the asked shape`() {
    let random = SystemRandomSource()
    #expect(random.bytes(0).isEmpty)
    #expect(random.bytes(32).count == 32 && random.bytes(32) != random.bytes(32))
    #expect((0..<1_000).allSatisfy { _ in random.uniform(below: 3) < 3 })
    #expect(Set((0..<1_000).map { _ in random.uniform(below: 3) }).count == 3)
    #expect(random.uniform(below: 1) == 0)
  }
}
