import Foundation
import Ledger
import Logging
import Payouts
import Synchronization
import Testing
import Worker

@testable import Ingest

/// Storing and printing audit records, on the real ledger (api.md "Who may call").
struct RecordAuditTests {
  /// A scene with one replica's way of audit records, whose ledger a test can hold up.
  private struct Stand: Sendable {
    let scene: IngestScene
    let ledger: GatedAudits
    let health: HealthRegistry
    let registry = PrometheusRegistry()
    let metrics: AuditMetrics
    let audit: RecordAudit

    init(_ scene: IngestScene) {
      self.scene = scene
      let (logs, ledger) = (scene.logs, GatedAudits(scene.ledger))
      self.ledger = ledger
      health = HealthRegistry(service: "ingest", clock: scene.clock)
      metrics = AuditMetrics(Instruments(worker: "ingest", registry: registry))
      audit = RecordAudit(
        ledger: ledger, clock: scene.clock, random: SystemRandomSource(), health: health, metrics: metrics,
        logger: Logger(label: "ingest", factory: { _ in LogMemory.Handler(memory: logs) }))
    }

    /// Lets it work for the time of `body`, and drains it after.
    func running(_ body: () async throws -> Void) async throws {
      let stop = StopSignal()
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await audit.run(until: stop) }
        try await body()
        stop.raise()
        try await group.waitForAll()
      }
    }

    /// How many records are stored.
    func count() async throws -> Int { try #require(Int(try await scene.sql("SELECT count(*) FROM audit_records"))) }

    /// The value of a metric's series, 0 where it is not there.
    func metric(_ series: String) -> Double {
      registry.text().split(separator: "\n").first { $0.hasPrefix("payouts_ingest_" + series + " ") }
        .flatMap { Double($0.split(separator: " ").last ?? "") } ?? 0
    }
  }

  /// A record that differs from others by its number.
  private static func record(_ number: Int, detail: String? = nil) -> AuditRecord {
    AuditRecord(
      service: "ingest-1", caller: "client-1", role: "service", proof: "jwt", operation: "createPayout", target: nil,
      requestID: "request-\(number)", status: 201, outcome: "done", detail: detail)
  }

  @Test func `a write's record is committed before its caller goes on, and records share commits`() async throws {
    // Proves the order: while the ledger has not answered nobody goes on and no row is there; and that what waits
    // meanwhile goes in a few transactions.
    let stand = Stand(try await IngestScene())
    try await stand.running {
      stand.ledger.hold()
      try await withThrowingTaskGroup(of: Int.self) { group in
        group.addTask {
          await stand.audit.write(Self.record(1))
          return try await stand.count()
        }
        try await until("the ledger is asked") { stand.ledger.heldCount == 1 }
        #expect(try await stand.count() == 0)
        for number in 2...201 { stand.audit.note(Self.record(number)) }
        stand.ledger.letGo()
        let stored = try await group.next()
        #expect((stored ?? 0) >= 1)
      }
      try await until("all are counted") { stand.metric("audit_stored_total") == 201 }
      #expect(try await stand.count() == 201)
      #expect(stand.ledger.callCount <= 4, "\(stand.ledger.callCount) commits for 201 records")
      #expect(stand.metric("audit_lost_total") == 0)
    }
  }

  @Test func `a ledger that is away keeps a caller for two seconds, and has its record when it is back`() async throws {
    // Proves that an accepted payout can be answered without its record, and that the record is not lost; for a ledger
    // that refuses at once, and for one that does not answer at all.
    let stand = Stand(try await IngestScene())
    try await stand.running {
      stand.ledger.fail(.unavailable)
      let began = ContinuousClock.now
      await stand.audit.write(Self.record(1))
      // But for the tick in which it came.
      #expect(ContinuousClock.now - began >= .milliseconds(RecordAudit.waitMilliseconds * 3 / 4))
      #expect(try await stand.count() == 0)
      #expect(stand.health.component(RecordAudit.component)?.state == .degraded)
      stand.ledger.fail(nil)
      try await until("it is stored") { try await stand.count() == 1 }
      try await until("health is well again") { stand.health.component(RecordAudit.component)?.state == .ok }

      stand.ledger.hold()
      await stand.audit.write(Self.record(2))
      #expect(try await stand.count() == 1)
      stand.ledger.letGo()
      try await until("it is stored too") { try await stand.count() == 2 }
      #expect(stand.metric("audit_lost_total") == 0)
    }
  }

  @Test func `a record is dated back by the whole seconds that it waited`() {
    // Proves that what could not be stored at once tells when it happened, and that what was stored at once is not
    // moved.
    let waiting = AuditWaiting()
    let early = waiting.entry(for: Self.record(1), waking: nil)
    for _ in 0..<25 { waiting.tick() }
    let late = waiting.entry(for: Self.record(2), waking: nil)
    for _ in 0..<9 { waiting.tick() }
    #expect(waiting.dated([early, late]).map(\.waitedMilliseconds) == [3_000, 0])
  }

  @Test func `one record that the database refuses takes no other with it`() async throws {
    // Proves that a record which can never be stored blocks nothing: it goes to the log, whole, and is counted.
    let stand = Stand(try await IngestScene())
    try await stand.scene.sql("ALTER TABLE audit_records ADD CONSTRAINT no_mark CHECK (detail <> 'refuse me')")
    for number in 1...20 { stand.audit.note(Self.record(number, detail: number == 7 ? "refuse me" : "fine")) }
    try await stand.running {
      await stand.audit.write(Self.record(21))
      try await until("all others are stored") { try await stand.count() == 20 }
    }
    #expect(stand.metric("audit_lost_total") == 1)
    let lines = stand.scene.logs.lines.filter { $0.contains("this line is all there is of it") }
    #expect(lines.count == 1)
    let parts = ["error ", "request.id=request-7 ", "audit.detail=refuse me", "caller.id=client-1"]
    for part in parts { #expect(lines.first?.contains(part) == true, "\(part) in \(lines)") }
  }

  @Test func `what there is no room for goes to the log and is counted, and keeps nobody waiting`() async throws {
    // Proves the bound: nobody works yet, so exactly two are too many, of refusals half as many; then all others are stored.
    let stand = Stand(try await IngestScene())
    let half = RecordAudit.waitingMax / 2
    for number in 0..<half { stand.audit.note(Self.record(number)) }
    #expect(stand.metric("audit_lost_total") == 0)
    stand.audit.note(Self.record(-1))
    #expect(stand.metric("audit_lost_total") == 1 && stand.audit.waitingCount == half)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in half..<RecordAudit.waitingMax { group.addTask { await stand.audit.write(Self.record(number)) } }
      try await until("there is no room") { stand.audit.waitingCount == RecordAudit.waitingMax }
      await stand.audit.write(Self.record(-2))
      #expect(stand.metric("audit_lost_total") == 2)
      for lost in ["request--1", "request--2"] {
        #expect(stand.scene.logs.lines.contains { $0.hasPrefix("error") && $0.contains("request.id=\(lost) ") })
      }
      try await stand.running {
        try await until("all are stored") { try await stand.count() == RecordAudit.waitingMax }
      }
      try await group.waitForAll()
    }
    #expect(stand.ledger.callCount == RecordAudit.waitingMax / RecordAudit.groupMax)
    // It has ended: what comes now is lost too, and nobody waits for it.
    await stand.audit.write(Self.record(-3))
    #expect(stand.metric("audit_lost_total") == 3)
  }

  @Test func `what cannot be stored until the process must end goes to the log`() async throws {
    // Proves that shutting down is bounded while the ledger is away, and that nothing vanishes silently.
    let stand = Stand(try await IngestScene())
    stand.ledger.fail(.unavailable)
    try await stand.running {
      for number in 0..<3 { stand.audit.note(Self.record(number)) }
      try await until("it was tried") { stand.ledger.callCount > 0 }
    }
    #expect(stand.metric("audit_lost_total") == 3)
    #expect(stand.scene.logs.lines.filter { $0.contains("until this process had to end") }.count == 3)
  }

  @Test func `each linked record is one JSON line in the file, which is its owner's alone`() async throws {
    // Proves that the lines are the chain, by the program's own hashes, that a second replica prints what it linked
    // itself, and that a file which log rotation has moved away is made anew.
    let scene = try await IngestScene()
    let stand = Stand(scene)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("audit-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    // A temporary folder that stays behind harms nothing.
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("audit.log").path
    let log = try AuditLog(path: path, clock: scene.clock, logger: Logger(label: "tests"))
    let linking = LinkAudits(ledger: scene.ledger, log: log, health: stand.health, metrics: stand.metrics)
    try await scene.ledger.record(audits: (1...LinkAudits.atOnce).map { Self.record($0, detail: "a \"b\"\n\($0)") })
    #expect(try await linking.link() == .worked)
    #expect(try await linking.link() == .idle(milliseconds: LinkAudits.pauseMilliseconds))
    try await until("the lines are written") { log.isWritten }
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    let linked = try await scene.ledger.audits(after: 0, limit: 1_000)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == linked.map(Self.line).joined())
    let first = try #require(linked.first)
    #expect(first.link.hash == AuditChain.hash(of: first.audit, after: AuditChain.beginning))
    let begins = #"{"sequence":1,"hash":"\#(Hex.text(first.link.hash))","id":1,"at":"\#(first.audit.at)","#
    #expect(Self.line(first).hasPrefix(begins))

    try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
    try await scene.ledger.record(audits: [Self.record(-1)])
    _ = try await linking.link()
    try await until("the line is written") { log.isWritten }
    let last = try #require(try await scene.ledger.audits(after: Int64(LinkAudits.atOnce), limit: 1).first)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == Self.line(last))
    #expect(stand.health.component(LinkAudits.component)?.state == .ok)
    #expect(stand.metric("audit_linked_total") == Double(LinkAudits.atOnce) + 1)
    #expect(throws: WorkerError.self) {
      try AuditLog(path: folder.path + "/missing/audit.log", clock: scene.clock, logger: Logger(label: "tests"))
    }
  }

  @Test func `a full disk keeps lines until there is room, and keeps no record from being linked`() async throws {
    // Proves it by a device that is always full: linking goes on, health tells of it.
    let scene = try await IngestScene()
    let stand = Stand(scene)
    let log = try AuditLog(path: "/dev/full", clock: scene.clock, logger: Logger(label: "tests"))
    let linking = LinkAudits(ledger: scene.ledger, log: log, health: stand.health, metrics: stand.metrics)
    try await scene.ledger.record(audits: (1...3).map { Self.record($0) })
    try await until("health tells of it") {
      _ = try await linking.link()
      return stand.health.component(LinkAudits.component)?.state == .degraded
    }
    #expect(try await scene.sql("SELECT count(*) FROM audit_records WHERE sequence IS NULL") == "0")
    #expect(!log.isWritten && stand.metric("audit_lines_lost_total") == 0)
  }

  @Test func `what was linked and not told of is printed afterwards`() async throws {
    // Proves it where the answer to a COMMIT is lost.
    let scene = try await IngestScene()
    let stand = Stand(scene)
    let path = NSTemporaryDirectory() + "audit-\(PayoutID.random()).log"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let log = try AuditLog(path: path, clock: scene.clock, logger: Logger(label: "tests"))
    let linking = LinkAudits(ledger: stand.ledger, log: log, health: stand.health, metrics: stand.metrics)
    for number in 1...3 {
      try await scene.ledger.record(audits: [Self.record(number)])
      stand.ledger.fail(number == 2 ? .outcomeUnknown : nil)
      if number == 2 {
        await #expect(throws: LedgerError.self) { _ = try await linking.link() }
      } else {
        while try await linking.link() == .worked {}
      }
    }
    try await until("all lines are written") { log.isWritten }
    let linked = try await scene.ledger.audits(after: 0, limit: 10)
    #expect(linked.count == 3)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == linked.map(Self.line).joined())
  }

  private static func line(_ audit: LinkedAudit) -> String { String(decoding: AuditLog.line(audit), as: UTF8.self) }
}

