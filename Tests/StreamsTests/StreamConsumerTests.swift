import TestSupport
import Testing

@testable import Streams

/// The consumer's step, on streams in memory with time that the test moves: no wait, no loop, no server.
@Suite struct StreamConsumerTests {
  @Test func `a step hands over what is new in portions, acknowledges it and counts it`() async throws {
    let scene = ConsumerScene()
    let consumer = try scene.consumer()
    #expect(try await consumer.step() == 0)
    try await scene.append(1...12)
    try await scene.append(13...15, to: .payoutsHourly)
    #expect(try await consumer.step() == 13)
    #expect(scene.worker.handed() == [Array(1...10), [13, 14, 15]])
    #expect(try await consumer.step() == 2)
    #expect(scene.worker.handed() == [[11, 12]])
    #expect(try await scene.length() == 0)
    #expect(try await consumer.step() == 0)
    #expect(scene.worker.handed().isEmpty)
  }

  @Test func `entries of several streams are split at the count`() async throws {
    let scene = ConsumerScene()
    let consumer = try scene.consumer()
    try await scene.append(1...10)
    try await scene.append(11...20, to: .payoutsHourly)
    #expect(try await consumer.step() == 20)
    #expect(scene.worker.handed() == [Array(1...10), Array(11...20)])
  }

  @Test func `what the handler does not return comes again by a claim once it lay idle`() async throws {
    let scene = ConsumerScene()
    let consumer = try scene.consumer()
    scene.worker.change { $0.keeping = [2] }
    try await scene.append(1...3)
    #expect(try await consumer.step() == 3)
    #expect(try await scene.length() == 1)
    scene.worker.change { $0.keeping = [] }
    scene.time.advance(29_999)
    #expect(try await consumer.step() == 0)
    // The claim at 29,999 ms found nothing; the next may begin 5,000 ms later.
    scene.time.advance(4_999)
    #expect(try await consumer.step() == 0)
    scene.time.advance(1)
    #expect(try await consumer.step() == 1)
    #expect(scene.worker.handed() == [[1, 2, 3], [2]])
    #expect(try await scene.length() == 0)
  }

  @Test func `a claim begins at most once in its time, and goes on until it brings nothing`() async throws {
    let scene = ConsumerScene()
    try await scene.append(1...25)
    _ = try await scene.streams.read(
      [.payoutsImmediate], group: StreamFixture.group, consumer: name("dead"), count: 25, blockMilliseconds: 0)
    scene.time.advance(60_000)
    try await scene.append(26...27)
    let consumer = try scene.consumer("berta")
    var steps: [Int] = []
    for _ in 0..<5 { steps.append(try await consumer.step()) }
    #expect(steps == [10, 10, 5, 2, 0])
    #expect(scene.worker.handed().flatMap { $0 } == Array(1...27))
  }

  @Test func `a worker that starts again begins with what it held, page by page`() async throws {
    let scene = ConsumerScene()
    let earlier = try scene.consumer { $0.count = 3 }
    scene.worker.change { $0.keeping = Set(1...7) }
    try await scene.append(1...7)
    for _ in 0..<3 { _ = try await earlier.step() }
    try await scene.append(8...8)
    _ = scene.worker.handed()
    scene.worker.change { $0.keeping = [2] }

    let later = try scene.consumer { $0.count = 3 }
    var steps: [Int] = []
    for _ in 0..<5 { steps.append(try await later.step()) }
    #expect(steps == [3, 3, 1, 1, 0])
    #expect(scene.worker.handed() == [[1, 2, 3], [4, 5, 6], [7], [8]])
    #expect(try await scene.length() == 1)
  }

  @Test func `another worker does not begin with what the first one holds`() async throws {
    let scene = ConsumerScene()
    scene.worker.change { $0.keeping = [1] }
    try await scene.append(1...1)
    _ = try await scene.consumer("anna").step()
    #expect(try await scene.consumer("berta").step() == 0)
  }

  /// The reply to a read is lost after the server gave the entries: the next step finds them without waiting for a claim.
  @Test func `entries whose reply was lost are read again at once`() async throws {
    let scene = ConsumerScene()
    let consumer = try scene.consumer()
    #expect(try await consumer.step() == 0)
    try await scene.append(1...3)
    await scene.streams.setFault { $0 == .read ? .unknown : nil }
    await #expect(throws: StreamError.self) { _ = try await consumer.step() }
    await scene.streams.setFault { $0 == .readPending ? .notDone : nil }
    await #expect(throws: StreamError.self) { _ = try await consumer.step() }
    await scene.streams.setFault(nil)
    #expect(try await consumer.step() == 3)
    #expect(scene.worker.handed() == [[1, 2, 3]])
    #expect(try await scene.length() == 0)
  }

