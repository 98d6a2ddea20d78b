import Ledger
import Logging
import Payouts
import Synchronization
import Worker

/// Confirms payouts that are paid on the solid chain and have their confirmations, counted from block heights.
struct ConfirmPayouts: Sendable {
  /// How long to wait where none is due, in milliseconds.
  static let pauseMilliseconds: Int64 = 250
  /// How many at once.
  static let atOnce = 500
  /// How often to look although the chain stands still, in milliseconds.
  static let restMillisecondsMaximum: Int64 = 5_000

  let ledger: any MonitorLedger
  let requiredConfirmations: Int64
  let clock: any WallClock
  let looks = VainLooks()
  let metrics: MonitorMetrics?
  let logger: Logger

  /// Confirms what is due. Nearly all that is confirming waits for blocks: it is looked through once for each of them.
  func step() async throws -> StepOutcome {
    let idle = StepOutcome.idle(milliseconds: Self.pauseMilliseconds)
    guard let head = try await ledger.cursor(.head) else { return idle }
    let solid = try await ledger.cursor(.solid)
    guard looks.areDue(head: head.id, solid: solid?.id, at: clock.now()) else { return idle }
    let confirmed = try await ledger.confirm(
      headNumber: head.number, requiredConfirmations: requiredConfirmations, atMost: Self.atOnce)
    metrics?.count(confirmed: confirmed.count)
    for payout in confirmed { logger.info("Confirmed a payout", metadata: [LogKey.payoutID: "\(payout)"]) }
    guard confirmed.isEmpty else { return .worked }
    looks.wasVain(head: head.id, solid: solid?.id, at: clock.now())
    return idle
  }
}

/// Where the chain stood when there was last nothing to confirm. In memory only: after a start there is a look at once.
final class VainLooks: Sendable {
  private struct Look {
    let head: BlockID
    let solid: BlockID?
    let at: Timestamp
  }

  private let last = Mutex<Look?>(nil)

  /// Nothing was due.
  func wasVain(head: BlockID, solid: BlockID?, at now: Timestamp) {
    last.withLock { $0 = Look(head: head, solid: solid, at: now) }
  }

  /// Whether the chain has moved since then, or it is long ago. A clock that was set back makes it so.
  func areDue(head: BlockID, solid: BlockID?, at now: Timestamp) -> Bool {
    last.withLock { last in
      guard let last, last.head == head, last.solid == solid else { return true }
      return !(0..<ConfirmPayouts.restMillisecondsMaximum).contains(now.milliseconds(since: last.at))
    }
  }
}
