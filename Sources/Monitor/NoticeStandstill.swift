import Ledger
import Logging
import Payouts
import Synchronization
import Worker

/// Calls operators where the chain, or our reading of it, stands still: no new block, new blocks of which none becomes solid,
/// a head that goes on without the solid block, on a branch that one node leads, or solid blocks that are read more slowly
/// than they come. What stands still is not judged meanwhile, nothing is signed again, and all goes on by itself; but payouts
/// wait, and somebody should know why.
///
/// What a process has not seen with its own eyes it does not tell: it begins to count at its start, so that a start after a
/// long pause alarms nobody. It counts by the database's clock, which no jump of this machine's moves.
final class NoticeStandstill: Sendable {
  /// How often it looks, in milliseconds.
  static let pauseMilliseconds: Int64 = 5_000
  /// How long the head may stand still, and how far it may go on without a newer solid block, in milliseconds: 40 slots. The
  /// usual distance between the two is 18 slots.
  static let patienceMilliseconds: Int64 = 120_000

  /// From how far behind the clock on the newest solid block that was read calls somebody, unless it catches up; milliseconds.
  static let behindMilliseconds: Int64 = 600_000

  private struct Seen {
    /// The highest block: a head that goes back and forth gets no further.
    var head: (place: BlockPlace, at: Timestamp)?
    /// The newest solid block, and the head's time when it was first seen.
    var solid: (place: BlockPlace, headTime: Timestamp)?
    /// Since when the head has not held the solid block.
    var astray: Timestamp?
    /// How far behind the solid block was when it was first seen to be too far behind, or to have caught up a little.
    var behind: (milliseconds: Int64, at: Timestamp)?
  }

  private let ledger: any MonitorLedger
  private let logger: Logger
  private let seen = Mutex(Seen())

  init(ledger: any MonitorLedger, logger: Logger) {
    self.ledger = ledger
    self.logger = logger
  }

  /// One look.
  func step() async throws -> StepOutcome {
    let idle = StepOutcome.idle(milliseconds: Self.pauseMilliseconds)
    guard let head = try await ledger.cursor(.head), let solid = try await ledger.cursor(.solid) else { return idle }
    let now = try await ledger.conditions().now
    let holdsSolid = try await ledger.headBlock(solid.number)?.id == solid.id
    let isAstray = head.number >= solid.number && !holdsSolid
    let lag = now.milliseconds(since: solid.time)
    let (headStood, solidStood, astray, behind) = seen.withLock { seen in
      seen.astray = isAstray ? seen.astray ?? now : nil
      if head.number > seen.head?.place.number ?? .min { seen.head = (head, now) }
      if seen.solid?.place != solid { seen.solid = (solid, head.time) }
      if lag < Self.behindMilliseconds {
        seen.behind = nil
      } else if lag < seen.behind?.milliseconds ?? .max {
        seen.behind = (lag, now)
      }
      return (
        seen.head.map { now.milliseconds(since: $0.at) } ?? 0,
        seen.solid.map { head.time.milliseconds(since: $0.headTime) } ?? 0,
        seen.astray.map { now.milliseconds(since: $0) } ?? 0,
        seen.behind.map { now.milliseconds(since: $0.at) } ?? 0
      )
    }
    if headStood >= Self.patienceMilliseconds {
      try await tell(
        "head_stalled",
        "no newer block than \(max(head.number, seen.withLock { $0.head?.place.number ?? 0 })) was read for \(headStood / 1_000) s: the network, or every node of "
          + "TRON_RPC_URL, stands still, or cannot be read; nothing is signed or confirmed meanwhile")
      seen.withLock { $0.head = nil }
    }
    if solidStood >= Self.patienceMilliseconds {
      try await tell(
        "solid_stalled",
        "the head has gone on for \(solidStood / 1_000) s of the chain's time, to block \(head.number), and block "
          + "\(solid.number) is still the newest solid one that was read: too few producers take part, or the solid view "
          + "cannot be read; nothing is confirmed or freed meanwhile")
      seen.withLock { $0.solid = nil }
    }
    if astray >= Self.patienceMilliseconds {
      try await tell(
        "head_astray",
        "for \(astray / 1_000) s the head, now at block \(head.number), has been read on a branch that does not hold solid "
          + "block \(solid.number): a node made it up, and no other one can be read; no quarantine ends, and nothing is signed "
          + "once the fence is behind; take out the node that Monitor's log names as on such a branch, see that the others "
          + "answer, and where the head does not move then: 'payoutctl head reset'")
      seen.withLock { $0.astray = nil }
    }
    if behind >= Self.patienceMilliseconds {
      try await tell(
        "solid_behind",
        "the newest solid block that was read, \(solid.number), is \(lag / 1_000) s old, and for \(behind / 1_000) s that has "
          + "not become less: the chain or its solid block stood still (head_stalled, solid_stalled), or a node of "
          + "TRON_RPC_URL answers slowly, or cannot be read; payouts are confirmed and freed that late")
      seen.withLock { $0.behind = nil }
    }
    return idle
  }

  /// One standing alarm of a kind; while it stands, its count and text go on.
  private func tell(_ kind: String, _ message: String) async throws {
    try await ledger.raiseAlarm(kind: kind, subject: "chain", message: message)
    logger.critical(
      "The chain, or our reading of it, does not go on",
      metadata: [LogKey.alarmKind: "\(kind)", "alarm.message": "\(message)"])
  }
}
