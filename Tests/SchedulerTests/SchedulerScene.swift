import Ledger
import Logging
import Payouts
import Streams
import Synchronization
import TestSupport
import Testing
import Worker

@testable import Scheduler

/// A ledger in a fresh database of the real server, streams, and Schedulers on them that a test drives step by step.
struct SchedulerScene {
  let server: PrivatePostgres
  let url: String
  let ledger: Ledger
  let clock = HandClock()
  let streams: MemoryStreams
  let sealer: Sealer
  let logger = Logger(label: "scheduler-tests", factory: { _ in SwiftLogNoOpLogHandler() })

  static let installation = Installation(
    environment: "dev", network: .devnet, genesis: BlockID(exactly: [UInt8](repeating: 7, count: 32)),
    maximumExpirationMilliseconds: 600_000, clockBoundMilliseconds: 60_000)

  init() async throws {
    server = try await PrivatePostgres.shared()
    url = try await server.createDatabase()
    ledger = Ledger(url: url, actor: "tests", logger: logger)
    try await ledger.prepare(SchedulerScene.installation)
    let clock = clock
    streams = MemoryStreams(now: { clock.now().milliseconds })
    sealer = try Sealer("tests:" + String(repeating: "11", count: 32))
  }

  /// The steps of one more Scheduler.
  func scheduler(
    _ name: String = "scheduler", ledger: (any SchedulerLedger)? = nil, streams: (any StreamTransport)? = nil,
    intents: (any IntentLog)? = nil
  ) throws -> SchedulerSteps {
    try SchedulerSteps(
      ledger: ledger ?? self.ledger, streams: streams ?? self.streams, intents: intents ?? self.streams,
      consumer: ConsumerName(name), clock: clock,
      random: SystemRandomSource(), metrics: nil, logger: logger)
  }

  /// Accepts payouts into the ledger, as Ingest does; nothing is said in the streams.
  func accept(
    _ count: Int, router: RouterType = .v0, priority: Priority = .normal, batchType: BatchType = .immediate,
    expiresAfterMilliseconds: Int64? = nil
  ) async throws -> [PayoutID] {
    let random = SystemRandomSource()
    let now = SystemClock().now()
    let payouts = try (0..<count).map { _ in
      let id = PayoutID(at: now, randomness: random.bytes(10))
      let terms = PayoutTerms(
        id: id, reference: Reference(payoutWithoutKey: id), owner: "owner", network: .devnet,
        token: Address(account: [UInt8](repeating: 1, count: 20)), recipient: Address(account: random.bytes(20)),
        amount: try Amount(microUSDT: 1_500_000), router: router, batchType: batchType, createdAt: now,
        expiresAt: expiresAfterMilliseconds.map { now.advanced(byMilliseconds: $0) })
      return NewPayout(
        terms: terms, seal: try sealer.seal(terms),
        particulars: PayoutParticulars(priority: priority, reason: .custom, requestID: "request"),
        fingerprint: [UInt8](repeating: 0, count: 32))
    }
    for outcome in try await ledger.accept(payouts, limits: AcceptanceLimits(hourly: nil, daily: nil)) {
      guard case .accepted = outcome else { throw SceneError(description: "not accepted: \(outcome)") }
    }
    return payouts.map(\.terms.id)
  }

  /// Tells Scheduler of payouts, as Ingest does.
  func announce(
    _ payouts: [PayoutID], in stream: StreamName = .payoutsImmediate, of streams: (any StreamTransport)? = nil
  ) async throws {
    try await (streams ?? self.streams).append(payouts.map { [StreamField.payoutID: "\($0)"] }, to: stream)
  }

  /// What was sent on to Signer since this was last asked, in order, left in the stream.
  func readyBatches() async throws -> [BatchID] {
    let entries = try await streams.read(
      [.batchesReady], group: ConsumerGroup("onlookers"), consumer: ConsumerName("test"), count: 1_000,
      blockMilliseconds: 0)
    return try entries.map { try BatchID($0.fields[StreamField.batchID] ?? "") }
  }

  func status(of payout: PayoutID) async throws -> PayoutStatus? { try await ledger.payout(payout)?.status }

  /// The answer of the server's own client.
  @discardableResult
  func sql(_ text: String) async throws -> String {
    try await server.query(text, database: String(url.split(separator: "/").last ?? ""))
  }

