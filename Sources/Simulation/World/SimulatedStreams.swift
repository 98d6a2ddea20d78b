import Streams

/// One process's connection to Redis: the streams in memory, with what can go wrong on the way.
///
/// Commands are carried out by the server's own process: one that died inside the actor would keep it for ever.
struct SimulatedStreams: StreamTransport {
  let streams: MemoryStreams
  let server: SimulatedProcess
  let gate: FaultGate
  let process: SimulatedProcess
  /// Told of entries that stand in the log of intents from now on.
  var onLogged: @Sendable ([[String: String]]) -> Void = { _ in }

  private static let errors = FaultGate.Errors(
    notDone: { StreamError(code: .unavailable, outcome: .notDone, message: "\($0): the simulator lets it fail") },
    unknown: { StreamError(code: .unavailable, outcome: .unknown, message: "\($0): the simulator loses the answer") })

  private func pass<Value: Sendable>(
    _ site: String, _ effect: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    let server = server
    let passage = Passage {
      try await withCheckedThrowingContinuation { continuation in
        server.start {
          do { continuation.resume(returning: try await effect()) } catch { continuation.resume(throwing: error) }
        }
      }
    }
    return try await gate.pass(site, .stream, of: process, Self.errors, passage)
  }

  func append(_ entries: [[String: String]], to stream: StreamName) async throws {
    try await pass("append") { try await streams.append(entries, to: stream) }
  }

  func read(
    _ names: [StreamName], group: ConsumerGroup, consumer: ConsumerName, count: Int, blockMilliseconds: Int
  ) async throws -> [StreamEntry] {
    try await pass("read stream") {
      try await streams.read(
        names, group: group, consumer: consumer, count: count, blockMilliseconds: blockMilliseconds)
    }
  }

  func readPending(
    _ names: [StreamName], after: [StreamName: StreamEntryID], group: ConsumerGroup, consumer: ConsumerName,
    count: Int
  ) async throws -> [StreamEntry] {
    try await pass("read pending") {
      try await streams.readPending(names, after: after, group: group, consumer: consumer, count: count)
    }
  }

  func claim(
    _ names: [StreamName], group: ConsumerGroup, consumer: ConsumerName, idleMilliseconds: Int, count: Int
  ) async throws -> [StreamEntry] {
    try await pass("claim") {
      try await streams.claim(
        names, group: group, consumer: consumer, idleMilliseconds: idleMilliseconds, count: count)
    }
  }

  func acknowledge(_ entries: [StreamEntry], group: ConsumerGroup) async throws {
    try await pass("acknowledge") { try await streams.acknowledge(entries, group: group) }
  }

  func deadLetter(_ entry: StreamEntry, group: ConsumerGroup, error: String) async throws {
    try await pass("dead letter") { try await streams.deadLetter(entry, group: group, error: error) }
  }

  func length(of stream: StreamName) async throws -> Int {
    try await pass("length") { try await streams.length(of: stream) }
  }

  func contents(of stream: StreamName, atMost count: Int) async throws -> [StreamEntry] {
    try await pass("contents") { try await streams.contents(of: stream, atMost: count) }
  }
}

extension SimulatedStreams: IntentLog {
  func appendIntents(_ entries: [[String: String]]) async throws {
    let onLogged = onLogged
    try await pass("append intents") {
      try await streams.appendIntents(entries)
      onLogged(entries)
    }
  }

  func intentExtent() async throws -> IntentLogExtent? {
    try await pass("intent extent") { try await streams.intentExtent() }
  }

  func holdsIntent(_ id: StreamEntryID) async throws -> Bool {
    try await pass("holds intent") { try await streams.holdsIntent(id) }
  }

  func intents(after id: StreamEntryID, atMost count: Int) async throws -> [IntentLogEntry] {
    try await pass("read intents") { try await streams.intents(after: id, atMost: count) }
  }

  func trimIntents(ageMilliseconds: Int64, bytesMax: Int) async throws -> IntentLogTrim {
    try await pass("trim intents") {
      try await streams.trimIntents(ageMilliseconds: ageMilliseconds, bytesMax: bytesMax)
    }
  }
}

extension MemoryStreams {
  /// Whether anything is left for a worker to read or to claim.
  var holdsWork: Bool {
    let streams: [StreamName] = [
      .payoutsImmediate, .payoutsHourly, .payoutsDaily, .payoutsWeekly, .batchesReady, .transactionsSent,
    ]
    return streams.contains { (try? length(of: $0)) != 0 }
  }
}
