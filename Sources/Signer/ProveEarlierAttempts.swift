import Ledger
import Logging
import Payouts
import Tron
import Worker

/// Reads on the solid chain, for Signer itself, that earlier attempts of its own journal moved nothing
/// (DESIGN.md §3 "The seal"): whoever writes the database cannot make it pay a reference twice, and no node alone either:
/// what decides is agreed by a quorum (`AgreedReading`).
struct ProveEarlierAttempts: Sendable {
  /// How long to wait where nothing wants proof, in milliseconds.
  static let pauseMilliseconds: Int64 = 1_000
  /// So long after its expiration, in the solid chain's time, an attempt without a proof is an alarm, in milliseconds.
  static let overdueMilliseconds: Int64 = 600_000

  let node: any TronNode
  let ledger: any SignerLedger
  let earlierAttempts: EarlierAttempts
  let clock: any WallClock
  /// What nodes disagree on, here and where `ChainOutlook` looks; told from here.
  let log: DisagreementLog
  let turns = Turns<TxID>()
  let logger: Logger

  /// Proves what is wanted, one window after the other. All windows of a round come from one node; what this one cannot
  /// show is read anew, whole, from the next. One that answers nothing at all is given up at once: a node may tell its head
  /// and hang on old blocks, and each of them would cost the whole time of a call.
  func step() async throws -> StepOutcome {
    guard !earlierAttempts.wanted.isEmpty else {
      try await tellDisagreements()
      return .idle(milliseconds: Self.pauseMilliseconds)
    }
    var unproven: [Unproven] = []
    var roundError: (any Error)?
    do {
      try await node.round(of: .solid) { round in
        let left = try await prove(earlierAttempts.wanted, in: round)
        let asked = Set(left.asked)
        unproven.removeAll { asked.contains($0.attempt.txid) }
        unproven += left.unproven
        // A node's failure first: there the next node may do better.
        if let error = ChainReadError.worst(of: left.unproven.map(\.error)) { throw error }
      }
    } catch {
      roundError = error
    }
    try await tellDisagreements()
    for (attempt, solid, error) in unproven { try await callIfOverdue(attempt, solid: solid, error) }
    // The last node that was asked may be too far behind to have tried what another one failed at.
    if let error = roundError ?? unproven.first?.error { throw error }
    return .idle(milliseconds: Self.pauseMilliseconds)
  }

  private func tellDisagreements() async throws {
    let news = log.take(at: clock.now()).news
    do {
      for disagreement in news {
        try await ledger.raiseAlarm(
          kind: "nodes_disagree", subject: disagreement.subject, message: disagreement.message)
      }
    } catch {
      log.failedToTell(news)
      throw error
    }
  }

  /// An attempt without its proof, the solid chain's time then, and why.
  private typealias Unproven = (attempt: JournalEntry, solid: Timestamp, error: any Error)

  /// What one node shows of those that have expired. One that cannot be proven now does not keep the others waiting, not
  /// even one at which nodes fall silent: the next round begins with the others.
  private func prove(
    _ wanted: [JournalEntry], in round: NodeRound
  ) async throws -> (asked: [TxID], unproven: [Unproven]) {
    let solid = round.latest.header.timestamp
    let inTurn = turns.order(wanted.filter { $0.expiration <= solid }) { $0.txid }
    var reading = AgreedReading(noting: log)
    var unproven: [Unproven] = []
    for (index, attempt) in inTurn.enumerated() {
      do {
        try await prove(attempt, by: round, &reading)
      } catch {
        guard TronNodeError.isSilence(error) else {
          unproven.append((attempt, solid, error))
          continue
        }
        turns.failed(attempt.txid)
        unproven += inTurn[index...].map { ($0, solid, error) }
        break
      }
    }
    return (inTurn.map(\.txid), unproven)
  }

  /// Its payout must not wait for ever with nobody told.
  private func callIfOverdue(_ attempt: JournalEntry, solid: Timestamp, _ error: any Error) async throws {
    guard solid.milliseconds(since: attempt.expiration) >= Self.overdueMilliseconds else { return }
    try await ledger.raiseAlarm(
      kind: "unproven_attempt", subject: "transaction \(attempt.txid)",
      message: "its payout waits to be signed again, and that it moved nothing cannot be read: \(error)")
  }

  private func prove(
    _ attempt: JournalEntry, by round: NodeRound, _ reading: inout AgreedReading
  ) async throws {
    let window = try await reading.window(
      of: attempt.txid, above: attempt.referenceBlockNumber, through: attempt.expiration, by: round)
    // The window is read between bounds that came through the database: the signed bytes name them too.
    guard let signed = try? SignedTransaction(bytes: attempt.signedBytes), signed.txid == attempt.txid,
      signed.expiration == attempt.expiration, let first = window.first, signed.contents.refers(to: first.parentID)
    else {
      earlierAttempts.forget(attempt.txid)
      return try await ledger.openBreaker(
        cause: "altered_transaction", subject: "transaction \(attempt.txid)",
        message: "what the journal says of \(attempt.txid) is not what its signed bytes say")
    }
    let expected = attempt.payouts.map {
      ExpectedTransfer(token: $0.token, from: attempt.wallet, to: $0.recipient, amount: $0.amount)
    }
    switch try TransactionVerdict.judge(attempt.txid, expected: expected, window: window) {
    case .dead, .failedOnChain: earlierAttempts.proveUnpaid(attempt.txid)
    case .paid(let place, _), .anomalous(let place, _):
      earlierAttempts.forget(attempt.txid)
      logger.critical(
        "The ledger freed a payout whose earlier attempt is on the chain", metadata: [LogKey.txID: "\(attempt.txid)"])
      try await ledger.openBreaker(
        cause: "contradicted_ledger", subject: "transaction \(attempt.txid)",
        message: "the ledger says that \(attempt.txid) ended unpaid, the solid block \(place.number) holds it")
    }
  }
}
