public import Logging
import Synchronization

/// Writes what was committed to the log of intents, after the commit and before the answer: the one way in which every
/// worker and the command line do it.
///
/// A log that cannot be written stops nothing (Redis is never needed to accept). The first failure costs one wait of
/// ``IntentLogBounds/appendMilliseconds``; from then on entries are kept in memory, nobody waits, and ``retry()`` writes
/// them once Redis is back. Only what a process still kept when it died, or had no room for, is missing from the log.
public final class IntentRecorder: Sendable {
  /// What became of entries, for metrics.
  public enum Outcome: Sendable, Hashable {
    /// In the log.
    case written
    /// Kept in memory: the log cannot be written now.
    case kept
    /// There was no more room in memory; they stand in PostgreSQL only.
    case dropped
  }

  /// The most entries that are kept in memory: about 50 MB.
  public static let maximumKept = 50_000

  private struct State {
    var isAway = false
    var kept: [[String: String]] = []
  }

  private let log: any IntentLog
  private let logger: Logger
  private let count: @Sendable (Outcome, Int) -> Void
  private let state = Mutex(State())

  /// - Parameters:
  ///   - log: where it is written.
  ///   - count: told how many entries became what.
  public init(
    _ log: any IntentLog, logger: Logger, count: @escaping @Sendable (Outcome, Int) -> Void = { _, _ in }
  ) {
    self.log = log
    self.logger = logger
    self.count = count
  }

  /// Whether the log could be written when it was last tried.
  public var isWell: Bool { state.withLock { !$0.isAway } }

  /// Writes entries, or keeps them where the log is away. Returns when that is settled; never fails.
  public func record(_ entries: [[String: String]]) async {
    guard !entries.isEmpty else { return }
    if !isWell { return keep(entries) }
    do {
      try await log.appendIntents(entries)
      count(.written, entries.count)
    } catch {
      keep(entries, because: error)
    }
  }

  /// One try to write what was kept, a bounded part of it. Called about once a second by whoever runs steps.
  ///
  /// - Returns: whether there may be more to write at once.
  public func retry() async -> Bool {
    let part = state.withLock { state -> [[String: String]] in
      // What is written once too often does no harm; what is kept meanwhile comes behind it.
      let part = Array(state.kept.prefix(IntentLogBounds.maximumEntries))
      if part.isEmpty { state.isAway = false }
      return part
    }
    guard !part.isEmpty else { return false }
    do {
      try await log.appendIntents(part)
    } catch {
      return false
    }
    count(.written, part.count)
    let isBack = state.withLock { state -> Bool in
      state.kept.removeFirst(part.count)
      if state.kept.isEmpty { state.isAway = false }
      return !state.isAway
    }
    if isBack { logger.info("The log of intents is written again") }
    return !isBack
  }

  private func keep(_ entries: [[String: String]], because error: (any Error)? = nil) {
    let (isNews, dropped) = state.withLock { state -> (Bool, Int) in
      let room = min(max(0, Self.maximumKept - state.kept.count), entries.count)
      state.kept += entries.prefix(room)
      defer { state.isAway = true }
      return (!state.isAway, entries.count - room)
    }
    count(.kept, entries.count - dropped)
    if dropped > 0 { count(.dropped, dropped) }
    if isNews, let error {
      logger.warning(
        "The log of intents cannot be written; what is committed meanwhile is kept in memory for it", error: error)
    }
  }
}