  @Test func `a lost answer to a claim or to an acknowledgement loses nothing`() async throws {
    let scene = ConsumerScene()
    try await scene.append(1...2)
    _ = try await scene.streams.read(
      [.payoutsImmediate], group: StreamFixture.group, consumer: name("dead"), count: 1, blockMilliseconds: 0)
    scene.time.advance(60_000)
    let consumer = try scene.consumer()
    await scene.streams.setFault { $0 == .claim ? .unknown : nil }
    await #expect(throws: StreamError.self) { _ = try await consumer.step() }
    await scene.streams.setFault { $0 == .acknowledge ? .notDone : nil }
    await #expect(throws: StreamError.self) { _ = try await consumer.step() }
    #expect(scene.worker.handed() == [[1]])
    await scene.streams.setFault(nil)
    #expect(try await consumer.step() == 1)
    #expect(scene.worker.handed() == [[2]])
    #expect(try await scene.length() == 1)
    scene.time.advance(60_000)
    #expect(try await consumer.step() == 1)
    #expect(try await scene.length() == 0)
  }

  @Test func `a handler that throws loses nothing and its error is passed on`() async throws {
    let scene = ConsumerScene()
    let consumer = try scene.consumer()
    scene.worker.change { $0.failing = [3] }
    try await scene.append(1...3)
    try await scene.append(4...4, to: .payoutsHourly)
    await #expect(throws: ScriptedWorker.Failure.self) { _ = try await consumer.step() }
    #expect(try await scene.length() == 4)
    scene.worker.change { $0.failing = [] }
    scene.time.advance(60_000)
    #expect(try await consumer.step() == 4)
    #expect(try await scene.length() == 0)
  }

  /// One entry always fails. Its neighbours fail with it twice, are then handed over alone and pass; it alone is given up
  /// after its last delivery, with its error, and leaves its payouts' holding to the callback.
  @Test func `an entry that always fails goes to the dead letters alone`() async throws {
    let scene = ConsumerScene()
    let consumer = try scene.consumer()
    scene.worker.change { $0.failing = [2] }
    try await scene.append(1...3)
    var handed: [[[Int]]] = []
    for _ in 0..<5 {
      _ = try? await consumer.step()
      handed.append(scene.worker.handed())
      scene.time.advance(60_000)
    }
    // Deliveries 1 and 2 together, 3 alone from the back, 4 what is left, 5 given up.
    #expect(handed == [[[1, 2, 3]], [[1, 2, 3]], [[3], [2], [1]], [[2]], []])
    #expect(scene.worker.givenUp == [2])
    #expect(try await scene.length() == 0)
    let letters = try await scene.streams.read(
      [StreamName.payoutsImmediate.deadLetters], group: StreamFixture.group, consumer: name("operator"), count: 10,
      blockMilliseconds: 0)
    #expect(letters.count == 1)
    #expect(letters[0].fields["n"] == "2")
    #expect(letters[0].fields[DeadLetterField.error] == "not done after 4 deliveries")
    #expect(letters[0].fields[DeadLetterField.deliveries] == "5")
  }

  /// The process dies each time it is handed entry 3 alone: the step never comes back, and a new life begins with what is
  /// pending. The neighbours on both sides pass within two rounds.
  @Test func `neighbours of an entry that kills the process pass from both sides`() async throws {
    let scene = ConsumerScene()
    try await scene.append(1...5)
    scene.worker.change { $0.keeping = Set(1...5) }
    for _ in 0..<2 { _ = try await scene.consumer().step() }
    #expect(scene.worker.handed() == [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5]])
    // A handler that is cancelled stops the step at once, as death would.
    let mortal = scene
    for expected in [[5, 4, 3], [1, 2, 3]] {
      var configuration = StreamConsumerConfiguration(
        streams: [.payoutsImmediate], group: StreamFixture.group, consumer: name("anna"))
      configuration.maximumDeliveries = 10
      let life = try StreamConsumer(
        transport: mortal.streams, configuration: configuration, now: { mortal.time.now },
        handle: { entries in
          mortal.worker.change { $0.keeping = [] }
          let done = try mortal.worker.handle(entries)
          if numbers(entries) == [3] { throw CancellationError() }
          return done
        }, giveUp: { _ in "never" })
      await #expect(throws: CancellationError.self) { _ = try await life.step() }
      #expect(scene.worker.handed().flatMap { $0 } == expected)
    }
    #expect(try await scene.length() == 1)
  }

