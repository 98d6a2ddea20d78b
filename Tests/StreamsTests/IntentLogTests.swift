import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import Streams

/// The log of intents: one suite for both implementations, and its writer.
@Suite struct IntentLogTests {
  @Test(arguments: StreamFixture.Kind.allCases)
  func `what is appended is read in order, page by page, between its ends`(kind: StreamFixture.Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      let log = fixture.log
      #expect(try await log.intentExtent() == nil)
      #expect(try await log.intents(after: .zero, atMost: 10) == [])
      let written = (0..<25).map { ["kind": "test", "number": "\($0)", "text": "a\n\0☃"] }
      try await log.appendIntents(Array(written[..<10]))
      try await log.appendIntents(Array(written[10...]))
      var read: [IntentLogEntry] = []
      while true {
        let page = try await log.intents(after: read.last?.id ?? .zero, atMost: 7)
        #expect(page.count <= 7)
        if page.isEmpty { break }
        read += page
      }
      #expect(read.map(\.fields) == written && read.map(\.id) == read.map(\.id).sorted())
      let extent = try #require(try await log.intentExtent())
      #expect(extent.first == read.first?.id && extent.last == read.last?.id)
      for entry in read { #expect(try await log.holdsIntent(entry.id)) }
      let beyond = StreamEntryID(milliseconds: extent.last.milliseconds, sequence: extent.last.sequence + 1)
      #expect(try await !log.holdsIntent(beyond))
      try await fixture.loseEverything()
      #expect(try await log.intentExtent() == nil)
      // A server that lost its data goes on with later ids: what stood before does not stand any more.
      try await log.appendIntents([["kind": "test"]])
      #expect(try await !log.holdsIntent(extent.last))
    }
  }

  @Test(arguments: StreamFixture.Kind.allCases)
  func `trimming drops the oldest, by age and by size, and never the last`(kind: StreamFixture.Kind) async throws {
    // Proves the two bounds roughly, as the server trims whole nodes: far fewer are left than there were, and the newest.
    try await StreamFixture.with(kind) { fixture in
      let log = fixture.log
      #expect(try await log.trimIntents(ageMilliseconds: 1, bytesMax: 1).removed == 0)
      let heavy = (0..<1_000).map { ["number": "\($0)", "text": String(repeating: "x", count: 1_000)] }
      try await log.appendIntents(heavy)
      let last = try #require(try await log.intentExtent()?.last)
      let young = try await log.trimIntents(ageMilliseconds: 3_600_000, bytesMax: 1 << 30)
      #expect(young.removed == 0 && !young.wasTooLarge && young.bytes > 900_000)
      let large = try await log.trimIntents(ageMilliseconds: 3_600_000, bytesMax: 500_000)
      #expect(large.wasTooLarge && (400..<700).contains(large.removed))
      #expect(try await log.intentExtent()?.last == last)
      // Of another age than the future's: everything is too old, and one node is left.
      let old = try await log.trimIntents(ageMilliseconds: -3_600_000, bytesMax: 1 << 30)
      #expect(old.removed > 200)
      let left = try await log.intents(after: .zero, atMost: 1_000)
      #expect((1..<100).contains(left.count) && left.last?.id == last)
    }
  }

