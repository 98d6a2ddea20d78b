import Synchronization
import TestSupport

@testable import Streams

/// Time that only the test moves.
final class ManualTime: Sendable {
  private let milliseconds = Atomic<Int64>(1_000_000)

  var now: Int64 { milliseconds.load(ordering: .relaxed) }

  func advance(_ step: Int64) {
    milliseconds.add(step, ordering: .relaxed)
  }
}

/// A worker behind a consumer: remembers what it was handed, and fails on demand.
final class ScriptedWorker: Sendable {
  struct Failure: Error {}

  struct State {
    var handed: [[Int]] = []
    var givenUp: [Int] = []
    /// The handler throws where it is handed one of these.
    var failing: Set<Int> = []
    /// The handler does not return these.
    var keeping: Set<Int> = []
    var refusesToGiveUp = false
  }

  private let state = Mutex(State())

  func change(_ change: (inout State) -> Void) {
    state.withLock { change(&$0) }
  }

  var givenUp: [Int] { state.withLock { $0.givenUp } }

  /// What was handed over since the last look.
  func handed() -> [[Int]] {
    state.withLock { state in
      defer { state.handed = [] }
      return state.handed
    }
  }

  func handle(_ entries: [StreamEntry]) throws -> [StreamEntry] {
    try state.withLock { state in
      state.handed.append(numbers(entries))
      if !state.failing.isDisjoint(with: numbers(entries)) { throw Failure() }
      return entries.filter { state.keeping.isDisjoint(with: numbers([$0])) }
    }
  }

  func giveUp(_ entry: StreamEntry) throws -> String {
    try state.withLock { state in
      if state.refusesToGiveUp { throw Failure() }
      state.givenUp += numbers([entry])
      return "not done after \(entry.deliveries - 1) deliveries"
    }
  }
}

/// Streams in memory, a worker, and consumers for it.
struct ConsumerScene {
  let time = ManualTime()
  let streams: MemoryStreams
  let worker = ScriptedWorker()

  init() {
    let time = time
    streams = MemoryStreams(now: { time.now })
  }

  /// A consumer as after the start of a worker of that name.
  func consumer(
    _ text: String = "anna", _ change: (inout StreamConsumerConfiguration) -> Void = { _ in }
  ) throws -> StreamConsumer {
    var configuration = StreamConsumerConfiguration(
      streams: [.payoutsImmediate, .payoutsHourly], group: StreamFixture.group, consumer: name(text))
    configuration.count = 10
    configuration.maximumDeliveries = 4
    change(&configuration)
    let (time, worker) = (time, worker)
    return try StreamConsumer(
      transport: streams, configuration: configuration, now: { time.now }, handle: { try worker.handle($0) },
      giveUp: { try worker.giveUp($0) })
  }

  func append(_ numbers: some Sequence<Int>, to stream: StreamName = .payoutsImmediate) async throws {
    try await streams.append(numbers.map { ["n": String($0)] }, to: stream)
  }

  func length() async throws -> Int {
    try await streams.length(of: .payoutsImmediate) + streams.length(of: .payoutsHourly)
  }
}