  @Test func `an entry whose payouts could not be held stays pending`() async throws {
    let scene = ConsumerScene()
    let consumer = try scene.consumer()
    scene.worker.change {
      $0.failing = [1]
      $0.refusesToGiveUp = true
    }
    try await scene.append(1...1)
    for _ in 0..<7 {
      await #expect(throws: ScriptedWorker.Failure.self) { _ = try await consumer.step() }
      scene.time.advance(60_000)
    }
    #expect(scene.worker.handed().count == 4)
    #expect(try await scene.length() == 1)
    scene.worker.change { $0.refusesToGiveUp = false }
    #expect(try await consumer.step() == 1)
    #expect(scene.worker.givenUp == [1])
    #expect(try await scene.length() == 0)
  }

  @Test func `only what was handed over is acknowledged`() async throws {
    let scene = ConsumerScene()
    try await scene.append(1...2)
    let foreign = try await scene.streams.read(
      [.payoutsImmediate], group: StreamFixture.group, consumer: name("berta"), count: 1, blockMilliseconds: 0)
    let configuration = StreamConsumerConfiguration(
      streams: [.payoutsImmediate], group: StreamFixture.group, consumer: name("anna"))
    let consumer = try StreamConsumer(
      transport: scene.streams, configuration: configuration, now: { 0 }, handle: { $0 + foreign },
      giveUp: { _ in "never" })
    #expect(try await consumer.step() == 1)
    #expect(try await scene.length() == 1)
  }

  @Test func `a configuration outside its ranges is refused`() throws {
    let scene = ConsumerScene()
    for allowed in [4, 1000] { _ = try scene.consumer { $0.maximumDeliveries = allowed } }
    for change in [
      { $0.maximumDeliveries = 3 }, { $0.maximumDeliveries = 1001 }, { $0.count = 0 }, { $0.count = 1001 },
      { $0.streams = [] }, { $0.blockMilliseconds = 60_001 }, { $0.claimIdleMilliseconds = -1 },
      { $0.claimEveryMilliseconds = -1 },
    ] as [(inout StreamConsumerConfiguration) -> Void] {
      #expect(throws: StreamError.self) { try scene.consumer("anna", change) }
    }
    for text in ["", String(repeating: "x", count: 201), "a\nb", "a\u{7f}"] {
      #expect(throws: StreamError.self) { try ConsumerName(text) }
    }
    #expect(try ConsumerName(String(repeating: "x", count: 200)).text.count == 200)
  }

  /// Three workers on streams that fail at random, before or after the effect, and lose everything now and then; workers
  /// die and start again. Whatever was appended and not lost is handled or given up, and at the end nothing is left.
  @Test(arguments: 1...40)
  func `no entry is ever stuck, whatever fails`(seed: Int) async throws {
    let scene = ConsumerScene()
    var generator = SeededGenerator(seed: UInt64(seed))
    let poison = Set((0..<5).map { _ in Int.random(in: 0..<300, using: &generator) })
    scene.worker.change { $0.failing = poison }
    var consumers = try (0..<3).map { try scene.consumer("c\($0)") { $0.maximumDeliveries = 20 } }
    var handled = Set<Int>()
    var appended = 0
    for round in 0..<1_500 {
      if appended < 300, Int.random(in: 0..<2, using: &generator) == 0 {
        try await scene.append(
          appended..<appended + 3, to: appended.isMultiple(of: 2) ? .payoutsImmediate : .payoutsHourly)
        appended += 3
      }
      let dice = Int.random(in: 0..<12, using: &generator)
      let failing = MemoryStreams.Call.allCases.filter { $0 != .append && $0 != .length }
        .randomElement(using: &generator)
      await scene.streams.setFault { call in call == failing ? (dice == 0 ? .notDone : dice == 1 ? .unknown : nil) : nil
      }
      let index = Int.random(in: 0..<3, using: &generator)
      _ = try? await consumers[index].step()
      handled.formUnion(scene.worker.handed().flatMap { $0 })
      await scene.streams.setFault(nil)
      if dice == 2 { consumers[index] = try scene.consumer("c\(index)") { $0.maximumDeliveries = 20 } }
      scene.time.advance(Int64.random(in: 0..<20_000, using: &generator))
      let left = try await scene.length()
      if appended == 300, left == 0 { break }
      #expect(round < 1_499, "seed \(seed): \(left) entries are stuck")
    }
    #expect(handled == Set(0..<300), "seed \(seed)")
    #expect(Set(scene.worker.givenUp).isSubset(of: poison), "seed \(seed): an innocent entry was given up")
    #expect(Set(scene.worker.givenUp) == poison, "seed \(seed)")
  }
}

/// A generator whose numbers follow from its seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
