import Ledger
import Payouts
import Streams

/// What operators ask of the ledger over HTTP, and change in it. Each is told beside its declaration in `OperatorLedger`.
protocol OperatorDesk: Sendable {
  /// The same in somebody's hand, whose name stands beside each change.
  func acting(as actor: String) -> Self
  func conditions() async throws -> PayingConditions
  func breaker() async throws -> BreakerReport
  func openBreaker(reason: String) async throws -> String?
  func closeBreaker(reason: String, seen: SeenBreaker?) async throws -> BreakerClosing
  func pause(reason: String) async throws -> Bool
  func resume(reason: String) async throws -> Bool
  func unexplainedFindings(naming named: Set<TxID>, atMost count: Int) async throws -> [UnexplainedFinding]
  func heldPayouts(atMost count: Int) async throws -> [PayoutRecord]
  func attempts(of ids: [PayoutID]) async throws -> [PayoutID: [AttemptRecord]]
  func payout(_ id: PayoutID) async throws -> PayoutRecord?
  func decide(
    _ payout: PayoutID, _ decision: HeldDecision, seen: String?, reason: String, requiredConfirmations: Int64
  ) async throws -> HeldOutcome
  func stageDepths(countingAtMost maximum: Int64?) async throws -> [StageDepth]
  func stats(countingAtMost maximum: Int64) async throws -> PayoutStats
}

extension Ledger: OperatorDesk {}

/// What operators ask of the streams.
protocol StreamDesk: Sendable {
  func depths(of stages: [(stream: StreamName, group: ConsumerGroup)]) async throws -> [StreamDepth]
  func deadLetters(of stream: StreamName, atMost count: Int) async throws -> [DeadLetter]
  func retry(_ id: StreamEntryID, deadLetterOf stream: StreamName) async throws -> DeadLetterRetry
}

extension RedisStreams: StreamDesk {}
