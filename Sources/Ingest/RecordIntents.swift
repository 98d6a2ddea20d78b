import Ledger
import Logging
import Payouts
import Streams
import Synchronization
import Worker

/// Writes acceptances to the log of intents, after their commit and before their answers (DESIGN.md §3 "Continuity").
///
/// Accepting goes on while Redis is away: health says `degraded`, what was accepted meanwhile is kept in memory, and the
/// step writes it once Redis is back.
struct RecordIntents: Sendable {
  /// The part of the health report.
  static let component = "intents"

  /// The writer; a service that writes what it still keeps when the process stops.
  let recorder: IntentRecorder
  private let health: HealthRegistry
  /// By the payouts' own names, since a restore may lose one, and the same request is another payout then.
  private let written = LatelyWritten<PayoutID>()
  private let writtenEnds = LatelyWritten<PayoutEnd>()
  private let keptEnds = LatelyWritten<PayoutEnd>()

  init(log: any IntentLog, health: HealthRegistry, metrics: IngestMetrics, logger: Logger) {
    recorder = IntentRecorder(log, logger: logger) { outcome, count in metrics.intents(outcome, count) }
    self.health = health
  }

  /// Writes acceptances; returns when they are written, or kept because the log is away.
  ///
  /// Whoever repeats its request is told of an acceptance whose first process may have died before it wrote it: that one is
  /// written again, but not once for each repetition, or one client could push what others were told out of the log.
  func accepted(_ acceptances: [AcceptedPayout]) async {
    let news = acceptances.filter { written.isNew($0.payout.terms.id) }
    guard !news.isEmpty else { return }
    await recorder.record(news.map { Intent.accepted($0).fields })
    report()
  }

  /// Writes that a payout ended unpaid.
  ///
  /// Who repeats an acceptance is told of the payout again, whatever a restore took; who was told of an end does not ask
  /// again. So that is told only once the log has it.
  ///
  /// - Returns: whether it stands in the log; false while it is kept in memory.
  func ended(_ end: PayoutEnd) async -> Bool {
    // Only an append that went well counts, since others may be under way; one end is kept once, however often it is asked
    // for.
    if writtenEnds.holds(end) { return true }
    if keptEnds.holds(end), !recorder.isWell { return false }
    let outcome = await recorder.record([Intent.ended(end).fields])
    report()
    switch outcome {
    case .written: _ = writtenEnds.isNew(end)
    case .kept: _ = keptEnds.isNew(end)
    case .dropped: break
    }
    return outcome == .written
  }

  /// Tries again what was kept, for a run loop or a simulator.
  var step: Step {
    Step("record_intents") {
      let hasMore = await recorder.retry()
      report()
      return hasMore ? .worked : .idle(milliseconds: IntentLogBounds.retryMilliseconds)
    }
  }

  private func report() {
    if recorder.isWell {
      health.report(Self.component, .ok)
    } else {
      health.report(
        Self.component, .degraded,
        detail: "the log of intents cannot be written; payouts are stored, and written to it when Redis is back")
    }
  }
}

/// What this process wrote last.
private final class LatelyWritten<Entry: Hashable & Sendable>: Sendable {
  /// So many are remembered.
  private static var countMax: Int { 100_000 }

  private struct State {
    var entries: Set<Entry> = []
    var inOrder: [Entry] = []
    var oldest = 0
  }

  private let state = Mutex(State())

  /// Whether it was not written lately; from now on it was.
  func isNew(_ entry: Entry) -> Bool {
    state.withLock { state in
      guard state.entries.insert(entry).inserted else { return false }
      if state.inOrder.count < Self.countMax {
        state.inOrder.append(entry)
      } else {
        state.entries.remove(state.inOrder[state.oldest])
        state.inOrder[state.oldest] = entry
        state.oldest = (state.oldest + 1) % Self.countMax
      }
      return true
    }
  }

  /// Whether it was told here lately.
  func holds(_ entry: Entry) -> Bool { state.withLock { $0.entries.contains(entry) } }
}
