import Ledger
import Payouts
import ServiceLifecycle
import Worker

/// Lets concurrent requests share commits: one flush to disk for hundreds of payouts (DESIGN.md §1).
///
/// Each payout's outcome is its own: the ledger accepts all that can be, and refuses one bad payout alone. A caller that
/// goes away does not withdraw its payout; it is stored all the same, and its key finds it.
struct GroupCommit: Service {
  /// How many groups may be on their way to the database at a time. The second is sent while the first waits for the
  /// disk; more would only wait for the rows of the limit windows.
  static let lanes = 2
  /// The most payouts in one commit.
  static let groupMax = 500
  /// The most payouts that wait for a commit; beyond that requests are refused.
  static let waitingMax = 10_000

  /// What the ledger said, or why nobody knows.
  typealias Answer = Result<AcceptanceOutcome, Problem>

  /// A payout, and who waits for its outcome.
  private struct Waiting: Sendable {
    let payout: NewPayout
    let continuation: CheckedContinuation<Answer, Never>
  }

  private let runner: GroupRunner<Waiting>
  private let metrics: IngestMetrics

  /// - Parameters:
  ///   - ledger: takes the groups.
  ///   - limits: what may be accepted in an hour and a day, in all and per router.
  ///   - record: writes, after the commit and before the answers, what callers are about to be told to the log of intents.
  ///   - accepted: told, after the commit and before the answers, which payouts are stored; it must not wait.
  ///   - failed: told of errors that concern a whole group, for the log.
  init(
    ledger: any IngestLedger, limits: AcceptanceLimits, metrics: IngestMetrics,
    record: @escaping @Sendable ([AcceptedPayout]) async -> Void,
    accepted: @escaping @Sendable ([PayoutRecord]) -> Void, failed: @escaping @Sendable (any Error, Int) -> Void
  ) {
    self.metrics = metrics
    runner = GroupRunner(laneCount: Self.lanes, groupMax: Self.groupMax, waitingMax: Self.waitingMax) { group in
      let answers = await Self.commit(group.map(\.payout), ledger, limits, metrics, failed)
      accepted(answers.compactMap(\.newPayout))
      await record(zip(group, answers).compactMap { waiting, answer in answer.intent(of: waiting.payout) })
      for (waiting, answer) in zip(group, answers) { waiting.continuation.resume(returning: answer) }
    } abandon: { left in
      for waiting in left { waiting.continuation.resume(returning: .failure(.stopping)) }
    }
  }

  /// Stores a payout, together with whatever else waits.
  ///
  /// Cancelling the caller changes nothing once the payout waits: the outcome comes within the database's own time-outs.
  /// - Throws: `Problem`: `outcomeUnknown`, `unavailable`, `overloaded`, `shuttingDown` or `internalError`.
  func accept(_ payout: NewPayout) async throws(Problem) -> AcceptanceOutcome {
    let began = ContinuousClock.now
    let answer: Answer = await withCheckedContinuation { continuation in
      do throws(GroupRunner<Waiting>.Refusal) {
        try runner.submit(Waiting(payout: payout, continuation: continuation))
      } catch {
        switch error {
        case .full: continuation.resume(returning: .failure(.tooManyWaiting))
        case .closed: continuation.resume(returning: .failure(.stopping))
        }
      }
    }
    metrics.acceptanceEnded(since: began, waiting: waitingCount)
    return try answer.get()
  }

  /// How many payouts wait for a commit.
  var waitingCount: Int { runner.waitingCount }

  /// Runs until graceful shutdown and everything that waits is answered.
  func run() async throws { try await runner.run() }

  /// As `run()`, until a signal.
  func run(until stop: StopSignal) async throws { try await runner.run(until: stop) }

  /// One group's answers, in its order and of its number whatever happens.
  private static func commit(
    _ payouts: [NewPayout], _ ledger: any IngestLedger, _ limits: AcceptanceLimits, _ metrics: IngestMetrics,
    _ failed: @Sendable (any Error, Int) -> Void
  ) async -> [Answer] {
    let began = ContinuousClock.now
    do {
      let outcomes = try await ledger.accept(payouts, limits: limits)
      precondition(outcomes.count == payouts.count, "the ledger answers for each payout")
      metrics.groupCommitted(payouts.count, since: began)
      return outcomes.map { .success($0) }
    } catch {
      failed(error, payouts.count)
      metrics.groupFailed(payouts.count, since: began)
      return payouts.map { _ in .failure(problem(error)) }
    }
  }

  /// What callers are told of a group's error. Only what provably did not happen is called so; everything that is not
  /// known for sure, a cancelled call too, is unknown.
  static func problem(_ error: any Error) -> Problem {
    guard let error = error as? LedgerError else { return .unknownOutcome.because(error) }
    switch error.code {
    case .unavailable: return .ledgerUnavailable.because(error)
    case .outcomeUnknown: return .unknownOutcome.because(error)
    case .refused, .illegalChange, .historyNotTrusted, .misconfigured, .livesTooLong, .corrupt:
      return .mistake.because(error)
    }
  }
}

extension Result<AcceptanceOutcome, Problem> {
  /// The payout that this commit stored; one that was known before is on its way already.
  fileprivate var newPayout: PayoutRecord? {
    if case .success(.accepted(let record)) = self { return record }
    return nil
  }

  /// The acceptance that the caller is told of. A replay's first process may have died before it wrote its own, so that one
  /// is written again until the payout has ended: whoever was told finds it in the log.
  fileprivate func intent(of payout: NewPayout) -> AcceptedPayout? {
    guard case .success(let outcome) = self else { return nil }
    switch outcome {
    case .accepted(let record): return AcceptedPayout(record, fingerprint: payout.fingerprint)
    case .replayed(let record):
      return record.status.isFinal ? nil : AcceptedPayout(record, fingerprint: payout.fingerprint)
    case .differentRequest, .limitExceeded, .knownUnder, .refused: return nil
    }
  }
}
