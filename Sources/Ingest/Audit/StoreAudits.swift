import Ledger
import Logging
import Synchronization
import Worker

/// Brings groups of audit records into the ledger, again and again until that is given up.
///
/// | the ledger says | then |
/// | --- | --- |
/// | it is unavailable, or set up wrongly | the group is tried again after a growing pause |
/// | nobody knows whether it was committed | likewise: a record may then stand there twice, under one request id |
/// | it refuses the rows | each goes alone, so that one bad record takes no other with it; the bad one goes to the log
/// |
final class StoreAudits: Sendable {
  /// How long to wait between tries: 200 ms, 400 ms … 5 s.
  static let backOff = BackOff(initialMilliseconds: 200, maximumMilliseconds: 5_000)

  private let ledger: any AuditLedger
  private let waiting: AuditWaiting
  private let giveUp: StopSignal
  private let clock: any WallClock
  private let random: any RandomSource
  private let health: HealthRegistry
  private let metrics: AuditMetrics
  private let logger: Logger
  private let hasFailed = Mutex(false)

  /// - Parameters:
  ///   - waiting: who is told when a record is stored, or lost.
  ///   - giveUp: raised when nothing is tried any more.
  init(
    ledger: any AuditLedger, waiting: AuditWaiting, giveUp: StopSignal, clock: any WallClock,
    random: any RandomSource, health: HealthRegistry, metrics: AuditMetrics, logger: Logger
  ) {
    self.ledger = ledger
    self.waiting = waiting
    self.giveUp = giveUp
    self.clock = clock
    self.random = random
    self.health = health
    self.metrics = metrics
    self.logger = logger
  }

  /// Stores a group, or gives it to the log. Returns when either is done; never fails.
  func store(_ group: [AuditEntry]) async {
    var failures = 0
    while !giveUp.isRaised {
      do {
        try await ledger.record(audits: waiting.dated(group))
        return succeeded(group)
      } catch let error as LedgerError where error.code.blamesTheRows {
        guard group.count > 1 else { return lose(group, "the ledger refuses it: \(error.code)") }
        for entry in group { await store([entry]) }
        return
      } catch {
        failures += 1
        failed(error)
      }
      do {
        try await giveUp.pause(milliseconds: Self.backOff.delay(afterFailures: failures, random: random), by: clock)
      } catch {
        return lose(group, "this process was cut off")
      }
    }
    lose(group, "the ledger could not be reached until this process had to end")
  }

  /// Writes records to the log, since nothing else will have them.
  ///
  /// - Parameter why: constant but for an error's code; holds no secret.
  func lose(_ entries: [AuditEntry], _ why: String) {
    waiting.release(entries)
    guard !entries.isEmpty else { return }
    metrics.lost(entries.count)
    for entry in entries {
      logger.error(
        "An audit record could not be stored: this line is all there is of it", metadata: metadata(entry.record, why))
    }
  }

  /// Writes a record to the log that its caller no longer waits for: it is in memory alone, and will be stored.
  func tellLate(_ record: AuditRecord) {
    logger.warning(
      "An audit record is not stored yet, and what it tells of is done",
      metadata: metadata(record, "the ledger does not take it now"))
  }

  private func metadata(_ record: AuditRecord, _ why: String) -> Logger.Metadata {
    var metadata: Logger.Metadata = [
      LogKey.auditLoss: "\(why)", LogKey.auditService: "\(record.service)",
      LogKey.auditOperation: "\(record.operation)", LogKey.requestID: "\(record.requestID)",
      LogKey.responseStatus: "\(record.status)", LogKey.auditOutcome: "\(record.outcome)",
    ]
    let texts = [
      (LogKey.callerID, record.caller), (LogKey.auditRole, record.role), (LogKey.auditProof, record.proof),
      (LogKey.auditTarget, record.target), (LogKey.auditDetail, record.detail),
    ]
    for (key, text) in texts {
      if let text { metadata[key] = "\(text)" }
    }
    return metadata
  }

  private func succeeded(_ group: [AuditEntry]) {
    waiting.release(group)
    metrics.stored(group.count)
    health.report(RecordAudit.component, .ok)
    if turn(failed: false) { logger.info("Audit records are stored again") }
  }

  private func failed(_ error: any Error) {
    health.report(
      RecordAudit.component, .degraded,
      detail: "audit records cannot be stored; they are kept in memory until the ledger is back")
    if turn(failed: true) {
      logger.warning("Audit records cannot be stored; they are kept and tried again", error: error)
    }
  }

  /// Notes how the last try ended; true where that is news.
  private func turn(failed: Bool) -> Bool {
    hasFailed.withLock { hasFailed in
      defer { hasFailed = failed }
      return hasFailed != failed
    }
  }
}

extension LogKey {
  /// Why a record stands in the log alone.
  static let auditLoss = "audit.loss"
  /// Which process made the record.
  static let auditService = "audit.service"
  /// The HTTP operation's name.
  static let auditOperation = "audit.operation"
  /// What came of it.
  static let auditOutcome = "audit.outcome"
  /// The caller's role.
  static let auditRole = "audit.role"
  /// By what the caller was proven.
  static let auditProof = "audit.proof"
  /// What it was about.
  static let auditTarget = "audit.target"
  /// More of it in words.
  static let auditDetail = "audit.detail"
}