  /// Stands in for the Signers' vouching, which these tests are not about.
  func vouch() async throws {
    try await sql(
      """
      INSERT INTO continuity (system_identifier, timeline, server_start, transactions_oid, transactions_file_node,
        vouched_by)
      SELECT s.*, 'test' FROM server_life() s
      """)
  }

  /// Moves the ledger's clock, which judges all deadlines.
  func setLedgerClock(offsetMilliseconds: Int64) async throws {
    try await sql("UPDATE ledger_settings SET clock_offset_ms = \(offsetMilliseconds)")
  }

  /// Lets the ledger's clock stand still at a moment, so that a test can stand exactly on a boundary.
  func freezeLedgerClock(at moment: Timestamp) async throws {
    let clock = LedgerClock(url: url)
    try await clock.freeze(at: moment)
    await clock.close()
  }

  /// Settlement batches as the ledger holds them: type, router, priority, end of window and number of payouts.
  func batches() async throws -> [String] {
    let text = try await sql(
      """
      SELECT batch_type, router, priority, to_char(window_end AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS'), payout_count
      FROM settlement_batches ORDER BY 1, 2, 3, 4, 5
      """)
    return text.split(separator: "\n").map(String.init)
  }
}

/// Why a scene could not be set.
struct SceneError: Error, CustomStringConvertible {
  let description: String
}

/// A clock that a test moves by hand. Nobody sleeps by it here: steps hold no wait.
final class HandClock: WallClock {
  private let milliseconds = Mutex<Int64>(1_764_000_000_000)

  func now() -> Timestamp { Timestamp(milliseconds: milliseconds.withLock { $0 }) }

  func sleep(milliseconds: Int64) async throws { advance(milliseconds: milliseconds) }

  func advance(milliseconds change: Int64) { milliseconds.withLock { $0 += change } }
}

/// The real ledger, with failures that a test puts before or after its answers.
final class FailingLedger: SchedulerLedger {
  /// When a call that makes batches fails.
  enum Failure: Sendable {
    /// Before anything is done.
    case before(LedgerError.Code)
    /// After the commit, whose answer is lost.
    case after(LedgerError.Code)
  }

  private let ledger: Ledger
  private let failure = Mutex<(@Sendable ([PayoutID]) -> Failure?)?>(nil)

  init(_ ledger: Ledger) { self.ledger = ledger }

  func fail(_ failure: (@Sendable ([PayoutID]) -> Failure?)?) { self.failure.withLock { $0 = failure } }

  func scheduleDue(
    atMost count: Int, maximumPerBatch: Int, newBatchID: @escaping @Sendable () -> BatchID
  ) async throws -> [SettlementBatch] {
    try await failing(try await ledger.duePayouts(atMost: count)) {
      try await ledger.scheduleDue(atMost: count, maximumPerBatch: maximumPerBatch, newBatchID: newBatchID)
    }
  }

  func duePayouts(atMost count: Int) async throws -> [PayoutID] { try await ledger.duePayouts(atMost: count) }

  func schedule(
    _ payouts: [PayoutID], maximumPerBatch: Int, newBatchID: @escaping @Sendable () -> BatchID
  ) async throws -> [SettlementBatch] {
    try await failing(payouts) {
      try await ledger.schedule(payouts, maximumPerBatch: maximumPerBatch, newBatchID: newBatchID)
    }
  }

  private func failing(
    _ payouts: [PayoutID], _ call: () async throws -> [SettlementBatch]
  ) async throws -> [SettlementBatch] {
    let failure = failure.withLock { $0 }?(payouts)
    if case .before(let code) = failure { throw LedgerError(code, "the test lets it fail") }
    let batches = try await call()
    if case .after(let code) = failure { throw LedgerError(code, "the test loses the answer") }
    return batches
  }

  func expire(atMost count: Int) async throws -> [PayoutEnd] { try await ledger.expire(atMost: count) }

  func conditions() async throws -> PayingConditions { try await ledger.conditions() }

  func holdQueued(_ payout: PayoutID, note: String) async throws -> Bool {
    try await ledger.holdQueued(payout, note: note)
  }

  func setWindows(_ lengths: WindowLengths) async throws -> Bool { try await ledger.setWindows(lengths) }
}

extension Step {
  /// Goes round until nothing is left to do.
  func runUntilIdle() async throws {
    while try await run() == .worked {}
  }
}
