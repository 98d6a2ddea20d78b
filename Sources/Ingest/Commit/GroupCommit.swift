import Ledger
import Payouts
import ServiceLifecycle
import Worker

/// Lets concurrent requests share commits: one flush to disk for hundreds of payouts (DESIGN.md §1).
///
/// Each request's outcome is its own: the ledger accepts all that can be, and refuses one bad request alone. A batch is one
/// request, whole in one commit. A caller that goes away does not withdraw its request; it is stored all the same, and its
/// key finds it.
struct GroupCommit: Service {
  /// How many groups may be on their way to the database at a time. The second is sent while the first waits for the
  /// disk; more would only wait for the rows of the limit windows.
  static let lanes = 2
  /// The most payouts in one commit.
  static let groupMax = 500
  /// The most payouts that wait for a commit; beyond that requests are refused.
  static let waitingMax = 10_000

  /// What the ledger said, or why nobody knows.
  typealias Answer = Result<RequestOutcome, Problem>

  /// A request, and who waits for its outcome.
  private struct Waiting: Sendable {
    let request: AcceptanceRequest
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
    runner = GroupRunner(
      laneCount: Self.lanes, groupMax: Self.groupMax, waitingMax: Self.waitingMax, weight: { $0.request.payouts.count }
    ) { group in
      let answers = await Self.commit(group.map(\.request), ledger, limits, metrics, failed)
      accepted(answers.flatMap(\.newPayouts))
      await record(zip(group, answers).flatMap { waiting, answer in answer.intents(of: waiting.request) })
      for (waiting, answer) in zip(group, answers) { waiting.continuation.resume(returning: answer) }
    } abandon: { left in
      for waiting in left { waiting.continuation.resume(returning: .failure(.stopping)) }
    }
  }

  /// Stores a single payout.
  func accept(_ payout: NewPayout) async throws(Problem) -> AcceptanceOutcome {
    let outcome = try await accept(AcceptanceRequest(payout))
    do {
      return try AcceptanceOutcome(ofOne: outcome)
    } catch {
      throw .mistake.because(error)
    }
  }

  /// Stores a request, together with whatever else waits.
  ///
  /// Cancelling the caller changes nothing once the request waits: the outcome comes within the database's own time-outs.
  /// - Throws: `Problem`: `outcomeUnknown`, `unavailable`, `overloaded`, `shuttingDown` or `internalError`.
  func accept(_ request: AcceptanceRequest) async throws(Problem) -> RequestOutcome {
    let began = ContinuousClock.now
    let answer: Answer = await withCheckedContinuation { continuation in
      do throws(GroupRunner<Waiting>.Refusal) {
        try runner.submit(Waiting(request: request, continuation: continuation))
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
    _ requests: [AcceptanceRequest], _ ledger: any IngestLedger, _ limits: AcceptanceLimits, _ metrics: IngestMetrics,
    _ failed: @Sendable (any Error, Int) -> Void
  ) async -> [Answer] {
    let began = ContinuousClock.now
    let payoutCount = requests.reduce(0) { $0 + $1.payouts.count }
    do {
      let outcomes = try await ledger.accept(requests, limits: limits)
      precondition(outcomes.count == requests.count, "the ledger answers for each request")
      metrics.groupCommitted(payoutCount, since: began)
      return outcomes.map { .success($0) }
    } catch {
      failed(error, payoutCount)
      metrics.groupFailed(payoutCount, since: began)
      return requests.map { _ in .failure(problem(error)) }
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

extension Result<RequestOutcome, Problem> {
  /// The payouts that this commit stored; one that was known before is on its way already.
  fileprivate var newPayouts: [PayoutRecord] {
    if case .success(.accepted(let records)) = self { return records }
    return []
  }

  /// The acceptances that the caller is told of. A replay's first process may have died before it wrote its own, so that
  /// those are written again until the payouts have ended: whoever was told finds them in the log. Each entry tells the size
  /// of its batch, since the log may lose others of it.
  fileprivate func intents(of request: AcceptanceRequest) -> [AcceptedPayout] {
    let records: [PayoutRecord]
    switch self {
    case .success(.accepted(let accepted)): records = accepted
    case .success(.replayed(let known)): records = known
    case .success, .failure: return []
    }
    return AcceptedPayout.all(records, of: request.payouts.map(\.fingerprint))
  }
}

extension AcceptedPayout {
  /// The acceptances of one request's payouts that have not ended, in order.
  static func all(_ records: [PayoutRecord], of fingerprints: [[UInt8]]) -> [AcceptedPayout] {
    let isBatch = records.first?.terms.clientBatch != nil
    let total = isBatch ? try? records.reduce(Amount.zero) { try $0.adding($1.terms.amount) } : nil
    let size = total.map { ClientBatchSize(payoutCount: records.count, total: $0) }
    return zip(records, fingerprints).filter { !$0.0.status.isFinal }.map {
      AcceptedPayout($0, fingerprint: $1, batchSize: size)
    }
  }
}
