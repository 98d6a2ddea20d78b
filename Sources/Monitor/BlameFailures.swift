import Ledger
import Logging
import Payouts
import Streams
import Synchronization
import Tron
import Worker

/// Finds out whose failure a revert on the solid chain was, and ends payouts whose own failures are used up
/// (DESIGN.md §3 point 6).
///
/// What freed the payout stays as it is; it is not signed again before this has told. While no node tells anything, or no
/// quorum tells of a payout's own failure, nothing is counted and nothing ends.
struct BlameFailures: Sendable {
  /// How long to wait where nothing is to be told, in milliseconds.
  static let pauseMilliseconds: Int64 = 1_000
  /// How long to wait before a payout is looked at again that may not end yet, in milliseconds.
  static let untrustedPauseMilliseconds: Int64 = 10_000
  /// How many at once.
  static let atOnce = 100
  /// After this a failure of which nothing can be told is an alarm, in milliseconds.
  static let overdueMilliseconds: Int64 = 600_000

  let ledger: any MonitorLedger
  let node: any TronNode
  /// Told after the commit which payouts ended.
  let intents: IntentRecorder
  let maximumOwnFailures: Int64
  let clock: any WallClock
  let place = BlamePlace()
  let metrics: MonitorMetrics?
  let logger: Logger

  /// Looks at each failure. One that a node refuses to look at does not keep the others waiting: rounds go on behind the
  /// last one that was looked at, and begin anew at the end.
  func step() async throws -> StepOutcome {
    let failures = try await nextFailures()
    var refusal: (any Error)?
    var isUntrusted = false
    for failure in failures {
      place.last = failure
      do {
        try await tell(failure)
      } catch let error as LedgerError where error.code == .historyNotTrusted {
        isUntrusted = true
      } catch let error as LedgerError where error.code.blamesTheRows {
        try await ledger.raiseAlarm(
          kind: "unexplained_failure", subject: "transaction \(failure.txid)",
          message: "what its failure means cannot be stored, and its payout waits: \(error.message)")
        refusal = error
      } catch let error as ChainReadError {
        try await callIfOverdue(failure, error)
        throw error
      } catch let error as TronNodeError {
        try await callIfOverdue(failure, error)
        // A node that does not answer is not asked about the others.
        guard !error.isSilence else { throw error }
        refusal = error
      }
    }
    if failures.count < Self.atOnce { place.last = nil }
    if let refusal { throw refusal }
    if isUntrusted { return .idle(milliseconds: Self.untrustedPauseMilliseconds) }
    return failures.count == Self.atOnce ? .worked : .idle(milliseconds: Self.pauseMilliseconds)
  }

  private func nextFailures() async throws -> [UnblamedFailure] {
    let failures = try await ledger.unblamedFailures(after: place.last, atMost: Self.atOnce)
    guard failures.isEmpty, place.last != nil else { return failures }
    place.last = nil
    return try await ledger.unblamedFailures(after: nil, atMost: Self.atOnce)
  }

  private func tell(_ failure: UnblamedFailure) async throws {
    let blame = try await blame(for: failure)
    let failed = try await ledger.blame(blame, for: failure, maximumOwnFailures: maximumOwnFailures)
    logger.warning(
      "Found out why a transaction failed",
      metadata: [LogKey.txID: "\(failure.txid)", "blame": "\(blame.rawValue)"])
    guard let failed else { return }
    await intents.record([Intent.ended(failed).fields])
    metrics?.countFailedPayout()
    logger.error(
      "A payout failed for good; no money moved",
      metadata: [LogKey.payoutID: "\(failed.payout)", LogKey.txID: "\(failure.txid)"])
  }

  /// Only a revert must be looked into; each node tells all of it, since two of them may be at different blocks.
  ///
  /// A payout's own failures end it, so that one node's word is not enough for them: a quorum must say so. For all else it
  /// is: what is nobody's own failure only delays, and calls operators.
  private func blame(for failure: UnblamedFailure) async throws -> FailureBlame {
    if let known = FailureBlame(result: failure.result) { return known }
    return try await node.round(of: .solid) { round in
      let own = try await Self.blame(for: failure, by: round.node)
      guard own.isPayoutsOwn else { return own }
      let all = try await round.answersOfQuorum(own) { node in try await Self.blame(for: failure, by: node) }
      guard all.filter(\.isPayoutsOwn).count < round.quorum else { return own }
      return all.first { !$0.isPayoutsOwn } ?? own
    }
  }

  /// What stands in the way of everybody is looked for before and after the simulation: the wallet may be emptied or funded
  /// between the two, and a payout must not pay for that.
  private static func blame(for failure: UnblamedFailure, by node: any TronNode) async throws -> FailureBlame {
    if let circumstance = try await circumstance(of: failure.transfer, by: node) { return circumstance }
    guard case .reverted = try await node.simulate(.transfer(failure.transfer), .solid) else { return .passed }
    if let circumstance = try await circumstance(of: failure.transfer, by: node) { return circumstance }
    return try await refusesEverybody(failure.transfer, by: node) ? .other : .payout
  }

  /// Whether the token, or the node that plays it, refuses also what nobody could be refused: the wallet's transfer of as
  /// much to itself. Without this look a token that is broken for all would end every payout as its own failure.
  private static func refusesEverybody(_ transfer: ExpectedTransfer, by node: any TronNode) async throws -> Bool {
    let control = ExpectedTransfer(
      token: transfer.token, from: transfer.from, to: transfer.from, amount: transfer.amount)
    guard case .returned = try await node.simulate(.transfer(control), .solid) else { return true }
    return false
  }

  private static func circumstance(
    of transfer: ExpectedTransfer, by node: any TronNode
  ) async throws -> FailureBlame? {
    if try await node.answer(to: .isPaused(token: transfer.token), .solid) { return .tokenPaused }
    if try await node.answer(to: .isBlacklisted(transfer.from, token: transfer.token), .solid) {
      return .walletBlacklisted
    }
    let balance = try await node.tokenBalance(token: transfer.token, of: transfer.from, .solid)
    return balance < transfer.amount ? .walletShort : nil
  }

  /// Its payout must not wait for ever with nobody told.
  private func callIfOverdue(_ failure: UnblamedFailure, _ error: any Error) async throws {
    guard clock.now().milliseconds(since: failure.endedAt) >= Self.overdueMilliseconds else { return }
    try await ledger.raiseAlarm(
      kind: "unexplained_failure", subject: "transaction \(failure.txid)",
      message: "its payout waits to be signed again, and why it reverted cannot be told: \(error)")
  }
}

/// How far this process has come on its way round through the failures that nobody has told of yet. In memory only: after a
/// start it begins with the oldest.
final class BlamePlace: Sendable {
  private let place = Mutex<UnblamedFailure?>(nil)

  /// The one that was looked at last; nil at the beginning.
  var last: UnblamedFailure? {
    get { place.withLock { $0 } }
    set { place.withLock { $0 = newValue } }
  }
}
