import Ledger
import Logging
import Payouts
import ServiceLifecycle
import Streams
import Synchronization
import Worker

/// Wakes the Scheduler for payouts that were stored: their ids go to the stream of their batch type.
///
/// It runs beside the answers, which never wait for it: what the streams do not get, Scheduler finds in the ledger.
/// Accepting goes on while Redis is away; health says `degraded`.
final class EnqueueAccepted: Service {
  /// The part of the health report.
  static let component = "redis"
  /// The most ids in one append.
  static let groupMax = 1_000
  /// The most ids that wait; beyond that Scheduler finds them by itself.
  static let waitingMax = 100_000

  private struct Entry: Sendable {
    let payout: PayoutID
    let batchType: BatchType
  }

  private let runner: GroupRunner<Entry>
  private let report: EnqueueReport

  /// - Parameter streams: where the ids go.
  init(streams: any StreamTransport, health: HealthRegistry, metrics: IngestMetrics, logger: Logger) {
    let report = EnqueueReport(health: health, metrics: metrics, logger: logger)
    self.report = report
    runner = GroupRunner(laneCount: 1, groupMax: Self.groupMax, waitingMax: Self.waitingMax) { group in
      // While this replica stops, a Redis that is away is not waited for again and again.
      guard !report.mustGiveUp else { return report.left(group.count) }
      for (type, entries) in Dictionary(grouping: group, by: \.batchType) {
        do {
          try await streams.append(
            entries.map { [StreamField.payoutID: $0.payout.description] }, to: .payouts(type))
          report.succeeded(entries.count)
        } catch {
          report.failed(entries.count, error)
        }
      }
    } abandon: { left in
      report.left(left.count)
    }
  }

  /// Hands over payouts that were stored. Never waits, never fails.
  func enqueue(_ payouts: [PayoutRecord]) {
    var refused = 0
    for payout in payouts {
      do {
        try runner.submit(Entry(payout: payout.id, batchType: payout.terms.batchType))
      } catch {
        refused += 1
      }
    }
    if refused > 0 { report.left(refused) }
  }

  /// Runs until graceful shutdown and until what waits was tried once.
  func run() async throws {
    let stop = StopSignal()
    try await withGracefulShutdownHandler {
      try await run(until: stop)
    } onGracefulShutdown: {
      stop.raise()
    }
  }

  /// As `run()`, until a signal.
  func run(until stop: StopSignal) async throws {
    report.stop(with: stop)
    try await runner.run(until: stop)
  }
}

/// What became of appends: told to health, metrics and log.
private final class EnqueueReport: Sendable {
  private struct State {
    var hasFailed = false
    var stop: StopSignal?
  }

  private let health: HealthRegistry
  private let metrics: IngestMetrics
  private let logger: Logger
  private let state = Mutex(State())

  init(health: HealthRegistry, metrics: IngestMetrics, logger: Logger) {
    self.health = health
    self.metrics = metrics
    self.logger = logger
  }

  /// Whether nothing more is tried: the last append failed and this replica is stopping.
  var mustGiveUp: Bool { state.withLock { $0.hasFailed && $0.stop?.isRaised ?? false } }

  func stop(with stop: StopSignal) { state.withLock { $0.stop = stop } }

  func succeeded(_ count: Int) {
    metrics.enqueued(count)
    health.report(EnqueueAccepted.component, .ok)
    if turn(failed: false) { logger.info("Payouts are enqueued again") }
  }

  func failed(_ count: Int, _ error: any Error) {
    metrics.notEnqueued(count)
    health.report(
      EnqueueAccepted.component, .degraded, detail: "payouts cannot be enqueued; the Scheduler will find them")
    if turn(failed: true) {
      logger.warning(
        "Payouts cannot be enqueued; they are stored, and the Scheduler will find them", error: error,
        metadata: [LogKey.payoutCount: "\(count)"])
    }
  }

  func left(_ count: Int) {
    metrics.notEnqueued(count)
    logger.warning(
      "Payouts were not enqueued; they are stored, and the Scheduler will find them",
      metadata: [LogKey.payoutCount: "\(count)"])
  }

  /// Notes how the last append ended; true where that is news.
  private func turn(failed: Bool) -> Bool {
    state.withLock { state in
      defer { state.hasFailed = failed }
      return state.hasFailed != failed
    }
  }
}

extension StreamName {
  /// Where payouts of a batch type go.
  fileprivate static func payouts(_ type: BatchType) -> StreamName {
    switch type {
    case .immediate: .payoutsImmediate
    case .hourly: .payoutsHourly
    case .daily: .payoutsDaily
    case .weekly: .payoutsWeekly
    }
  }
}
