import Ledger
import Logging
import Payouts
import Streams
import Synchronization
import TestSupport
import Testing

@testable import Ingest

/// Acceptances in the log of intents, over real HTTP on real servers (DESIGN.md §3 "Continuity").
struct RecordIntentsTests {
  /// The acceptances in a log.
  private func acceptances(_ log: any IntentLog) async throws -> [AcceptedPayout] {
    try await log.intents(after: .zero, atMost: 1_000).compactMap { entry in
      guard case .accepted(let accepted) = try Intent(fields: entry.fields) else { return nil }
      return accepted
    }
  }

  @Test func `201 comes only after the acceptance stands in the log, and it is the row`() async throws {
    // Proves the order commit, log, answer: while the log hangs, the row is there and no answer; and that what the log
    // tells is the row, to the last field.
    let scene = try await IngestScene()
    let log = GatedLog(scene.streams)
    try await scene.serving(intents: log) { ingest async throws in
      log.isOpen = false
      try await withThrowingTaskGroup(of: Int.self) { group in
        group.addTask {
          try await ingest.post(payoutBody(["external_id": "\"payroll 7\""]), key: "k").status
        }
        try await until("the row is committed") { try await scene.payoutCount() == 1 }
        try await until("the log is asked") { log.waiting == 1 }
        #expect(try await acceptances(scene.streams).isEmpty)
        log.isOpen = true
        #expect(try await group.next() == 201)
      }
      let told = try await acceptances(scene.streams)
      #expect(told.count == 1)
      let record = try #require(try await scene.ledger.payout(told[0].payout.terms.id))
      #expect(told[0].payout.terms == record.terms && told[0].payout.seal == record.seal)
      #expect(told[0].payout.particulars == record.particulars && told[0].limitWindows == record.limitWindows)
      #expect(told[0].windowEnd == record.windowEnd)
      #expect(told[0].payout.status == .queued)
      #expect(
        try await scene.sql("SELECT encode(request_fingerprint, 'hex') FROM payout_references")
          == Hex.text(told[0].payout.fingerprint))
    }
  }

  @Test func `a replay is written too, as its first process may have died before the log`() async throws {
    // Proves that a caller who is told of a payout finds it in the log, whatever became of who accepted it; once, so that
    // nobody who asks again and again pushes what others were told out of it.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      #expect(try await ingest.post(payoutBody(), key: "k").status == 201)
    }
    await scene.streams.flushAll()
    try await scene.serving { ingest async throws in
      for _ in 0..<2 { #expect(try await ingest.post(payoutBody(), key: "k").status == 201) }
      let again = try await ingest.post(payoutBody(), key: "k")
      #expect(again.status == 201 && again.headers.first(name: "Idempotency-Replayed") == "true")
      let told = try await acceptances(scene.streams)
      #expect(told.map { "\($0.payout.terms.id)" } == [try #require(try again.text("payout_id"))])
      // A refusal is nobody's acceptance.
      #expect(try await ingest.post(payoutBody(["amount_usdt": "\"1\""]), key: "k").status != 201)
      #expect(try await acceptances(scene.streams).count == 1)
    }
  }

  @Test func `a request that is accepted anew after a restore took its payout is written anew`() async throws {
    // Proves that the log names the payout of which the client was told last, also where the same process had written an
    // earlier one of the same request: Redis may have lost that since.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let first = try #require(try await ingest.post(payoutBody(), key: "k").text("payout_id"))
      try await scene.sql("SET session_replication_role = replica; DELETE FROM payouts; DELETE FROM payout_references;")
      await scene.streams.flushAll()
      let second = try #require(try await ingest.post(payoutBody(), key: "k").text("payout_id"))
      #expect(second != first)
      #expect(try await acceptances(scene.streams).map { "\($0.payout.terms.id)" } == [second])
    }
  }

  @Test func `accepting goes on while the log is away, and the log has all once Redis is back`() async throws {
    // Proves that Redis is not needed to accept: a real server that is killed, 201s that go on, degraded health, and every
    // acceptance of that time in the log after the restart.
    let redis = try await PrivateRedis.start()
    let scene = try await IngestScene()
    let streams = try RedisStreams(
      url: redis.url, logger: Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() }))
    try await scene.serving(streams: streams, intents: streams) { ingest async throws in
      #expect(try await ingest.post(payoutBody()).status == 201)
      try await redis.kill()
      // The one before may be lost with the server: it writes its file a moment later where the disk is busy.
      var ids: Set<String> = []
      for _ in 0..<20 { ids.insert(try #require(try await ingest.post(payoutBody()).text("payout_id"))) }
      #expect(ingest.health.component(RecordIntents.component)?.state == .degraded)
      #expect(try await ingest.ask("GET", "/ready", token: nil).status == 200)
      try await redis.restart()
      try await until("the log has all") {
        try await Set(acceptances(streams).map { "\($0.payout.terms.id)" }).isSuperset(of: ids)
      }
      try await until("health is well again") { ingest.health.component(RecordIntents.component)?.state == .ok }
      #expect(ingest.metric("payouts_ingest_intents_total{outcome=\"kept\"}") > 0)
    }
    await redis.stop()
  }

  @Test func `a Redis that hangs stops no acceptance, and the log has all once it goes on`() async throws {
    // A frozen server whose sockets stay open: only by a time-out can its silence be told. (That this is waited for once, and
    // not again for each acceptance, IntentLogTests shows.)
    let redis = try await PrivateRedis.start()
    let scene = try await IngestScene()
    let streams = try RedisStreams(
      url: redis.url, logger: Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() }))
    try await scene.serving(streams: streams, intents: streams) { ingest async throws in
      #expect(try await ingest.post(payoutBody()).status == 201)
      await redis.pause()
      for _ in 0..<30 { #expect(try await ingest.post(payoutBody()).status == 201) }
      #expect(ingest.metric("payouts_ingest_intents_total{outcome=\"kept\"}") == 30)
      await redis.resume()
      try await until("the log has all") {
        try await Set(acceptances(streams).map(\.payout.terms.id)).count == 31
      }
    }
    await redis.stop()
  }
}

/// A log behind a gate that a test opens.
final class GatedLog: IntentLog {
  private let log: any IntentLog
  private let state = Mutex((isOpen: true, waiting: 0))

  init(_ log: any IntentLog) { self.log = log }

  var isOpen: Bool {
    get { state.withLock { $0.isOpen } }
    set { state.withLock { $0.isOpen = newValue } }
  }
  var waiting: Int { state.withLock { $0.waiting } }

  func appendIntents(_ entries: [[String: String]]) async throws {
    state.withLock { $0.waiting += 1 }
    defer { state.withLock { $0.waiting -= 1 } }
    while !isOpen { try await Task.sleep(for: .milliseconds(5)) }
    try await log.appendIntents(entries)
  }

  func holdsIntent(_ id: StreamEntryID) async throws -> Bool { false }

  func intentExtent() async throws -> IntentLogExtent? { try await log.intentExtent() }
  func intents(after id: StreamEntryID, atMost count: Int) async throws -> [IntentLogEntry] {
    try await log.intents(after: id, atMost: count)
  }
  func trimIntents(ageMilliseconds: Int64, bytesMax: Int) async throws -> IntentLogTrim {
    try await log.trimIntents(ageMilliseconds: ageMilliseconds, bytesMax: bytesMax)
  }
}
