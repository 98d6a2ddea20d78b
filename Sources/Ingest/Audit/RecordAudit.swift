import Ledger
import Logging
import ServiceLifecycle
import Worker

/// Stores audit records, many in one commit: those of writes before their answers are sent, those of refusals beside
/// them.
///
/// A ledger that is away keeps nobody waiting for long: an accepted payout must be answered. After `waitMilliseconds`
/// the caller goes on, and its record stays here and is tried again, dated back by the time it waited. What there is no
/// room for, or is still here when the process must end, is written to the log, one error line a record, and counted:
/// so it leaves the machine all the same.
final class RecordAudit: Service {
  /// The part of the health report.
  static let component = "audit"
  /// How many groups may be on their way to the database at a time.
  static let lanes = 2
  /// The most records in one commit.
  static let groupMax = 500
  /// The most records that wait to be stored; beyond that they go to the log alone.
  static let waitingMax = 10_000
  /// How long a caller waits for its record's commit, in milliseconds.
  static let waitMilliseconds: Int64 = 2_000
  /// How long records are still tried after shutdown began, in milliseconds.
  static let drainMilliseconds: Int64 = 5_000

  private let runner: GroupRunner<AuditEntry>
  private let waiting: AuditWaiting
  private let storing: StoreAudits
  private let giveUp: StopSignal
  private let clock: any WallClock
  private let metrics: AuditMetrics

  init(
    ledger: any AuditLedger, clock: any WallClock, random: any RandomSource, health: HealthRegistry,
    metrics: AuditMetrics, logger: Logger
  ) {
    let (waiting, giveUp) = (AuditWaiting(), StopSignal())
    let storing = StoreAudits(
      ledger: ledger, waiting: waiting, giveUp: giveUp, clock: clock, random: random, health: health,
      metrics: metrics, logger: logger)
    self.waiting = waiting
    self.giveUp = giveUp
    self.storing = storing
    self.clock = clock
    self.metrics = metrics
    runner = GroupRunner(laneCount: Self.lanes, groupMax: Self.groupMax, waitingMax: Self.waitingMax) { group in
      await storing.store(group)
    } abandon: { left in
      storing.lose(left, "this process was cut off")
    }
  }

  /// Stores a record, together with whatever else waits. Returns when it is committed; or after `waitMilliseconds`,
  /// when it will be later; or at once, when only the log has it.
  ///
  /// Cancelling the caller changes nothing.
  func write(_ record: AuditRecord) async {
    await withCheckedContinuation { continuation in
      submit(waiting.entry(for: record, waking: continuation))
    }
  }

  /// Hands the record of a refusal over. Never waits, and leaves half of the room to those who do.
  func note(_ record: AuditRecord) {
    let entry = waiting.entry(for: record, waking: nil)
    guard runner.waitingCount < Self.waitingMax / 2 else {
      return storing.lose([entry], "more records wait to be stored than are kept of refusals")
    }
    submit(entry)
  }

  /// How many records wait to be stored, those not counted that are on their way.
  var waitingCount: Int { runner.waitingCount }

  /// Runs until graceful shutdown and until what waits is stored, or the time for that is over.
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
    try await withThrowingTaskGroup(of: Bool.self) { parts in
      defer { parts.cancelAll() }
      parts.addTask {
        try await self.runner.run(until: stop)
        return true
      }
      parts.addTask {
        while true {
          try await self.clock.sleep(milliseconds: AuditWaiting.tickMilliseconds)
          // What is only in memory, and of which the caller is told, leaves the machine as a line at least.
          self.waiting.tick { self.storing.tellLate($0) }
          self.metrics.waiting(self.runner.waitingCount)
        }
      }
      parts.addTask {
        await stop.wait()
        try await self.clock.sleep(milliseconds: Self.drainMilliseconds)
        self.giveUp.raise()
        return false
      }
      while let isDone = try await parts.next() {
        if isDone { return }
      }
    }
  }

  private func submit(_ entry: AuditEntry) {
    do throws(GroupRunner<AuditEntry>.Refusal) {
      try runner.submit(entry)
    } catch {
      switch error {
      case .full: storing.lose([entry], "more records wait to be stored than are kept")
      case .closed: storing.lose([entry], "this process is stopping")
      }
    }
  }
}
