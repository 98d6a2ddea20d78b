/// The streams in memory, with the same promises as on a real server, for tests without one and for simulations.
///
/// Time comes from outside. A read that finds nothing and may block waits by the injected `sleep`, or, without one,
/// returns at once: then whoever drives the steps also moves the time. One suite runs against this and the real thing.
public actor MemoryStreams: StreamTransport, IntentLog {
  /// A call that ``setFault(_:)`` may let fail.
  public enum Call: Sendable, Hashable, CaseIterable {
    case append, read, readPending, claim, acknowledge, deadLetter, length, contents, appendIntents, readIntents
  }

  /// How a call fails.
  public enum Fault: Sendable, Hashable {
    /// Nothing happens, and the caller is told so.
    case notDone
    /// Everything happens, and the caller does not learn it.
    case unknown
  }

  private struct Pending {
    var consumer: ConsumerName
    var deliveredAt: Int64
    var deliveries: Int
  }

  private struct Group {
    var lastDelivered = StreamEntryID.zero
    var pending: [StreamEntryID: Pending] = [:]
  }

  private struct Stream {
    /// In the order of their ids.
    var entries: [(id: StreamEntryID, fields: [String: String])] = []
    var lastID = StreamEntryID.zero
    var groups: [ConsumerGroup: Group] = [:]

    func fields(of id: StreamEntryID) -> [String: String]? {
      let index = firstIndex(after: id) - 1
      return index >= 0 && entries[index].id == id ? entries[index].fields : nil
    }

    /// The place of the first entry above `id`, by halving.
    func firstIndex(after id: StreamEntryID) -> Int {
      var (low, high) = (0, entries.count)
      while low < high {
        let middle = (low + high) / 2
        if entries[middle].id <= id { low = middle + 1 } else { high = middle }
      }
      return low
    }
  }

  private let now: @Sendable () -> Int64
  private let sleep: (@Sendable (_ milliseconds: Int) async throws -> Void)?
  private var streams: [StreamName: Stream] = [:]
  private var fault: (@Sendable (Call) -> Fault?)?
  private var waiters: [UInt64: AsyncStream<Void>.Continuation] = [:]
  private var nextWaiter: UInt64 = 0

  /// Empty streams.
  ///
  /// - Parameters:
  ///   - now: Milliseconds; ages what is pending and numbers the entries.
  ///   - sleep: Waits so many milliseconds of the same time; nil where reads do not block.
  public init(
    now: @escaping @Sendable () -> Int64, sleep: (@Sendable (_ milliseconds: Int) async throws -> Void)? = nil
  ) {
    self.now = now
    self.sleep = sleep
  }

  /// Lets calls fail as `fault` says from now on; nil ends that.
  public func setFault(_ fault: (@Sendable (Call) -> Fault?)?) {
    self.fault = fault
  }

  /// Loses everything, as a server does that is told FLUSHALL.
  public func flushAll() {
    streams = [:]
  }

  /// Appends in order and wakes blocked reads; see `StreamTransport`.
  public func append(_ entries: [[String: String]], to stream: StreamName) throws {
    try StreamLimits.check(append: entries)
    try perform(.append) {
      for fields in entries { add(fields, to: stream) }
    }
  }

  /// Reads what the group has not got; see `StreamTransport`.
  public func read(
    _ streams: [StreamName], group: ConsumerGroup, consumer: ConsumerName, count: Int, blockMilliseconds: Int
  ) async throws -> [StreamEntry] {
    try StreamLimits.check(streams: streams, count: count)
    try StreamLimits.check(blockMilliseconds: blockMilliseconds)
    try Task.checkCancellation()
    let end = now() + Int64(blockMilliseconds)
    while true {
      let entries = try perform(.read) { take(streams, group, consumer, count) }
      let left = end - now()
      guard entries.isEmpty, left > 0, let sleep else { return entries }
      try await waitForAppend(atMost: Int(left), sleep)
    }
  }

  /// Reads the consumer's own pending entries again; see `StreamTransport`.
  public func readPending(
    _ streams: [StreamName], after: [StreamName: StreamEntryID], group: ConsumerGroup, consumer: ConsumerName,
    count: Int
  ) throws -> [StreamEntry] {
    try StreamLimits.check(streams: streams, count: count)
    return try perform(.readPending) {
      streams.flatMap { stream in
        redeliver(stream, group, to: consumer, count: count) { id, pending in
          pending.consumer == consumer && id > (after[stream] ?? .zero)
        }
      }
    }
  }

  /// Takes over what lay idle; see `StreamTransport`.
  public func claim(
    _ streams: [StreamName], group: ConsumerGroup, consumer: ConsumerName, idleMilliseconds: Int, count: Int
  ) throws -> [StreamEntry] {
    try StreamLimits.check(streams: streams, count: count)
    try StreamLimits.check(idleMilliseconds: idleMilliseconds)
    let now = now()
    return try perform(.claim) {
      streams.flatMap { stream in
        redeliver(stream, group, to: consumer, count: count) { _, pending in
          now - pending.deliveredAt >= Int64(idleMilliseconds)
        }
      }
    }
  }

  /// Ends entries; see `StreamTransport`.
  public func acknowledge(_ entries: [StreamEntry], group: ConsumerGroup) throws {
    try StreamLimits.check(acknowledge: entries)
    try perform(.acknowledge) {
      for entry in entries { end(entry, group) }
    }
  }

  /// Moves an entry to the dead letters; see `StreamTransport`.
  public func deadLetter(_ entry: StreamEntry, group: ConsumerGroup, error: String) throws {
    try perform(.deadLetter) {
      if let known = streams[entry.stream]?.groups[group], known.pending[entry.id] == nil { return }
      add(DeadLetterField.letter(for: entry, group: group, error: error), to: entry.stream.deadLetters)
      end(entry, group)
    }
  }

  /// Counts; see `StreamTransport`.
  public func length(of stream: StreamName) throws -> Int {
    try perform(.length) { streams[stream]?.entries.count ?? 0 }
  }

  /// Reads; see `StreamTransport`.
  public func contents(of stream: StreamName, atMost count: Int) throws -> [StreamEntry] {
    try StreamLimits.check(streams: [stream], count: count)
    return try perform(.contents) {
      (streams[stream]?.entries ?? []).prefix(count).map {
        StreamEntry(stream: stream, id: $0.id, fields: $0.fields, deliveries: 0)
      }
    }
  }

  // MARK: The log of intents

  /// Appends to the log; see `IntentLog`.
  public func appendIntents(_ entries: [[String: String]]) throws {
    try perform(.appendIntents) {
      for fields in entries { add(fields, to: .intents) }
    }
  }

  /// The log's ends; see `IntentLog`.
  public func intentExtent() throws -> IntentLogExtent? {
    try perform(.readIntents) {
      guard let entries = streams[.intents]?.entries, let first = entries.first, let last = entries.last else {
        return nil
      }
      return IntentLogExtent(first: first.id, last: last.id)
    }
  }

  /// Whether an entry is there; see `IntentLog`.
  public func holdsIntent(_ id: StreamEntryID) throws -> Bool {
    try perform(.readIntents) { streams[.intents]?.fields(of: id) != nil }
  }

  /// A page of the log; see `IntentLog`.
  public func intents(after id: StreamEntryID, atMost count: Int) throws -> [IntentLogEntry] {
    try perform(.readIntents) {
      guard let stream = streams[.intents] else { return [] }
      return stream.entries[stream.firstIndex(after: id)...].prefix(count).map {
        IntentLogEntry(id: $0.id, fields: $0.fields)
      }
    }
  }

  /// Trims the log exactly; an entry weighs what its texts do. See `IntentLog`.
  public func trimIntents(ageMilliseconds: Int64, bytesMax: Int) throws -> IntentLogTrim {
    try perform(.appendIntents) {
      guard var entries = streams[.intents]?.entries else {
        return IntentLogTrim(removed: 0, bytes: 0, wasTooLarge: false)
      }
      func weight(_ fields: [String: String]) -> Int {
        fields.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
      }
      let (count, before) = (entries.count, entries.reduce(0) { $0 + weight($1.fields) })
      let oldest = StreamEntryID(milliseconds: UInt64(clamping: now() - ageMilliseconds), sequence: 0)
      var bytes = before
      while entries.count > 1, entries[0].id < oldest || bytes > bytesMax {
        bytes -= weight(entries.removeFirst().fields)
      }
      streams[.intents]?.entries = entries
      return IntentLogTrim(removed: count - entries.count, bytes: before, wasTooLarge: before > bytesMax)
    }
  }

  // MARK: Effects

  private func perform<Result>(_ call: Call, _ effect: () -> Result) throws -> Result {
    switch fault?(call) {
    case nil:
      return effect()
    case .notDone:
      throw StreamError(code: .unavailable, outcome: .notDone, message: "the test lets \(call) fail")
    case .unknown:
      _ = effect()
      throw StreamError(code: .unavailable, outcome: .unknown, message: "the test loses the answer to \(call)")
    }
  }

  private func add(_ fields: [String: String], to name: StreamName) {
    var last = streams[name]?.lastID ?? .zero
    let milliseconds = UInt64(max(now(), 1))
    last =
      milliseconds > last.milliseconds
      ? StreamEntryID(milliseconds: milliseconds, sequence: 0)
      : StreamEntryID(milliseconds: last.milliseconds, sequence: last.sequence + 1)
    streams[name, default: Stream()].lastID = last
    streams[name, default: Stream()].entries.append((last, fields))
    for (_, waiter) in waiters.sorted(by: { $0.key < $1.key }) { waiter.yield() }
  }

  private func take(
    _ names: [StreamName], _ group: ConsumerGroup, _ consumer: ConsumerName, _ count: Int
  ) -> [StreamEntry] {
    let now = now()
    var taken: [StreamEntry] = []
    for name in names {
      var stream = streams[name] ?? Stream()
      var known = stream.groups[group] ?? Group()
      let first = stream.firstIndex(after: known.lastDelivered)
      for entry in stream.entries[first...].prefix(count) {
        known.lastDelivered = entry.id
        known.pending[entry.id] = Pending(consumer: consumer, deliveredAt: now, deliveries: 1)
        taken.append(StreamEntry(stream: name, id: entry.id, fields: entry.fields, deliveries: 1))
      }
      stream.groups[group] = known
      streams[name] = stream
    }
    return taken
  }

  /// Delivers pending entries once more, in the order of their ids. Those that were deleted meanwhile are forgotten.
  private func redeliver(
    _ name: StreamName, _ group: ConsumerGroup, to consumer: ConsumerName, count: Int,
    where isMeant: (StreamEntryID, Pending) -> Bool
  ) -> [StreamEntry] {
    var stream = streams[name] ?? Stream()
    var known = stream.groups[group] ?? Group()
    var delivered: [StreamEntry] = []
    for (id, pending) in known.pending.sorted(by: { $0.key < $1.key }) where isMeant(id, pending) {
      guard delivered.count < count else { break }
      guard let fields = stream.fields(of: id) else {
        known.pending[id] = nil
        continue
      }
      let deliveries = pending.deliveries + 1
      known.pending[id] = Pending(consumer: consumer, deliveredAt: now(), deliveries: deliveries)
      delivered.append(StreamEntry(stream: name, id: id, fields: fields, deliveries: deliveries))
    }
    stream.groups[group] = known
    streams[name] = stream
    return delivered
  }

  private func end(_ entry: StreamEntry, _ group: ConsumerGroup) {
    streams[entry.stream]?.groups[group]?.pending[entry.id] = nil
    guard let stream = streams[entry.stream], stream.fields(of: entry.id) != nil else { return }
    streams[entry.stream]?.entries.remove(at: stream.firstIndex(after: entry.id) - 1)
  }

  private func waitForAppend(
    atMost milliseconds: Int, _ sleep: @escaping @Sendable (Int) async throws -> Void
  ) async throws {
    let (signals, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    let waiter = nextWaiter
    nextWaiter += 1
    waiters[waiter] = continuation
    defer { waiters[waiter] = nil }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await sleep(milliseconds) }
      group.addTask { for await _ in signals { break } }
      try await group.next()
      group.cancelAll()
    }
    try Task.checkCancellation()
  }
}
