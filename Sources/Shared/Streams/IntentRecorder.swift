public import Logging
public import ServiceLifecycle
import Synchronization

/// Writes what was committed to the log of intents, after the commit and before the answer: the one way in which every
/// worker and the command line do it.
///
/// A log that cannot be written stops nothing (Redis is never needed to accept). The first failure costs one wait of
/// ``IntentLogBounds/appendMilliseconds``; from then on entries are kept in memory, nobody waits, and ``retry()`` writes
/// them once Redis is back. As a service it writes what is kept when the process stops: it stands before everybody who
/// records, so that it stops after them. Only what a process still kept when it died, or had no room for, is missing from
/// the log.
public final class IntentRecorder: Service {
  /// What became of entries, for metrics.
  public enum Outcome: String, Sendable, Hashable, CaseIterable {
    /// In the log.
    case written
    /// Kept in memory: the log cannot be written now.
    case kept
    /// There was no more room in memory; they stand in PostgreSQL only.
    case dropped
  }

  /// The most entries that are kept in memory: some 3 KB each.
  public static let maximumKept = 50_000

  private struct State {
    var isAway = false
    var isFull = false
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

  /// Whether all that was recorded is in the log.
  public var isWell: Bool { state.withLock { !$0.isAway && $0.kept.isEmpty } }

  /// Writes entries, or keeps them where the log is away. Returns when that is settled; never fails.
  ///
  /// - Returns: what became of all of them, the worst where that differs.
  @discardableResult
  public func record(_ entries: [[String: String]]) async -> Outcome {
    guard !entries.isEmpty else { return .written }
    guard state.withLock({ !$0.isAway }) else { return keep(entries) }
    do {
      try await log.appendIntents(entries)
      count(.written, entries.count)
      return .written
    } catch {
      return keep(entries, because: error)
    }
  }

  /// One try to write what was kept, a bounded part of it. Called about once a second by whoever runs steps.
  ///
  /// - Returns: whether it went well and there is more to write.
  public func retry() async -> Bool {
    let part = state.withLock { state in
      let part = Array(state.kept.prefix(IntentLogBounds.maximumEntries))
      state.kept.removeFirst(part.count)
      return part
    }
    guard !part.isEmpty else { return false }
    do {
      try await log.appendIntents(part)
    } catch {
      // The order of entries means nothing, and to write one twice does no harm.
      state.withLock { $0.kept += part }
      return false
    }
    count(.written, part.count)
    let (isBack, hasMore) = state.withLock { state in
      guard state.kept.isEmpty else { return (false, true) }
      defer { (state.isAway, state.isFull) = (false, false) }
      return (state.isAway, false)
    }
    if isBack { logger.info("The log of intents is written again") }
    return hasMore
  }

  /// Waits until the process stops, then writes what is kept, as long as that goes well.
  public func run() async throws {
    try? await gracefulShutdown()
    while await retry() {}
    let left = state.withLock { $0.kept.count }
    guard left > 0 else { return }
    logger.error(
      "The log of intents cannot be written at the end: what this process kept for it stands in PostgreSQL only",
      metadata: ["intents": "\(left)"])
  }

  private func keep(_ entries: [[String: String]], because error: (any Error)? = nil) -> Outcome {
    // A caller that went away says nothing about Redis.
    let isAway = error.map { !($0 is CancellationError) } ?? true
    let (isNews, isFull, dropped) = state.withLock { state in
      let room = min(max(0, Self.maximumKept - state.kept.count), entries.count)
      state.kept += entries.prefix(room)
      let isNews = isAway && !state.isAway
      let isFull = room < entries.count && !state.isFull
      state.isAway = state.isAway || isAway
      state.isFull = state.isFull || isFull
      return (isNews, isFull, entries.count - room)
    }
    count(.kept, entries.count - dropped)
    if dropped > 0 { count(.dropped, dropped) }
    if isNews, let error {
      logger.warning(
        "The log of intents cannot be written; what is committed meanwhile is kept in memory for it", error: error)
    }
    if isFull {
      logger.error(
        "No more can be kept for the log of intents: until Redis is back, what is committed stands in PostgreSQL only")
    }
    return dropped > 0 ? .dropped : .kept
  }
}