/// The real ledger, which counts what is stored, can hold it up, and can fail before it.
final class GatedAudits: AuditLedger {
  private struct State {
    var callCount = 0
    var heldCount = 0
    var gate: StopSignal?
    var failure: LedgerError.Code?
  }

  private let ledger: Ledger
  private let state = Mutex(State())

  init(_ ledger: Ledger) { self.ledger = ledger }

  /// How many groups were to be stored.
  var callCount: Int { state.withLock { $0.callCount } }
  /// How many records were held up.
  var heldCount: Int { state.withLock { $0.heldCount } }

  func hold() { state.withLock { $0.gate = StopSignal() } }

  func letGo() {
    let gate = state.withLock { state in
      defer { state.gate = nil }
      return state.gate
    }
    gate?.raise()
  }

  func fail(_ failure: LedgerError.Code?) { state.withLock { $0.failure = failure } }

  func record(audits: [AuditRecord]) async throws {
    let (gate, failure) = state.withLock { state in
      state.callCount += 1
      if state.gate != nil { state.heldCount += audits.count }
      return (state.gate, state.failure)
    }
    await gate?.wait()
    if let failure { throw LedgerError(failure, "the test lets it fail") }
    try await ledger.record(audits: audits)
  }

  /// Links, and says what became of storing where that is to fail.
  func linkAudits(atMost count: Int) async throws -> [LinkedAudit] {
    let linked = try await ledger.linkAudits(atMost: count)
    if let failure = state.withLock({ $0.failure }) { throw LedgerError(failure, "the test lets it be forgotten") }
    return linked
  }

  func audits(after sequence: Int64, limit: Int) async throws -> [LinkedAudit] {
    try await ledger.audits(after: sequence, limit: limit)
  }

  func deliveredAudits() async throws -> Int64 { try await ledger.deliveredAudits() }
  func newestLinkedAudit() async throws -> Int64 { try await ledger.newestLinkedAudit() }

  func audits(fitting filter: AuditFilter, before id: Int64?, limit: Int) async throws -> AuditPage {
    try await ledger.audits(fitting: filter, before: id, limit: limit)
  }
}