  @Test func `a writer waits for a lost log once, keeps what comes, and writes it when the log is back`() async throws {
    let log = BreakingLog()
    let counts = Mutex<[IntentRecorder.Outcome: Int]>([:])
    let recorder = IntentRecorder(log, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })) {
      outcome, count in
      counts.withLock { $0[outcome, default: 0] += count }
    }
    await recorder.record([["n": "0"]])
    #expect(recorder.isWell && log.written == ["0"])
    log.isBroken = true
    for number in 1...5 { await recorder.record([["n": "\(number)"]]) }
    // Only the first of the five was tried.
    #expect(!recorder.isWell && log.tries == 2)
    #expect(await !recorder.retry() && log.tries == 3)
    log.isBroken = false
    // What comes now waits behind the others.
    await recorder.record([["n": "6"]])
    #expect(log.written == ["0"])
    #expect(await !recorder.retry())
    #expect(recorder.isWell && log.written == (0...6).map { "\($0)" })
    await recorder.record([["n": "7"]])
    #expect(log.written.last == "7")
    #expect(counts.withLock { $0 } == [.written: 8, .kept: 6])
  }

  @Test func `what a writer still keeps is written when the process stops`() async throws {
    // As a service it ends after all who record; a log that stays away is tried once and keeps no process alive.
    for staysAway in [false, true] {
      let log = BreakingLog()
      let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
      let recorder = IntentRecorder(log, logger: logger)
      let group = ServiceGroup(configuration: .init(services: [recorder], logger: logger))
      log.isBroken = true
      let many = (0..<IntentLogBounds.maximumEntries * 2 + 1).map { ["n": "\($0)"] }
      await recorder.record(many)
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        log.isBroken = staysAway
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
      }
      #expect(log.written == (staysAway ? [] : many.compactMap { $0["n"] }))
      #expect(recorder.isWell != staysAway)
    }
  }

  @Test func `a caller that goes away says nothing about Redis`() async throws {
    // Its entry is kept and written; nobody else's is put off.
    let log = BreakingLog()
    let recorder = IntentRecorder(log, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    log.isCancelling = true
    await recorder.record([["n": "1"]])
    log.isCancelling = false
    #expect(!recorder.isWell)
    await recorder.record([["n": "2"]])
    #expect(log.written == ["2"])
    while await recorder.retry() {}
    #expect(log.written == ["2", "1"] && recorder.isWell)
  }

  @Test func `a writer keeps a bounded number, and counts what it had no room for`() async throws {
    let log = BreakingLog()
    log.isBroken = true
    let counts = Mutex<[IntentRecorder.Outcome: Int]>([:])
    let recorder = IntentRecorder(log, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })) {
      outcome, count in
      counts.withLock { $0[outcome, default: 0] += count }
    }
    let many = (0..<IntentRecorder.maximumKept + 5).map { ["n": "\($0)"] }
    await recorder.record(many)
    #expect(counts.withLock { $0 } == [.kept: IntentRecorder.maximumKept, .dropped: 5])
    log.isBroken = false
    while await recorder.retry() {}
    #expect(log.written.count == IntentRecorder.maximumKept && recorder.isWell)
  }
}

/// A log in memory that a test breaks.
private final class BreakingLog: IntentLog {
  private let state = Mutex((written: [String](), tries: 0, isBroken: false, isCancelling: false))

  var written: [String] { state.withLock { $0.written } }
  var tries: Int { state.withLock { $0.tries } }
  var isBroken: Bool {
    get { state.withLock { $0.isBroken } }
    set { state.withLock { $0.isBroken = newValue } }
  }
  var isCancelling: Bool {
    get { state.withLock { $0.isCancelling } }
    set { state.withLock { $0.isCancelling = newValue } }
  }

  func appendIntents(_ entries: [[String: String]]) async throws {
    try state.withLock { state in
      state.tries += 1
      if state.isCancelling { throw CancellationError() }
      if state.isBroken { throw StreamError(code: .unavailable, outcome: .unknown, message: "the test breaks it") }
      state.written += entries.compactMap { $0["n"] }
    }
  }

  func holdsIntent(_ id: StreamEntryID) async throws -> Bool { false }

  func intentExtent() async throws -> IntentLogExtent? { nil }
  func intents(after id: StreamEntryID, atMost count: Int) async throws -> [IntentLogEntry] { [] }
  func trimIntents(ageMilliseconds: Int64, bytesMax: Int) async throws -> IntentLogTrim {
    IntentLogTrim(removed: 0, bytes: 0, wasTooLarge: false)
  }
}
